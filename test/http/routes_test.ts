// Everything beside /key: unknown routes, methods, health, the cluster's documents, the description.

import { assert, assertEquals } from "@std/assert";
import { failureOf } from "./fake_node.ts";
import { Api, assertProblem, type CallInit } from "./harness.ts";

const JSON_TYPE = { "content-type": "application/json" };

function post(api: Api, target: string, body: unknown, headers: HeadersInit = JSON_TYPE) {
  const init: CallInit = { headers, body: new TextEncoder().encode(JSON.stringify(body)) };
  return api.call("POST", target, init);
}

Deno.test("an unknown route is a problem", async () => {
  const api = new Api();
  const targets = [
    "/nothing",
    "/kez",
    "/Key/a",
    "/key64",
    "/cluster/",
    "//",
    "/health",
    "/%zz",
    "/é",
  ];
  for (const target of [...targets, `/${"x".repeat(10_000)}`]) {
    for (const method of ["GET", "PUT", "POST", "OPTIONS"]) {
      const answer = await api.call(method, target);
      assertEquals([target, answer.status], [target, 404]);
      assertProblem(answer, "no-such-route");
      assert(answer.text.length < 1000);
    }
  }
});

Deno.test("a wrong method is a problem that names the right ones", async () => {
  const api = new Api();
  const expected: readonly (readonly [string, readonly string[], string])[] = [
    ["/", ["POST", "PUT", "OPTIONS"], "GET, HEAD"],
    ["/cluster", ["POST", "DELETE"], "GET, HEAD"],
    ["/openapi.json", ["POST"], "GET, HEAD"],
    ["/health/live", ["PUT"], "GET, HEAD"],
    ["/cluster/members", ["GET", "PUT", "DELETE", "HEAD"], "POST"],
    ["/cluster/transfer", ["GET"], "POST"],
    ["/key/a", ["POST", "PATCH", "OPTIONS"], "GET, HEAD, PUT, DELETE"],
    ["/key", ["POST"], "GET, HEAD, PUT, DELETE"],
  ];
  for (const [target, methods, allow] of expected) {
    for (const method of methods) {
      const answer = await api.call(method, target);
      assertEquals([target, method, answer.status], [target, method, 405]);
      assertEquals(answer.headers.get("allow"), allow);
      if (method !== "HEAD") assertProblem(answer, "method-not-allowed", method);
    }
  }
});

Deno.test("no answer lets another origin in", async () => {
  const api = new Api();
  for (const [method, target] of [["OPTIONS", "/key/a"], ["GET", "/cluster"], ["GET", "/key/a"]]) {
    const answer = await api.call(method, target, { headers: { origin: "http://elsewhere" } });
    const granted = [...answer.headers.keys()].filter((name) => name.startsWith("access-control"));
    assertEquals(granted, []);
  }
});

Deno.test("the index, health and the cluster answer GET and HEAD", async () => {
  const api = new Api();
  const index = await api.get("/");
  assertEquals(index.status, 200);
  assert(index.text.includes("/key/:key") && index.text.includes("curl"));
  assertEquals((await api.get("/health/live")).json, { live: true });
  assertEquals((await api.get("/health/ready")).json, { ready: true, reason: "" });
  api.node.isReady = false;
  const unready = await api.app.fetch(new Request("http://127.0.0.1/health/ready"));
  assertEquals([unready.status, await unready.json()], [503, {
    ready: false,
    reason: "no leader",
  }]);
  assertEquals((await api.get("/cluster")).json, JSON.parse(JSON.stringify(api.node.cluster())));
  for (const target of ["/", "/cluster", "/health/live", "/openapi.json"]) {
    const head = await api.call("HEAD", target);
    assertEquals([head.status, head.text], [200, ""]);
    assertProblem(await api.get(`${target}?x=1`), "invalid-parameter", '"x"');
  }
});

