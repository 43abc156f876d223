// Every route without a token, with a wrong one, with each role, and with a token for other keys: a table of
// answers. And what web pages can and can't do to a node on this machine.

import { assert, assertEquals } from "@std/assert";
import { Doorkeeper, TokenFileError, TokenTable } from "../../../src/http/access/mod.ts";
import { utf8Bytes } from "../../../src/base/bytes.ts";
import { NodeDigest } from "../../../src/platform/deno/mod.ts";
import { Incarnation, Scheduler, SimClock } from "../../sim/clock.ts";
import { Api, rawRequest, readAnswer } from "../harness.ts";

const digest = new NodeDigest();

function hashOf(token: string): string {
  return digest.sha256(utf8Bytes(token)).toHex();
}

interface Holder {
  readonly name: string;
  readonly roles: readonly string[];
  readonly prefixes?: readonly string[];
  readonly requestsPerSecond?: number;
  readonly concurrency?: number;
}

const HOLDERS: readonly Holder[] = [
  { name: "reader", roles: ["read"] },
  { name: "writer", roles: ["write"] },
  { name: "admin", roles: ["admin"] },
  { name: "own", roles: ["read", "write"], prefixes: ["own/"] },
  { name: "other", roles: ["read", "write"], prefixes: ["other/"] },
];

function tableOf(holders: readonly Holder[]): TokenTable {
  const tokens = holders.map((holder) => ({ ...holder, sha256: hashOf(`secret-${holder.name}`) }));
  return TokenTable.parse(JSON.stringify({ tokens }));
}

class Guarded {
  readonly api = new Api();
  readonly scheduler = new Scheduler();
  tokens: TokenTable | undefined;
  readonly doorkeeper: Doorkeeper;

  constructor(
    tokens: TokenTable | undefined,
    policy: { hosts?: string[]; corsOrigins?: string[] } = {},
  ) {
    this.tokens = tokens;
    this.doorkeeper = new Doorkeeper(
      (request, environment) => this.api.app.fetch(request, environment),
      {
        policy: { tokens: () => this.tokens, hosts: [], corsOrigins: [], ...policy },
        clock: new SimClock(new Incarnation(this.scheduler, "n1")),
        digest,
        log: this.api.log,
        onRefused: (code) => this.api.node.meters.refused(code),
      },
    );
  }

  async call(
    method: string,
    target: string,
    { token, body, headers = {} }: {
      token?: string;
      body?: string;
      headers?: Record<string, string>;
    } = {},
  ) {
    const all: Record<string, string> = { ...headers };
    if (token !== undefined) all.authorization = `Bearer ${token}`;
    if (body !== undefined) all["content-type"] ??= "application/json";
    const bytes = body === undefined ? undefined : new TextEncoder().encode(body);
    const request = rawRequest(method, target, { headers: all, body: bytes });
    const response = await this.doorkeeper.handle(request);
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
      await response.body?.cancel(); // it would not end by itself
      return { status: response.status, headers: response.headers };
    }
    return await readAnswer(response);
  }
}

/** A request, and the status that each holder gets: reader, writer, admin, own, other. */
type Row = readonly [
  method: string,
  target: string,
  body: string | undefined,
  ...expected: readonly number[],
];

const put = (key: string) => `{"if":[],"then":[{"op":"put","key":"${key}","value":"1"}],"else":[]}`;
const get = (key: string) => `{"if":[],"then":[{"op":"get","key":"${key}"}],"else":[]}`;

