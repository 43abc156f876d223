// What the state machine of a data partition costs by itself: apply, replay, memory, image encode and
// load, over random keys and 128-byte values. One process, no disk, no network.
//
//   deno task bench:store [--keys N] [--json]
//
// The task gives V8 the heap settings of a node. By default it lets the old generation double before it
// collects, which under overwrites cost 1,300 MB for a million keys where --heap-growing-percent=50 keeps
// 670 and 20 keeps 540; with 20, the 99th percentile of a lightly loaded node is half as long again (see
// scripts/cluster/node_process.ts).

import {
  encodeEnvelope,
  type Envelope,
  imageChunks,
  ImageLoader,
  stateHash,
  Store,
} from "../../src/store/mod.ts";

const V8_FLAGS = "--v8-flags=--expose-gc,--heap-growing-percent=50,--initial-old-space-size=96";
const VALUE_SIZE_BYTES = 128;
const PERCENTILE_BATCH = 1000;

/** A small seeded generator (sfc32), so that every run does the same work. */
function generator(seed: number): () => number {
  let a = seed, b = 0x9e3779b9, c = 0x243f6a88, d = 1;
  const next = () => {
    const t = (a + b + d++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21 | c >>> 11) + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

const random = generator(1);

function randomEntry(keys: number): Envelope {
  const value = new Uint8Array(VALUE_SIZE_BYTES);
  for (let i = 0; i < VALUE_SIZE_BYTES; i += 4) {
    const word = random();
    value[i] = word;
    value[i + 1] = word >>> 8;
    value[i + 2] = word >>> 16;
    value[i + 3] = word >>> 24;
  }
  const key = `key-${String(random() % keys).padStart(9, "0")}`;
  const contentType = "application/octet-stream";
  return { timeMs: 1, command: { kind: "put", key, value, contentType } };
}

function gc(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

function residentMb(): number {
  gc();
  return Math.round(Deno.memoryUsage().rss / 1e6);
}

interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
}

const rows: Row[] = [];

function report(what: string, value: number, unit: string): void {
  rows.push({ what, value: Math.round(value * 100) / 100, unit });
}

/** Applies `count` entries made in slices, timing apply alone. Returns µs per entry in all, and the
 * 99th percentile over slices. */
function drive(store: Store, from: number, count: number, make: () => Uint8Array[]) {
  let index = from;
  let totalMs = 0;
  const slicesUs: number[] = [];
  while (index < from + count) {
    const entries = make();
    const startMs = performance.now();
    for (const entry of entries) store.apply(++index, entry);
    const elapsedMs = performance.now() - startMs;
    totalMs += elapsedMs;
    slicesUs.push(elapsedMs * 1000 / entries.length);
  }
  slicesUs.sort((a, b) => a - b);
  return {
    index,
    meanUs: totalMs * 1000 / (index - from),
    p99Us: slicesUs[Math.floor(slicesUs.length * 0.99)],
    totalMs,
  };
}

function main(): void {
  const at = Deno.args.indexOf("--keys");
  const keys = at < 0 ? 1_000_000 : Number(Deno.args[at + 1]);
  const beforeMb = residentMb();
  const slice = () =>
    Array.from({ length: PERCENTILE_BATCH }, () => encodeEnvelope(randomEntry(keys)));

  const sample = Array.from({ length: 20_000 }, () => randomEntry(keys));
  for (const envelope of sample) encodeEnvelope(envelope);
  const encodeStartMs = performance.now();
  for (let round = 0; round < 10; round++) for (const envelope of sample) encodeEnvelope(envelope);
  report("encode a put", (performance.now() - encodeStartMs) * 1000 / (10 * sample.length), "us");

  // Every key once, in random order, then as many random overwrites.
  const store = new Store();
  const order = Uint32Array.from({ length: keys }, (_, i) => i);
  for (let i = keys - 1; i > 0; i--) {
    const j = random() % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  let next = 0;
  const fresh = () =>
    Array.from({ length: Math.min(PERCENTILE_BATCH, keys - next) }, () => {
      const envelope = randomEntry(1);
      const key = `key-${String(order[next++]).padStart(9, "0")}`;
      return encodeEnvelope({ ...envelope, command: { ...envelope.command, key } as never });
    });
  const filled = drive(store, 0, keys, fresh);
  report(`replay of ${keys} random inserts`, filled.totalMs / 1000, "s");
  report("apply an insert, mean", filled.meanUs, "us");
  report("apply an insert, p99 of 1000s", filled.p99Us, "us");
  report("resident after inserts", residentMb(), "MB");
  report("resident before", beforeMb, "MB");
  const replaced = drive(store, filled.index, keys, slice);
  report("apply an overwrite, mean", replaced.meanUs, "us");
  report("apply an overwrite, p99 of 1000s", replaced.p99Us, "us");
  report("resident after overwrites", residentMb(), "MB");

  const session = drive(store, replaced.index, 200_000, sessionSlices(keys));
  report("apply an overwrite within a session", session.meanUs, "us");

  const freezeMs = performance.now();
  const frozen = store.freeze();
  report("freeze", performance.now() - freezeMs, "ms");
  const chunks: Uint8Array[] = [];
  const encodeMs = performance.now();
  let longestMs = 0;
  let beforeMs = encodeMs;
  for (const chunk of imageChunks(frozen)) {
    chunks.push(chunk);
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - beforeMs);
    beforeMs = nowMs;
  }
  report("encode an image", performance.now() - encodeMs, "ms");
  report("longest chunk", longestMs, "ms");
  report("image", chunks.reduce((sum, chunk) => sum + chunk.length, 0) / 1e6, "MB");
  const hashMs = performance.now();
  const hash = stateHash(frozen);
  report("state hash", performance.now() - hashMs, "ms");

  const scanMs = performance.now();
  let scanned = 0;
  for (const record of store.scan("", undefined)) scanned += record.revision > 0 ? 1 : 0;
  report("scan", scanned / (performance.now() - scanMs), "keys/ms");

  rows.push(...loadedElsewhere(chunks, hash));
  if (Deno.args.includes("--json")) console.log(JSON.stringify(rows, null, 2));
  else for (const { what, value, unit } of rows) console.log(`${what.padEnd(44)} ${value} ${unit}`);
}

/** Loads the image in a process of its own, whose memory then holds nothing else. */
function loadedElsewhere(chunks: readonly Uint8Array[], hash: string): Row[] {
  const path = Deno.makeTempFileSync({ prefix: "pontoon-image-" });
  try {
    const file = Deno.openSync(path, { write: true });
    for (const chunk of chunks) {
      file.writeSync(new Uint8Array(Uint32Array.of(chunk.length).buffer));
      for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
    }
    file.close();
    const { stdout, success } = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        V8_FLAGS,
        "--allow-read",
        import.meta.filename!,
        "--load",
        path,
        hash,
      ],
      stderr: "inherit",
    }).outputSync();
    if (!success) throw new Error("the image could not be loaded");
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    Deno.removeSync(path);
  }
}

