// /key is validated by hand and described by schemas: both must accept the same requests. Random requests,
// good and bad, go through the code; their parts go through the schemas of the route's description.

import { assert } from "@std/assert";
import fc from "fast-check";
import { utf8Bytes } from "../../src/base/bytes.ts";
import { KEY_SIZE_BYTES_MAX } from "../../src/base/limits.ts";
import { keyRouteConfigs } from "../../src/http/openapi_keys.ts";
import { testSeed } from "../store/support.ts";
import { Api, rawRequest } from "./harness.ts";

/** A zod object as far as this test needs it. */
interface ObjectSchema {
  readonly shape: Readonly<Record<string, ValueSchema>>;
}

interface ValueSchema {
  safeParse(value: unknown): { success: boolean };
}

interface Asked {
  readonly method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** In the path; undefined: `key64` in the query. */
  readonly key: string | undefined;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** Codes by which a request is refused for what it is. */
const REFUSALS = [
  "invalid-key",
  "key-too-long",
  "invalid-parameter",
  "invalid-condition",
  "invalid-header",
];

// ------------------------------------------------------------------------------------------- the schemas

/** A parameter's text as its schema sees it: numbers are numbers. */
function meets(schema: ValueSchema, text: string): boolean {
  if (schema.safeParse(text).success) return true;
  return /^\d{1,12}(?:\.\d{1,9})?$/.test(text) && schema.safeParse(Number(text)).success &&
    !(text.includes(".") && Number.isInteger(Number(text)));
}

function allMeet(
  schema: ObjectSchema | undefined,
  values: Readonly<Record<string, string>>,
  closed: boolean,
): boolean {
  const shape = Object.fromEntries(
    Object.entries(schema?.shape ?? {}).map((
      [name, value],
    ) => [closed ? name : name.toLowerCase(), value]),
  );
  return Object.entries(values).every(([name, text]) => {
    const member = shape[name];
    return member === undefined ? !closed : meets(member, text);
  }) && Object.entries(shape).every(([name, member]) =>
    name in values || member.safeParse(undefined).success
  );
}

/** What the description says of a request, with the rules between parameters that it has in words. */
function isDescribed({ method, key, query, headers }: Asked): boolean {
  const path = key === undefined ? "/key" : "/key/{key}";
  const config = keyRouteConfigs.find((one) =>
    one.path === path && one.method === method.toLowerCase()
  );
  assert(config?.request !== undefined);
  const request = config.request as unknown as {
    params?: ObjectSchema;
    query?: ObjectSchema;
    headers?: ObjectSchema;
  };
  if (key !== undefined) {
    if (!allMeet(request.params, { key }, true)) return false;
    if (utf8Bytes(key).length > KEY_SIZE_BYTES_MAX) return false;
  }
  if ("maxStaleness" in query && query.consistency !== "stale") return false;
  if ("idempotency-key" in headers && "pontoon-session" in headers && method !== "GET") {
    if (method !== "HEAD") return false;
  }
  if (method === "PUT" && "if-match" in headers && "if-none-match" in headers) return false;
  if (method === "DELETE" && "if-none-match" in headers) return false;
  return allMeet(request.query, query, true) && allMeet(request.headers, headers, false);
}

// -------------------------------------------------------------------------------------------- the requests

const pick = (...texts: string[]) => fc.constantFrom(...texts);

const keys = fc.oneof(
  pick(
    "a",
    ".",
    "..",
    "...",
    ".a",
    "a/b",
    "%",
    "ä",
    "k".repeat(4096),
    "k".repeat(4097),
    "ä".repeat(2049),
  ),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
);
const key64s = pick("YQ", "_w", "YR", "A", "", "a+b=", "Li4", "YWJj".repeat(1366));
const queries = {
  ttl: pick("1", "0.001", "0.0005", "0", "-1", "1.5", "1e3", "x", "3162240000", "3162240000.5", ""),
  raw: pick("", "true", "false", "yes"),
  consistency: pick("linearizable", "stale", "eventual", ""),
  maxStaleness: pick("0", "250", "3600000", "3600001", "-1", "1.5", "x"),
  other: pick("1"),
};
const headerTexts = {
  "if-match": pick("*", '"0"', '"7"', '"007"', "7", 'W/"7"', '"7", "8"', '"12345678901234567"'),
  "if-none-match": pick("*", '"7"', '"7", W/"8"', '"a b"', "7", ""),
  "pontoon-forward": pick("never", "redirect", "always"),
  "pontoon-timeout-ms": pick("1", "60000", "60001", "0", "-5", "x"),
  "pontoon-min-applied": pick("0", "17", "-1", "x"),
  "idempotency-key": pick("k", "a b", "k".repeat(255), "k".repeat(256)),
  "pontoon-session": pick(
    `${"0".repeat(32)};seq=1;ack=0`,
    `${"0".repeat(32)} ; seq=1 ; ack=0`,
    `${"0".repeat(32)};seq=0;ack=0`,
    "x",
  ),
};

/** Any of the members, each seldom enough that many requests are good. */
function some(texts: Readonly<Record<string, fc.Arbitrary<string>>>) {
  const members = Object.entries(texts).map(([name, text]) =>
    fc.tuple(fc.nat(5), text).map(([die, value]) => die === 0 ? [name, value] as const : undefined)
  );
  return fc.tuple(...members).map((all) =>
    Object.fromEntries(all.filter((member) => member !== undefined))
  );
}

const asked: fc.Arbitrary<Asked> = fc.tuple(
  pick("GET", "HEAD", "PUT", "DELETE"),
  fc.oneof(keys.map((key) => ({ key })), key64s.map((key64) => ({ key64 }))),
  some(queries),
  some(headerTexts),
).map(([method, place, query, headers]) => ({
  method: method as Asked["method"],
  key: "key" in place ? place.key : undefined,
  query: "key64" in place ? { ...query, key64: place.key64 } : query,
  headers,
}));

function targetOf({ key, query }: Asked): string {
  const path = key === undefined ? "/key" : `/key/${encodeURIComponent(key)}`;
  const parts = Object.entries(query).map(([name, text]) => `${name}=${encodeURIComponent(text)}`);
  return parts.length === 0 ? path : `${path}?${parts.join("&")}`;
}

Deno.test("the code of /key and its description accept the same requests", async () => {
  const seed = testSeed();
  let accepted = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(asked, async (request) => {
      const api = new Api();
      const body = request.method === "PUT" ? utf8Bytes("v") : undefined;
      const response = await api.app.fetch(
        rawRequest(request.method, targetOf(request), { headers: request.headers, body }),
      );
      const text = request.method === "HEAD" ? "" : await response.text();
      const isRefused = request.method === "HEAD"
        ? response.status === 400 || response.status === 414
        : response.status >= 400 && REFUSALS.includes(JSON.parse(text).code);
      if (isRefused) refused++;
      else accepted++;
      const described = isDescribed(request);
      assert(
        described === !isRefused,
        `the description ${
          described ? "accepts" : "refuses"
        } it, the code answers ${response.status} ${text}`,
      );
    }),
    { seed, numRuns: 800 },
  );
  assert(accepted > 50 && refused > 50, `${accepted} accepted, ${refused} refused`);
});
