// Surfaces of a real node: raw bytes at its HTTP port and at its peer port, and, as a peer that holds the secret,
// changed bodies over a link. All the while another client writes and reads, and must notice nothing.

import { Transport } from "../../src/transport/mod.ts";
import { readRequest } from "../../src/transport/requests.ts";
import { RequestKind } from "../../src/node/forward.ts";
import { DenoClock, DenoNetwork, DenoRandom, NodeDigest } from "../../src/platform/deno/mod.ts";
import { TestCluster } from "../../scripts/bench/support/cluster.ts";
import { FRAME_HEADER_BYTES, writeFrameHeader } from "../../src/transport/frame.ts";
import { FrameType, type Recording } from "./recording.ts";
import type { Surface } from "./surface.ts";

/** Resident, of a node that serves next to nothing. */
const RSS_BYTES_MAX = 700 * 2 ** 20;
/** Cases between two looks at whether the node serves others. */
const CASES_PER_LOOK = 50;
const ANSWER_MS_MAX = 20_000;
/** How long an answer to noise is waited for. */
const NOISE_MS = 15;
const READY_MS = 60_000;
/** A link that a case has cost comes back within a second; a node that is gone is noticed by the next look. */
const LINK_MS = 2000;

const REQUESTS = [
  "GET /key/a HTTP/1.1\r\nHost: h\r\n\r\n",
  "PUT /key/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nvalue",
  "PUT /key/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nvalue\r\n0\r\n\r\n",
  'POST /txn HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"then":[]}',
  "GET /watch?prefix=a HTTP/1.1\r\nHost: h\r\nLast-Event-ID: AgE\r\n\r\n",
  "GET /keys?limit=3 HTTP/1.1\r\nHost: h\r\nAccept: application/x-ndjson\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
];

/** The node under test, started when it is first needed. */
class Victim {
  #cluster: TestCluster | undefined;
  #starting: Promise<TestCluster> | undefined;
  #cases = 0;

  async cluster(): Promise<TestCluster> {
    this.#starting ??= (async () => {
      const cluster = TestCluster.start({ nodes: 1, partitions: 2 });
      this.#cluster = cluster;
      await cluster.ready(READY_MS);
      return cluster;
    })();
    return await this.#starting;
  }

  /** Gives the node up; the next case starts another one. */
  async #giveUp(): Promise<void> {
    await this.close();
    this.#starting = undefined;
  }

  /** Throws, and gives the node up, when it is gone, too large, or does not serve others any more. */
  async look(): Promise<void> {
    if (++this.#cases % CASES_PER_LOOK !== 0) return;
    try {
      await this.#look();
    } catch (cause) {
      await this.#giveUp();
      throw cause;
    }
  }

  async #look(): Promise<void> {
    const cluster = await this.cluster();
    const [{ http, process, logFile }] = cluster.nodes;
    const url = `http://${http}/key/canary`;
    const value = `${this.#cases}`;
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const written = await fetch(url, { method: "PUT", body: value, signal });
    if (!written.ok) throw new Error(`the canary met ${written.status}: ${await written.text()}`);
    await written.body?.cancel();
    const read = await fetch(url, { signal });
    if ((await read.json()).value !== value) throw new Error("the canary lost a write");
    const rssBytes = residentBytes(process!.pid);
    if (rssBytes > RSS_BYTES_MAX) throw new Error(`the node takes ${rssBytes >> 20} MiB`);
    const bad = Deno.readTextFileSync(logFile).split("\n").find((line) =>
      /TypeError|RangeError|ReferenceError|InvariantError|"level":"error"/.test(line)
    );
    if (bad !== undefined) throw new Error(`it logged ${bad.slice(0, 400)}`);
  }

  async close(): Promise<void> {
    await this.#starting?.catch(() => {});
    const cluster = this.#cluster;
    this.#cluster = undefined;
    await cluster?.[Symbol.asyncDispose]();
  }
}

function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return line === null ? 0 : Number(line[1]) * 1024;
}

/** Sends `bytes` on a connection of its own and takes what comes back for a moment. */
async function sendRaw(address: string, bytes: Uint8Array): Promise<void> {
  const [hostname, port] = address.split(":");
  const connection = await Deno.connect({ hostname, port: Number(port) });
  try {
    const answer = connection.read(new Uint8Array(4096)).catch(() => null);
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    await Promise.race([answer, new Promise((done) => setTimeout(done, NOISE_MS))]);
  } catch {
    // It may well close on us.
  } finally {
    connection.close();
  }
}

