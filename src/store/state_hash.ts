// The state hash: what replicas compare at equal applied index. Computed on demand over the image, so
// it costs nothing while entries are applied. Not for secrets.
// Mixing steps: MurmurHash3's 32-bit finalizer (Appleby); the other lane is CRC-32.

import { crc32 } from "node:zlib";
import { imageChunks } from "./image.ts";
import type { StoreState } from "./store.ts";
import { writeHashedValue } from "./value.ts";

/**
 * Sixteen hex digits over everything replicated: equal states have equal hashes, different ones
 * different hashes but for a chance of 2^-64. About 1 s for a million keys.
 */
export function stateHash(state: StoreState): string {
  const steps = stateHashSteps(state);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** The same in steps of about a tenth of a ms, for whoever has more to do meanwhile. */
export function* stateHashSteps(state: StoreState): Generator<void, string> {
  let checksum = 0;
  let mixed = 0x9747b28c;
  for (const chunk of imageChunks(state, writeHashedValue)) {
    checksum = crc32(chunk, checksum);
    mixed = mix(mixed, chunk);
    yield;
  }
  return hex(checksum) + hex(finish(mixed));
}

/** Folds `chunk`, a whole number of words and up to three bytes, into `h`. */
function mix(h: number, chunk: Uint8Array<ArrayBuffer>): number {
  // Little-endian whatever the machine: replicas of a partition may differ in theirs.
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const end = chunk.length & ~3;
  for (let i = 0; i < end; i += 4) {
    const word = Math.imul(view.getInt32(i, true), 0xcc9e2d51);
    h ^= Math.imul(word << 15 | word >>> 17, 0x1b873593);
    h = (Math.imul(h << 13 | h >>> 19, 5) + 0xe6546b64) | 0;
  }
  for (let i = end; i < chunk.length; i++) h = Math.imul(h ^ chunk[i], 0x85ebca6b);
  return h ^ chunk.length;
}

function finish(h: number): number {
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return (h ^ h >>> 16) >>> 0;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
