// The package runs in Node and in a browser: bundled once, checked in Node; and the core names no Deno.

import { assert, assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);

/** The only folders that may touch Deno: the command line and the tests. */
const DENO_FOLDERS: readonly string[] = ["cli", "test"];

async function* sources(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isDirectory && !DENO_FOLDERS.includes(entry.name)) {
      yield* sources(new URL(`${entry.name}/`, folder));
    } else if (entry.name.endsWith(".ts")) yield new URL(entry.name, folder);
  }
}

Deno.test("nothing but the command line touches Deno or imports from outside the package", async () => {
  for await (const file of sources(root)) {
    const text = await Deno.readTextFile(file);
    assert(!/\bDeno\./.test(text), `${file.pathname} touches Deno`);
    for (const [, path] of text.matchAll(/^(?:import|export)[^;]*? from "([^"]+)"/gm)) {
      const target = new URL(path!, file);
      assert(path!.startsWith("."), `${file.pathname} imports ${path}`);
      assert(target.href.startsWith(root.href), `${file.pathname} imports ${path}`);
    }
  }
});

Deno.test("the pure core has no clock, no randomness and no await", async () => {
  for (const folder of ["history", "models", "search", "verdict", "watch"]) {
    for await (const file of sources(new URL(`${folder}/`, root))) {
      const text = (await Deno.readTextFile(file)).replace(/\/\/.*|\/\*[\s\S]*?\*\//g, "");
      assert(
        !/\bawait\b|\bDate\b|\bperformance\b|Math\.random|setTimeout/.test(text),
        file.pathname,
      );
    }
  }
});

async function run(
  command: string,
  args: string[],
): Promise<{ success: boolean; text: string } | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
    return { success, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

Deno.test("the bundle runs in Node", async () => {
  const skip = (why: string) => {
    if (Deno.env.get("PONTOON_TEST_REQUIRE") === "1") throw new Error(why);
    console.log(`skipped: ${why}`);
  };
  if (await run("node", ["--version"]) === undefined) {
    return skip("needs node (apt-get install nodejs)");
  }
  const folder = await Deno.makeTempDir();
  try {
    const bundle = `${folder}/knossos.mjs`;
    const bundled = await run(Deno.execPath(), [
      "bundle",
      "--platform",
      "browser",
      "-o",
      bundle,
      new URL("mod.ts", root).pathname,
    ]);
    if (!bundled!.success) return skip(`needs deno bundle: ${bundled!.text.slice(0, 200)}`);
    await Deno.writeTextFile(
      `${folder}/main.mjs`,
      `import { check, modelNamed, parseHistory, renderPage } from "./knossos.mjs";
const { operations } = parseHistory('{"process":1,"type":"invoke","f":"read"}\\n{"process":1,"type":"ok","value":3}');
const model = modelNamed({ name: "register", init: 0 });
const verdict = check(operations, model);
console.log(verdict.verdict, renderPage(operations, model, verdict).includes("Not linearizable"));`,
    );
    const { text } = (await run("node", [`${folder}/main.mjs`]))!;
    assertEquals(text.trim(), "illegal true");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
