// Compressed values in the state machine (RULES 24): conditions and comparisons see plain bytes, images keep
// frames as they are, state hashes do not depend on them.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { crc32, zstdCompressSync } from "node:zlib";
import { InvariantError } from "../../src/base/assert.ts";
import { utf8Bytes } from "../../src/base/bytes.ts";
import { CodecError } from "../../src/base/codec.ts";
import type { CommandValue, CompareOperator } from "../../src/store/mod.ts";
import { decodeEnvelope, encodeEnvelope, stateHash } from "../../src/store/mod.ts";
import { plainValue } from "../../src/store/value.ts";
import { compressed, Driver, imageOf, loaded } from "./support.ts";

function put(key: string, value: CommandValue) {
  return { kind: "put", key, value, contentType: "text/plain" } as const;
}

function storedText(driver: Driver, key: string): string {
  return plainValue(driver.store.get(key)!.value);
}

Deno.test("a compressed value is kept as it came, and read as it was put", () => {
  const driver = new Driver();
  const plain = utf8Bytes("value ".repeat(500));
  const value = compressed(plain);
  driver.apply(put("k", value));
  const stored = driver.store.get("k")!.value;
  assert(typeof stored !== "string" && !(value instanceof Uint8Array));
  assertEquals(stored.zstd.length, value.zstd.length);
  assertEquals(storedText(driver, "k"), "value ".repeat(500));
  driver.apply({ kind: "touch", key: "k", ttlMs: 5 });
  assertEquals(driver.store.get("k")!.value, stored);
  const copy = loaded(imageOf(driver.store));
  assertEquals(copy.get("k")!.value, stored);
  assertEquals(imageOf(copy), imageOf(driver.store));
});

Deno.test("comparisons of compressed values are of their plain bytes", () => {
  const driver = new Driver();
  driver.apply(put("k", compressed(utf8Bytes("mmm"))));
  const holds = (operator: CompareOperator, text: string) => {
    const { result } = driver.apply({
      kind: "txn",
      compares: [{ target: "value", key: "k", operator, value: utf8Bytes(text) }],
      then: [],
      else: [],
    });
    return result.kind === "txn" && result.succeeded;
  };
  for (const text of ["", "m", "mmm", "mmn", "mml", "z", "mmmm"]) {
    assertEquals(
      [holds("=", text), holds("!=", text), holds("<", text), holds(">", text)],
      ["mmm" === text, "mmm" !== text, "mmm" < text, "mmm" > text],
      text,
    );
  }
});

Deno.test("the state hash is of plain values, whatever the frames look like", () => {
  const plain = utf8Bytes("abc".repeat(1000));
  const hashes = [1, 19].map((level) => {
    const driver = new Driver();
    const zstd = zstdCompressSync(plain, { params: { 100: level } });
    driver.apply(put("k", { zstd, plainLength: plain.length, plainChecksum: crc32(plain) }));
    return stateHash(driver.store.freeze());
  });
  assertEquals(hashes[0], hashes[1]);
  const other = new Driver();
  other.apply(put("k", compressed(utf8Bytes("abd".repeat(1000)))));
  assert(stateHash(other.store.freeze()) !== hashes[0]);
});

Deno.test("a frame that does not hold what it should is never served", () => {
  const plain = utf8Bytes("abc".repeat(100));
  const zstd = zstdCompressSync(plain);
  for (
    const facts of [
      { plainLength: plain.length, plainChecksum: crc32(plain) ^ 1 },
      { plainLength: plain.length + 1, plainChecksum: crc32(plain) },
    ]
  ) {
    const driver = new Driver();
    driver.apply(put("k", { zstd, ...facts, plainChecksum: facts.plainChecksum >>> 0 }));
    assertThrows(() => storedText(driver, "k"), InvariantError);
  }
});

Deno.test("an entry with an unknown codec, or of an impossible length, is refused", () => {
  const encoded = encodeEnvelope({ timeMs: 0, command: put("k", compressed(utf8Bytes("abcabc"))) });
  const text = "text/plain";
  const offset = 12 + 1 + 8 + 2 + 1 + 1 + text.length; // header, condition, ttl, key, content type
  assertEquals(encoded[offset], 1);
  for (const [at, byte] of [[offset, 2], [offset + 1, 0xff]]) {
    const damaged = encoded.slice();
    damaged[at] = byte;
    assertThrows(() => decodeEnvelope(damaged), CodecError);
  }
});
