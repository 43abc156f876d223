// Changes bytes in the ways that find bugs in decoders: bits, magic numbers, lengths that lie, parts cut out,
// doubled, moved, or taken from another input. Everything hangs on the given randomness.

import type { SeededRandom } from "../sim/random.ts";

/** Integers at the edges of what formats hold. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
/** Floats where integers are expected. */
const FLOATS = [NaN, Infinity, -Infinity, -0, -1, 0.5, 2 ** 53 - 1, 2 ** 53, 1e300, 5e-324];
/** What text decoders stumble over. */
const WORDS = [
  "null",
  "{}",
  "[]",
  '"',
  "\\",
  "__proto__",
  "-1",
  "1e999",
  "\u0000",
  "%00",
  "%",
  "..",
];
const CHANGES_MAX = 4;
const GROWTH_BYTES_MAX = 4096;

type Change = (bytes: Uint8Array, random: SeededRandom, other: Uint8Array) => Uint8Array;

const CHANGES: readonly Change[] = [
  flipBits,
  flipBits,
  setByte,
  setEdge,
  setFloat,
  cut,
  truncate,
  double,
  move,
  splice,
  insertNoise,
  insertWord,
];

/** A changed copy of `bytes`; `other` is a further valid input to take parts from. */
export function mutated(
  bytes: Uint8Array,
  random: SeededRandom,
  other: Uint8Array = bytes,
): Uint8Array<ArrayBuffer> {
  let changed: Uint8Array = bytes.slice();
  const changes = 1 + random.int(CHANGES_MAX);
  for (let i = 0; i < changes; i++) {
    changed = CHANGES[random.int(CHANGES.length)](changed, random, other);
  }
  return changed.slice();
}

/** A place in `bytes`, or 0 in none. */
function placeIn(bytes: Uint8Array, random: SeededRandom): number {
  return bytes.length === 0 ? 0 : random.int(bytes.length);
}

/** A part of `bytes`. */
function partOf(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const start = placeIn(bytes, random);
  return bytes.subarray(start, start + 1 + random.int(Math.min(64, bytes.length - start) || 1));
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function inserted(bytes: Uint8Array, part: Uint8Array, at: number): Uint8Array {
  return joined(bytes.subarray(0, at), part, bytes.subarray(at));
}

function flipBits(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  if (bytes.length > 0) bytes[placeIn(bytes, random)] ^= 1 << random.int(8);
  return bytes;
}

function setByte(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  if (bytes.length > 0) bytes[placeIn(bytes, random)] = random.int(256);
  return bytes;
}

function setEdge(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const sizeBytes = [1, 2, 4][random.int(3)];
  if (bytes.length < sizeBytes) return bytes;
  const at = random.int(bytes.length - sizeBytes + 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const value = EDGES[random.int(EDGES.length)];
  const little = random.chance(0.5);
  if (sizeBytes === 1) view.setUint8(at, value);
  else if (sizeBytes === 2) view.setUint16(at, value, little);
  else view.setUint32(at, value, little);
  return bytes;
}

function setFloat(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  if (bytes.length < 8) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const value = FLOATS[random.int(FLOATS.length)];
  view.setFloat64(random.int(bytes.length - 7), value, random.chance(0.5));
  return bytes;
}

function cut(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const part = partOf(bytes, random);
  const start = part.byteOffset - bytes.byteOffset;
  return joined(bytes.subarray(0, start), bytes.subarray(start + part.length));
}

function truncate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  return bytes.subarray(0, placeIn(bytes, random));
}

function double(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  return inserted(bytes, partOf(bytes, random), placeIn(bytes, random));
}

function move(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const part = partOf(bytes, random).slice();
  const rest = cut(bytes, random);
  return inserted(rest, part, placeIn(rest, random));
}

function splice(bytes: Uint8Array, random: SeededRandom, other: Uint8Array): Uint8Array {
  return joined(
    bytes.subarray(0, placeIn(bytes, random)),
    other.subarray(placeIn(other, random)),
  );
}

function insertNoise(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const sizeBytes = random.chance(0.02) ? GROWTH_BYTES_MAX : 1 + random.int(16);
  return inserted(bytes, random.bytes(sizeBytes), placeIn(bytes, random));
}

function insertWord(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const word = new TextEncoder().encode(WORDS[random.int(WORDS.length)]);
  return inserted(bytes, word, placeIn(bytes, random));
}
