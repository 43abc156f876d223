// What the store's tests share: a driver that goes through the encoded form, images, the seed of random
// tests, and generators of everything an entry may hold.

import { assertEquals } from "@std/assert";
import { crc32, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import type { CommandValue } from "../../src/store/value.ts";
import { utf8Bytes } from "../../src/base/bytes.ts";
import {
  type Applied,
  type Command,
  type Condition,
  encodeEnvelope,
  type Idempotency,
  imageChunks,
  ImageLoader,
  stampEnvelope,
  stateHash,
  Store,
  type TxnCompare,
  type TxnOperation,
} from "../../src/store/mod.ts";

export { testSeed } from "../support/seed.ts";

/** A store and the index of its last entry, driven through the encoded form. */
export class Driver {
  store = new Store();
  index = 0;
  timeMs = 0;

  apply(command: Command, timeMs = this.timeMs, idempotency?: Idempotency): Applied {
    this.timeMs = timeMs;
    const data = encodeEnvelope(
      idempotency === undefined ? { timeMs: 0, command } : { timeMs: 0, command, idempotency },
    );
    stampEnvelope(data, timeMs);
    return this.store.apply(++this.index, data);
  }

  put(key: string, value = "v", extra: PutExtra = {}, timeMs = this.timeMs) {
    return this.apply(put(key, value, extra), timeMs);
  }

  advance(timeMs: number): void {
    this.apply({ kind: "time" }, timeMs);
  }

  /** The kinds and keys of the events of the last entry. */
  lastEvents(): string[] {
    const events = this.store.eventsAfter({ revision: this.index - 1, subIndex: 1e9 }, 1e6)!;
    assertEquals(events.map((event) => event.subIndex), events.map((_, i) => i));
    return events.map((event) => `${event.kind} ${event.key}`);
  }

  hash(): string {
    return stateHash(this.store.freeze());
  }

  /** Goes on from a copy that was loaded from an image. */
  reload(): void {
    this.store = loaded(imageOf(this.store));
  }
}

export interface PutExtra {
  readonly ttlMs?: number;
  readonly condition?: Condition;
  readonly contentType?: string;
}

export function put(key: string, value = "v", extra: PutExtra = {}): Command {
  return { kind: "put", key, value: utf8Bytes(value), contentType: "text/plain", ...extra };
}

/** An idempotency key; requests differ in `fingerprint`. */
export function bareKey(key: string, fingerprint = 1): Idempotency {
  return { kind: "key", key, fingerprint: new Uint8Array(16).fill(fingerprint) };
}

/** A write's place in session number `session`. */
export function inSession(
  session: number,
  sequence: number,
  acknowledgedThrough = 0,
  fingerprint = 1,
): Idempotency {
  return {
    kind: "session",
    sessionId: session.toString(16).padStart(32, "0"),
    sequence,
    acknowledgedThrough,
    fingerprint: new Uint8Array(16).fill(fingerprint),
  };
}

export function imageOf(store: Store): Uint8Array<ArrayBuffer>[] {
  return [...imageChunks(store.freeze())];
}

export function loaded(chunks: Iterable<Uint8Array>): Store {
  const store = new Store();
  const loader = new ImageLoader(store);
  for (const chunk of chunks) loader.push(chunk);
  loader.finish();
  return store;
}

// ------------------------------------------------------------------------------------- generators

/** A one-byte string of any bytes. */
export function latin1(minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.uint8Array({ minLength, maxLength }).map((bytes) => String.fromCharCode(...bytes));
}

const wholeNumber = fc.oneof(fc.nat(9), fc.maxSafeNat());

/** What generators of commands draw from. */
export interface Vocabulary {
  readonly key: fc.Arbitrary<string>;
  readonly value: fc.Arbitrary<Uint8Array>;
  readonly contentType: fc.Arbitrary<string>;
  readonly revision: fc.Arbitrary<number>;
  readonly ttlMs: fc.Arbitrary<number>;
}

export const anyVocabulary: Vocabulary = {
  key: fc.oneof(latin1(1, 40), fc.nat(255).map((byte) => String.fromCharCode(byte).repeat(4096))),
  // Larger than what entries share a block for, too.
  value: fc.oneof(fc.uint8Array(), fc.nat(255).map((byte) => new Uint8Array(9000).fill(byte))),
  contentType: fc.oneof(latin1(1, 20), fc.constant("t".repeat(255))),
  revision: wholeNumber,
  ttlMs: wholeNumber.filter((ttlMs) => ttlMs > 0),
};

/** As a node proposes it: plain, or compressed whether that pays or not. */
export function compressed(value: Uint8Array): CommandValue {
  if (value.length === 0) return value;
  const zstd = new Uint8Array(zstdCompressSync(value)); // a Buffer would print itself otherwise
  return { zstd, plainLength: value.length, plainChecksum: crc32(value) };
}

function optional<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined });
}

export function anyCommand(words: Vocabulary): fc.Arbitrary<Command> {
  const { key, value, contentType, revision, ttlMs } = words;
  const commandValue = fc.tuple(value, fc.boolean())
    .map(([bytes, packed]) => packed ? compressed(bytes) : bytes);
  const condition = optional<Condition>(fc.oneof(
    fc.record({ kind: fc.constant("revision" as const), revision }),
    fc.record({ kind: fc.constant("present" as const) }),
    fc.record({ kind: fc.constant("absent" as const) }),
  ));
  const operator = fc.constantFrom("=" as const, "!=" as const, "<" as const, ">" as const);
  const compare = fc.oneof<fc.Arbitrary<TxnCompare>[]>(
    fc.record({
      target: fc.constantFrom("revision" as const, "createRevision" as const),
      key,
      operator,
      revision,
    }),
    fc.record({ target: fc.constant("exists" as const), key, exists: fc.boolean() }),
    fc.record({ target: fc.constant("value" as const), key, operator, value }),
  );
  const operation = fc.oneof<fc.Arbitrary<TxnOperation>[]>(
    fc.record({ kind: fc.constant("get" as const), key }),
    fc.record({
      kind: fc.constant("put" as const),
      key,
      value: commandValue,
      contentType,
      ttlMs: optional(ttlMs),
    }),
    fc.record({ kind: fc.constant("delete" as const), key }),
    fc.record({ kind: fc.constant("deleteRange" as const), start: key, end: key }),
  );
  const operations = fc.array(operation, { maxLength: 6 });
  return fc.oneof<fc.MaybeWeightedArbitrary<Command>[]>(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("put" as const),
        key,
        value: commandValue,
        contentType,
        condition,
        ttlMs: optional(ttlMs),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("delete" as const), key, condition }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("touch" as const),
        key,
        condition,
        ttlMs: optional(ttlMs),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("txn" as const),
        compares: fc.array(compare, { maxLength: 3 }),
        then: operations,
        else: operations,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("expire" as const), limit: fc.nat(5) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("time" as const) }) },
  );
}

export const anyIdempotency: fc.Arbitrary<Idempotency | undefined> = optional(fc.oneof(
  fc.record({
    kind: fc.constant("key" as const),
    key: latin1(1, 255),
    fingerprint: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  }),
  fc.record({
    kind: fc.constant("session" as const),
    sessionId: fc.nat().map((n) => n.toString(16).padStart(32, "0")),
    sequence: wholeNumber,
    acknowledgedThrough: wholeNumber,
    fingerprint: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  }),
));
