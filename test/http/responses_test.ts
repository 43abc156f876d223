// What the routes answer is what /openapi.json says they do: every status is described, every document meets
// its schema and has no member beyond it.

import { assert, assertEquals } from "@std/assert";
import { WHOLE_REVISION } from "../../src/store/mod.ts";
import { watchCursor } from "../../src/http/positions.ts";
import { EventStream } from "./event_stream.ts";
import { failureOf, PARTITION } from "./fake_node.ts";
import { Api, type CallInit, rawRequest } from "./harness.ts";
import { mismatch } from "./json_schema.ts";

const JSON_TYPE = { "content-type": "application/json" };

interface Call {
  readonly method: string;
  /** As the document names it. */
  readonly path: string;
  readonly target: string;
  readonly init?: CallInit;
  readonly status: number;
}

function post(path: string, body: unknown, status = 200, target = path): Call {
  const init = { body: JSON.stringify(body), headers: JSON_TYPE };
  return { method: "POST", path, target, init, status };
}

function get(path: string, status = 200, target = path, headers: HeadersInit = {}): Call {
  return { method: "GET", path, target, init: { headers }, status };
}

const KEY = "/key/{key}";

function backupCalls(): Call[] {
  const base = "/cluster/partitions/{partition}";
  const own = base.replace("{partition}", String(PARTITION));
  return [
    get(`${base}/copy`, 200, `${own}/copy?want=hash`),
    get(`${base}/copy`, 400, `${own}/copy?want=all`),
    get(`${base}/copy`, 404, "/cluster/partitions/99/copy"),
    get(`${base}/copy`, 410, `${own}/copy?copy=x`),
    get(`${base}/changes`, 200, `${own}/changes?after=0`),
    get(`${base}/changes`, 400, `${own}/changes?after=x`),
  ];
}

const CALLS: readonly Call[] = [
  { method: "PUT", path: KEY, target: "/key/a", init: { body: "1" }, status: 201 },
  { method: "PUT", path: KEY, target: "/key/a?ttl=9", init: { body: "2" }, status: 200 },
  { method: "PUT", path: KEY, target: "/key/a?ttl=x", init: { body: "2" }, status: 400 },
  {
    method: "PUT",
    path: KEY,
    target: "/key/a",
    init: { body: "2", headers: { "if-none-match": "*" } },
    status: 412,
  },
  {
    method: "PUT",
    path: KEY,
    target: "/key/a",
    init: { body: "2", headers: { "content-encoding": "gzip" } },
    status: 415,
  },
  { method: "PUT", path: "/key", target: "/key?key64=_w", init: { body: "1" }, status: 201 },
  get(KEY, 200, "/key/a"),
  get("/key", 200, "/key?key64=_w"),
  get(KEY, 200, "/key/a?consistency=stale"),
  get(KEY, 304, "/key/a", { "if-none-match": '"2"' }),
  get(KEY, 404, "/key/none"),
  get(KEY, 414, `/key/${"k".repeat(4097)}`),
  { method: "HEAD", path: KEY, target: "/key/a", status: 200 },
  post(`${KEY}/ttl`, { ttl: 5 }, 200, "/key/a/ttl"),
  post(`${KEY}/ttl`, { ttl: 5 }, 404, "/key/none/ttl"),
  post(`${KEY}/ttl`, { ttl: -5 }, 400, "/key/a/ttl"),
  get("/keys"),
  get("/keys", 200, "/keys?keysOnly&limit=1"),
  get("/keys", 200, "/keys?countOnly"),
  get("/keys", 200, "/keys", { accept: "application/x-ndjson" }),
  get("/keys", 400, "/keys?cursor=x"),
  post("/txn", {
    if: [{ key: "a", exists: true }],
    then: [
      { op: "get", key: "a" },
      { op: "get", key: "none" },
      { op: "put", key: "b", json: [1] },
      { op: "delete", key: "none" },
      { op: "deleteRange", start: "{t}a", end: "{t}b" },
    ],
  }),
  post("/txn", { then: [{ op: "get", key: "a" }, { op: "get", key: "far" }] }, 409),
  post("/txn", { then: [{ op: "grow", key: "a" }] }, 400),
  post("/batch", {
    operations: [
      { op: "get", key: "a" },
      { op: "get", key: "none" },
      { op: "put", key: "c", value: "1" },
      { op: "put", key: "c", value: "1", ifRevision: 0 },
      { op: "delete", key: "c" },
      { op: "put", key: "", value: "1" },
    ],
  }),
  post("/batch", { operations: {} }, 400),
  get("/watch", 400),
  get(
    "/watch",
    400,
    `/watch?prefix=&after=${
      watchCursor([{ partition: 1, position: { revision: 1, subIndex: WHOLE_REVISION } }])
    }`,
  ),
  { method: "DELETE", path: KEY, target: "/key/a", status: 200 },
  { method: "DELETE", path: KEY, target: "/key/a", status: 404 },
  get("/"),
  get("/docs"),
  get("/health/live"),
  get("/health/ready"),
  get("/cluster"),
  get("/cluster/hash"),
  get("/cluster/hash", 200, `/cluster/hash?partition=${PARTITION}&applied=1`),
  ...backupCalls(),
  get("/openapi.json"),
  post("/cluster/members", { action: "add", peer: "127.0.0.1:8104" }),
  post("/cluster/members", { action: "add" }, 400),
  post("/cluster/transfer", { partition: 1, to: "n1" }),
];

