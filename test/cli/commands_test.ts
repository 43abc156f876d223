// Every command against a real node: what it prints, how it ends.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { TestCluster } from "../../scripts/bench/support/cluster.ts";
import { run, type RunEnd, type RunInit } from "./terminal.ts";

const cluster = TestCluster.start({ nodes: 1, flags: ["--partitions", "4"] });
await cluster.ready();
const [node] = cluster.nodes;
const env = { PONTOON_ENDPOINTS: node.http };

const kv = (args: string[], init: RunInit = {}): Promise<RunEnd> => run(args, { env, ...init });

Deno.test.afterAll(() => cluster[Symbol.asyncDispose]());

Deno.test("put and get keep a value, and say what they did", async () => {
  const created = await kv(["put", "a", "hello"]);
  assertMatch(created.out, /^created a at revision \d+\n$/);
  assertEquals(created.code, 0);
  assertMatch((await kv(["put", "a", "hello"])).out, /^replaced a/);
  assertEquals((await kv(["get", "a"])).out, "hello");
  assertEquals((await kv(["get", "a"], { terminal: true })).out, "hello\n");
  const document = JSON.parse((await kv(["get", "-o", "json", "a"])).out);
  assertEquals([document.key, document.value], ["a", "hello"]);
  assertMatch((await kv(["get", "-o", "table", "a"])).out, /expires +never\nvalue +hello/);
});

Deno.test("values from standard input are kept to the byte", async () => {
  const bytes = new Uint8Array([0, 255, 10, 13, 0, 128]);
  assertEquals((await kv(["put", "bytes", "-"], { stdin: bytes })).code, 0);
  assertEquals((await kv(["get", "bytes"])).outBytes, bytes);
  const json = ' {"n": 12345678901234567890, "n": 1} ';
  assertEquals((await kv(["put", "--json", "json", json])).code, 0);
  assertEquals((await kv(["get", "json"])).out, json);
  assertEquals((await kv(["put", "--json", "json", "{"])).code, 1);
});

Deno.test("keys that are no text are given in base64url", async () => {
  assertEquals((await kv(["put", "--key64", "_wA", "x"])).code, 0);
  assertEquals((await kv(["get", "--key64", "_wA"])).out, "x");
  assertMatch((await kv(["scan", "--key64", "--prefix", "_w"])).out, /^64:_wA /m);
  assertEquals((await kv(["del", "--key64", "_wA"])).code, 0);
});

Deno.test("exit codes tell apart what happened", async () => {
  assertEquals((await kv(["get", "nothing"])).code, 3);
  assertEquals((await kv(["del", "nothing"])).code, 3);
  await kv(["put", "c", "x"]);
  const conflict = await kv(["put", "c", "y", "--if-revision", "0"]);
  assertEquals(conflict.code, 4);
  assertMatch(conflict.err, /^kv: Nothing was done: c is at revision \d+\n$/);
  assertEquals((await kv(["frobnicate"])).code, 2);
  assertEquals((await kv(["put", "c"])).code, 2);
  assertEquals((await kv(["put", "c", "x", "--ttl", "soon"])).code, 2);
  assertEquals((await kv(["get", "c", "-o", "xml"])).code, 2);
  assertEquals((await kv(["put", "", "x"])).code, 2);
  const down = await run(["get", "c", "--timeout", "300ms", "-e", "127.0.0.1:1"]);
  assertEquals(down.code, 5);
  assertMatch(down.err, /Cannot connect/);
});

Deno.test("a write that nobody answers has an unknown outcome: exit code 6", async () => {
  // A node that gives the map and then swallows every write.
  const controller = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: controller.signal, onListen: () => {} },
    async (request) => {
      if (new URL(request.url).pathname !== "/cluster") {
        return new Response("no such thing", { status: 500 });
      }
      const map = await (await fetch(`http://${node.http}/cluster`)).json();
      const { port } = server.addr as Deno.NetAddr;
      for (const member of map.members) member.http = `127.0.0.1:${port}`;
      return Response.json(map);
    },
  );
  const { port } = server.addr as Deno.NetAddr;
  const end = await run(["put", "a", "x", "--timeout", "300ms", "-e", `127.0.0.1:${port}`]);
  controller.abort();
  await server.finished;
  assertEquals(end.code, 6, end.err);
  assertMatch(end.err, /outcome is unknown/);
});