/** The surfaces of one node, which they share. */
export function nodeSurfaces(recording: Recording): Surface[] {
  const victim = new Victim();
  const encoder = new TextEncoder();
  const frames = [...recording.frames].flatMap(([type, payloads]) =>
    payloads.slice(0, 10).map((payload) => framed(type, payload))
  );
  return [
    {
      name: "httpport",
      corpus: REQUESTS.map((text) => encoder.encode(text)),
      once: true,
      take: async (input) => {
        await sendRaw((await victim.cluster()).nodes[0].http, input);
        await victim.look();
      },
      close: () => victim.close(),
    },
    {
      name: "peerport",
      corpus: frames,
      once: true,
      take: async (input) => {
        await sendRaw((await victim.cluster()).nodes[0].peer, input);
        await victim.look();
      },
      close: () => victim.close(),
    },
    ...peerLinks(victim, recording),
  ];
}

function framed(type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  frame.set(payload, FRAME_HEADER_BYTES);
  writeFrameHeader(frame, type, payload.length);
  return frame;
}

/** A peer of the cluster that went mad: what it may say by right, changing who is a member, it does not say. */
function peerLinks(victim: Victim, recording: Recording): Surface[] {
  const isHarmless = ([kind]: Uint8Array) =>
    kind !== RequestKind.Meta && kind !== RequestKind.Transfer;
  const requests = (recording.frames.get(FrameType.Request) ?? [])
    .map((payload) => readRequest(payload).body).filter(isHarmless);
  const link = new PeerLink(victim);
  const surface = (name: string, corpus: readonly Uint8Array[], send: Send): Surface => ({
    name,
    corpus,
    once: true,
    take: async (input) => {
      await link.send((transport, to) => send(transport, to, input));
      await victim.look();
    },
    close: () => link.close(),
  });
  return [
    surface("peerrequests", requests, (transport, to, input) => {
      if (isHarmless(input)) void transport.request(to, input, 100);
    }),
    // What makes no sense costs the link, so that there are few of these a second.
    surface("peerdatagrams", recording.frames.get(FrameType.Datagram) ?? [], (...args) => {
      const [transport, to, input] = args;
      transport.sendDatagram(to, input);
    }),
  ];
}

type Send = (transport: Transport, to: string, input: Uint8Array) => void;

class PeerLink {
  readonly #victim: Victim;
  /** Which the link is with. */
  #cluster: TestCluster | undefined;
  #opening: Promise<{ transport: Transport; to: string }> | undefined;

  constructor(victim: Victim) {
    this.#victim = victim;
  }

  async send(send: (transport: Transport, to: string) => void): Promise<void> {
    const cluster = await this.#victim.cluster();
    if (this.#cluster !== cluster) {
      (await this.#opening)?.transport.stop();
      this.#cluster = cluster;
      this.#opening = connect(this.#victim);
    }
    const { transport, to } = await this.#opening!;
    if (!await linked(transport, to, LINK_MS)) return;
    send(transport, to);
    transport.flush();
    await new Promise((done) => setTimeout(done, 1));
  }

  async close(): Promise<void> {
    (await this.#opening)?.transport.stop();
    await this.#victim.close();
  }
}

/** Whether the link stands within `withinMs`. */
async function linked(transport: Transport, to: string, withinMs: number): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  while (!transport.isUp(to)) {
    if (performance.now() > endMs) return false;
    await new Promise((done) => setTimeout(done, 20));
  }
  return true;
}

async function connect(victim: Victim): Promise<{ transport: Transport; to: string }> {
  const [{ http, peer }] = (await victim.cluster()).nodes;
  const { clusterId, nodeId } = await (await fetch(`http://${http}/cluster`)).json();
  const log = { log() {}, with: () => log };
  const transport: Transport = new Transport({
    network: new DenoNetwork(),
    clock: new DenoClock(),
    random: new DenoRandom(),
    digest: new NodeDigest(),
    log,
    process: {
      fatal: (reason) => {
        throw new Error(reason);
      },
    },
    nodeId: "f".repeat(32),
    bootNonce: Date.now(),
    secret: new Uint8Array(),
    clusterId: () => clusterId,
    scheduleFlush: () => queueMicrotask(() => transport.flush()),
    dialOverride: (_, address) => address,
  }, {
    onRaft: () => {},
    onRequest: () => Promise.reject(new Error("no requests here")),
    onControl: () => Promise.reject(new Error("no calls here")),
    onDatagram: () => {},
    onLinkUp: () => {},
    onLinkDown: () => {},
  });
  await transport.start("127.0.0.1:0");
  transport.setPeers([{ nodeId, address: peer }]);
  if (!await linked(transport, nodeId, READY_MS)) throw new Error("the node takes no link");
  return { transport, to: nodeId };
}
