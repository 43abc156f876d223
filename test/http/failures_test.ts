// What an answer says that decided nothing: each of the node's failures, faults, and who is told to go where.

import { assert, assertEquals } from "@std/assert";
import type { ProblemCode } from "../../src/node/service.ts";
import { PROBLEMS } from "../../src/http/problem.ts";
import { failureOf } from "./fake_node.ts";
import { Api, assertProblem, REQUEST_TIMEOUT_MS } from "./harness.ts";

Deno.test("each failure of the node has its status and says what became of the write", async () => {
  const expected: readonly (readonly [ProblemCode, "none" | "unknown", number])[] = [
    ["not-leader", "none", 421],
    ["no-leader", "none", 503],
    ["overloaded", "none", 503],
    ["disk-full", "none", 503],
    ["stopping", "none", 503],
    ["unavailable", "none", 503],
    ["idempotency-table-full", "none", 429],
    ["timeout", "unknown", 504],
    ["internal", "unknown", 500],
  ];
  for (const [code, outcome, status] of expected) {
    for (const method of ["PUT", "DELETE"]) {
      const api = new Api();
      api.node.nextFailure = failureOf(code, outcome);
      const answer = await api.call(method, "/key/a", method === "PUT" ? { body: "v" } : {});
      assertProblem(answer, code, `because of ${code}`);
      assertEquals([answer.status, answer.json.outcome], [status, outcome]);
      // An answer that decided nothing has no place in any order.
      assertEquals(answer.headers.get("pontoon-applied"), null);
    }
  }
});

Deno.test("5xx and its like say whether another try can help", () => {
  for (const [code, { status, retryable, retryAfter }] of Object.entries(PROBLEMS)) {
    assertEquals([code, retryAfter !== undefined], [code, status === 503 || status === 429]);
    if (status === 503 || status === 504 || status === 429) assert(retryable, code);
  }
});

Deno.test("a fault is logged and 500, its outcome unknown for writes only", async () => {
  const expected = [["PUT", "unknown"], ["DELETE", "unknown"], ["GET", "none"]] as const;
  for (const [method, outcome] of expected) {
    const api = new Api();
    api.node.nextFault = new Error("secret detail");
    const answer = await api.call(method, "/key/a", method === "PUT" ? { body: "v" } : {});
    assertProblem(answer, "internal");
    assertEquals([answer.status, answer.json.outcome], [500, outcome]);
    assertEquals(answer.text.includes("secret"), false);
    assertEquals(api.logged, ["error: request failed"]);
  }
});

Deno.test("Pontoon-Forward: never is told the leader, redirect is sent there", async () => {
  const misdirected = failureOf("not-leader", "none", { leaderHttp: "10.0.0.2:7001", epoch: 12 });
  const api = new Api();
  const target = "/key/a%2Fb?ttl=1.5";
  api.node.nextFailure = misdirected;
  const told = await api.put(target, "v", { "pontoon-forward": "never" });
  assertEquals(told.status, 421);
  assertEquals([told.json.leader, told.json.epoch], ["http://10.0.0.2:7001", 12]);
  assertEquals(api.node.lastOptions?.forward, "never");

  api.node.nextFailure = misdirected;
  const sent = await api.put(target, "v", { "pontoon-forward": "redirect" });
  assertEquals([sent.status, sent.text], [307, ""]);
  assertEquals(sent.headers.get("location"), `http://10.0.0.2:7001${target}`);
  assertEquals(api.node.lastOptions?.forward, "redirect");

  api.node.nextFailure = failureOf("not-leader");
  const lost = await api.get("/key/a", { "pontoon-forward": "redirect" });
  assertEquals([lost.status, "leader" in lost.json], [421, false]);

  for (const value of ["", "Never", "always", "never, never"]) {
    const refused = await api.get("/key/a", { "pontoon-forward": value });
    assertProblem(refused, "invalid-header", "Pontoon-Forward");
  }
});

Deno.test("Pontoon-Timeout-Ms bounds the wait, within its own bounds", async () => {
  const api = new Api();
  await api.get("/key/a");
  assertEquals(api.node.lastOptions, { forward: "forward", timeoutMs: REQUEST_TIMEOUT_MS });
  for (const value of ["1", "250", "60000"]) {
    await api.put("/key/a", "v", { "pontoon-timeout-ms": value });
    assertEquals(api.node.lastOptions?.timeoutMs, Number(value));
  }
  for (const value of ["", "0", "60001", "-1", "1.5", "1e3", "1s", "5, 5"]) {
    const refused = await api.get("/key/a", { "pontoon-timeout-ms": value });
    assertProblem(refused, "invalid-header", "Pontoon-Timeout-Ms");
  }
});