const TABLE: readonly Row[] = [
  ["GET", "/key/own%2Fa", undefined, 404, 403, 403, 404, 403],
  ["HEAD", "/key/own%2Fa", undefined, 404, 403, 403, 404, 403],
  ["GET", "/key?key64=b3duL2E", undefined, 404, 403, 403, 404, 403],
  ["PUT", "/key/own%2Fa", "1", 403, 201, 403, 200, 403],
  ["PUT", "/key/ttl", "1", 403, 201, 403, 403, 403],
  ["DELETE", "/key/own%2Fb", undefined, 403, 404, 403, 404, 403],
  ["POST", "/key/own%2Fb/ttl", `{"ttl":5}`, 403, 404, 403, 404, 403],
  ["POST", "/txn", put("own/t"), 403, 200, 403, 200, 403],
  ["POST", "/txn", get("own/t"), 200, 403, 403, 200, 403],
  [
    "POST",
    "/txn",
    `{"if":[{"key":"own/t","exists":true}],"then":[{"op":"get","key":"other/t"}],"else":[]}`,
    409,
    403,
    403,
    403,
    403,
  ],
  ["GET", "/keys?prefix=own%2F", undefined, 200, 403, 403, 200, 403],
  ["GET", "/keys?start=own%2Fa&end=own%2Fz", undefined, 200, 403, 403, 200, 403],
  ["GET", "/keys?start=own%2Fa", undefined, 200, 403, 403, 403, 403],
  ["GET", "/keys", undefined, 200, 403, 403, 403, 403],
  ["GET", "/cluster", undefined, 200, 403, 403, 200, 200],
  ["GET", "/cluster/partitions/7/copy", undefined, 200, 403, 403, 403, 403],
  ["GET", "/cluster/partitions/7/changes?after=0", undefined, 200, 403, 403, 403, 403],
  ["POST", "/cluster/members", `{"op":"remove","name":"n9"}`, 403, 403, 400, 403, 403],
  ["POST", "/cluster/transfer", `{"partition":7,"to":"n2"}`, 403, 403, 200, 403, 403],
  ["POST", "/cluster/partitions/7/transfer", `{"to":"n2"}`, 403, 403, 200, 403, 403],
  ["POST", "/cluster/partitions/7/move", `{"from":"n1","to":"n2"}`, 403, 403, 200, 403, 403],
  ["POST", "/cluster/partitions/7/zone", `{"preferredZone":"a"}`, 403, 403, 200, 403, 403],
  ["GET", "/cluster/hash", undefined, 200, 403, 403, 200, 200],
  ["GET", "/metrics", undefined, 200, 403, 403, 200, 200],
  ["GET", "/dashboard/events", undefined, 200, 403, 403, 200, 200],
  ["GET", "/watch?prefix=own%2F", undefined, 200, 403, 403, 200, 403],
  ["GET", "/watch?key=own%2Fa", undefined, 200, 403, 403, 200, 403],
  [
    "POST",
    "/batch",
    `{"operations":[{"op":"put","key":"own/b","value":"1"}]}`,
    403,
    200,
    403,
    200,
    403,
  ],
  ["POST", "/batch", `{"operations":[{"op":"get","key":"own/b"}]}`, 200, 403, 403, 200, 403],
];

/** What needs no token. */
const OPEN_PATHS = ["/", "/health/live", "/health/ready", "/openapi.json", "/docs"];

Deno.test("the table has a row for every route that needs a token", () => {
  const { routes } = new Guarded(undefined).api.app;
  const missing = routes.filter(({ method, path }) => {
    const pattern = new RegExp(`^${path.replace(/:\w+(\{[^}]*\}(?:\})?)?/g, "[^/]+")}$`);
    return !OPEN_PATHS.includes(path) &&
      !TABLE.some(([ofRow, target]) => ofRow === method && pattern.test(target.split("?")[0]));
  });
  assert(routes.length > 15);
  assertEquals(missing.map(({ method, path }) => `${method} ${path}`), []);
});

