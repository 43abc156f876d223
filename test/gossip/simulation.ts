// Many gossiping nodes under a virtual clock and a network that loses messages: what their beliefs come
// to, in rounds. Drives the production core; nothing here knows how it works inside.

import type { LogIndex, NodeId } from "../../src/base/ids.ts";
import {
  decodeEnvelope,
  encodeEnvelope,
  Gossip,
  type LoadFigures,
  NO_LOAD,
  PROBE_INTERVAL_MS,
  type Status,
} from "../../src/gossip/mod.ts";
import type { Random } from "../../src/platform/ports.ts";

const TICK_MS = 50;

/** A small generator with a seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const float = () => {
    state = state + 0x6d2b79f5 >>> 0;
    let t = state;
    t = Math.imul(t ^ t >>> 15, t | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
  return {
    float,
    int: (bound) => Math.floor(float() * bound),
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(float() * 256)),
  };
}

export interface SimulatedNode {
  readonly nodeId: NodeId;
  gossip: Gossip;
  boots: number;
  isUp: boolean;
  /** Neither sends, receives nor runs. */
  isPaused: boolean;
  newestEpoch: LogIndex;
}

export interface SimulationOptions {
  readonly nodes: number;
  readonly seed: number;
  /** Share of messages that get lost, one by one. */
  readonly loss?: number;
  readonly delayMs?: readonly [number, number];
}

export class GossipSimulation {
  readonly nodes: SimulatedNode[] = [];
  readonly #options: SimulationOptions;
  readonly #random: Random;
  readonly #cut = new Set<string>();
  #inFlight: { dueMs: number; from: NodeId; to: NodeId; bytes: Uint8Array }[] = [];
  nowMs = 0;
  sentCount = 0;
  /** Live nodes that were declared dead, each time by each observer. */
  falseDeaths = 0;
  falseSuspicions = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    for (let i = 0; i < options.nodes; i++) this.add(`node-${i}` as NodeId);
  }

  /** A node comes up; who is a member is set for all, as the map would. */
  add(nodeId: NodeId): SimulatedNode {
    const node: SimulatedNode = {
      nodeId,
      boots: 1,
      isUp: true,
      isPaused: false,
      newestEpoch: 0 as LogIndex,
      gossip: undefined as never,
    };
    this.nodes.push(node);
    this.#boot(node);
    for (const other of this.nodes) this.#tellMembers(other);
    return node;
  }

  restart(node: SimulatedNode): void {
    node.boots++;
    node.isUp = true;
    this.#boot(node);
    this.#tellMembers(node);
  }

  #boot(node: SimulatedNode): void {
    node.gossip = new Gossip({
      nodeId: node.nodeId,
      boots: node.boots,
      random: seededRandom(this.#random.int(2 ** 32)),
      send: (to, envelope) => this.#send(node, to, encodeEnvelope(envelope)),
      onStatus: (nodeId, status, before) => this.#noteStatus(nodeId, status, before),
      onEpoch: (epoch) => node.newestEpoch = epoch,
    });
  }

  #tellMembers(node: SimulatedNode): void {
    node.gossip.setMembers(this.nodes.map(({ nodeId }) => nodeId), this.nowMs);
  }

  #noteStatus(nodeId: NodeId, status: Status, _before: Status): void {
    const about = this.node(nodeId);
    if (!about.isUp || about.isPaused) return;
    if (status === "dead") this.falseDeaths++;
    if (status === "suspect") this.falseSuspicions++;
  }

  node(nodeId: NodeId): SimulatedNode {
    return this.nodes.find((node) => node.nodeId === nodeId)!;
  }

  setFigures(node: SimulatedNode, epoch: number, load: LoadFigures = NO_LOAD): void {
    node.gossip.setFigures(epoch as LogIndex, load, this.nowMs);
  }

  /** Nothing gets from `from` to `to` any more. */
  cut(from: SimulatedNode, to: SimulatedNode): void {
    this.#cut.add(`${from.nodeId}>${to.nodeId}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  #send(from: SimulatedNode, to: NodeId, bytes: Uint8Array): boolean {
    this.sentCount++;
    if (!from.isUp || from.isPaused) return false;
    if (this.#random.float() < (this.#options.loss ?? 0)) return true;
    if (this.#cut.has(`${from.nodeId}>${to}`)) return true;
    const [least, most] = this.#options.delayMs ?? [1, 20];
    const dueMs = this.nowMs + least + this.#random.float() * (most - least);
    this.#inFlight.push({ dueMs, from: from.nodeId, to, bytes });
    return true;
  }

  /** Lets time pass; returns the rounds until `done`, or Infinity if it did not come to that. */
  run(rounds: number, done: () => boolean = () => false): number {
    const startMs = this.nowMs;
    const endMs = startMs + rounds * PROBE_INTERVAL_MS;
    while (this.nowMs < endMs) {
      this.nowMs += TICK_MS;
      const due = this.#inFlight.filter(({ dueMs }) => dueMs <= this.nowMs);
      this.#inFlight = this.#inFlight.filter(({ dueMs }) => dueMs > this.nowMs);
      due.sort((a, b) => a.dueMs - b.dueMs);
      for (const { from, to, bytes } of due) {
        const node = this.node(to);
        if (node.isUp && !node.isPaused) {
          node.gossip.receive(from, decodeEnvelope(bytes), this.nowMs);
        }
      }
      for (const node of this.nodes) {
        if (node.isUp && !node.isPaused) node.gossip.tick(this.nowMs);
      }
      if (done()) return (this.nowMs - startMs) / PROBE_INTERVAL_MS;
    }
    return Infinity;
  }
}
