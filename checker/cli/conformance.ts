// Runs every history of a folder with verdicts.tsv (file, model, verdict) and compares the verdicts.

import { check } from "../check.ts";
import { modelNamed, parseModelReference } from "../models/registry.ts";
import { readHistoryFile } from "./files.ts";

export interface ConformanceResult {
  readonly passed: number;
  readonly failures: readonly string[];
}

/** The folder beside the repository, or in the one that PONTOON_SHARED names. */
export function defaultDataFolder(): URL {
  const shared = Deno.env.get("PONTOON_SHARED");
  const base = shared === undefined
    ? new URL("../../../shared/", import.meta.url)
    : new URL(`file://${shared.replace(/\/*$/, "/")}`);
  return new URL("conformance/histories/", base);
}

/** @throws Deno.errors.NotFound without the table. */
export async function runConformance(folder: URL): Promise<ConformanceResult> {
  const table = await Deno.readTextFile(new URL("verdicts.tsv", folder));
  const failures: string[] = [];
  let passed = 0;
  for (const line of table.trim().split("\n").slice(1)) {
    const [file, model, expected] = line.split("\t");
    let got: string;
    try {
      const path = decodeURIComponent(new URL(file!, folder).pathname);
      const { operations } = await readHistoryFile(path);
      got = check(operations, modelNamed(parseModelReference(model!)), {
        allowEmpty: true,
        minimize: "none",
        timeoutMs: 60_000,
      }).verdict;
    } catch (error) {
      got = (error as Error).message;
    }
    if (got === expected?.trim()) passed++;
    else failures.push(`${file}: expected ${expected}, got ${got}`);
  }
  return { passed, failures };
}

if (import.meta.main) {
  const at = Deno.args.indexOf("--data");
  const given = at >= 0 ? Deno.args[at + 1] : undefined;
  const folder = given === undefined
    ? defaultDataFolder()
    : new URL(`file://${await Deno.realPath(given)}/`);
  const { passed, failures } = await runConformance(folder);
  for (const failure of failures) console.log(failure);
  console.log(`${passed} passed, ${failures.length} failed`);
  Deno.exit(failures.length === 0 ? 0 : 1);
}