Deno.test("a member is added and removed", async () => {
  const api = new Api();
  const added = await post(api, "/cluster/members", { action: "add", peer: "127.0.0.1:7104" });
  assertEquals([added.status, added.json], [200, { accepted: true, epoch: 4 }]);
  const removed = await post(api, "/cluster/members", { action: "remove", node: "n3" }, {
    "content-type": "application/json; charset=utf-8",
    "pontoon-timeout-ms": "123",
  });
  assertEquals(removed.status, 200);
  assertEquals(api.node.lastOptions, { forward: "forward", timeoutMs: 123 });
  for (const action of ["drain", "activate"] as const) {
    assertEquals((await post(api, "/cluster/members", { action, node: "n3" })).status, 200);
  }
  assertEquals(api.node.changes, [
    { kind: "add", peer: "127.0.0.1:7104" },
    { kind: "remove", node: "n3" },
    { kind: "drain", node: "n3" },
    { kind: "activate", node: "n3" },
  ]);
});

Deno.test("a replica is moved and a leadership handed over by the partition in the path", async () => {
  const api = new Api();
  const moved = await post(api, "/cluster/partitions/12/move", { from: "n1", to: "n4" });
  assertEquals([moved.status, moved.json], [200, { accepted: true, epoch: 5 }]);
  assertEquals(api.node.moves, [{ partition: 12, from: "n1", to: "n4" }]);
  const handed = await post(api, "/cluster/partitions/0/transfer", { to: "n2" });
  assertEquals([handed.status, handed.json], [200, { accepted: true }]);
  assertEquals(api.node.transfers, [{ partition: 0, to: "n2" }]);
  for (const id of ["01", "-1", "1e3", "{partition}", "99999", "1/1", ""]) {
    const path = `/cluster/partitions/${id}/move`;
    assertProblem(await post(api, path, { from: "n1", to: "n4" }), "no-such-route");
  }
  assertProblem(await post(api, "/cluster/partitions/1/move", { from: "n1" }), "invalid-body");
  assertProblem(await api.get("/cluster/partitions/1/move"), "method-not-allowed");
  api.node.nextFailure = failureOf("unknown-partition");
  const unknown = await post(api, "/cluster/partitions/99/move", { from: "n1", to: "n2" });
  assertEquals(unknown.status, 404);
});

Deno.test("leadership is handed over", async () => {
  const api = new Api();
  const answer = await post(api, "/cluster/transfer", { partition: 1, to: "n2" });
  assertEquals([answer.status, answer.json], [200, { accepted: true }]);
  assertEquals(api.node.transfers, [{ partition: 1, to: "n2" }]);
});

Deno.test("the node's refusals are the answer", async () => {
  const api = new Api();
  const expected = [["unknown-member", 404], ["conflict", 409], ["no-leader", 503]] as const;
  for (const [code, status] of expected) {
    api.node.nextFailure = failureOf(code);
    const members = await post(api, "/cluster/members", { action: "remove", node: "x" });
    assertProblem(members, code);
    assertEquals(members.status, status);
    api.node.nextFailure = failureOf(code);
    assertProblem(await post(api, "/cluster/transfer", { partition: 0, to: "x" }), code);
  }
  api.node.nextFault = new Error("broken");
  const fault = await post(api, "/cluster/members", { action: "remove", node: "x" });
  assertProblem(fault, "internal");
  assertEquals(fault.json.outcome, "unknown");
});

Deno.test("a document that is not what the schema says is refused with the place", async () => {
  const api = new Api();
  const members: readonly (readonly [unknown, string])[] = [
    [{}, "action"],
    [{ action: "drop" }, "action"],
    [{ action: "add" }, "peer"],
    [{ action: "add", peer: 1 }, "peer"],
    [{ action: "add", peer: "nowhere" }, "host:port"],
    [{ action: "add", peer: "a:1", node: "n" }, "node"],
    [{ action: "remove", node: "" }, "node"],
    [[], ""],
    [null, ""],
    ["add", ""],
  ];
  for (const [body, place] of members) {
    assertProblem(await post(api, "/cluster/members", body), "invalid-body", place);
  }
  for (const body of [{ partition: -1, to: "a" }, { partition: 1.5, to: "a" }, { to: "a" }]) {
    assertProblem(await post(api, "/cluster/transfer", body), "invalid-body", "partition");
  }
  assertEquals([api.node.changes, api.node.transfers], [[], []]);
});

