// Nodes that consist of a Transport only, on simulated clocks and network, recording what reaches them.

import { CodecError } from "../../src/base/codec.ts";
import { NodeDigest } from "../../src/platform/deno/mod.ts";
import type { Log, LogLevel, Network } from "../../src/platform/ports.ts";
import { type Message, MessageType, newMessage } from "../../src/raft/mod.ts";
import { Transport, type TransportEnvironment } from "../../src/transport/mod.ts";
import { Incarnation, Scheduler, SimClock } from "../sim/clock.ts";
import { SimNetwork, type SimNetworkOptions } from "../sim/network.ts";
import { SeededRandom } from "../sim/random.ts";

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A log that keeps its lines. */
export class MemoryLog implements Log {
  readonly lines: LogLine[] = [];

  log(level: LogLevel, message: string, fields: Record<string, unknown> = {}): void {
    this.lines.push({ level, message, fields });
  }

  with(): Log {
    return this;
  }

  /** The lines whose message is `message`. */
  of(message: string): LogLine[] {
    return this.lines.filter((line) => line.message === message);
  }
}

export interface NodeSettings {
  readonly clusterId?: string;
  readonly secret?: string;
  readonly dialOverride?: TransportEnvironment["dialOverride"];
  readonly nodeId?: string;
  readonly protocol?: TransportEnvironment["protocol"];
}

export interface ReceivedMessage {
  readonly from: string;
  readonly group: number;
  readonly message: Message;
  readonly wallMs: number;
}

/** A datagram that begins with it is malformed in the eyes of its handler. */
export const BAD_DATAGRAM = 0xbd;

export class TestNode {
  readonly name: string;
  readonly address: string;
  readonly incarnation: Incarnation;
  readonly clock: SimClock;
  readonly network: Network;
  readonly log = new MemoryLog();
  readonly transport: Transport;
  readonly raft: ReceivedMessage[] = [];
  readonly datagrams: { from: string; body: Uint8Array }[] = [];
  readonly events: string[] = [];
  /** Bodies of requests that ran, first byte only. */
  readonly ran: number[] = [];
  clusterId: string;
  onRequest: (body: Uint8Array, budgetMs: number) => Promise<Uint8Array> = (body) =>
    Promise.resolve(body);

  constructor(bench: TestBench, name: string, settings: NodeSettings = {}) {
    this.name = name;
    this.address = `${name}:1`;
    this.clusterId = settings.clusterId ?? "c1";
    this.incarnation = new Incarnation(bench.scheduler, name);
    this.clock = new SimClock(this.incarnation);
    this.network = bench.network.forNode(this.incarnation);
    let flushScheduled = false;
    this.transport = new Transport({
      network: this.network,
      clock: this.clock,
      random: bench.random.stream(`${name}/${bench.scheduler.nowMs}`),
      log: this.log,
      digest: new NodeDigest(),
      process: {
        fatal: (reason, cause) => {
          throw new Error(`fatal: ${reason}`, { cause });
        },
      },
      nodeId: settings.nodeId ?? name,
      clusterId: () => this.clusterId,
      protocol: settings.protocol,
      bootNonce: Math.floor(bench.scheduler.nowMs * 1000),
      secret: new TextEncoder().encode(settings.secret ?? "secret"),
      scheduleFlush: () => {
        if (flushScheduled) return;
        flushScheduled = true;
        this.clock.defer(() => {
          flushScheduled = false;
          this.transport.flush();
        });
      },
      dialOverride: settings.dialOverride ?? ((_, address) => address),
    }, {
      onRaft: (from, group, message, wallMs) => {
        this.raft.push({ from, group, message, wallMs });
      },
      onRequest: (_from, body, budgetMs) => {
        this.ran.push(body[0]);
        return this.onRequest(body, budgetMs);
      },
      onDatagram: (from, body) => {
        if (body[0] === BAD_DATAGRAM) throw new CodecError("a bad datagram");
        this.datagrams.push({ from, body });
      },
      onControl: (body, caller) => {
        this.events.push(`call ${caller.nodeId} ${caller.clusterId}`);
        if (body[0] === 0) return Promise.reject(new Error("no such call"));
        return Promise.resolve(body.map((byte) => byte + 1));
      },
      onLinkUp: (nodeId, direction) => this.events.push(`up ${nodeId} ${direction}`),
      onLinkDown: (nodeId, direction) => this.events.push(`down ${nodeId} ${direction}`),
      onPeerRestarted: (nodeId) => this.events.push(`restarted ${nodeId}`),
    });
  }

  /** Sends a heartbeat whose commit index is `mark`. */
  sendMark(to: string, mark: number): boolean {
    const message = newMessage(MessageType.Heartbeat, 2, 1);
    message.commit = mark;
    return this.transport.sendRaft(to, 7, message);
  }

  /** The marks that came from a node. */
  marksFrom(from: string): number[] {
    return this.raft.filter((got) => got.from === from).map((got) => got.message.commit);
  }

  count(event: string): number {
    return this.events.filter((entry) => entry === event).length;
  }
}

export class TestBench {
  readonly scheduler = new Scheduler();
  readonly random: SeededRandom;
  readonly network: SimNetwork;

  constructor(seed: number, options: Partial<SimNetworkOptions> = {}) {
    this.random = new SeededRandom(seed);
    this.network = new SimNetwork(this.scheduler, this.random, options);
  }

  /** Starts a node; it dials nobody yet. */
  async node(name: string, settings: NodeSettings = {}): Promise<TestNode> {
    const node = new TestNode(this, name, settings);
    await this.scheduler.settle(node.transport.start(node.address));
    return node;
  }

  /** Starts nodes and links each to each. */
  async cluster(...names: string[]): Promise<TestNode[]> {
    const nodes: TestNode[] = [];
    for (const name of names) nodes.push(await this.node(name));
    this.introduce(nodes);
    await this.linked(nodes);
    return nodes;
  }

  introduce(nodes: readonly TestNode[]): void {
    const peers = nodes.map(({ name, address }) => ({ nodeId: name, address }));
    for (const node of nodes) node.transport.setPeers(peers);
  }

  /** Waits until every node can speak to every other. */
  linked(nodes: readonly TestNode[]): Promise<void> {
    return this.scheduler.runUntil(
      "all links",
      10_000,
      () =>
        nodes.every((node) =>
          nodes.every((other) =>
            other === node ||
            (node.transport.isUp(other.name) &&
              node.transport.isHeard(other.name))
          )
        ),
    );
  }
}
