// POST /txn and POST /key/:key/ttl: documents, what they do, which of them are refused.

import { assert, assertEquals } from "@std/assert";
import { failureOf } from "./fake_node.ts";
import { Api, assertProblem } from "./harness.ts";

const JSON_TYPE = { "content-type": "application/json" };

function post(api: Api, target: string, body: unknown, headers: HeadersInit = {}) {
  const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  return api.call("POST", target, { body: bytes, headers: { ...JSON_TYPE, ...headers } });
}

Deno.test("a transaction does one branch and answers in order", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  const document = {
    if: [{ key: "a", revision: 1 }, { key: "b", exists: false }, { key: "a", value: "1" }],
    then: [
      { op: "get", key: "a" },
      { op: "put", key: "b", value: "2", ttl: 1.5 },
      { op: "put", key64: "_w", value: "AAH/", encoding: "base64" },
      { op: "put", key: "j", json: { x: [1, null] } },
      { op: "delete", key: "a" },
      { op: "delete", key: "missing" },
      { op: "get", key: "missing" },
    ],
    else: [{ op: "get", key: "b" }],
  };
  const done = await post(api, "/txn", document);
  assertEquals(done.status, 200);
  assertEquals(done.headers.get("pontoon-applied"), "2");
  assertEquals(done.headers.get("pontoon-partition"), "7");
  const contentType = "text/plain; charset=utf-8";
  assertEquals(done.json, {
    succeeded: true,
    revision: 2,
    results: [
      {
        op: "get",
        revision: 1,
        record: { key: "a", value: "1", revision: 1, createRevision: 1, contentType },
      },
      { op: "put", created: true, revision: 2 },
      { op: "put", created: true, revision: 2 },
      { op: "put", created: true, revision: 2 },
      { op: "delete", deleted: true, revision: 2 },
      { op: "delete", deleted: false, revision: 2 },
      { op: "get", revision: 0, record: null },
    ],
  });
  assertEquals((await api.get("/key/b")).json.ttlMs, 1500);
  assertEquals((await api.get("/key?key64=_w&raw")).bytes, new Uint8Array([0, 1, 255]));
  const stored = (await api.get("/key/j")).json;
  assertEquals([stored.value, stored.contentType], [{ x: [1, null] }, "application/json"]);
  const again = await post(api, "/txn", document);
  assertEquals([again.json.succeeded, again.json.results.length], [false, 1]);
});

Deno.test("every comparison reaches the state machine as it was meant", async () => {
  const api = new Api();
  const document = {
    if: [
      { key: "a", op: "<", revision: 5 },
      { key: "a", op: ">", createRevision: 0 },
      { key: "a", op: "!=", value: "x" },
      { key: "a", value: "AAE=", encoding: "base64" },
      { key: "a", json: [1] },
      { key: "a", exists: true },
    ],
  };
  assertEquals((await post(api, "/txn", document)).status, 200);
  const [{ command }] = api.node.writes;
  const bytes = (text: string) => new TextEncoder().encode(text);
  assert(command.kind === "txn");
  assertEquals(command.compares, [
    { target: "revision", key: "a", operator: "<", revision: 5 },
    { target: "createRevision", key: "a", operator: ">", revision: 0 },
    { target: "value", key: "a", operator: "!=", value: bytes("x") },
    { target: "value", key: "a", operator: "=", value: new Uint8Array([0, 1]) },
    { target: "value", key: "a", operator: "=", value: bytes("[1]") },
    { target: "exists", key: "a", exists: true },
  ]);
});

Deno.test("a replayed transaction has revisions and no values", async () => {
  const api = new Api();
  await api.put("/key/a", "secret");
  const document = { then: [{ op: "get", key: "a" }, { op: "put", key: "b", value: "1" }] };
  const headers = { "idempotency-key": "t1" };
  const first = await post(api, "/txn", document, headers);
  assertEquals(first.json.results[0].record.value, "secret");
  const second = await post(api, "/txn", document, headers);
  assertEquals(second.headers.get("pontoon-replayed"), "true");
  assertEquals([second.json.revision, second.json.results[0]], [2, { op: "get", revision: 1 }]);
  const other = await post(api, "/txn", { then: [{ op: "get", key: "a" }] }, headers);
  assertProblem(other, "idempotency-key-reused");
});

