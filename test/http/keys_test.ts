// Which key a URL names, and which URLs name none.

import { assertEquals } from "@std/assert";
import { encodeBase64Url } from "../../src/http/base64url.ts";
import { Api, assertProblem } from "./harness.ts";

/** Segment as it is sent, and the bytes of the key it names, one character each. */
const NAMED: readonly (readonly [string, string])[] = [
  ["a", "a"],
  ["a+b", "a+b"],
  ["a%2Bb", "a+b"],
  ["a%20b", "a b"],
  ["%41%5a%7E", "AZ~"],
  ["a%2Fb%2fc", "a/b/c"],
  ["%2525", "%25"],
  ["%25ff", "%ff"],
  ["%00", "\0"],
  ["%C3%A9", "\xc3\xa9"],
  ["%f0%9f%98%80", "\xf0\x9f\x98\x80"],
  ["%EF%BB%BF", "\xef\xbb\xbf"],
  ["...", "..."],
  [".a", ".a"],
  ["{tag}.x", "{tag}.x"],
  ["%7Btag%7D.x", "{tag}.x"],
  ["!$&'()*,;=:@-._~", "!$&'()*,;=:@-._~"],
  ["__proto__", "__proto__"],
];

Deno.test("a path segment is decoded once, to bytes", async () => {
  for (const [segment, key] of NAMED) {
    const api = new Api();
    // `{` and `}` reach us unescaped from clients that do not mind.
    const put = await api.put(`/key/${segment}`, "v");
    assertEquals([segment, put.status], [segment, 201]);
    const [{ command }] = api.node.writes;
    assertEquals(command.kind === "put" && command.key, key);
    assertEquals((await api.get(`/key/${segment}`)).status, 200);
    assertEquals((await api.get(`/key?key64=${encodeBase64Url(key)}`)).json.value, "v");
    assertEquals((await api.call("DELETE", `/key/${segment}`)).status, 200);
  }
});

const REFUSED: readonly (readonly [string, string, string])[] = [
  ["/key/%ff", "invalid-key", "UTF-8"],
  ["/key/%C3", "invalid-key", "UTF-8"],
  ["/key/%ed%a0%80", "invalid-key", "UTF-8"],
  ["/key/%c0%80", "invalid-key", "UTF-8"],
  ["/key/%zz", "invalid-key", "escape"],
  ["/key/%", "invalid-key", "escape"],
  ["/key/a%4", "invalid-key", "escape"],
  ["/key/%u0041", "invalid-key", "escape"],
  ["/key/\u00e9", "invalid-key", "escape"],
  ["/key/a/b", "invalid-key", "%2F"],
  ["/key/a/", "invalid-key", "%2F"],
  ["/key//", "invalid-key", "%2F"],
  ["/key/.", "invalid-key", "key64"],
  ["/key/..", "invalid-key", "key64"],
  ["/key/%2e", "invalid-key", "key64"],
  ["/key/.%2E", "invalid-key", "key64"],
  ["/key/", "invalid-key", "empty"],
  ["/key", "invalid-key", "empty"],
  ["/key?key64=", "invalid-key", "empty"],
  ["/key?key64=a", "invalid-key", "base64url"],
  ["/key?key64=YQ%3D%3D", "invalid-key", "base64url"],
  ["/key?key64=YR", "invalid-key", "base64url"],
  ["/key?key64=a%2Fb_", "invalid-key", "base64url"],
  ["/key/a?key64=YQ", "invalid-key", "path"],
  [`/key/${"a".repeat(4097)}`, "key-too-long", "4096"],
  [`/key/${"%41".repeat(4097)}`, "key-too-long", "4096"],
  [`/key/${"a".repeat(20000)}`, "key-too-long", "4096"],
  [`/key/%41${"a".repeat(20000)}`, "key-too-long", "4096"],
  ["/key/a?x=1", "invalid-parameter", "x"],
  ["/key/a?Ttl=1", "invalid-parameter", "Ttl"],
  ["/key/a?__proto__=1", "invalid-parameter", "__proto__"],
  ["/key?key64=YQ&key64=YQ", "invalid-parameter", "twice"],
];

