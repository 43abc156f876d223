// The entry envelope: round trips, refusal of what does not fit, and bytes that nobody encoded.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CodecError } from "../../src/base/codec.ts";
import {
  decodeEnvelope,
  encodeEnvelope,
  type Envelope,
  stampEnvelope,
} from "../../src/store/mod.ts";
import { anyCommand, anyIdempotency, anyVocabulary, inSession, put, testSeed } from "./support.ts";

const anyEnvelope: fc.Arbitrary<Envelope> = fc.record({
  timeMs: fc.maxSafeNat(),
  idempotency: anyIdempotency,
  command: anyCommand(anyVocabulary),
}) as fc.Arbitrary<Envelope>;

/** As plain data: views become arrays, absent and undefined fields are the same. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(
    value,
    (_, item) => item instanceof Uint8Array ? [...item] : item,
  ));
}

Deno.test("decodeEnvelope() returns what encodeEnvelope() was given", () => {
  const seed = testSeed();
  fc.assert(
    fc.property(anyEnvelope, (envelope) => {
      const encoded = encodeEnvelope(envelope);
      assertEquals(plain(decodeEnvelope(encoded)), plain(envelope));
    }),
    { seed, numRuns: 300 },
  );
});

Deno.test("encodeEnvelope() results do not share bytes", () => {
  const seed = testSeed();
  fc.assert(
    fc.property(fc.array(anyEnvelope, { maxLength: 20 }), (envelopes) => {
      const encoded = envelopes.map((envelope) => encodeEnvelope(envelope));
      encoded.forEach((bytes, i) => stampEnvelope(bytes, i));
      encoded.forEach((bytes, i) => {
        assertEquals(plain(decodeEnvelope(bytes)), plain({ ...envelopes[i], timeMs: i }));
      });
    }),
    { seed, numRuns: 30 },
  );
});

Deno.test("decodeEnvelope() does not copy the value", () => {
  const encoded = encodeEnvelope({ timeMs: 0, command: put("a", "value") });
  const { command } = decodeEnvelope(encoded);
  assert(
    command.kind === "put" && command.value instanceof Uint8Array &&
      command.value.buffer === encoded.buffer,
  );
});

Deno.test("decodeEnvelope() throws nothing but CodecError, on any bytes", () => {
  const seed = testSeed();
  const check = (bytes: Uint8Array) => {
    try {
      decodeEnvelope(bytes);
    } catch (error) {
      assert(error instanceof CodecError, String(error));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check), { seed, numRuns: 500 });
  const kind = fc.integer({ min: 0, max: 7 });
  const withHeader = fc.tuple(kind, fc.nat(3), fc.uint8Array({ maxLength: 80 }))
    .map(([command, idempotency, rest]) =>
      Uint8Array.of(1, command, idempotency, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...rest)
    );
  fc.assert(fc.property(withHeader, check), { seed, numRuns: 2000 });
  const damaged = fc.tuple(anyEnvelope, fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(damaged, ([envelope, at, flip]) => {
      const bytes = encodeEnvelope(envelope);
      bytes[at % bytes.length] ^= flip;
      check(bytes);
    }),
    { seed, numRuns: 500 },
  );
});

Deno.test("decodeEnvelope() refuses every cut and every extension of an entry", () => {
  const seed = testSeed();
  fc.assert(
    fc.property(anyEnvelope, fc.nat(), (envelope, at) => {
      const bytes = encodeEnvelope(envelope);
      assertThrows(() => decodeEnvelope(bytes.subarray(0, at % bytes.length)), CodecError);
      assertThrows(() => decodeEnvelope(Uint8Array.of(...bytes.slice(0, 9000), 0)), CodecError);
    }),
    { seed, numRuns: 100 },
  );
});

Deno.test("decodeEnvelope() refuses another format and value codecs that it does not know", () => {
  const bytes = encodeEnvelope({ timeMs: 0, command: put("a", "v") });
  const changed = (at: number, to: number) => {
    const copy = bytes.slice();
    copy[at] = to;
    return copy;
  };
  assertThrows(() => decodeEnvelope(changed(0, 2)), CodecError, "entry format 2");
  assertThrows(() => decodeEnvelope(changed(3, 1)), CodecError, "reserved");
  assertThrows(() => decodeEnvelope(changed(bytes.length - 6, 2)), CodecError, "value codec 2");
});

Deno.test("encodeEnvelope() throws CodecError where a field does not fit, and works afterwards", () => {
  const encode = (command: Envelope["command"]) => () => encodeEnvelope({ timeMs: 0, command });
  assertThrows(encode(put("k".repeat(4097))), CodecError, "key of 4097");
  assertThrows(encode(put("k", "v", { contentType: "t".repeat(256) })), CodecError, "content type");
  const operations = Array.from({ length: 129 }, () => ({ kind: "get" as const, key: "k" }));
  assertThrows(
    encode({ kind: "txn", compares: [], then: operations, else: [] }),
    CodecError,
    "then of 129",
  );
  // What the decoder would refuse must never enter a log, or no replica could apply it.
  for (const ttlMs of [0, -1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(encode(put("k", "v", { ttlMs })), CodecError);
    assertThrows(encode({ kind: "touch", key: "k", ttlMs }), CodecError);
  }
  const condition = { kind: "revision", revision: -1 } as const;
  assertThrows(encode({ kind: "delete", key: "k", condition }), CodecError, "-1");
  const place = inSession(1, 1.5);
  assertThrows(
    () => encodeEnvelope({ timeMs: 0, command: put("k"), idempotency: place }),
    CodecError,
    "1.5",
  );
  assertThrows(() => encodeEnvelope({ timeMs: 0.1, command: put("k") }), CodecError);
  assertThrows(() => stampEnvelope(encode(put("k"))(), NaN), CodecError);
  assertEquals(decodeEnvelope(encode(put("k", "v"))()).command.kind, "put");
});
