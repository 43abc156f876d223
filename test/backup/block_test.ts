// Blocks, their payloads and documents: what is written is read back, and what is damaged is refused.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Block,
  BLOCK_HEADER_SIZE_BYTES,
  BlockReader,
  BlockType,
  type Changes,
  decodeBegin,
  decodeChanges,
  decodeHeader,
  decodeRecords,
  encodeBlock,
  encodeDocument,
  writeChanges,
  writeRecord,
} from "../../src/backup/mod.ts";
import { BytesWriter, CodecError } from "../../src/base/codec.ts";
import { WHOLE_REVISION } from "../../src/store/mod.ts";
import type { RecordView } from "../../src/store/types.ts";
import { randomFrom } from "./support.ts";

function blockOf(sequence: number, size: number): Block {
  const payload = Uint8Array.from({ length: size }, (_, i) => (i * 7 + sequence) & 0xff);
  return { type: BlockType.Records, partition: 3, run: 2, sequence, payload };
}

function readAll(reader: BlockReader): Block[] {
  const blocks: Block[] = [];
  for (let block = reader.next(); block !== undefined; block = reader.next()) blocks.push(block);
  return blocks;
}

function joined(blocks: readonly Block[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(blocks.flatMap((block) => [...encodeBlock(block)]));
}

Deno.test("blocks come out as they went in, however the stream is cut", () => {
  const random = randomFrom("blocks");
  const blocks = [0, 1, 100, 5000].map((size, i) => blockOf(i, size));
  const bytes = joined(blocks);
  for (let round = 0; round < 50; round++) {
    const reader = new BlockReader();
    const found: Block[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + Math.floor(random() * 700);
      reader.push(bytes.slice(at, end));
      found.push(...readAll(reader));
      at = end;
    }
    assertEquals(found, blocks);
    assertEquals([reader.offset, reader.pendingBytes], [bytes.length, 0]);
  }
});

Deno.test("every flipped bit of a block is noticed, and named by block and byte", () => {
  const blocks = [blockOf(0, 20), blockOf(1, 9)];
  const bytes = joined(blocks);
  const second = BLOCK_HEADER_SIZE_BYTES + 20;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    const reader = new BlockReader();
    reader.push(damaged);
    let found = 0;
    try {
      while (reader.next() !== undefined) found++;
      // A length that grew leaves a block that never becomes whole.
      assert(reader.pendingBytes > 0 && found < 2, `bit ${bit} went unnoticed`);
    } catch (error) {
      assert(error instanceof CodecError);
      const where = bit >> 3 < second ? "block 0 at byte 0" : `block 1 at byte ${second}`;
      assert(error.message.startsWith(where), error.message);
    }
  }
});

Deno.test("a block that is lost, doubled or moved is noticed", () => {
  const [a, b, c] = [blockOf(0, 5), blockOf(1, 5), blockOf(2, 5)];
  for (const wrong of [[a, c], [a, a], [b, a, c], [b]]) {
    const reader = new BlockReader();
    reader.push(joined(wrong));
    assertThrows(() => readAll(reader), CodecError, "it says that it is number");
  }
});

const RECORDS: readonly RecordView[] = [
  {
    key: "a",
    value: "",
    contentType: "text/plain",
    revision: 1,
    createRevision: 1,
    expiresAtMs: undefined,
  },
  {
    key: "\xff\x00b".padEnd(4096, "k"),
    value: "\x00\xff".repeat(1000),
    contentType: "application/octet-stream",
    revision: 2 ** 50,
    createRevision: 7,
    expiresAtMs: 1_800_000_000_123,
  },
  {
    key: "z",
    value: { zstd: "\x28\xb5\x2f\xfd...", plainLength: 70_000, plainChecksum: 0xdeadbeef },
    contentType: "",
    revision: 9,
    createRevision: 9,
    expiresAtMs: undefined,
  },
];

Deno.test("records and changes come out as they went in", () => {
  const writer = new BytesWriter();
  for (const record of RECORDS) writeRecord(writer, record);
  assertEquals(decodeRecords(writer.take()), RECORDS);
  const changes: Changes = {
    from: { revision: 3, subIndex: WHOLE_REVISION },
    to: { revision: 2 ** 50, subIndex: 4 },
    timeMs: 17,
    wallMs: 1_790_000_000_000,
    events: [
      ...RECORDS.map((record, subIndex) => ({ ...record, subIndex, kind: "put" as const })),
      { revision: 10, subIndex: 0, kind: "delete", key: "x" },
      { revision: 10, subIndex: 1, kind: "expire", key: "\x80" },
    ],
  };
  writeChanges(writer, changes);
  const bytes = writer.take();
  assertEquals(decodeChanges(bytes), changes);
  for (const length of [0, 10, bytes.length - 1]) {
    assertThrows(() => decodeChanges(bytes.subarray(0, length)), CodecError);
  }
});

Deno.test("documents of another version, or with something missing, are refused by name", () => {
  const begin = {
    formatVersion: 1,
    partition: 1,
    copy: "a-1",
    nodeId: "n",
    applied: 5,
    timeMs: 0,
    records: 1,
    wallMs: 0,
    url: "",
  };
  assertEquals(decodeBegin(encodeDocument(begin)), begin);
  const broken: [unknown, string][] = [
    [{ ...begin, formatVersion: 2 }, "format version 2; this program knows 1"],
    [{ ...begin, applied: -1 }, "applied"],
    [{ ...begin, copy: "../x" }, "copy"],
    [[], "it is no object"],
    [null, "it is no object"],
  ];
  for (const [document, words] of broken) {
    assertThrows(() => decodeBegin(encodeDocument(document)), CodecError, words);
  }
  assertThrows(() => decodeHeader(Uint8Array.of(0xff)), CodecError);
  assertThrows(() => decodeHeader(encodeDocument({ formatVersion: 1 })), CodecError, "clusterId");
});
