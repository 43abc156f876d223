// Tables on the terminal and the same rows as JSON under out/bench.

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Prints rows of equal fields as an aligned table. */
export function printTable(rows: readonly Record<string, unknown>[]): void {
  if (rows.length === 0) return;
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? "")))];
  const widths = names.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  for (const [i, line] of cells.entries()) {
    console.log(line.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
    if (i === 0) console.log(widths.map((width) => "-".repeat(width)).join("  "));
  }
}

/** Writes the rows to out/bench/NAME.json, beside the machine they were measured on. */
export function writeJson(name: string, rows: unknown): void {
  const dir = decodeURIComponent(new URL("../../../out/bench", import.meta.url).pathname);
  Deno.mkdirSync(dir, { recursive: true });
  const machine = { cpus: navigator.hardwareConcurrency, deno: Deno.version.deno };
  const measuredAt = new Date().toISOString();
  Deno.writeTextFileSync(
    `${dir}/${name}.json`,
    `${JSON.stringify({ measuredAt, machine, rows }, null, 2)}\n`,
  );
}
