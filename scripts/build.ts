// `deno task build`: the node and its tools as one JavaScript file without imports, for machines that have Deno
// and nothing else. Needs no network once the dependencies are cached.

import { PONTOON_VERSION } from "../src/node/config.ts";

const ROOT = new URL("../", import.meta.url);
const DEFAULT_OUT = "out/pontoon.js";
const HELP = `Usage: deno task build [FILE]

Writes the node, the command line and the token maker as one file to FILE [${DEFAULT_OUT}], which
"deno run" starts from any folder, without configuration, cache or network.
Exit codes: 0 built, 1 failed, 64 usage.`;
const EXIT_USAGE = 64;

/** What the file may import: modules that are part of Deno. */
const FOREIGN = /^(?:import|export)\b[^"'`;]*\bfrom\s*["'](?!node:)([^"']+)["']/m;

function pathOf(relative: string): string {
  return decodeURIComponent(new URL(relative, ROOT).pathname);
}

/** Builds `file`; its folder is created. Throws if the bundler fails or the file would need another one. */
export async function buildPontoon(file: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform",
      "deno",
      "--format",
      "esm",
      "--output",
      file,
      pathOf("scripts/deploy/pontoon.ts"),
    ],
    cwd: pathOf("."),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot bundle Pontoon: ${new TextDecoder().decode(stderr)}`);
  const foreign = FOREIGN.exec(Deno.readTextFileSync(file));
  if (foreign !== null) throw new Error(`Cannot ship ${file}: it would import ${foreign[1]}`);
}

if (import.meta.main) {
  const [file = pathOf(DEFAULT_OUT), ...rest] = Deno.args;
  if (rest.length > 0 || file.startsWith("-")) {
    console.log(HELP);
    Deno.exit(file === "--help" ? 0 : EXIT_USAGE);
  }
  await buildPontoon(file);
  const { size } = Deno.statSync(file);
  console.log(`${file}: Pontoon ${PONTOON_VERSION}, ${Math.round(size / 1024)} KiB`);
}
