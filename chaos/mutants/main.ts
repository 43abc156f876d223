// `deno task mutants`: applies each known bug to a copy of the tree, runs seeds until one fails, and prints
// which property caught it. A bug that survives is a hole in the bench.

import { parseArgs } from "node:util";
import { MUTANTS } from "./catalogue.ts";
import { prepareTree } from "./tree.ts";
import type { Mutant } from "./types.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "1..2000" },
    minutes: { type: "string", default: "1" },
  },
});

async function run(mutant: Mutant): Promise<boolean> {
  const folder = await prepareTree(mutant.name);
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "task",
        "--quiet",
        "sim",
        "--seeds",
        values.seeds,
        "--minutes",
        values.minutes,
      ],
      cwd: folder,
    }).output();
    const text = new TextDecoder().decode(stdout);
    const failed = /^seed (\d+) FAILED \(([^)]*)\)/m.exec(text);
    if (failed !== null) {
      console.log(`killed    ${mutant.name.padEnd(36)} seed ${failed[1].padEnd(5)} ${failed[2]}`);
      return true;
    }
    const reason = code === 0 ? "" : new TextDecoder().decode(stderr).slice(0, 300);
    console.log(`SURVIVED  ${mutant.name.padEnd(36)} ${reason}`);
    return false;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

let survivors = 0;
for (const mutant of MUTANTS) {
  if (values.only !== undefined && mutant.name !== values.only) continue;
  if (!await run(mutant)) survivors++;
}
if (survivors > 0) Deno.exit(1);