Deno.test("keys of several partitions are refused by name, with the remedy", async () => {
  const api = new Api();
  const cross = [
    { if: [{ key: "a", exists: true }], then: [{ op: "delete", key: "far" }] },
    { then: [{ op: "get", key: "a" }], else: [{ op: "get", key: "far" }] },
  ];
  for (const document of cross) {
    const answer = await post(api, "/txn", document);
    assertProblem(answer, "cross-partition", '"far"');
    assertEquals(answer.status, 409);
    assert(answer.json.detail.includes('"a"') && answer.json.detail.includes("{tag}"));
  }
  assertEquals((await post(api, "/txn", { then: [{ op: "get", key: "far{a}" }] })).status, 200);
  assertEquals(api.node.writes.length, 1);
});

Deno.test("a range lies within one hash tag", async () => {
  const api = new Api();
  const range = (start: string, end: string) => ({ then: [{ op: "deleteRange", start, end }] });
  for (const [start, end] of [["{t}a", "{t}b"], ["x{t}", "x{t}~"], ["{t}", "{t}~"]]) {
    assertEquals([start, (await post(api, "/txn", range(start, end))).status], [start, 200]);
  }
  const refused = [["a", "b"], ["{t}a", "{u}b"], ["{}a", "{}b"], ["{t", "{u"], ["{t}a", "b"], [
    "x{t}",
    "y{t}",
  ]];
  for (const [start, end] of refused) {
    assertProblem(await post(api, "/txn", range(start, end)), "cross-partition", "{tag}");
  }
});

Deno.test("a malformed transaction is refused", async () => {
  const api = new Api();
  const get = { op: "get", key: "a" };
  const put = (members: object) => ({ then: [{ op: "put", key: "a", ...members }] });
  const refused: readonly (readonly [unknown, string])[] = [
    [{}, "invalid-body"],
    [{ if: [], then: [], else: [] }, "invalid-body"],
    [{ then: [get], when: [] }, "invalid-body"],
    [{ then: Array(129).fill(get) }, "invalid-body"],
    [{ then: [{ op: "get" }] }, "invalid-body"],
    [{ then: [{ op: "get", key: "a", key64: "YQ" }] }, "invalid-body"],
    [{ then: [{ op: "get", key: 1 }] }, "invalid-body"],
    [{ then: [{ op: "get", key: "" }] }, "invalid-key"],
    [{ then: [{ op: "get", key64: "YR" }] }, "invalid-key"],
    [{ then: [{ op: "get", key: "\ud800" }] }, "invalid-body"],
    [{ then: [{ op: "get", key: "a".repeat(4097) }] }, "key-too-long"],
    [{ then: [{ op: "incr", key: "a" }] }, "invalid-body"],
    [{ if: [{ key: "a" }], then: [get] }, "invalid-body"],
    [{ if: [{ key: "a", revision: 1, exists: true }], then: [get] }, "invalid-body"],
    [{ if: [{ key: "a", op: "~", revision: 1 }], then: [get] }, "invalid-body"],
    [{ if: [{ key: "a", revision: -1 }], then: [get] }, "invalid-body"],
    [put({}), "invalid-body"],
    [put({ value: "a", json: 1 }), "invalid-body"],
    [put({ json: 1, encoding: "base64" }), "invalid-body"],
    [put({ value: "*", encoding: "base64" }), "invalid-body"],
    [put({ value: "a", ttl: 0 }), "invalid-body"],
    [put({ value: "a", ttl: "1" }), "invalid-body"],
    [put({ value: "{", contentType: "application/json" }), "invalid-json"],
    [put({ value: "a", contentType: "text" }), "invalid-header"],
  ];
  for (const [document, code] of refused) {
    const answer = await post(api, "/txn", document);
    assertEquals([document, answer.json?.code], [document, code]);
  }
  api.node.valueSizeBytesMax = 3;
  assertProblem(await post(api, "/txn", put({ value: "éé" })), "value-too-large");
  const bytes = Uint8Array.from('{"then":[{"op":"get","key":"\xff"}]}', (one) => one.charCodeAt(0));
  const garbled = await api.call("POST", "/txn", { body: bytes, headers: JSON_TYPE });
  assertProblem(garbled, "invalid-json", "UTF-8");
  assertEquals(api.node.writes.length, 0);
});

