// Finds the conformance scripts, runs them and compares line by line.
// Left out of the comparison: log lines (DEBUG, INFO, WARN, ERROR), which are another project's wording,
// and in quorum scripts the picture above a commit index.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfChangeDriver, runQuorum } from "./drivers.ts";
import { InteractionEnv } from "./interaction.ts";
import { type Block, parseScript } from "./script.ts";

export interface FileResult {
  /** `folder/name.txt` */
  readonly name: string;
  /** What differs first, with its place; null if nothing does. */
  readonly failure: string | null;
}

const FOLDERS = ["quorum", "confchange", "interaction"] as const;
type Folder = typeof FOLDERS[number];

/** `$PONTOON_SHARED/conformance/etcd-raft`, else `../shared/…` beside the repository. */
export function defaultDataFolder(): string {
  const shared = Deno.env.get("PONTOON_SHARED") ??
    fileURLToPath(new URL("../../../shared", import.meta.url));
  return join(shared, "conformance", "etcd-raft");
}

/** Whether there is anything to run in `folder`. */
export function hasData(folder: string): boolean {
  return FOLDERS.some((name) => scriptsIn(join(folder, name)).length > 0);
}

/** Runs all scripts, or those whose file is called `only` (with or without folder and `.txt`). */
export function* runAll(folder: string, only?: string): Generator<FileResult> {
  for (const kind of FOLDERS) {
    for (const file of scriptsIn(join(folder, kind))) {
      const name = `${kind}/${file}`;
      const bare = name.replace(/\.txt$/, "");
      const wanted = only?.replace(/\.txt$/, "");
      if (wanted !== undefined && bare !== wanted && bare !== `${kind}/${wanted}`) continue;
      const text = Deno.readTextFileSync(join(folder, kind, file));
      yield { name, failure: runScript(kind, text) };
    }
  }
}

function scriptsIn(folder: string): string[] {
  try {
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
    return names.filter((name) => name.endsWith(".txt")).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Runs one script up to its first difference. */
export function runScript(kind: Folder, text: string): string | null {
  const env = new InteractionEnv();
  const confChange = new ConfChangeDriver();
  for (const block of parseScript(text)) {
    let actual: string;
    try {
      if (kind === "interaction") actual = env.run(block);
      else if (kind === "confchange") actual = confChange.run(block);
      else actual = runQuorum(block);
    } catch (error) {
      return `line ${block.line} (${block.name}): ${error instanceof Error ? error.stack : error}`;
    }
    const difference = compare(kind, block, actual);
    if (difference !== null) return `line ${block.line} (${block.name}): ${difference}`;
  }
  return null;
}

function compare(kind: Folder, block: Block, actual: string): string | null {
  const actualLines = actual.replace(/\n+$/, "").split("\n");
  let expected = block.expected;
  if (kind === "interaction") {
    expected = expected.filter((line) => !/^\s*(DEBUG|INFO|WARN|ERROR)( |$)/.test(line));
    // Where nothing but log lines was expected, we have nothing to say.
    if (expected.length === 0 && block.expected.length > 0) expected = ["ok"];
  } else if (kind === "quorum" && block.name === "committed") {
    expected = [/(∞|\d+)$/.exec(expected.at(-1) ?? "")?.[1] ?? ""];
  }
  for (let i = 0; i < Math.max(expected.length, actualLines.length); i++) {
    if (expected[i] === actualLines[i]) continue;
    return `line ${i + 1} of the output\n` +
      `  expected: ${expected[i] ?? "(nothing)"}\n  actual:   ${actualLines[i] ?? "(nothing)"}`;
  }
  return null;
}
