// What one run is told, and the words and limits for it.

import type { Expectation } from "./gates.ts";
import type { ClientHabit } from "./workloads/clients.ts";

export interface RunOptions {
  readonly system: string;
  /** The known bug that is put into the system, if any. */
  readonly mutant?: string;
  readonly workload: string;
  /** Empty: nothing is broken. */
  readonly nemeses: readonly string[];
  readonly nodes: number;
  readonly concurrency: number;
  readonly keys: number;
  /** Calls a second, all clients together. */
  readonly rate: number;
  readonly clients: ClientHabit;
  readonly net: "proxy" | "netns";
  readonly expect: readonly Expectation[];
  readonly timeLimitMs: number;
  readonly seed: number;
}

/** A run's name, fit for a folder. */
export function runName({ system, mutant, workload, nemeses, seed }: RunOptions): string {
  const broken = mutant === undefined ? system : `${system}-with-${mutant}`;
  return `${broken}-${workload}-${nemesesText(nemeses)}-${seed}`;
}

export function nemesesText(nemeses: readonly string[]): string {
  return nemeses.length === 0 ? "none" : nemeses.join("+");
}

/** The command that does this run again; shown with it. */
export function commandOf(options: RunOptions): string {
  const flags: readonly (readonly [string, string | number])[] = [
    ["system", options.system],
    ...(options.mutant === undefined ? [] : [["mutant", options.mutant] as const]),
    ["workload", options.workload],
    ["nemesis", nemesesText(options.nemeses)],
    ["nodes", options.nodes],
    ["concurrency", options.concurrency],
    ["keys", options.keys],
    ["rate", options.rate],
    ["clients", options.clients],
    ["net", options.net],
    ["time-limit", `${options.timeLimitMs / 1000}s`],
    ["seed", options.seed],
    ...(options.expect.length > 0 ? [["expect", options.expect.join(",")] as const] : []),
  ];
  return `deno task chaos ${flags.map(([name, value]) => `--${name} ${value}`).join(" ")}`;
}