Deno.test("JSON values of a transaction keep every member", async () => {
  const api = new Api();
  const text = '{"__proto__":{"a":1},"constructor":2}';
  await post(api, "/txn", `{"then":[{"op":"put","key":"a","json":${text}}]}`);
  assertEquals((await api.get("/key/a?raw")).text, text);
});

Deno.test("a transaction's failures are those of any write", async () => {
  const api = new Api();
  api.node.nextFailure = failureOf("timeout", "unknown");
  const headers = { "pontoon-timeout-ms": "77", "pontoon-forward": "redirect" };
  const late = await post(api, "/txn", { then: [{ op: "get", key: "a" }] }, headers);
  assertEquals([late.status, late.json.outcome], [504, "unknown"]);
  assertEquals(api.node.lastOptions, { timeoutMs: 77, forward: "redirect" });
  api.node.nextFailure = failureOf("not-leader", "none", { leaderHttp: "h:1" });
  const sent = await post(api, "/txn", { then: [{ op: "get", key: "a" }] }, headers);
  assertEquals([sent.status, sent.headers.get("location")], [307, "http://h:1/txn"]);
});

Deno.test("a time to live is set and cleared without touching the value", async () => {
  const api = new Api();
  await api.put("/key/a%2Fb", "v", { "content-type": "x/y" });
  const set = await post(api, "/key/a%2Fb/ttl", { ttl: 1.5 });
  assertEquals([set.status, set.text], [200, '{"key":"a/b","revision":2}']);
  assertEquals([set.headers.get("etag"), set.headers.get("pontoon-applied")], ['"2"', "2"]);
  const { value, contentType, ttlMs } = (await api.get("/key/a%2Fb?raw=false")).json;
  assertEquals([value, contentType, ttlMs], [btoa("v"), "x/y", 1500]);
  const cleared = await post(api, "/key/ttl?key64=YS9i", { ttl: null }, { "if-match": '"2"' });
  assertEquals(cleared.status, 200);
  assertEquals("ttlMs" in (await api.get("/key/a%2Fb")).json, false);
  assertEquals((await post(api, "/key/a%2Fb/ttl", { ttl: 1 }, { "if-match": '"2"' })).status, 412);
  assertEquals((await post(api, "/key/missing/ttl", { ttl: 1 })).status, 404);
  const replayed = { "idempotency-key": "k" };
  await post(api, "/key/a%2Fb/ttl", { ttl: 9 }, replayed);
  assertEquals((await post(api, "/key/a%2Fb/ttl", { ttl: 9 }, replayed)).status, 200);
  assertEquals((await post(api, "/key/a%2Fb/ttl", { ttl: 8 }, replayed)).status, 422);
});

Deno.test("a malformed time to live is refused", async () => {
  const api = new Api();
  for (
    const body of [{}, { ttl: 0 }, { ttl: -1 }, { ttl: "1" }, { ttl: 1, x: 1 }, [], null, 5, {
      ttl: 1e12,
    }]
  ) {
    assertProblem(await post(api, "/key/a/ttl", body), "invalid-body");
  }
  assertProblem(await post(api, "/key/a/ttl", "{"), "invalid-json");
  assertProblem(await post(api, "/key/a/ttl", " ".repeat(2000)), "value-too-large");
  assertProblem(await post(api, "/key/a/ttl?ttl=1", { ttl: 1 }), "invalid-parameter");
  assertProblem(await post(api, "/key//ttl", { ttl: 1 }), "invalid-key");
  assertProblem(await post(api, "/key/ttl", { ttl: 1 }), "invalid-key", "empty");
  const plain = { "content-type": "text/plain" };
  assertProblem(await post(api, "/key/a/ttl", { ttl: 1 }, plain), "unsupported-media-type");
  assertEquals(api.node.writes.length, 0);
});
