// If-Match and If-None-Match, what they decide and which of them are refused.

import { assertEquals } from "@std/assert";
import { Api, assertProblem } from "./harness.ts";

Deno.test("If-Match holds a write to one revision", async () => {
  const api = new Api();
  const etag = (await api.put("/key/a", "1")).headers.get("etag")!;
  assertEquals(etag, '"1"');
  const second = await api.put("/key/a", "2", { "if-match": etag });
  assertEquals([second.status, second.json.revision, second.json.created], [200, 2, false]);
  const stale = await api.put("/key/a", "3", { "if-match": etag });
  assertEquals([stale.status, stale.json.revision, stale.json.outcome], [412, 2, "none"]);
  // A failed condition is decided: it has its place in the order (RULES 20).
  assertEquals(stale.headers.get("pontoon-applied"), "3");
  assertEquals(stale.headers.get("pontoon-partition"), "7");
  assertEquals((await api.call("DELETE", "/key/a", { headers: { "if-match": etag } })).status, 412);
  const removed = await api.call("DELETE", "/key/a", { headers: { "if-match": ' "2" ' } });
  assertEquals([removed.status, removed.json.deleted, removed.json.revision], [200, true, 5]);
});

Deno.test("a condition on an absent key fails with revision 0", async () => {
  const api = new Api();
  for (const ifMatch of ["*", '"1"']) {
    const put = await api.put("/key/a", "v", { "if-match": ifMatch });
    assertEquals([put.status, put.json.revision], [412, 0]);
    const removed = await api.call("DELETE", "/key/a", { headers: { "if-match": ifMatch } });
    assertEquals([removed.status, removed.json.revision], [412, 0]);
  }
  assertEquals((await api.call("DELETE", "/key/a")).status, 404);
});

Deno.test("If-Match: * asks for any revision, If-None-Match: * for none", async () => {
  const api = new Api();
  assertEquals((await api.put("/key/a", "1", { "if-none-match": "*" })).status, 201);
  const again = await api.put("/key/a", "2", { "if-none-match": " * " });
  assertEquals([again.status, again.json.revision], [412, 1]);
  assertEquals((await api.put("/key/a", "3", { "if-match": "*" })).status, 200);
});

const MALFORMED: readonly (readonly [string, HeadersInit, string])[] = [
  ["PUT", { "if-match": "1" }, "double quotes"],
  ["PUT", { "if-match": "" }, "double quotes"],
  ["PUT", { "if-match": '"1' }, "double quotes"],
  ["PUT", { "if-match": '"a"' }, "double quotes"],
  ["PUT", { "if-match": '"01"' }, "double quotes"],
  ["PUT", { "if-match": '"-1"' }, "double quotes"],
  ["PUT", { "if-match": '"9007199254740993"' }, "double quotes"],
  ["PUT", { "if-match": 'W/"1"' }, "weak"],
  ["PUT", { "if-match": '"1", "2"' }, "list"],
  ["PUT", [["if-match", '"1"'], ["if-match", '"2"']], "list"],
  ["PUT", { "if-none-match": '"1"' }, "* only"],
  ["PUT", { "if-none-match": "" }, "* only"],
  ["PUT", { "if-match": '"1"', "if-none-match": "*" }, "exclude"],
  ["DELETE", { "if-match": "1" }, "double quotes"],
  ["DELETE", { "if-none-match": "*" }, "GET and PUT"],
  ["GET", { "if-match": 'W/"1"' }, "weak"],
  ["GET", { "if-none-match": "1" }, "double quotes"],
  ["GET", { "if-none-match": '"1", 2' }, "double quotes"],
  ["GET", { "if-none-match": "" }, "double quotes"],
];

Deno.test("a malformed condition is refused, never ignored", async () => {
  const api = new Api();
  for (const [method, headers, reason] of MALFORMED) {
    const answer = await api.call(method, "/key/a", {
      headers,
      ...(method === "PUT" ? { body: "v" } : {}),
    });
    assertProblem(answer, "invalid-condition", reason);
  }
  assertEquals(api.node.writes.length, 0);
});

Deno.test("If-None-Match of a read gives 304 without a body", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  for (const header of ['"1"', "*", 'W/"1"', '"x", "1"', '"0","1"']) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await api.call(method, "/key/a", { headers: { "if-none-match": header } });
      assertEquals([header, answer.status, answer.text], [header, 304, ""]);
      assertEquals(answer.headers.get("etag"), '"1"');
      assertEquals(answer.headers.get("vary"), "Accept, Accept-Encoding");
      assertEquals(answer.headers.get("pontoon-applied"), "1");
    }
  }
  for (const header of ['"2"', 'W/"11"', '""']) {
    assertEquals((await api.get("/key/a", { "if-none-match": header })).status, 200);
  }
  assertEquals((await api.get("/key/b", { "if-none-match": "*" })).status, 404);
});

Deno.test("If-Match of a read gives 412 when it does not hold", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  assertEquals((await api.get("/key/a", { "if-match": '"1"' })).status, 200);
  assertEquals((await api.get("/key/a", { "if-match": "*" })).status, 200);
  const failed = await api.get("/key/a", { "if-match": '"2"' });
  assertEquals([failed.status, failed.json.revision], [412, 1]);
  assertEquals((await api.get("/key/b", { "if-match": "*" })).status, 412);
});
