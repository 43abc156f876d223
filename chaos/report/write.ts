// Writes a run's report: history, results, page. The nodes' logs are there already; their data is kept only where it
// may show why something went wrong.

import { renderPage } from "../../checker/mod.ts";
import { okByKind } from "../gates.ts";
import type { RunRecord } from "../run.ts";
import { reportData } from "./data.ts";
import { ednOf } from "./edn.ts";
import { reportPage } from "./page.ts";
import { sentenceOf, titleOf } from "./words.ts";

/** What results.json holds; a campaign's overview is made of it. */
export interface RunResults {
  readonly name: string;
  readonly valid: RunRecord["valid"];
  readonly sentence: string;
  readonly reason: string;
  readonly problem?: string;
  readonly interrupted: boolean;
  readonly command: string;
  readonly options: RunRecord["options"];
  readonly startedAt: string;
  readonly elapsedMs: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly counts: RunRecord["counts"];
  /** Operations that succeeded, by kind. */
  readonly succeeded: Readonly<Record<string, number>>;
  readonly faults: RunRecord["faults"];
  readonly elections: RunRecord["elections"];
  readonly snapshotsSent: number;
  readonly gates: RunRecord["gates"];
  readonly flaws: RunRecord["judgement"]["flaws"];
  readonly checker?: Readonly<Record<string, unknown>>;
}

export function resultsOf(record: RunRecord): RunResults {
  const { verdict, flaws } = record.judgement;
  return {
    name: record.name,
    valid: record.valid,
    sentence: sentenceOf(record),
    reason: record.reason,
    ...(record.problem === undefined ? {} : { problem: record.problem }),
    interrupted: record.interrupted,
    command: record.command,
    options: record.options,
    startedAt: record.startedAt,
    elapsedMs: Math.round(record.elapsedMs),
    versions: record.versions,
    counts: record.counts,
    succeeded: Object.fromEntries(okByKind(record.calls)),
    faults: record.faults,
    elections: record.elections,
    snapshotsSent: record.snapshotsSent,
    gates: record.gates,
    flaws,
    ...(verdict === undefined ? {} : {
      checker: {
        model: verdict.model,
        verdict: verdict.verdict,
        operations: verdict.operationCount,
        unknownOutcome: verdict.unknownOutcomeCount,
        partitions: verdict.partitions.length,
        elapsedMs: Math.round(verdict.elapsedMs),
        ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
        ...(verdict.counterexample === undefined ? {} : { counterexample: verdict.counterexample }),
      },
    }),
  };
}

/** The files that are made of a record, by name. */
export function reportFiles(record: RunRecord): Record<string, string> {
  const results = resultsOf(record);
  const { verdict, operations, model } = record.judgement;
  const checkerPage = verdict === undefined
    ? undefined
    : renderPage(operations, model, verdict, { title: titleOf(record) });
  return {
    ...record.files,
    "results.json": JSON.stringify(results, undefined, 2) + "\n",
    "index.html": reportPage(reportData(record, results), checkerPage),
  };
}

/** Writes everything into `dir`, which holds history.ndjson and the nodes' logs already. */
export function writeReport(record: RunRecord, dir: string): void {
  const history = Deno.readTextFileSync(`${dir}/history.ndjson`);
  const files = { "history.edn": ednOf(history.split("\n")), ...reportFiles(record) };
  for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${dir}/${name}`, text);
  if (record.valid !== false) dropData(`${dir}/nodes`);
}

/** Data directories go, logs stay. */
function dropData(dir: string): void {
  try {
    for (const entry of Deno.readDirSync(dir)) {
      if (entry.isDirectory) Deno.removeSync(`${dir}/${entry.name}`, { recursive: true });
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}
