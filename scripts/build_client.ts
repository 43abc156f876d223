// `deno task build:client`: the SDK as an npm package, one ES module and its types, for Node and bundlers.
// Needs no network: bundler and compiler are Deno's own.

import { PONTOON_VERSION } from "../src/node/config.ts";

const ROOT = new URL("../", import.meta.url);
const DEFAULT_OUT = "out/client";
const HELP = `Usage: deno task build:client [DIR]

Writes the SDK as the npm package "pontoon-client" to DIR [${DEFAULT_OUT}]: an ES module without
dependencies, and its types. Publish it with npm publish, or npm install it by its path.
Exit codes: 0 built, 1 failed, 64 usage.`;
const EXIT_USAGE = 64;

const README = `# pontoon-client

Client of Pontoon, a partitioned, linearizable key-value store. Uses \`fetch\` only: Node 20 and later,
Deno, browsers.

\`\`\`js
import { connect } from "pontoon-client";

const kv = await connect(["http://127.0.0.1:7001"], { timeoutMs: 5000 });
await kv.set("greeting", { text: "hello" });
const { value, revision } = await kv.get("greeting");
const result = await kv.set("greeting", value, { ifRevision: revision });
if (!result.ok) console.log("somebody was faster: revision", result.revision);
await kv.close();
\`\`\`

The types say the rest.
`;

const PACKAGE = {
  name: "pontoon-client",
  version: PONTOON_VERSION,
  description: "Client of Pontoon, a partitioned, linearizable key-value store",
  license: "MIT",
  type: "module",
  main: "./mod.js",
  types: "./mod.d.ts",
  exports: { ".": { types: "./mod.d.ts", default: "./mod.js" } },
  files: ["mod.js", "mod.d.ts", "LICENSE", "README.md"],
  engines: { node: ">=20" },
  sideEffects: false,
};

/** What only a server's runtime has; the package must run in a browser. */
const FOREIGN = /\bDeno\.|["']node:|\brequire\(|\bprocess\./;

/** Builds the package in `dir`, which is created. Throws if the bundler fails or the SDK depends on a runtime. */
export async function buildClient(dir: string): Promise<void> {
  Deno.mkdirSync(dir, { recursive: true });
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      "--format",
      "esm",
      "--declaration",
      "--outdir",
      dir,
      decodeURIComponent(new URL("src/client/mod.ts", ROOT).pathname),
    ],
    cwd: decodeURIComponent(ROOT.pathname),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot bundle the SDK: ${new TextDecoder().decode(stderr)}`);
  const foreign = FOREIGN.exec(Deno.readTextFileSync(`${dir}/mod.js`));
  if (foreign !== null) throw new Error(`Cannot publish the SDK: it uses ${foreign[0]}`);
  // A type that is not exported would be named by a path that the package does not have.
  const missing = /from ["'](\.[^"']*)["']/.exec(Deno.readTextFileSync(`${dir}/mod.d.ts`));
  if (missing !== null) throw new Error(`Cannot publish the SDK: its types need ${missing[1]}`);
  Deno.writeTextFileSync(`${dir}/package.json`, JSON.stringify(PACKAGE, null, 2) + "\n");
  Deno.writeTextFileSync(`${dir}/README.md`, README);
  Deno.copyFileSync(new URL("LICENSE", ROOT), `${dir}/LICENSE`);
}

if (import.meta.main) {
  const [dir = DEFAULT_OUT, ...rest] = Deno.args;
  if (rest.length > 0 || dir.startsWith("-")) {
    console.log(HELP);
    Deno.exit(dir === "--help" ? 0 : EXIT_USAGE);
  }
  await buildClient(dir);
  const { size } = Deno.statSync(`${dir}/mod.js`);
  console.log(`${dir}: pontoon-client ${PONTOON_VERSION}, ${Math.round(size / 1024)} KiB`);
}
