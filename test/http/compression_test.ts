// Compressed values over HTTP: plain to whoever does not ask, as they are kept to whoever takes zstd.

import { assert, assertEquals } from "@std/assert";
import { zstdDecompressSync } from "node:zlib";
import { acceptsZstd } from "../../src/http/request_headers.ts";
import { Compressor } from "../../src/node/compression.ts";
import { EventStream } from "./event_stream.ts";
import { Api, rawRequest } from "./harness.ts";

const TEXT = "some text, some text, ".repeat(200);

/** An API whose node compresses what it is given. */
function compressingApi(): Api {
  const api = new Api();
  const compressor = new Compressor({ thresholdBytes: 100, level: 1 });
  const write = api.node.write.bind(api.node);
  api.node.write = (command, ...rest) => write(compressor.pack(command), ...rest);
  return api;
}

Deno.test("a compressed value is plain to clients that don't take zstd", async () => {
  const api = compressingApi();
  await api.put("/key/k", TEXT);
  const stored = api.node.store.get("k")!.value;
  assert(typeof stored !== "string" && stored.zstd.length < 200);
  assertEquals((await api.get("/key/k")).json.value, TEXT);
  for (const headers of [{}, { "accept-encoding": "gzip, zstd;q=0" }] as HeadersInit[]) {
    const answer = await api.get("/key/k?raw", headers);
    assertEquals([answer.text, answer.headers.get("content-encoding")], [TEXT, null]);
    assertEquals(answer.headers.get("vary"), "Accept, Accept-Encoding");
  }
});

Deno.test("a client that takes zstd gets the bytes as they are kept", async () => {
  const api = compressingApi();
  await api.put("/key/k", TEXT);
  await api.put("/key/short", "short");
  const headers = { "accept-encoding": "gzip, zstd" };
  const answer = await api.get("/key/k?raw", headers);
  assertEquals(answer.headers.get("content-encoding"), "zstd");
  assertEquals(answer.headers.get("content-type"), "text/plain; charset=utf-8");
  assert(answer.bytes.length < 200);
  assertEquals(zstdDecompressSync(answer.bytes).toString(), TEXT);
  assertEquals((await api.get("/key/short?raw", headers)).headers.has("content-encoding"), false);
  assertEquals((await api.get("/key/k", headers)).json.value, TEXT);
  const head = await api.call("HEAD", "/key/k?raw", { headers });
  assertEquals(head.headers.get("content-length"), String(answer.bytes.length));
});

Deno.test("scans, transactions, batches and watches show plain values, and conditions go by them", async () => {
  const api = compressingApi();
  const stream = new EventStream(await api.app.fetch(rawRequest("GET", "/watch?prefix=")));
  await api.put("/key/k", TEXT);
  assertEquals((await stream.changes(1))[0].data.value, TEXT);
  await stream.cancel();
  assertEquals((await api.get("/keys")).json.keys[0].value, TEXT);
  const post = (target: string, body: unknown) =>
    api.call("POST", target, {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
  const txn = await post("/txn", {
    if: [{ key: "k", value: TEXT }, { key: "k", op: ">", value: "some" }],
    then: [{ op: "get", key: "k" }],
  });
  assertEquals([txn.json.succeeded, txn.json.results[0].record.value], [true, TEXT]);
  const batch = await post("/batch", { operations: [{ op: "get", key: "k" }] });
  assertEquals(batch.json.results[0].record.value, TEXT);
});

Deno.test("comparisons by order are bounded by what they may decompress", async () => {
  const api = compressingApi();
  api.node.valueSizeBytesMax = 1024 * 1024;
  const txn = (op: string, count: number) =>
    api.call("POST", "/txn", {
      body: JSON.stringify({
        if: Array.from({ length: count }, () => ({ key: "k", op, value: "x" })),
        then: [{ op: "get", key: "k" }],
      }),
      headers: { "content-type": "application/json" },
    });
  assertEquals((await txn("<", 16)).status, 200);
  assertEquals((await txn("<", 17)).json.code, "value-too-large");
  assertEquals((await txn("!=", 128)).status, 200);
});

Deno.test("acceptsZstd() reads weights", () => {
  for (const header of ["zstd", "gzip, ZSTD;q=0.5", "br;q=1, zstd ; q=0.001"]) {
    assert(acceptsZstd(header), header);
  }
  for (const header of [null, "", "gzip", "zstd;q=0", "zstd;q=0.000", "xzstd", "*"]) {
    assert(!acceptsZstd(header), `${header}`);
  }
});