Deno.test("an administrative body must be JSON, and say so", async () => {
  const api = new Api();
  const body = { action: "remove", node: "n3" };
  for (
    const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
  ) {
    const answer = await post(api, "/cluster/members", body, { "content-type": type });
    assertProblem(answer, "unsupported-media-type");
    assertEquals(answer.status, 415);
  }
  assertProblem(await api.call("POST", "/cluster/members"), "unsupported-media-type");
  const headers = { ...JSON_TYPE };
  for (const text of ["", "{", "{'a':1}", "\xff"]) {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const answer = await api.call("POST", "/cluster/members", { headers, body: bytes });
    assertProblem(answer, "invalid-json");
  }
  const large = new Uint8Array(64 * 1024 + 1).fill(0x20);
  const answer = await api.call("POST", "/cluster/members", { headers, body: large });
  assertProblem(answer, "value-too-large");
  const zipped = { ...JSON_TYPE, "content-encoding": "gzip" };
  assertProblem(await post(api, "/cluster/members", body, zipped), "unsupported-media-type");
  const waiting = { ...JSON_TYPE, "pontoon-timeout-ms": "x" };
  assertProblem(await post(api, "/cluster/members", body, waiting), "invalid-header");
  assertProblem(await post(api, "/cluster/members?x", body), "invalid-parameter");
  assertEquals(api.node.changes, []);
});

Deno.test("/openapi.json describes every route that answers, and its references resolve", async () => {
  const api = new Api();
  const answer = await api.get("/openapi.json");
  assertEquals([answer.status, answer.json.openapi], [200, "3.1.0"]);
  const described = Object.entries<Record<string, unknown>>(answer.json.paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
  for (const route of described) {
    const [method, path] = route.split(" ");
    const reached = await api.call(
      method.toUpperCase(),
      path.replace("{key}", "a").replace("{partition}", "7"),
    );
    assert(reached.status !== 405 && reached.json?.code !== "no-such-route", route);
  }
  const expected = ["/key/{key}", "/key"].flatMap((path) => [
    ...["get", "head", "put", "delete"].map((method) => `${method} ${path}`),
    `post ${path}/ttl`,
  ]);
  const rest = [
    "/",
    "/health/live",
    "/health/ready",
    "/cluster",
    "/cluster/hash",
    "/cluster/partitions/{partition}/copy",
    "/cluster/partitions/{partition}/changes",
    "/docs",
    "/openapi.json",
    "/keys",
    "/watch",
  ];
  expected.push(...rest.map((path) => `get ${path}`));
  expected.push("post /cluster/members", "post /cluster/transfer", "post /txn", "post /batch");
  expected.push(
    ...["move", "transfer", "zone"].map((verb) => `post /cluster/partitions/{partition}/${verb}`),
  );
  assertEquals(described.toSorted(), expected.toSorted());
  const references = [...answer.text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
  assert(references.length > 10);
  for (const [, name] of references) assert(name in answer.json.components.schemas, name);
});

Deno.test("GET /cluster/hash gives the index of each hash", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  const { node, partitions } = (await api.get("/cluster/hash")).json;
  assertEquals([node, partitions.length], ["a", 2]);
  const [one] = (await api.get("/cluster/hash?partition=7&applied=1")).json.partitions;
  assertEquals([one.applied, one.hash], [1, partitions[0].hash]);
  assertProblem(await api.get("/cluster/hash?applied=1"), "invalid-parameter");
  assertProblem(await api.get("/cluster/hash?partition=x"), "invalid-parameter");
});

Deno.test("a zone is preferred for a partition's leader, or none", async () => {
  const api = new Api();
  const path = "/cluster/partitions/7/zone";
  assertEquals((await post(api, path, { preferredZone: "eu-1" })).status, 200);
  assertEquals((await post(api, path, { preferredZone: null })).status, 200);
  assertEquals(api.node.zones, [{ partition: 7, zone: "eu-1" }, { partition: 7, zone: undefined }]);
  assertProblem(await post(api, path, { preferredZone: "" }), "invalid-body");
});
