// The content hash: what two clusters compare to know that they hold the same keys and values, however these
// are spread over partitions. A sum over records, so order and partitioning don't matter; revisions and
// times don't enter, because another cluster counts its own. Not for secrets.
// Each record's share: MurmurHash3, 128 bits, the variant for 32-bit machines (Appleby), in four lanes.

import { BytesWriter } from "../base/codec.ts";
import { bytesFromHex, hexFromBytes } from "../base/bytes.ts";
import type { RecordView } from "../store/types.ts";
import { plainValue } from "../store/value.ts";

const LANES = 4;
const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

/** Four 32-bit lanes. */
export type Hash128 = Uint32Array<ArrayBuffer>;

function rotl(x: number, by: number): number {
  return x << by | x >>> (32 - by);
}

function fmix(x: number): number {
  x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
  x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
  return x ^ x >>> 16;
}

/** Little-endian whatever the machine; bytes from `end` on count as zero. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0;
  for (let i = Math.min(4, end - at) - 1; i >= 0; i--) word = word << 8 | bytes[at + i];
  return word;
}

/** MurmurHash3_x86_128 of `bytes` with seed 0. */
export function murmur128(bytes: Uint8Array<ArrayBuffer>): Hash128 {
  const length = bytes.length;
  const end = length & ~15;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let [h1, h2, h3, h4] = [0, 0, 0, 0];
  for (let i = 0; i < end; i += 16) {
    h1 ^= Math.imul(rotl(Math.imul(view.getInt32(i, true), C1), 15), C2);
    h1 = (Math.imul((rotl(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotl(Math.imul(view.getInt32(i + 4, true), C2), 16), C3);
    h2 = (Math.imul((rotl(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotl(Math.imul(view.getInt32(i + 8, true), C3), 17), C4);
    h3 = (Math.imul((rotl(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotl(Math.imul(view.getInt32(i + 12, true), C4), 18), C1);
    h4 = (Math.imul((rotl(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  h1 ^= Math.imul(rotl(Math.imul(wordAt(bytes, end, length), C1), 15), C2);
  h2 ^= Math.imul(rotl(Math.imul(wordAt(bytes, end + 4, length), C2), 16), C3);
  h3 ^= Math.imul(rotl(Math.imul(wordAt(bytes, end + 8, length), C3), 17), C4);
  h4 ^= Math.imul(rotl(Math.imul(wordAt(bytes, end + 12, length), C4), 18), C1);
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  [h2, h3, h4] = [(h2 + h1) | 0, (h3 + h1) | 0, (h4 + h1) | 0];
  [h1, h2, h3, h4] = [fmix(h1), fmix(h2), fmix(h3), fmix(h4)];
  h1 = (h1 + h2 + h3 + h4) | 0;
  return Uint32Array.of(h1, h2 + h1, h3 + h1, h4 + h1);
}

/** Counts of keys and the sum of their hashes. */
export interface ContentPart {
  readonly count: number;
  /** 32 hex digits. */
  readonly hash: string;
}

/** What a set of keys holds. Two sets are equal if these are, but for a chance of 2^-128. */
export interface Content {
  /** Keys without a time to live. */
  readonly lasting: ContentPart;
  /** Keys with one; how much is left of it does not enter. They go by themselves. */
  readonly expiring: ContentPart;
}

const scratch = new BytesWriter(4096);

/** The share of one record: key, content type and plain value. */
export function recordHash(record: Pick<RecordView, "key" | "contentType" | "value">): Hash128 {
  const { key, contentType } = record;
  const value = plainValue(record.value);
  scratch.clear();
  scratch.u16(key.length).latin1(key).u8(contentType.length).latin1(contentType);
  scratch.u32(value.length).latin1(value);
  return murmur128(scratch.view());
}

class Sum {
  #count = 0;
  readonly #lanes: Hash128 = new Uint32Array(LANES);

  add(hash: Hash128, count: number): void {
    this.#count += count;
    for (let i = 0; i < LANES; i++) this.#lanes[i] += hash[i];
  }

  addPart({ count, hash }: ContentPart): void {
    const bytes = bytesFromHex(hash);
    if (bytes?.length !== LANES * 4) {
      throw new TypeError(`Cannot add a content hash: got "${hash}"`);
    }
    const view = new DataView(bytes.buffer);
    this.add(Uint32Array.from({ length: LANES }, (_, i) => view.getUint32(4 * i)), count);
  }

  part(): ContentPart {
    const bytes = new Uint8Array(LANES * 4);
    const view = new DataView(bytes.buffer);
    this.#lanes.forEach((lane, i) => view.setUint32(4 * i, lane));
    return { count: this.#count, hash: hexFromBytes(bytes) };
  }
}

/** Adds up the content of records, and of other contents. */
export class ContentSum {
  readonly #lasting = new Sum();
  readonly #expiring = new Sum();

  /** `hash` is the record's {@linkcode recordHash}, if it is known already. */
  add(record: RecordView, hash: Hash128 = recordHash(record)): void {
    (record.expiresAtMs === undefined ? this.#lasting : this.#expiring).add(hash, 1);
  }

  /** One key more whose share is known. */
  addHash(hash: Hash128, expires: boolean): void {
    (expires ? this.#expiring : this.#lasting).add(hash, 1);
  }

  /** Throws TypeError on what is no content hash. */
  addContent({ lasting, expiring }: Content): void {
    this.#lasting.addPart(lasting);
    this.#expiring.addPart(expiring);
  }

  content(): Content {
    return { lasting: this.#lasting.part(), expiring: this.#expiring.part() };
  }
}
