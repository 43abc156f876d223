// Idempotency-Key and Pontoon-Session: what they say to the node, what counts as the same request.

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Api, assertProblem, type CallInit } from "./harness.ts";

const SESSION = "0123456789abcdef0123456789abcdef";

Deno.test("a repeated request replays the first outcome", async () => {
  const api = new Api();
  const headers = { "idempotency-key": "k1" };
  const first = await api.put("/key/a", "v", headers);
  await api.put("/key/a", "other");
  const second = await api.put("/key/a", "v", headers);
  assertEquals([second.status, second.text], [first.status, first.text]);
  assertEquals(second.headers.get("pontoon-replayed"), "true");
  assertEquals(first.headers.get("pontoon-replayed"), null);
  // The place in the order is the first one's (RULES 20).
  assertEquals(second.headers.get("pontoon-applied"), "1");
  assertEquals((await api.get("/key/a")).json.value, "other");
});

Deno.test("a failed condition is an outcome that is replayed", async () => {
  const api = new Api();
  const headers = { "idempotency-key": "k1", "if-match": "*" };
  assertEquals((await api.put("/key/a", "v", headers)).status, 412);
  await api.put("/key/a", "w");
  const again = await api.put("/key/a", "v", headers);
  assertEquals([again.status, again.headers.get("pontoon-replayed")], [412, "true"]);
});

Deno.test("the same key with another request is 422", async () => {
  const api = new Api();
  const call = (method: string, target: string, init: CallInit) =>
    api.call(method, target, {
      ...init,
      headers: { "idempotency-key": "k", "content-type": "text/a", ...init.headers as object },
    });
  assertEquals((await call("PUT", "/key/a", { body: "v" })).status, 201);
  const others: readonly (readonly [string, string, CallInit])[] = [
    ["PUT", "/key/a", { body: "w" }],
    ["PUT", "/key/a", { body: "" }],
    ["PUT", "/key/b", { body: "v" }],
    ["PUT", "/key/a?ttl=1", { body: "v" }],
    ["PUT", "/key/a", { body: "v", headers: { "if-match": "*" } }],
    ["PUT", "/key/a", { body: "v", headers: { "if-match": '"1"' } }],
    ["PUT", "/key/a", { body: "v", headers: { "if-none-match": "*" } }],
    ["PUT", "/key/a", { body: "v", headers: { "content-type": "text/b" } }],
    ["DELETE", "/key/a", {}],
  ];
  for (const [method, target, init] of others) {
    const answer = await call(method, target, init);
    assertEquals([method, target, answer.status], [method, target, 422]);
    assertProblem(answer, "idempotency-key-reused");
  }
  // How it is routed and waited for is no part of what is asked; nor is how the key was spelled.
  const same: readonly (readonly [string, Record<string, string>])[] = [
    ["/key/a", { "pontoon-timeout-ms": "7", "pontoon-forward": "never", accept: "x/y" }],
    ["/key/%61", {}],
    ["/key?key64=YQ", {}],
  ];
  for (const [target, headers] of same) {
    const answer = await call("PUT", target, { body: "v", headers });
    assertEquals([target, answer.headers.get("pontoon-replayed")], [target, "true"]);
  }
});

Deno.test("a session's sequence is remembered until it is acknowledged", async () => {
  const api = new Api();
  const session = (seq: number, ack: number) => ({
    "pontoon-session": `${SESSION};seq=${seq};ack=${ack}`,
  });
  assertEquals((await api.put("/key/a", "1", session(1, 0))).status, 201);
  const replayed = await api.put("/key/a", "1", session(1, 0));
  assertEquals([replayed.status, replayed.headers.get("pontoon-replayed")], [201, "true"]);
  assertEquals((await api.put("/key/a", "2", session(2, 1))).status, 200);
  const late = await api.put("/key/a", "1", session(1, 0));
  assertProblem(late, "idempotency-stale");
  assertEquals(late.status, 409);
  assertEquals((await api.get("/key/a")).json.value, "2");
  const spaced = `${SESSION}; seq=3; ack=2`;
  assertEquals((await api.put("/key/a", "3", { "pontoon-session": spaced })).status, 200);
});

Deno.test("nothing is hashed without a key", async () => {
  const api = new Api();
  await api.put("/key/a", "v");
  assertEquals(api.node.writes[0].idempotency, undefined);
  await api.put("/key/a", "v", { "idempotency-key": "~k!" });
  await api.put("/key/a", "w", { "pontoon-session": `${SESSION};seq=9;ack=4` });
  const [, bare, session] = api.node.writes.map(({ idempotency }) => idempotency);
  assert(bare?.kind === "key" && session?.kind === "session");
  assertEquals(bare.key, "~k!");
  const { sessionId, sequence, acknowledgedThrough } = session;
  assertEquals([sessionId, sequence, acknowledgedThrough], [SESSION, 9, 4]);
  assertEquals([bare.fingerprint.length, session.fingerprint.length], [16, 16]);
  assertNotEquals(bare.fingerprint, session.fingerprint);
});

Deno.test("malformed keys and sessions are refused", async () => {
  const api = new Api();
  const refused: HeadersInit[] = [
    { "idempotency-key": "" },
    { "idempotency-key": "a b" },
    { "idempotency-key": "é" },
    { "idempotency-key": "k".repeat(256) },
    [["idempotency-key", "a"], ["idempotency-key", "b"]],
    { "idempotency-key": "k", "pontoon-session": `${SESSION};seq=1;ack=0` },
    { "pontoon-session": "" },
    { "pontoon-session": SESSION },
    { "pontoon-session": `${SESSION};seq=0;ack=0` },
    { "pontoon-session": `${SESSION};seq=01;ack=0` },
    { "pontoon-session": `${SESSION};seq=1` },
    { "pontoon-session": `${SESSION};ack=0;seq=1` },
    { "pontoon-session": `${SESSION.toUpperCase()};seq=1;ack=0` },
    { "pontoon-session": `${SESSION.slice(1)};seq=1;ack=0` },
    { "pontoon-session": `${SESSION};seq=${"9".repeat(16)};ack=0` },
  ];
  for (const headers of refused) {
    assertProblem(await api.put("/key/a", "v", headers), "invalid-header");
    assertProblem(await api.call("DELETE", "/key/a", { headers }), "invalid-header");
  }
  assertEquals(api.node.writes.length, 0);
  const longest = { "idempotency-key": "k".repeat(255) };
  assertEquals((await api.put("/key/a", "v", longest)).status, 201);
});