Deno.test("each route answers each holder as the table says, and nobody else", async () => {
  const guarded = new Guarded(tableOf(HOLDERS));
  const failures: string[] = [];
  for (const [method, target, body, ...expected] of TABLE) {
    for (const token of [undefined, "wrong", "secret-reader2"]) {
      const { status, headers } = await guarded.call(method, target, { token, body });
      if (status !== 401) failures.push(`${method} ${target} with ${token}: ${status}`);
      assertEquals(headers.get("www-authenticate"), 'Bearer realm="pontoon"');
    }
    for (const [i, { name }] of HOLDERS.entries()) {
      const { status } = await guarded.call(method, target, { token: `secret-${name}`, body });
      // What the fake node makes of an allowed request matters only as far as it is no refusal.
      const refused = status === 401 || status === 403;
      const shouldRefuse = expected[i] === 403;
      if (refused !== shouldRefuse) {
        failures.push(`${method} ${target} with ${name}: ${status} instead of ${expected[i]}`);
      }
    }
  }
  assertEquals(failures, []);
});

Deno.test("probes and the API's description need no token", async () => {
  const guarded = new Guarded(tableOf(HOLDERS));
  for (const path of OPEN_PATHS) {
    const { status } = await guarded.call("GET", path);
    assert(status < 400 || status === 503, `${path}: ${status}`);
  }
});

Deno.test("tokens are rotated between two requests", async () => {
  const guarded = new Guarded(tableOf([{ name: "old", roles: ["read"] }]));
  assertEquals((await guarded.call("GET", "/cluster", { token: "secret-old" })).status, 200);
  guarded.tokens = tableOf([{ name: "new", roles: ["read"] }]);
  assertEquals((await guarded.call("GET", "/cluster", { token: "secret-old" })).status, 401);
  assertEquals((await guarded.call("GET", "/cluster", { token: "secret-new" })).status, 200);
});

Deno.test("a token that was right once is not hashed again, a wrong one each time", () => {
  let hashed = 0;
  const counting = {
    sha256: (data: Uint8Array<ArrayBuffer>) => {
      hashed++;
      return digest.sha256(data);
    },
    hmacSha256: digest.hmacSha256,
    equal: (a: Uint8Array, b: Uint8Array) => digest.equal(a, b),
  };
  const table = tableOf(HOLDERS);
  const nameOf = (token: string) => table.find(`Bearer ${token}`, counting)?.name;
  const asked = ["secret-own", "secret-own", "secret-admin", "guess", "guess", "secret-own"];
  assertEquals(asked.map(nameOf), ["own", "own", "admin", undefined, undefined, "own"]);
  assertEquals(hashed, 4);
  // However the scheme is written, each way is remembered for itself, and not without end.
  for (let i = 1; i <= 600; i++) {
    assertEquals(table.find(`Bearer${" ".repeat(i)}secret-own`, counting)?.name, "own");
  }
  assertEquals(nameOf("secret-admin"), "admin");
});

Deno.test("a holder's rate and concurrency are its own", async () => {
  const holders = [
    { name: "slow", roles: ["read"], requestsPerSecond: 2 },
    { name: "fast", roles: ["read"] },
  ];
  const guarded = new Guarded(tableOf(holders));
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) {
    statuses.push((await guarded.call("GET", "/cluster", { token: "secret-slow" })).status);
  }
  assertEquals(statuses, [200, 200, 429, 429]);
  assertEquals((await guarded.call("GET", "/cluster", { token: "secret-fast" })).status, 200);
});

Deno.test("requests at once are counted until they have their answer, streams until they have ended", async () => {
  const holders = [{ name: "two", roles: ["read", "write"], concurrency: 2 }];
  const guarded = new Guarded(tableOf(holders));
  const authorization = "Bearer secret-two";
  const open = async (target: string) =>
    await guarded.doorkeeper.handle(rawRequest("GET", target, { headers: { authorization } }));
  const get = async () => (await guarded.call("GET", "/key/a", { token: "secret-two" })).status;
  for (let i = 0; i < 4; i++) assertEquals(await get(), 404, "one after the other");
  for (const path of ["/watch?key=a", "/dashboard/events"]) {
    const streams = [await open(path), await open(path)];
    assertEquals(streams.map(({ status }) => status), [200, 200]);
    assertEquals(await get(), 429, `two of ${path}`);
    await streams[0].body!.cancel();
    assertEquals(await get(), 404, "one has been given up");
    await streams[1].body!.cancel();
  }
  // A scan's stream ends by itself.
  await guarded.call("PUT", "/key/a", { token: "secret-two", body: "1" });
  for (let i = 0; i < 4; i++) {
    const scan = await open("/keys");
    assertEquals(scan.status, 200);
    assert((await scan.text()).includes('"a"'));
  }
});

