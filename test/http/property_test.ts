// Whatever bytes a key and a value are, they come back as they went in; whatever a URL is, the answer is a
// decided one or a well-formed problem.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { latin1FromBytes, utf8TextOrUndefined } from "../../src/base/bytes.ts";
import { encodeBase64Url } from "../../src/http/base64url.ts";
import { Api } from "./harness.ts";
import { testSeed } from "../support/seed.ts";

const seed = testSeed();
const RUNS = { seed, numRuns: 120 };

function note(): void {
  console.log(`  PONTOON_TEST_SEED=${seed}`);
}

const keyBytes = fc.uint8Array({ minLength: 1, maxLength: 60 });
const valueBytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
);
const contentType = fc.constantFrom(
  undefined,
  "text/plain",
  "application/octet-stream",
  "application/x-www-form-urlencoded",
  "image/png",
);

function percentEncoded(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += "%" + byte.toString(16).padStart(2, "0");
  return text;
}

Deno.test("random keys and values come back byte for byte", async () => {
  note();
  await fc.assert(
    fc.asyncProperty(keyBytes, valueBytes, contentType, async (key, value, type) => {
      const api = new Api();
      const byKey64 = `/key?key64=${encodeBase64Url(latin1FromBytes(key))}`;
      const text = utf8TextOrUndefined(key);
      const byPath = text === undefined || text === "." || text === ".."
        ? byKey64
        : `/key/${percentEncoded(key)}`;
      const headers: HeadersInit = type === undefined ? {} : { "content-type": type };
      const put = await api.put(byPath, value as Uint8Array<ArrayBuffer>, headers);
      assertEquals(put.status, 201);
      assertEquals((await api.get(`${byKey64}&raw`)).bytes, value);
      const { json } = await api.get(byPath);
      assertEquals(json.key ?? null, text ?? null);
      if (text === undefined) assertEquals(json.key64, encodeBase64Url(latin1FromBytes(key)));
      const bytes = json.encoding === "base64"
        ? Uint8Array.from(atob(json.value), (character) => character.charCodeAt(0))
        : new TextEncoder().encode(json.value);
      assertEquals(bytes, value);
    }),
    RUNS,
  );
});

Deno.test("random JSON comes back byte for byte", async () => {
  note();
  await fc.assert(
    fc.asyncProperty(fc.json(), fc.constantFrom("", " ", "\n\t"), async (document, space) => {
      const api = new Api();
      const body = space + document + space;
      const put = await api.put("/key/a", body, { "content-type": "application/json" });
      assertEquals(put.status, 201);
      const answer = await api.get("/key/a");
      assert(answer.text.includes(`"value":${body},"revision"`), answer.text);
      assertEquals((await api.get("/key/a?raw")).text, body);
    }),
    RUNS,
  );
});

Deno.test("any path, query and headers get a decided answer or a problem, never a fault", async () => {
  note();
  const piece = fc.oneof(
    fc.constantFrom("/", "key", "?", "&", "=", "%", "%2", "%2e", "%ff", "%zz", ".", "..", "ttl=1"),
    fc.constantFrom("key64=", "raw", "consistency=stale", "cluster", "health/live", "+", "é"),
    fc.string({ maxLength: 5 }),
  );
  const target = fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join("")}`);
  const name = fc.constantFrom(
    "if-match",
    "if-none-match",
    "accept",
    "content-type",
    "content-encoding",
    "idempotency-key",
    "pontoon-session",
    "pontoon-forward",
    "pontoon-timeout-ms",
  );
  const value = fc.oneof(
    fc.constantFrom("*", '"1"', 'W/"1"', "never", "1", "application/json", "gzip", ",", ";q="),
    fc.stringMatching(/^[\x20-\x7e]{0,12}$/),
  );
  const headers = fc.array(fc.tuple(name, value), { maxLength: 4 });
  const method = fc.constantFrom("GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "PATCH");
  await fc.assert(
    fc.asyncProperty(method, target, headers, async (verb, where, given) => {
      const api = new Api();
      // The harness holds every error to be a well-formed problem.
      const answer = await api.call(verb, where, {
        headers: given,
        ...(verb === "PUT" || verb === "POST" ? { body: new Uint8Array(3) } : {}),
      });
      assert(answer.status < 500, answer.text);
      assertEquals(api.logged, []);
    }),
    { ...RUNS, numRuns: 400 },
  );
});
