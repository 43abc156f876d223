// A run in words: the verdict as one sentence, and small helpers for numbers and lists.

import { nemesesText, type RunOptions } from "../options.ts";
import type { Fault } from "../types.ts";
import type { Valid } from "../outcome.ts";
import type { RunRecord } from "../run.ts";

/** Thousands are set apart: 12,345. */
export function number(value: number): string {
  return Math.round(value).toLocaleString("en");
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(durationMs < 9950 ? 1 : 0)} s`;
}

/** "a, b and c". */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

export function verdictWord(valid: Valid): "Held" | "Violated" | "Unknown" {
  return valid === true ? "Held" : valid === false ? "Violated" : "Unknown";
}

const SYSTEM_NAMES: Readonly<Record<string, string>> = {
  "pontoon": "Pontoon",
  "deno-kv": "Deno KV",
  "etcd": "etcd",
};

export function systemTitle(name: string): string {
  return SYSTEM_NAMES[name] ?? name;
}

/** What was run: a known bug that was put in is part of it. */
export function subjectOf({ system, mutant }: Pick<RunOptions, "system" | "mutant">): string {
  const title = systemTitle(system);
  return mutant === undefined ? title : `${title} with the known bug ${mutant}`;
}

/** More kinds than this are not listed in a sentence. */
const KINDS_MAX = 4;

/** "3 faults (2 × kill, 1 × pause)". */
export function faultsText({ faults }: { readonly faults: readonly Fault[] }): string {
  if (faults.length === 0) return "without a fault";
  const counts = new Map<string, number>();
  for (const { kind } of faults) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  if (counts.size > KINDS_MAX) {
    return `through ${counted(faults.length, "fault")} of ${counts.size} kinds`;
  }
  const kinds = [...counts].map(([kind, count]) => `${count} × ${kind}`);
  return `through ${counted(faults.length, "fault")} (${kinds.join(", ")})`;
}

/** The verdict with what it rests on. */
export function sentenceOf(record: RunRecord): string {
  const { valid, counts, options, elections, elapsedMs } = record;
  const system = subjectOf(options);
  const done = counts.ok + counts.fail + counts.info;
  if (valid === "unknown") return `This run of ${system} proves nothing.`;
  const what = `${counted(done, "operation")} of ${options.workload} by ` +
    `${counted(options.concurrency, "client")} in ${seconds(elapsedMs)}`;
  if (valid === false) {
    return `${system} broke its promise: among ${what}, ${
      faultsText(record)
    }, there is something ` +
      `that no correct system does.`;
  }
  const changes = Math.max(0, elections.length - 1);
  const led = options.nodes === 1 || elections.length === 0
    ? ""
    : changes === 0
    ? "; one leader served throughout"
    : `; the leader changed ${["", "once", "twice"][changes] ?? `${changes} times`}`;
  return `${system} held: ${what} have an order that explains every answer, ${faultsText(record)}` +
    `${led}.`;
}

export function titleOf({ options }: Pick<RunRecord, "options">): string {
  return `${subjectOf(options)}: ${options.workload} × ${nemesesText(options.nemeses)}`;
}
