// The command `check`: histories in, verdicts and an exit code out. Everything it decides is decided in mod.ts.

import { HistoryError } from "../history/types.ts";
import { modelNamed } from "../models/registry.ts";
import type { Verdict } from "../verdict/types.ts";
import { checkParallel } from "../workers/parallel.ts";
import { renderPage } from "../html/page.ts";
import { readHistoryFile } from "./files.ts";
import { type CliOptions, parseArguments, USAGE, UsageError } from "./options.ts";
import { ProgressBar } from "./progress.ts";
import { reportJson, reportText } from "./report.ts";

const EXIT_LINEARIZABLE = 0;
const EXIT_ILLEGAL = 1;
const EXIT_UNKNOWN = 2;
const EXIT_USAGE = 64;
const MEMORY_BYTES_DEFAULT = 2e9;

/** Runs the command. Returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let options: CliOptions | "help";
  try {
    options = parseArguments(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (options === "help") {
    console.log(USAGE);
    return EXIT_LINEARIZABLE;
  }
  let worst = EXIT_LINEARIZABLE;
  for (const file of options.files) worst = worse(worst, await checkFile(file, options));
  return worst;
}

/** An illegal history outweighs an unknown one; bad input outweighs all. */
function worse(a: number, b: number): number {
  const order = [EXIT_LINEARIZABLE, EXIT_UNKNOWN, EXIT_ILLEGAL, EXIT_USAGE];
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
}

async function checkFile(file: string, options: CliOptions): Promise<number> {
  const bar = new ProgressBar(file);
  try {
    const model = modelNamed(options.model);
    const { operations } = await readHistoryFile(file, options);
    const verdict = await checkParallel(operations, options.model, {
      jobs: options.jobs,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      memoryBytes: options.memoryBytes ?? MEMORY_BYTES_DEFAULT,
      minimize: options.minimize ? "full" : "bounded",
      allowEmpty: true,
      onProgress: (progress) => bar.show(progress),
    });
    bar.clear();
    console.log(
      options.json ? reportJson(file, verdict) : reportText(file, operations, model, verdict),
    );
    if (options.html !== undefined) {
      await Deno.writeTextFile(
        options.html,
        renderPage(operations, model, verdict, { title: file }),
      );
    }
    return exitCode(verdict);
  } catch (error) {
    bar.clear();
    if (
      error instanceof HistoryError || error instanceof TypeError ||
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.IsADirectory
    ) {
      console.error(`${file}: ${(error as Error).message}`);
      return EXIT_USAGE;
    }
    throw error;
  }
}

function exitCode(verdict: Verdict): number {
  switch (verdict.verdict) {
    case "linearizable":
      return EXIT_LINEARIZABLE;
    case "illegal":
      return EXIT_ILLEGAL;
    case "unknown":
      return EXIT_UNKNOWN;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
