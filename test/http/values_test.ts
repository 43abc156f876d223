// How values come in and go out: content types, JSON, text, bytes, HEAD, negotiation.

import { assert, assertEquals } from "@std/assert";
import { Api, assertProblem } from "./harness.ts";

const TEXT = "text/plain; charset=utf-8";
const BYTES = "application/octet-stream";
const FORM = "application/x-www-form-urlencoded";
const NOT_UTF8 = new Uint8Array([0xff, 0x00, 0x41]);

Deno.test("a put is answered with key, revision and whether it created", async () => {
  const api = new Api();
  const created = await api.put("/key/a", "1");
  assertEquals(created.status, 201);
  assertEquals(created.text, '{"key":"a","revision":1,"created":true}');
  assertEquals(created.headers.get("content-type"), "application/json");
  assertEquals(created.headers.get("etag"), '"1"');
  assertEquals(created.headers.get("pontoon-partition"), "7");
  assertEquals(created.headers.get("pontoon-applied"), "1");
  assertEquals(created.headers.get("pontoon-replayed"), null);
  const replaced = await api.put("/key/a", "2");
  assertEquals([replaced.status, replaced.json.created], [200, false]);
});

Deno.test("an unspecified type is text if the bytes are UTF-8, else octet-stream", async () => {
  const cases: readonly (readonly [string | Uint8Array<ArrayBuffer>, string])[] = [
    ["", TEXT],
    ["plain", TEXT],
    ["naïve ☕", TEXT],
    [NOT_UTF8, BYTES],
    [new Uint8Array([0xed, 0xa0, 0x80]), BYTES],
  ];
  for (const type of [undefined, FORM, "Application/X-WWW-Form-Urlencoded"]) {
    for (const [body, stored] of cases) {
      const api = new Api();
      await api.put("/key/a", body, type === undefined ? {} : { "content-type": type });
      assertEquals((await api.get("/key/a")).json.contentType, stored);
    }
  }
});

Deno.test("a content type is kept as it came, and answers bare reads", async () => {
  const types = [
    "image/png",
    "text/html;charset=utf-8",
    'text/csv; header="a, b"',
    "x/y",
    `${FORM};a=b`,
  ];
  for (const type of types) {
    const api = new Api();
    assertEquals((await api.put("/key/a", "<b>", { "content-type": type })).status, 201);
    assertEquals((await api.get("/key/a")).json.contentType, type);
    const raw = await api.get("/key/a?raw");
    assertEquals([raw.headers.get("content-type"), raw.text], [type, "<b>"]);
    assertEquals(raw.headers.get("x-content-type-options"), "nosniff");
    // What is stored must not run as a page of this origin.
    assert(raw.headers.get("content-security-policy")!.startsWith("sandbox"));
  }
});

Deno.test("a malformed or overlong content type is refused", async () => {
  const api = new Api();
  for (
    const type of ["text", "/", "text/", "a b/c", `text/${"x".repeat(300)}`, "text/plain, a/b"]
  ) {
    assertProblem(await api.put("/key/a", "v", { "content-type": type }), "invalid-header", "type");
  }
  assertEquals(api.node.writes.length, 0);
});

Deno.test("JSON is checked, kept byte for byte and spliced into the answer", async () => {
  const documents = [
    '{"b":1, "a":[1.0,1e2],"a":2}',
    " [ ]\n",
    '"\\u00e9\\/é"',
    "12345678901234567890",
    "null",
  ];
  for (const document of documents) {
    for (
      const type of [
        "application/json",
        "application/vnd.x+json; v=1",
        "Application/JSON;charset=utf-8",
      ]
    ) {
      const api = new Api();
      assertEquals((await api.put("/key/a", document, { "content-type": type })).status, 201);
      const answer = await api.get("/key/a");
      assert(answer.text.includes(`"value":${document},"revision":1`), answer.text);
      assertEquals(answer.json.value, JSON.parse(document));
      assertEquals("encoding" in answer.json, false);
      assertEquals((await api.get("/key/a?raw")).text, document);
    }
  }
});

Deno.test("what claims to be JSON and is not is refused", async () => {
  const api = new Api();
  for (const body of ["", "{", "{a:1}", "1 2", "NaN", "\ufeff{}", "'a'", NOT_UTF8]) {
    const answer = await api.put("/key/a", body, { "content-type": "application/json" });
    assertProblem(answer, "invalid-json");
    assertEquals(answer.status, 400);
  }
  assertEquals(api.node.writes.length, 0);
});

