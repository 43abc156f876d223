// POST /batch: results in order, each with the status that the operation alone would have had.

import { assert, assertEquals } from "@std/assert";
import { failureOf, PARTITION } from "./fake_node.ts";
import { Api, assertProblem } from "./harness.ts";

const JSON_TYPE = { "content-type": "application/json" };
const TEXT = "text/plain; charset=utf-8";

function batch(api: Api, operations: unknown, headers: HeadersInit = {}) {
  const body = new TextEncoder().encode(JSON.stringify({ operations }));
  return api.call("POST", "/batch", { body, headers: { ...JSON_TYPE, ...headers } });
}

/** Status and, of what failed, the problem's code. */
function verdicts(results: { status: number; problem?: { code: string; status: number } }[]) {
  return results.map(({ status, problem }) => {
    assert(problem === undefined || problem.status === status);
    return problem === undefined ? status : `${status} ${problem.code}`;
  });
}

Deno.test("a batch answers each operation by itself, in order, over partitions", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  const answer = await batch(api, [
    { op: "get", key: "a" },
    { op: "put", key: "far", value: "2", ttl: 2 },
    { op: "put", key: "a", json: { x: 1 }, ifRevision: 1 },
    { op: "get", key: "missing" },
    { op: "delete", key: "missing" },
    { op: "put", key64: "_w", value: "AAH/", encoding: "base64" },
  ]);
  assertEquals(answer.status, 200);
  const { results } = answer.json;
  const record = { key: "a", value: "1", revision: 1, createRevision: 1, contentType: TEXT };
  assertEquals(results[0], { status: 200, record, partition: PARTITION, applied: 1 });
  assertEquals(results[1], {
    status: 201,
    revision: 2,
    created: true,
    partition: PARTITION + 1,
    applied: 2,
  });
  assertEquals(results[2], {
    status: 200,
    revision: 3,
    created: false,
    partition: PARTITION,
    applied: 3,
  });
  assertEquals(verdicts(results.slice(3)), ["404 not-found", "404 not-found", 201]);
  assertEquals(results[3].partition, PARTITION);
  assertEquals((await api.get("/key/a")).json.value, { x: 1 });
  assertEquals((await api.get("/key/far")).json.ttlMs, 2000);
  const removed = await batch(api, [{ op: "delete", key: "a", ifRevision: 3 }]);
  assertEquals(removed.json.results[0].deleted, true);
});

Deno.test("a batch holds each operation to its own condition", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  const { results } = (await batch(api, [
    { op: "put", key: "a", value: "2", ifRevision: 0 },
    { op: "put", key: "a", value: "2", ifRevision: 9 },
    { op: "delete", key: "a", ifRevision: 9 },
    { op: "put", key: "b", value: "2", ifRevision: 0 },
  ])).json;
  const failed = "412 condition-failed";
  assertEquals(verdicts(results), [failed, failed, failed, 201]);
  assertEquals([results[0].problem.revision, results[0].applied], [1, 2]);
});

Deno.test("what can't be done of a batch does not keep the rest from being done", async () => {
  const api = new Api();
  api.node.valueSizeBytesMax = 10;
  api.node.nextFailure = failureOf("timeout", "unknown");
  const { results } = (await batch(api, [
    { op: "put", key: "a", value: "first" },
    { op: "put", key: "b", value: "more than ten bytes" },
    { op: "put", key: "", value: "v" },
    { op: "get", key: "a", key64: "YQ" },
    { op: "put", key: "j", value: "{", contentType: "application/json" },
    { op: "put", key: "c", value: "done" },
  ])).json;
  assertEquals(verdicts(results), [
    "504 timeout",
    "413 value-too-large",
    "400 invalid-key",
    "400 invalid-body",
    "400 invalid-json",
    201,
  ]);
  assertEquals(results[0].problem.outcome, "unknown");
  assertEquals(results[1].problem.outcome, "none");
});

Deno.test("a batch sent again under its key does nothing twice", async () => {
  const api = new Api();
  const headers = { "idempotency-key": "k" };
  const operations = [
    { op: "put", key: "a", value: "1" },
    { op: "put", key: "far", value: "2" },
    { op: "delete", key: "a" },
  ];
  const first = (await batch(api, operations, headers)).json.results;
  const again = (await batch(api, operations, headers)).json.results;
  assertEquals(again.map(({ replayed }: { replayed: boolean }) => replayed), [true, true, true]);
  const plain = ({ replayed: _, ...rest }: Record<string, unknown>) => rest;
  assertEquals(again.map(plain), first.map(plain));
  assertEquals(
    api.node.writes.slice(0, 3).map(({ idempotency }) =>
      idempotency?.kind === "key" && idempotency.key
    ),
    ["k/0", "k/1", "k/2"],
  );
  const other = [{ op: "put", key: "a", value: "another" }];
  assertEquals(verdicts((await batch(api, other, headers)).json.results), [
    "422 idempotency-key-reused",
  ]);
});

Deno.test("a malformed batch is refused as a whole", async () => {
  const api = new Api();
  const put = { op: "put", key: "a", value: "1" };
  for (
    const operations of [
      {},
      [put, { op: "increment", key: "a" }],
      [{ ...put, ifRevision: -1 }],
      [{ ...put, unknown: true }],
      Array.from({ length: 1001 }, () => put),
    ]
  ) {
    const answer = await batch(api, operations);
    assertEquals(answer.status, 400);
    assertProblem(answer, "invalid-body");
  }
  const session = { "pontoon-session": `${"0".repeat(32)};seq=1;ack=0` };
  const both = { ...session, "idempotency-key": "k" };
  assertProblem(await batch(api, [put], both), "invalid-header", "exclude each other");
  assertProblem(await batch(api, [put], { "pontoon-session": "s" }), "invalid-header", "32");
  assertEquals(api.node.writes.length, 0);
});

Deno.test("a batch under a session takes a sequence for each operation, and its outcomes can be forgotten", async () => {
  const api = new Api();
  const under = (sequence: number, acknowledged: number) => ({
    "pontoon-session": `${"1".repeat(32)};seq=${sequence};ack=${acknowledged}`,
  });
  const operations = [
    { op: "put", key: "a", value: "1" },
    { op: "get", key: "far" },
    { op: "delete", key: "missing" },
  ];
  const first = (await batch(api, operations, under(1, 0))).json.results;
  assertEquals(verdicts(first), [201, "404 not-found", "404 not-found"]);
  const again = (await batch(api, operations, under(1, 0))).json.results;
  assertEquals(again[0], { ...first[0], replayed: true });
  assertEquals(again[2].replayed, true);
  const reused = await batch(api, [{ op: "put", key: "a", value: "2" }], under(1, 0));
  assertEquals(verdicts(reused.json.results), ["422 idempotency-key-reused"]);
  await batch(api, [{ op: "put", key: "a", value: "2" }], under(4, 3));
  const late = (await batch(api, operations, under(1, 0))).json.results;
  assertEquals(verdicts(late), ["409 idempotency-stale", "404 not-found", "409 idempotency-stale"]);
  assertEquals((await api.get("/key/a")).json.value, "2");
});

Deno.test("what a session acknowledges is of one partition: so are a batch's writes under it", async () => {
  const api = new Api();
  const session = { "pontoon-session": `${"1".repeat(32)};seq=1;ack=0` };
  const operations = [
    { op: "put", key: "a", value: "1" },
    { op: "put", key: "far", value: "1" },
  ];
  const answer = await batch(api, operations, session);
  assertEquals(answer.status, 409);
  assertProblem(answer, "cross-partition");
  assertEquals(api.node.writes.length, 0);
});
