// Puts results into words: a line per file as it ends, where the time went, what was skipped and why, the totals.
// Pure: it returns lines and prints nothing.

import type { FileResult } from "./run_file.ts";

const SLOWEST_SHOWN = 10;
const FAILED_OUTPUT_LINES_MAX = 200;

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(8);
}

function foldersOf(results: readonly FileResult[]): [string, number, number][] {
  const folders = new Map<string, [string, number, number]>();
  for (const { path, durationMs } of results) {
    const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : path;
    const [, totalMs, files] = folders.get(folder) ?? [folder, 0, 0];
    folders.set(folder, [folder, totalMs + durationMs, files + 1]);
  }
  return [...folders.values()].sort((a, b) => b[1] - a[1]);
}

/** The line for a file that has ended, and for a failed one its output. */
export function describeFile(result: FileResult): string[] {
  const parts = [`${result.passed} passed`];
  if (result.failed > 0) parts.push(`${result.failed} failed`);
  if (result.skipped > 0) parts.push(`${result.skipped} skipped`);
  const verdict = result.failed > 0 ? "FAILED" : "ok";
  const line = `${verdict.padEnd(6)} ${seconds(result.durationMs)}  ${result.path}  ${
    parts.join(", ")
  }`;
  if (result.failed === 0) return [line];
  const output = result.output.trimEnd().split("\n");
  const cut = Math.max(0, output.length - FAILED_OUTPUT_LINES_MAX);
  const shown = output.slice(cut).map((text) => `    ${text}`);
  return [line, ...(cut > 0 ? [`    … ${cut} lines before these`] : []), ...shown];
}

/** Everything that is said at the end; the last line is `N passed, N failed, N skipped`. */
export function summarize(results: readonly FileResult[], wallMs: number): string[] {
  const sum = (pick: (result: FileResult) => number) =>
    results.reduce((total, result) => total + pick(result), 0);
  const slowest = results.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, SLOWEST_SHOWN);
  const lines = ["", `Where the time goes (${seconds(wallMs).trim()} by the wall clock)`];
  for (const [folder, totalMs, files] of foldersOf(results)) {
    lines.push(`  ${seconds(totalMs)}  ${folder}${files > 1 ? `  ${files} files` : ""}`);
  }
  lines.push("", "Slowest files");
  for (const result of slowest) lines.push(`  ${seconds(result.durationMs)}  ${result.path}`);
  const failed = results.filter((result) => result.failed > 0);
  if (failed.length > 0) lines.push("", "Failed");
  for (const { path, failures } of failed) {
    for (const name of failures) lines.push(`  ${path}: ${name}`);
  }
  const flaky = results.filter((result) => result.flaky !== undefined);
  if (flaky.length > 0) lines.push("", "Flaky: failed once, passed when run again");
  for (const { path, flaky: names = [] } of flaky) {
    for (const name of names) lines.push(`  ${path}: ${name}`);
  }
  const needs = new Set(results.flatMap((result) => result.needs));
  if (needs.size > 0) lines.push("");
  for (const reason of [...needs].sort()) lines.push(`skipped: ${reason}`);
  const [passed, bad, skipped] = [
    sum((result) => result.passed),
    sum((result) => result.failed),
    sum((result) => result.skipped),
  ];
  return [...lines, "", `${passed} passed, ${bad} failed, ${skipped} skipped`];
}