Deno.test("every answer is described, and its document meets its schema", async () => {
  const api = new Api();
  const document = (await api.get("/openapi.json")).json;
  const covered = new Set<string>();
  for (const { method, path, target, init, status } of CALLS) {
    const what = `${method} ${target.slice(0, 80)}`;
    const response = await api.app.fetch(rawRequest(method, target, init));
    const text = await response.text();
    assertEquals(response.status, status, `${what}: ${text}`);
    const operation = document.paths[path]?.[method.toLowerCase()];
    assert(operation !== undefined, `${what} is not described`);
    covered.add(`${method.toLowerCase()} ${path}`);
    const described = operation.responses[status];
    assert(described !== undefined, `${what}: ${status} is not described`);
    if (text === "") continue;
    const type = response.headers.get("content-type")!.split(";")[0];
    const content = described.content?.[type] ?? described.content?.["application/octet-stream"];
    assert(content !== undefined, `${what}: ${type} is not described`);
    if (!/[/+]json$/.test(type)) continue;
    assertEquals(mismatch(document, content.schema, JSON.parse(text)), undefined, what);
  }
  const all = Object.entries<Record<string, unknown>>(document.paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
  // The second spelling of a key, and what moves replicas, are answered by the same code.
  const missing = all.filter((route) => !covered.has(route) && !/ \/key(\/ttl)?$/.test(route));
  assertEquals(missing.filter((route) => !route.includes("/cluster/partitions/")), []);
});

Deno.test("failures of the node are described problems on every route", async () => {
  const api = new Api();
  const document = (await api.get("/openapi.json")).json;
  const calls = CALLS.filter(({ status, path }) =>
    status === 200 && (path === KEY || ["/keys", "/txn"].includes(path))
  );
  for (const code of ["no-leader", "overloaded"] as const) {
    for (const { method, path, target, init } of calls) {
      api.node.nextFailure = failureOf(code);
      const response = await api.app.fetch(rawRequest(method, target, init));
      const text = await response.text();
      api.node.nextFailure = undefined;
      if (method === "HEAD") continue;
      const { responses } = document.paths[path][method.toLowerCase()];
      assertEquals(response.status, 503, `${method} ${target}: ${text}`);
      const { schema } = responses[503].content["application/problem+json"];
      assertEquals(mismatch(document, schema, JSON.parse(text)), undefined, `${method} ${target}`);
    }
  }
});

Deno.test("events of a watch carry what its description says", async () => {
  const api = new Api();
  const { components } = (await api.get("/openapi.json")).json;
  const stream = new EventStream(await api.app.fetch(rawRequest("GET", "/watch?prefix=")));
  await api.put("/key/a?ttl=5", "1");
  await api.call("DELETE", "/key/a");
  const [put, removed] = await stream.changes(2);
  const { partition, ...record } = put.data;
  assertEquals(partition, PARTITION);
  const schema = components.schemas.Record;
  assertEquals(mismatch({ components }, schema, record), undefined);
  assertEquals(Object.keys(removed.data).sort(), ["key", "partition", "revision"]);
  await stream.cancel();
});

Deno.test("mismatch() finds what does not meet a schema", async () => {
  const api = new Api();
  const document = (await api.get("/openapi.json")).json;
  const { Record: schema } = document.components.schemas;
  const record = { key: "a", value: 1, revision: 1, createRevision: 1, contentType: "text/plain" };
  assertEquals(mismatch(document, schema, record), undefined);
  assertEquals(mismatch(document, schema, { ...record, more: 1 }), "$.more: is not described");
  assertEquals(
    mismatch(document, schema, { ...record, revision: "1" })?.slice(0, 11),
    "$.revision:",
  );
  const { revision: _, ...without } = record;
  assertEquals(mismatch(document, schema, without), "$.revision: is missing");
});