/** The child's side of {@linkcode loadedElsewhere}: prints its rows. */
function load(path: string, hash: string): void {
  const file = Deno.openSync(path);
  const store = new Store();
  const header = new Uint8Array(4);
  let buffer = new Uint8Array(0);
  let elapsedMs = 0;
  const loader = new ImageLoader(store);
  while (file.readSync(header) === header.length) {
    const [length] = new Uint32Array(header.buffer);
    if (length > buffer.length) buffer = new Uint8Array(length * 2);
    const chunk = buffer.subarray(0, length);
    for (let at = 0; at < chunk.length;) {
      const count = file.readSync(chunk.subarray(at));
      if (count === null) throw new Error(`${path} ends within a chunk`);
      at += count;
    }
    const startMs = performance.now();
    loader.push(chunk);
    elapsedMs += performance.now() - startMs;
  }
  const startMs = performance.now();
  loader.finish();
  report("load an image", elapsedMs + performance.now() - startMs, "ms");
  report("resident when loaded, before a collection", Deno.memoryUsage().rss / 1e6, "MB");
  report("resident when loaded", residentMb(), "MB");
  if (stateHash(store.freeze()) !== hash) throw new Error("the loaded state differs");
  console.log(JSON.stringify(rows));
}

/** Puts of one session with 64 writes in flight. */
function sessionSlices(keys: number): () => Uint8Array[] {
  let sequence = 0;
  return () =>
    Array.from({ length: PERCENTILE_BATCH }, () =>
      encodeEnvelope({
        ...randomEntry(keys),
        idempotency: {
          kind: "session",
          sessionId: "0123456789abcdef0123456789abcdef",
          sequence: ++sequence,
          acknowledgedThrough: Math.max(0, sequence - 64),
          fingerprint: new Uint8Array(16),
        },
      }));
}

if (Deno.args[0] === "--load") load(Deno.args[1], Deno.args[2]);
else main();
