// Measures the peer links: the codec alone, and two transports that talk over loopback in one process.
// deno run --allow-net scripts/bench/transport.ts

import { BytesReader, BytesWriter } from "../../src/base/codec.ts";
import {
  DenoClock,
  DenoLog,
  DenoNetwork,
  DenoRandom,
  NodeDigest,
} from "../../src/platform/deno/mod.ts";
import { type Message, MessageType, newMessage } from "../../src/raft/mod.ts";
import { readMessage, writeMessage } from "../../src/transport/raft_codec.ts";
import { Transport } from "../../src/transport/mod.ts";

const ROUNDS = 3;
const ROUND_MS = 700;
const ENTRIES = 100;
const ENTRY_BYTES = 128;

function appendEntries(): Message {
  const message = newMessage(MessageType.Append, 2, 1);
  message.term = 5;
  message.logTerm = 5;
  message.index = 1000;
  message.commit = 990;
  message.entries = Array.from({ length: ENTRIES }, (_, i) => ({
    term: 5,
    index: 1001 + i,
    type: 0,
    data: new Uint8Array(ENTRY_BYTES).fill(i),
  }));
  return message;
}

function report(what: string, values: number[], unit: string): void {
  values.sort((a, b) => a - b);
  console.log(`${what.padEnd(58)} ${values[values.length >> 1].toFixed(1).padStart(10)} ${unit}`);
}

/** Microseconds of one call: the median of several rounds. */
function time(what: string, call: () => void): void {
  const values: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const startedMs = performance.now();
    let calls = 0;
    while (performance.now() - startedMs < ROUND_MS / 4) {
      for (let i = 0; i < 100; i++) call();
      calls += 100;
    }
    if (round > 0) values.push(1000 * (performance.now() - startedMs) / calls);
  }
  report(what, values, "us");
}

/** Things a second. `step` does some and returns how many. */
async function rate(what: string, step: () => Promise<number>): Promise<void> {
  const values: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const startedMs = performance.now();
    let done = 0;
    while (performance.now() - startedMs < ROUND_MS) done += await step();
    if (round > 0) values.push(1000 * done / (performance.now() - startedMs));
  }
  report(what, values, "/s");
}

interface Counter {
  entries: number;
  onProgress: () => void;
}

function makeTransport(name: string, counter: Counter): Transport {
  const clock = new DenoClock();
  let scheduled = false;
  const transport: Transport = new Transport({
    network: new DenoNetwork(),
    clock,
    random: new DenoRandom(),
    digest: new NodeDigest(),
    log: new DenoLog("error"),
    process: {
      fatal: (reason, cause) => {
        throw new Error(reason, { cause });
      },
    },
    nodeId: name,
    clusterId: () => "bench",
    bootNonce: 1,
    secret: new Uint8Array(16),
    scheduleFlush: () => {
      if (scheduled) return;
      scheduled = true;
      clock.defer(() => {
        scheduled = false;
        transport.flush();
      });
    },
    dialOverride: (_, address) => address,
  }, {
    onRaft: (_from, _group, message) => {
      counter.entries += message.entries.length;
      counter.onProgress();
    },
    onRequest: (_from, body) => Promise.resolve(body),
    onControl: (body) => Promise.resolve(body),
    onDatagram: () => {},
    onLinkUp: () => counter.onProgress(),
    onLinkDown: () => {},
  });
  return transport;
}

const message = appendEntries();
const writer = new BytesWriter(64 * 1024);
writeMessage(writer, 1, message);
const encoded = writer.take();
console.log(`AppendEntries of ${ENTRIES} x ${ENTRY_BYTES} B: ${encoded.length} bytes on the wire`);
time("encode", () => {
  writer.clear();
  writeMessage(writer, 1, message);
});
time("decode", () => void readMessage(new BytesReader(encoded)));

const counter: Counter = { entries: 0, onProgress: () => {} };
const a = makeTransport("a", { entries: 0, onProgress: () => counter.onProgress() });
const b = makeTransport("b", counter);
const peers = [
  { nodeId: "a", address: await a.start("127.0.0.1:0") },
  { nodeId: "b", address: await b.start("127.0.0.1:0") },
];
const progress = (isEnough: () => boolean) =>
  new Promise<void>((resolve) => {
    counter.onProgress = () => {
      if (isEnough()) resolve();
    };
    counter.onProgress();
  });
a.setPeers(peers);
b.setPeers(peers);
await progress(() => a.isUp("b") && b.isUp("a"));

await rate("entries over loopback, 32 messages in flight", async () => {
  const target = counter.entries + 32 * ENTRIES;
  for (let i = 0; i < 32; i++) {
    if (!a.sendRaft("b", 1, message)) throw new Error("the link is down or full");
    if (i % 4 === 3) a.flush();
  }
  await progress(() => counter.entries >= target);
  return 32 * ENTRIES;
});
const body = new Uint8Array(ENTRY_BYTES);
for (const inFlight of [1, 64, 256]) {
  await rate(`forwarded requests over loopback, ${inFlight} in flight`, async () => {
    const results = await Promise.all(
      Array.from({ length: inFlight }, () => a.request("b", body, 10_000)),
    );
    for (const { kind } of results) if (kind !== "answered") throw new Error(kind);
    return inFlight;
  });
}
a.stop();
b.stop();