Deno.test("a URL that names no key is refused by every method, before the node is asked", async () => {
  const api = new Api();
  for (const [target, code, detail] of REFUSED) {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const answer = await api.call(method, target, method === "PUT" ? { body: "v" } : {});
      assertProblem(answer, code, detail);
      assertEquals(answer.status, code === "key-too-long" ? 414 : 400);
      assertEquals(answer.json.outcome, "none");
    }
  }
  assertEquals(api.node.writes.length, 0);
  assertEquals(api.node.lastOptions, undefined);
});

Deno.test("escaped and unescaped percent signs name different keys", async () => {
  const api = new Api();
  await api.put("/key/%25ff", "text");
  await api.put(`/key?key64=${encodeBase64Url("\xff")}`, "byte");
  assertEquals((await api.get("/key/%25ff")).json.value, "text");
  const byte = await api.get(`/key?key64=${encodeBase64Url("\xff")}`);
  assertEquals(byte.json.value, "byte");
  assertEquals(byte.json.key64, "_w");
  assertEquals("key" in byte.json, false);
  assertProblem(await api.get("/key/%ff"), "invalid-key");
});

Deno.test("the longest key is taken", async () => {
  const api = new Api();
  const segment = "%C3%A9".repeat(2048);
  assertEquals((await api.put(`/key/${segment}`, "v")).status, 201);
  assertEquals((await api.get(`/key/${segment}`)).json.key, "é".repeat(2048));
});

Deno.test("dots are keys by key64", async () => {
  const api = new Api();
  for (const key of [".", ".."]) {
    const target = `/key?key64=${encodeBase64Url(key)}`;
    assertEquals((await api.put(target, "v")).json.key, key);
    assertEquals((await api.get(target)).json.value, "v");
  }
});

Deno.test("each method takes its own parameters, once", async () => {
  const api = new Api();
  await api.put("/key/a", "v");
  const tried: readonly (readonly [string, string, number])[] = [
    ["GET", "/key/a?", 200],
    ["GET", "/key/a?raw", 200],
    ["GET", "/key/a?raw=", 200],
    ["GET", "/key/a?raw=true", 200],
    ["GET", "/key/a?raw=1", 400],
    ["GET", "/key/a?raw&raw", 400],
    ["GET", "/key/a?consistency=stale", 200],
    ["GET", "/key/a?consistency=linearizable", 200],
    ["GET", "/key/a?consistency=", 400],
    ["GET", "/key/a?consistency=Stale", 400],
    ["GET", "/key/a?consistency=%zz", 400],
    ["GET", "/key/a?ttl=1", 400],
    ["PUT", "/key/a?raw", 400],
    ["PUT", "/key/a?consistency=stale", 400],
    ["DELETE", "/key/a?ttl=1", 400],
  ];
  for (const [method, target, status] of tried) {
    const answer = await api.call(method, target, method === "PUT" ? { body: "v" } : {});
    assertEquals([method, target, answer.status], [method, target, status]);
  }
});

Deno.test("ttl takes seconds with fractions, within bounds", async () => {
  const taken: readonly (readonly [string, number])[] = [
    ["1", 1000],
    ["0.001", 1],
    ["1.5", 1500],
    ["0.0015", 2],
    ["86400", 86_400_000],
    ["3162240000", 3_162_240_000_000],
  ];
  for (const [text, ttlMs] of taken) {
    const api = new Api();
    assertEquals((await api.put(`/key/a?ttl=${text}`, "v")).status, 201);
    const [{ command }] = api.node.writes;
    assertEquals(command.kind === "put" && command.ttlMs, ttlMs);
    assertEquals((await api.get("/key/a")).json.ttlMs, ttlMs);
  }
  const api = new Api();
  const refused = ["", "0", "0.0001", "-1", "1e3", "+1", "Infinity", "NaN", "1s", " 1", ".5", "1."];
  for (const text of [...refused, "3162240001", "9".repeat(30)]) {
    assertProblem(await api.put(`/key/a?ttl=${text}`, "v"), "invalid-parameter", "ttl");
  }
  assertEquals(api.node.writes.length, 0);
});