Deno.test("what is turned away at the door is counted by its reason", async () => {
  const guarded = new Guarded(tableOf([
    { name: "reader", roles: ["read"], requestsPerSecond: 1 },
  ]));
  await guarded.call("GET", "/key/a");
  await guarded.call("GET", "/key/a", { token: "wrong" });
  await guarded.call("PUT", "/key/a", { token: "secret-reader", body: "1" });
  for (let i = 0; i < 3; i++) await guarded.call("GET", "/key/a", { token: "secret-reader" });
  await guarded.doorkeeper.handle(new Request("http://evil.example/key/a"));
  const { text } = await guarded.api.get("/metrics");
  const counted = Object.fromEntries(
    [...text.matchAll(/^pontoon_refused_total\{reason="([a-z-]+)"\} (\d+)$/gm)]
      .map(([, reason, count]) => [reason, Number(count)]),
  );
  assertEquals(counted, { "unauthorized": 2, "forbidden": 1, "rate-limited": 2, "misdirected": 1 });
});

Deno.test("admin verbs are logged with who asked for what, and what came of it", async () => {
  const guarded = new Guarded(tableOf(HOLDERS));
  const move = "/cluster/partitions/7/move";
  const body = `{"from":"n1","to":"n2"}`;
  await guarded.call("POST", move, { token: "secret-admin", body });
  await guarded.call("POST", "/cluster/members", { token: "secret-admin", body: `{"op":"no"}` });
  for (const token of ["secret-reader", "wrong", undefined]) {
    await guarded.call("POST", move, { token, body });
  }
  await guarded.call("GET", "/cluster", { token: "secret-reader" });
  await guarded.call("PUT", "/key/a", { token: "secret-writer", body: "1" });
  const refused = { message: "admin verb refused", method: "POST", path: move };
  assertEquals(guarded.api.audited, [
    {
      message: "admin verb",
      by: "admin",
      path: move,
      document: { from: "n1", to: "n2" },
      status: 200,
    },
    {
      message: "admin verb",
      by: "admin",
      path: "/cluster/members",
      document: { op: "no" },
      status: 400,
    },
    { ...refused, by: "reader", status: 403 },
    { ...refused, by: null, status: 401 },
    { ...refused, by: null, status: 401 },
  ]);
  assert(!guarded.api.logged.join().includes("secret-"), "no token is logged");
});

Deno.test("admin verbs are logged where no token is asked for, and long ones not whole", async () => {
  const guarded = new Guarded(undefined);
  await guarded.call("POST", "/cluster/transfer", { body: `{"partition":7,"to":"n2"}` });
  await guarded.call("POST", "/cluster/transfer", {
    body: JSON.stringify({ to: "x".repeat(50_000) }),
  });
  const [short, long] = guarded.api.audited;
  assertEquals([short.by, short.document, short.status], [null, { partition: 7, to: "n2" }, 200]);
  assertEquals([long.status, (long.document as string).length], [400, 1_000]);
});

Deno.test("who keeps trying does not fill the log", async () => {
  const guarded = new Guarded(tableOf(HOLDERS));
  const attempt = () => guarded.call("POST", `/cluster/${"x".repeat(5_000)}`, { body: "{}" });
  for (let i = 0; i < 50; i++) await attempt();
  assertEquals(guarded.api.audited.length, 10);
  assertEquals((guarded.api.audited[0].path as string).length, 200);
  await guarded.scheduler.runFor(1_500);
  await attempt();
  assertEquals(guarded.api.audited.at(-1)?.notTold, 40);
});

