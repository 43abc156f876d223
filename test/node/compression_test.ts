// Where compressing pays: long values that shrink, and no others.

import { assert, assertEquals } from "@std/assert";
import { utf8Bytes } from "../../src/base/bytes.ts";
import { Compressor } from "../../src/node/compression.ts";
import { commandValueLength } from "../../src/store/mod.ts";
import { plainValue, storedValueOf } from "../../src/store/value.ts";
import { SeededRandom } from "../sim/random.ts";

const compressor = new Compressor({ thresholdBytes: 1000, level: 1 });

Deno.test("long text is compressed, short text is not", () => {
  const text = "a line of text, again and again\n";
  const long = utf8Bytes(text.repeat(100));
  const packed = compressor.value(long);
  assert(!(packed instanceof Uint8Array) && packed.zstd.length < 300);
  assertEquals(commandValueLength(packed), long.length);
  assertEquals(plainValue(storedValueOf(packed)), text.repeat(100));
  const short = utf8Bytes(text);
  assert(compressor.value(short) === short);
  assert(compressor.value(packed) === packed);
});

Deno.test("what does not shrink stays as it is, whatever its length", () => {
  const random = new SeededRandom(1);
  for (const length of [1000, 5000, 200_000]) {
    const noise = random.bytes(length);
    assert(compressor.value(noise) === noise, `${length}`);
  }
});

Deno.test("values of puts are compressed, alone and in transactions; comparisons stay plain", () => {
  const value = new Uint8Array(2000);
  const contentType = "application/octet-stream";
  const operation = { kind: "put", key: "k", value, contentType } as const;
  const txn = compressor.pack({
    kind: "txn",
    compares: [{ target: "value", key: "k", operator: "=", value }],
    then: [operation, { kind: "get", key: "k" }],
    else: [operation],
  });
  assert(txn.kind === "txn");
  const isPacked = (one: { value?: unknown }) => !(one.value instanceof Uint8Array);
  assertEquals([isPacked(txn.then[0] as typeof operation), txn.then[1].kind], [true, "get"]);
  assert(isPacked(txn.else[0] as typeof operation));
  assert(txn.compares[0].target === "value" && txn.compares[0].value === value);
  const put = compressor.pack(operation);
  assert(put.kind === "put" && isPacked(put));
  const remove = { kind: "delete", key: "k" } as const;
  assert(compressor.pack(remove) === remove);
});