Deno.test("text goes out as a string, what is no text as base64", async () => {
  const api = new Api();
  const text = 'tab\t "quote" \\ \u2028 é\u0000\ufeff end';
  await api.put("/key/a", text);
  const answer = await api.get("/key/a");
  assertEquals(answer.json.value, text);
  assertEquals(answer.text.startsWith('{"key":"a","value":'), true);
  const { key, revision, createRevision, contentType } = answer.json;
  assertEquals([key, revision, createRevision, contentType], ["a", 1, 1, TEXT]);
  await api.put("/key/b", NOT_UTF8, { "content-type": "text/plain" });
  const encoded = (await api.get("/key/b")).json;
  assertEquals([encoded.value, encoded.encoding], ["/wBB", "base64"]);
  await api.put("/key/c", "text", { "content-type": "image/svg+xml" });
  assertEquals((await api.get("/key/c")).json.value, btoa("text"));
});

Deno.test("Accept chooses between JSON and the bare bytes", async () => {
  const api = new Api();
  await api.put("/key/a", "v");
  const bare: readonly (readonly [string | undefined, boolean])[] = [
    [undefined, false],
    ["*/*", false],
    ["application/json", false],
    ["text/html, */*;q=0.8", false],
    [BYTES, true],
    ["Application/Octet-Stream", true],
    [`${BYTES}, */*;q=0.1`, true],
    [`${BYTES}, */*`, true],
    [`${BYTES};q=0.5, application/json`, false],
    [`${BYTES}, application/json;q=0.5`, true],
    [`application/json, ${BYTES}`, false],
    [`${BYTES};q=0`, false],
    [`${BYTES};q=0.1, */*`, false],
    [`${BYTES};q=x`, false],
  ];
  for (const [accept, isBare] of bare) {
    const answer = await api.get("/key/a", accept === undefined ? {} : { accept });
    assertEquals([accept, answer.text === "v"], [accept, isBare]);
    assertEquals(answer.headers.get("vary"), "Accept, Accept-Encoding");
    assertEquals(answer.headers.get("etag"), '"1"');
  }
  const forced = await api.get("/key/a?raw", { accept: "application/json" });
  assertEquals([forced.text, forced.headers.get("content-type")], ["v", TEXT]);
  assertEquals(forced.headers.get("content-security-policy"), null);
});

Deno.test("HEAD has the headers of GET and no body", async () => {
  const api = new Api();
  await api.put("/key/a", "v");
  for (const target of ["/key/a", "/key/a?raw", "/key/b", "/key/%zz", "/key/a?consistency=stale"]) {
    const get = await api.get(target);
    const head = await api.call("HEAD", target);
    assertEquals([head.status, head.text], [get.status, ""]);
    const length = head.headers.get("content-length");
    assertEquals(length, String(get.bytes.length));
    head.headers.delete("content-length");
    assertEquals([...head.headers], [...get.headers]);
  }
});

Deno.test("an absent key is a decided 404", async () => {
  const api = new Api();
  await api.put("/key/a", "v");
  const absent = await api.get("/key/b");
  assertProblem(absent, "not-found");
  assertEquals(absent.headers.get("pontoon-applied"), "1");
  assertEquals(absent.headers.get("vary"), "Accept, Accept-Encoding");
  const removed = await api.call("DELETE", "/key/b");
  assertProblem(removed, "not-found");
  assertEquals(removed.headers.get("pontoon-applied"), "2");
});

Deno.test("a stale read has no place in the partition's order", async () => {
  const api = new Api();
  await api.put("/key/a", "v");
  const stale = await api.get("/key/a?consistency=stale");
  assertEquals([stale.status, api.node.staleReads], [200, 1]);
  assertEquals(stale.headers.get("pontoon-applied"), null);
  assertEquals(stale.headers.get("pontoon-partition"), "7");
});

Deno.test("time to live is what is left in partition time", async () => {
  const api = new Api();
  await api.put("/key/a?ttl=10", "v");
  api.node.timeMs = 4000;
  await api.put("/key/b", "v");
  assertEquals((await api.get("/key/a")).json.ttlMs, 6000);
  assertEquals("ttlMs" in (await api.get("/key/b")).json, false);
  api.node.timeMs = 10_000;
  await api.put("/key/b", "v");
  assertEquals((await api.get("/key/a")).status, 404);
});
