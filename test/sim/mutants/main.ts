// `deno task mutants`: applies each known bug to a copy of the tree, runs seeds until one fails, and prints
// which property caught it. A bug that survives is a hole in the bench.

import { parseArgs } from "node:util";
import { type Mutant, MUTANTS } from "./catalogue.ts";

const ROOT = new URL("../../../", import.meta.url);
const COPIED = ["src", "checker", "test/sim", "scripts/types", "deno.json", "deno.lock"];

const { values } = parseArgs({
  args: Deno.args,
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "1..2000" },
    minutes: { type: "string", default: "1" },
  },
});

function copy(from: URL, to: string): void {
  if (Deno.statSync(from).isDirectory) {
    Deno.mkdirSync(to, { recursive: true });
    for (const { name } of Deno.readDirSync(from)) {
      copy(new URL(`${from.href.replace(/\/$/, "")}/${name}`), `${to}/${name}`);
    }
  } else {
    Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    Deno.copyFileSync(from, to);
  }
}

function apply(mutant: Mutant, folder: string): void {
  const path = `${folder}/${mutant.file}`;
  const text = Deno.readTextFileSync(path);
  const count = text.split(mutant.target).length - 1;
  if (count !== 1) throw new Error(`${mutant.name}: its target occurs ${count} times`);
  Deno.writeTextFileSync(path, text.replace(mutant.target, () => mutant.replacement));
}

async function run(mutant: Mutant): Promise<boolean> {
  const folder = Deno.makeTempDirSync({ prefix: "mutant-" });
  try {
    for (const path of COPIED) copy(new URL(path, ROOT), `${folder}/${path}`);
    apply(mutant, folder);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "test/sim/main.ts",
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