Deno.test("scan lists keys in order, in three forms", async () => {
  for (const key of ["s/b", "s/a", "s/c\n"]) await kv(["put", key, `value of ${key}`]);
  const table = await kv(["scan", "--prefix", "s/"]);
  assertMatch(table.out, /^KEY +REVISION +EXPIRES +VALUE\ns\/a .*\ns\/b .*\ns\/c\\n .*\n$/);
  const json =
    (await kv(["scan", "--prefix", "s/", "-o", "json", "--reverse", "--limit", "2"])).out;
  assertEquals(json.trim().split("\n").map((line) => JSON.parse(line).key), ["s/c\n", "s/b"]);
  const raw = await kv(["scan", "--start", "s/a", "--end", "s/c", "-o", "raw"]);
  assertEquals(raw.out, "s/a\tvalue of s/a\ns/b\tvalue of s/b\n");
  assertEquals(
    (await kv(["scan", "--prefix", "s/", "-o", "raw", "--keys-only"])).out,
    "s/a\ns/b\ns/c\\n\n",
  );
  assertEquals((await kv(["scan", "--prefix", "s/", "--count-only"])).out, "3\n");
  assertEquals((await kv(["del", "--prefix", "s/"])).out, "removed 3 keys\n");
});

Deno.test("txn does one of two branches", async () => {
  const document = JSON.stringify({
    if: [{ key: "{t}a", exists: false }],
    then: [{ op: "put", key: "{t}a", json: 1 }, { op: "put", key: "{t}b", value: "x" }],
    else: [{ op: "get", key: "{t}a" }],
  });
  const done = await kv(["txn", "-o", "json"], { stdin: document });
  assertEquals(done.code, 0, done.err);
  assertEquals(JSON.parse(done.out).succeeded, true);
  const other = await kv(["txn"], { stdin: document });
  assertEquals(other.code, 4);
  assertMatch(other.out, /^else was done at revision \d+\nOPERATION +RESULT\nget +1 \(revision/);
  assertEquals((await kv(["txn"], { stdin: "{" })).code, 2);
  const crossing = JSON.stringify({
    then: ["a", "b", "c", "d"].map((key) => ({ op: "delete", key })),
  });
  const cross = await kv(["txn"], { stdin: crossing });
  assertEquals(cross.code, 1);
  assertMatch(cross.err, /cross-partition/);
});

Deno.test("batch runs each operation by itself and ends as the worst of them", async () => {
  const lines = [
    { op: "put", key: "b1", json: { any: [1] } },
    { op: "put", key64: "_w", value: "/wA=", encoding: "base64", ttl: 60 },
    { op: "get", key: "b0" },
    { op: "delete", key: "b2" },
  ];
  for (const key of ["b0", "b2"]) await kv(["put", key, "x"]);
  const stdin = lines.map((line) => JSON.stringify(line)).join("\n");
  const first = await kv(["batch"], { stdin });
  assertEquals(first.code, 0, first.err);
  const results = first.out.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(results.map(({ op, ok }) => [op, ok]), lines.map(({ op }) => [op, true]));
  const conflict = JSON.stringify({ op: "put", key: "_", value: "x", ifRevision: 1 });
  assertEquals((await kv(["batch"], { stdin: `${conflict}\n` })).code, 4);
  assertEquals((await kv(["batch"], { stdin: '{"op":"put"}' })).code, 2);
  await kv(["del", "--key64", "_w"]);
});

Deno.test("export and import keep bytes, content types and times to live", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-cli-" });
  try {
    const json = '{"spaces":   1,\n"big":12345678901234567890}';
    await kv(["put", "x/json", "--json", json]);
    await kv(["put", "x/page", "<p>é", "--content-type", "text/html", "--ttl", "1h"]);
    await kv(["put", "x/bytes", "-"], { stdin: new Uint8Array([255, 0, 10]) });
    await kv(["put", "--key64", "eC__", "bytes key"]);
    const file = `${dir}/dump.ndjson`;
    const exported = await kv(["export", "--prefix", "x/", file]);
    assertEquals(exported.code, 0, exported.err);
    assertMatch(exported.err, /exported 4 keys/);
    await kv(["del", "--prefix", "x/"]);
    const imported = await kv(["import", file]);
    assertEquals(imported.code, 0, imported.err);
    assertEquals((await kv(["get", "x/json"])).out, json);
    const page = JSON.parse((await kv(["get", "-o", "json", "x/page"])).out);
    assertEquals([page.value, page.contentType], ["<p>é", "text/html"]);
    assert(page.ttlMs > 3_500_000 && page.ttlMs <= 3_600_000, `${page.ttlMs}`);
    assertEquals((await kv(["get", "x/bytes"])).outBytes, new Uint8Array([255, 0, 10]));
    assertEquals((await kv(["get", "--key64", "eC__"])).out, "bytes key");
    await kv(["put", "x/json", "changed"]);
    const again = await kv(["import", "--if-absent", file]);
    assertMatch(again.err, /4 keys were there already/);
    assertEquals((await kv(["get", "x/json"])).out, "changed");
    assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name), ["dump.ndjson"]);
    const cut = Deno.readTextFileSync(file).split("\n").slice(0, 2).join("\n");
    assertMatch((await kv(["import"], { stdin: cut })).err, /it was cut off/);
    assertEquals((await kv(["import"], { stdin: "no export" })).code, 1);
    await kv(["del", "--prefix", "x/"]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("export and import go on where they were cut off", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-cli-" });
  try {
    const keys = Array.from({ length: 4500 }, (_, i) => `r/${String(i).padStart(5, "0")}`);
    const stdin = keys.map((key) => JSON.stringify({ op: "put", key, value: "v" })).join("\n");
    assertEquals((await kv(["batch"], { stdin })).code, 0);
    const whole = `${dir}/whole`;
    assertEquals((await kv(["export", "--prefix", "r/", whole])).code, 0);
    assertEquals((await kv(["export", "--prefix", "r/", "--resume", whole])).code, 1);
    // As a crash after the first page leaves it: some lines more than the state says, the last one torn.
    const file = `${dir}/part`;
    const lines = Deno.readTextFileSync(whole).split("\n");
    const page = `${lines.slice(0, 2000).join("\n")}\n`;
    Deno.writeTextFileSync(file, `${page}${lines[2000]}\n${lines[2001].slice(0, 9)}`);
    const query = "prefix=r%2F&limit=2000";
    const response = await fetch(`http://${node.http}/keys?${query}`);
    const { cursor } = await response.json();
    const state = { cursor, count: 2000, sizeBytes: page.length, selector: { prefix: "r/" } };
    Deno.writeTextFileSync(`${file}.resume`, JSON.stringify(state));
    assertEquals((await kv(["export", "--prefix", "s/", "--resume", file])).code, 2);
    const resumed = await kv(["export", "--prefix", "r/", "--resume", file]);
    assertEquals(resumed.code, 0, resumed.err);
    const keysOf = (path: string) =>
      Deno.readTextFileSync(path).trim().split("\n").map((line) => JSON.parse(line).key);
    assertEquals(keysOf(file), keysOf(whole));
    await kv(["del", "--prefix", "r/"]);
    const offset = lines.slice(0, 4000).join("\n").length + 1;
    Deno.writeTextFileSync(`${whole}.imported`, JSON.stringify({ endBytes: offset, count: 4000 }));
    assertEquals((await kv(["import", "--resume", whole])).code, 0);
    assertEquals((await kv(["scan", "--prefix", "r/", "--count-only"])).out, "500\n");
    await kv(["del", "--prefix", "r/"]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("member, partition and endpoint show the cluster", async () => {
  assertMatch((await kv(["member", "list"])).out, /^NAME .*\nn1 .* active +yes +4 +4 /);
  const partitions = (await kv(["partition", "list", "-o", "json"])).out.trim().split("\n");
  assertEquals(partitions.map((line) => JSON.parse(line).leader), ["n1", "n1", "n1", "n1"]);
  assertEquals((await kv(["endpoint", "health"])).code, 0);
  assertMatch((await kv(["endpoint", "status"])).out, /n1 +\d+\.\d+\.\d+ +\d+ +4 +4 /);
  const down = await kv(["endpoint", "health", "-e", `${node.http},127.0.0.1:1`]);
  assertEquals(down.code, 5);
  assertMatch(down.out, /127\.0\.0\.1:1 +no .*it does not answer/);
  assertEquals((await kv(["member", "remove", "nobody"])).code, 3);
  assertEquals((await kv(["partition", "transfer", "x", "n1"])).code, 2);
  assertEquals((await kv(["partition", "move", "1"])).code, 2);
});

Deno.test("bench measures, and leaves nothing behind", async () => {
  for (const mode of ["put", "get", "mixed", "txn"]) {
    const args = [
      "bench",
      "--mode",
      mode,
      "--duration",
      "150ms",
      "--concurrency",
      "8",
      "--keys",
      "50",
    ];
    const end = await kv([...args, "-o", "json"]);
    assertEquals(end.code, 0, end.err);
    const { count, latencyMs } = JSON.parse(end.out);
    assert(count > 0 && latencyMs.p50 > 0 && latencyMs.max >= latencyMs.p99, end.out);
  }
  const paced = await kv(["bench", "--duration", "300ms", "--rate", "100", "-o", "json"]);
  assert(JSON.parse(paced.out).count <= 40, paced.out);
  assertEquals((await kv(["scan", "--prefix", "kv-bench/", "--count-only"])).out, "0\n");
});

Deno.test("top shows looks as lines, as documents and as a screen", async () => {
  const options = ["--interval", "200ms", "--count", "2"];
  assertMatch(
    (await kv(["top", ...options])).out,
    /^(\d.* entries\/s {2}read .* leads n1:4 {2}lag \d+\n){2}$/,
  );
  const json = (await kv(["top", ...options, "-o", "json"])).out.trim().split("\n");
  assertEquals(JSON.parse(json[1]).nodes[0].leads, 4);
  const screen = await kv(["top", ...options], { terminal: true });
  // deno-lint-ignore no-control-regex
  assertMatch(screen.out, /^\x1b\[\?1049h.*● well.*n1 .*\x1b\[\?1049l$/s);
});

Deno.test("help explains every command", async () => {
  const help = await kv(["--help"]);
  assertEquals([help.code, help.err], [0, ""]);
  assertMatch(help.out, /Exit codes\n.*6 {2}outcome unknown/s);
  const commands = [...help.out.matchAll(/^ {2}([a-z]+)(?= [<[]| {2})/gm)].map(([, name]) => name);
  assert(commands.includes("get") && commands.includes("completion"), commands.join());
  for (const command of commands.filter((name) => name !== "help" && name !== "kv")) {
    const { code, out } = await kv([command, "--help"]);
    assertEquals(code, 0, command);
    assertMatch(out, new RegExp(`^Usage: kv ${command}`));
  }
});

Deno.test("completion makes scripts that bash takes", async () => {
  const { out, code } = await kv(["completion", "bash"]);
  assertEquals(code, 0);
  const complete = async (...words: string[]) => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const script =
      `${out}\nCOMP_WORDS=(kv ${quoted}); COMP_CWORD=${words.length}; _kv; echo "\${COMPREPLY[*]}"`;
    const { stdout } = await new Deno.Command("bash", { args: ["-c", script] }).output();
    return new TextDecoder().decode(stdout).trim().split(" ");
  };
  assertEquals(await complete("sc"), ["scan"]);
  assertEquals(await complete("member", "d"), ["drain"]);
  assertEquals(await complete("scan", "--key"), ["--keys-only", "--key64"]);
  assertEquals(await complete("get", "some key", "--cons"), ["--consistency"]);
  assertEquals(await complete("unknown", "g"), ["get"]);
  for (const shell of ["zsh", "fish"]) assertEquals((await kv(["completion", shell])).code, 0);
});
