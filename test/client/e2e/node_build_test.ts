// The npm package: built, installed and used by a program in Node, and checked by TypeScript as its users see it.

import { assertEquals } from "@std/assert";
import { buildClient } from "../../../scripts/build_client.ts";
import { TestCluster } from "../../../scripts/bench/support/cluster.ts";
import { findProgram, lacks } from "../../support/needs.ts";

const PROGRAM = `
import { connect, keyBytes, PontoonError } from "pontoon-client";

const kv = await connect(process.argv[2].split(","));
const { revision } = await kv.set("greeting", { text: "hello" });
const conflict = await kv.set("greeting", "x", { ifRevision: revision + 1 });
const entry = await kv.get("greeting");
const bytes = new Uint8Array([255, 0, 46]);
await kv.set(bytes, bytes);
const done = await kv.atomic().check({ key: "{t}a", revision: 0 }).set("{t}a", 1).commit();
const listed = [];
for await (const { key } of kv.list({ prefix: "g" })) listed.push(key);
const many = await kv.getMany(["greeting", "none"]);
const error = await kv.atomic().set("a", 1).set("b", 1).set("c", 1).commit().catch((e) => e);
await kv.close();
console.log(JSON.stringify({
  conflict,
  value: entry.value,
  bytes: [...(await connect(process.argv[2].split(","))
    .then((other) => other.get(bytes).finally(() => other.close()))).value],
  done: done.ok,
  listed,
  many: many.map(({ revision }) => revision > 0),
  code: error instanceof PontoonError ? error.code : String(error),
  key: keyBytes("é").length,
}));
`;

const USER = `
import { connect, type EntryMaybe } from "pontoon-client";

const kv = await connect("http://127.0.0.1:1");
const entry: EntryMaybe<number> = await kv.get<number>("n");
const next: number = (entry.value ?? 0) + 1;
const result = await kv.set("n", next, { ifRevision: entry.revision });
if (!result.ok) console.log(result.revision);
for await (const event of kv.watch<number>({ prefix: "n" })) {
  if (event.type === "put") console.log(event.value + 1);
}
`;

/** A folder with the package installed in it. */
async function installed(): Promise<string> {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-client-" });
  await buildClient(`${dir}/node_modules/pontoon-client`);
  Deno.writeTextFileSync(`${dir}/package.json`, '{"type":"module"}');
  return dir;
}

Deno.test({
  name: "a program in Node uses the package",
  ignore: lacks("node"),
  fn: async () => {
    await using cluster = TestCluster.start({ nodes: 3, flags: ["--partitions", "4"] });
    const dir = await installed();
    try {
      await cluster.ready();
      Deno.writeTextFileSync(`${dir}/program.js`, PROGRAM);
      const { stdout, stderr } = await new Deno.Command(findProgram("node")!, {
        args: ["program.js", cluster.nodes.map(({ http }) => http).join(",")],
        cwd: dir,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).output();
      assertEquals(new TextDecoder().decode(stderr), "");
      const { conflict, ...said } = JSON.parse(new TextDecoder().decode(stdout));
      assertEquals(conflict.ok, false);
      assertEquals(said, {
        value: { text: "hello" },
        bytes: [255, 0, 46],
        done: true,
        listed: ["greeting"],
        many: [true, false],
        code: "cross-partition",
        key: 2,
      });
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

Deno.test("the package's types are those of the SDK", async () => {
  const dir = await installed();
  try {
    Deno.writeTextFileSync(`${dir}/user.ts`, USER);
    Deno.writeTextFileSync(`${dir}/deno.json`, '{"nodeModulesDir":"manual"}');
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "user.ts"],
      cwd: dir,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