Deno.test("a name that is not this node's is refused, whatever the method", async () => {
  const guarded = new Guarded(undefined, { hosts: ["db.example:7001"] });
  const at = async (origin: string, method = "GET") => {
    const request = new Request(`${origin}/cluster`, { method });
    return (await readAnswer(await guarded.doorkeeper.handle(request))).status;
  };
  assertEquals(await at("http://127.0.0.1:7001"), 200);
  assertEquals(await at("http://localhost:9"), 200);
  assertEquals(await at("http://[::1]:7001"), 200);
  assertEquals(await at("http://db.example:7001"), 200);
  assertEquals(await at("http://evil.example:7001"), 421);
  assertEquals(await at("http://db.example.evil.example:7001"), 421);
  assertEquals(await at("http://127.0.0.1.evil.example:7001"), 421);
  assertEquals(await at("http://evil.example:7001", "DELETE"), 421);
});

Deno.test("a web page's simple request changes nothing: POST asks for JSON", async () => {
  const guarded = new Guarded(undefined);
  for (const path of ["/txn", "/cluster/members", "/key/a/ttl"]) {
    const { status } = await guarded.call("POST", path, {
      body: "{}",
      headers: { "content-type": "text/plain", origin: "http://evil.example" },
    });
    assertEquals(status, 415, path);
  }
});

Deno.test("pages of allowed origins may read answers, others may not", async () => {
  const guarded = new Guarded(undefined, { corsOrigins: ["https://app.example"] });
  const preflight = (origin: string) =>
    guarded.call("OPTIONS", "/key/a", {
      headers: { origin, "access-control-request-method": "PUT" },
    });
  const allowed = await preflight("https://app.example");
  assertEquals(allowed.status, 204);
  assertEquals(allowed.headers.get("access-control-allow-origin"), "https://app.example");
  const refused = await preflight("https://evil.example");
  assertEquals(refused.headers.get("access-control-allow-origin"), null);
  const answer = await guarded.call("GET", "/cluster", {
    headers: { origin: "https://app.example" },
  });
  assertEquals(answer.headers.get("access-control-allow-origin"), "https://app.example");
  assert(answer.headers.get("access-control-expose-headers")?.includes("Pontoon-Applied"));
  const none = await new Guarded(undefined).call("OPTIONS", "/key/a", {
    headers: { origin: "https://app.example", "access-control-request-method": "PUT" },
  });
  assertEquals(none.headers.get("access-control-allow-origin"), null);
});

Deno.test("a token file that can't be used says what is wrong with it", () => {
  const sha256 = hashOf("x");
  const bad: [unknown, string][] = [
    ["nonsense", 'it has no list "tokens"'],
    [{ tokens: [{ name: "a", sha256, roles: ["root"] }] }, "token 1: roles"],
    [{ tokens: [{ name: "a", sha256: "00", roles: ["read"] }] }, "token 1: sha256"],
    [{ tokens: [{ name: "", sha256, roles: ["read"] }] }, "token 1: name"],
    [{ tokens: [{ name: "a", sha256, roles: ["read"], prefix: "x" }] }, 'unknown field "prefix"'],
    [{ tokens: [{ name: "a", sha256, roles: ["read"], prefixes: [""] }] }, "prefixes"],
    [{ tokens: [{ name: "a", sha256, roles: ["read"], concurrency: 0 }] }, "concurrency"],
  ];
  for (const [document, words] of bad) {
    try {
      TokenTable.parse(JSON.stringify(document));
    } catch (error) {
      assert(error instanceof TokenFileError && error.message.includes(words), String(error));
      continue;
    }
    assert(false, `accepted: ${words}`);
  }
});
