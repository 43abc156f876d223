// The content hash: equal for equal contents however they are spread and ordered, different for any difference.

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { zstdCompressSync } from "node:zlib";
import { crc32 } from "node:zlib";
import { type Content, ContentSum, murmur128 } from "../../src/backup/mod.ts";
import { bytesFromLatin1, latin1FromBytes, utf8Bytes } from "../../src/base/bytes.ts";
import type { RecordView } from "../../src/store/types.ts";
import { randomFrom } from "./support.ts";

function record(key: string, value: RecordView["value"], more: Partial<RecordView> = {}) {
  return {
    key,
    value,
    contentType: "text/plain",
    revision: 1,
    createRevision: 1,
    expiresAtMs: undefined,
    ...more,
  };
}

function contentOf(records: readonly RecordView[]): Content {
  const sum = new ContentSum();
  for (const one of records) sum.add(one);
  return sum.content();
}

function hex(words: Uint32Array): string {
  return [...words].map((word) => word.toString(16).padStart(8, "0")).join("");
}

Deno.test("murmur128() gives the published values", () => {
  assertEquals(hex(murmur128(utf8Bytes(""))), "0".repeat(32));
  assertEquals(
    hex(murmur128(utf8Bytes("I will not buy this record, it is scratched."))),
    "a0a9683b25ac5e40d9af2895890dddf5",
  );
  assertEquals(
    hex(murmur128(utf8Bytes("I will not buy this tobacconist's, it is scratched."))),
    "9b5b7ba2ef3f7866889adeaf00f3f98e",
  );
});

Deno.test("contents are equal whatever the order, the parts and the revisions", () => {
  const random = randomFrom("content");
  const records = Array.from(
    { length: 300 },
    (_, i) =>
      record(`k${i}`, "v".repeat(Math.floor(random() * 50)), {
        expiresAtMs: random() < 0.3 ? 1 + Math.floor(random() * 1e6) : undefined,
      }),
  );
  const whole = contentOf(records);
  const shuffled = records.map((one) => ({ ...one, revision: 9, createRevision: 8 }))
    .sort(() => random() - 0.5);
  assertEquals(contentOf(shuffled), whole);
  const parts = [new ContentSum(), new ContentSum(), new ContentSum()];
  for (const one of shuffled) parts[Math.floor(random() * 3)].add(one);
  const total = new ContentSum();
  for (const part of parts) total.addContent(part.content());
  assertEquals(total.content(), whole);
  assertEquals(whole.lasting.count + whole.expiring.count, 300);
});

Deno.test("any difference in what a client could see is a difference", () => {
  const base = [record("a", "1"), record("b", "2")];
  const others: RecordView[][] = [
    [record("a", "2"), record("b", "1")],
    [record("a", "1"), record("b", "3")],
    [record("a", "1"), record("c", "2")],
    [record("a", "1")],
    [record("a", "1"), record("b", "2"), record("b2", "")],
    [record("a", "1"), record("b", "2", { contentType: "text/html" })],
    [record("a", "1"), record("b", "2", { expiresAtMs: 5 })],
    [record("ab", ""), record("", "12")],
  ];
  const hashes = new Set([base, ...others].map((one) => JSON.stringify(contentOf(one))));
  assertEquals(hashes.size, others.length + 1);
  assertNotEquals(contentOf(base).lasting.hash, contentOf([]).lasting.hash);
});

Deno.test("a compressed value counts as what it stands for", () => {
  const plain = bytesFromLatin1("compressible ".repeat(5000));
  const zstd = latin1FromBytes(zstdCompressSync(plain));
  const compressed = { zstd, plainLength: plain.length, plainChecksum: crc32(plain) };
  assertEquals(
    contentOf([record("a", compressed)]),
    contentOf([record("a", latin1FromBytes(plain))]),
  );
  assert(zstd.length < plain.length);
});
