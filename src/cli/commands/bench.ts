// `bench`: how fast the cluster is for a client like this one. Cleans up behind itself.

import { type Command, Option } from "commander";
import { type Kv, PontoonError } from "../../client/mod.ts";
import type { Context } from "../context.ts";
import { EXIT, Exit, usage } from "../exit.ts";
import { durationText, grouped, parseDuration } from "../format.ts";
import { parsePositive } from "../options.ts";
import type { Run } from "../program.ts";
import { Progress } from "../progress.ts";

const PREFIX = "kv-bench/";
const PERCENTILES = [50, 90, 99, 99.9];

const MODES = ["put", "get", "mixed", "txn"] as const;

interface BenchOptions {
  readonly mode: typeof MODES[number];
  readonly duration: string;
  readonly concurrency: number;
  readonly size: number;
  readonly keys: number;
  readonly rate?: number;
  readonly keep?: boolean;
}

export function addBenchCommand(program: Command, run: Run): void {
  program.command("bench")
    .summary("measure throughput and latency")
    .description("Measures throughput and latency of a simple load, and removes its keys again.")
    .addOption(new Option("--mode <mode>", "what is done").choices(MODES).default("put"))
    .option("--duration <duration>", "how long", "10s")
    .option("--concurrency <n>", "operations on the way at once", parsePositive, 64)
    .option("--size <bytes>", "of a value", parsePositive, 128)
    .option("--keys <n>", "how many different ones", parsePositive, 10_000)
    .option(
      "--rate <n>",
      "operations a second, begun on time whatever the answers do",
      parsePositive,
    )
    .option("--keep", "leave the keys there")
    .addHelpText(
      "after",
      `
mixed is one put in ten and else gets; txn sets 4 keys of one {tag}. Without --rate, each of the
--concurrency workers waits for its answer before it asks again; with it, latency counts from the moment
at which an operation was due.

  kv bench --mode get --duration 5s
  kv bench --rate 1000 --concurrency 256 -o json`,
    )
    .action(run(bench));
}

/** One operation. */
type Operation = (i: number) => Promise<unknown>;

function operationOf(kv: Kv, { mode, size, keys }: BenchOptions): Operation {
  const value = "x".repeat(size);
  const key = (i: number) => `${PREFIX}${i % keys}`;
  const put: Operation = (i) => kv.set(key(i), value);
  const get: Operation = (i) => kv.get(key(i));
  switch (mode) {
    case "put":
      return put;
    case "get":
      return get;
    case "mixed":
      return (i) => i % 10 === 0 ? put(i) : get(i);
    case "txn":
      return (i) => {
        const operation = kv.atomic();
        for (let part = 0; part < 4; part++) operation.set(`${PREFIX}{${i % keys}}${part}`, value);
        return operation.commit();
      };
  }
}

/** What was measured. */
class Measurement {
  readonly #latenciesMs: number[] = [];
  readonly errors = new Map<string, number>();

  get count(): number {
    return this.#latenciesMs.length;
  }

  /** Runs one operation that was due at `dueMs`. Throws what is no failure of the cluster. */
  async run(operation: () => Promise<unknown>, dueMs: number): Promise<void> {
    try {
      await operation();
      this.#latenciesMs.push(performance.now() - dueMs);
    } catch (error) {
      if (!(error instanceof PontoonError)) throw error;
      this.errors.set(error.code, (this.errors.get(error.code) ?? 0) + 1);
    }
  }

  percentiles(): [name: string, latencyMs: number][] {
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    if (sorted.length === 0) return [];
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share / 100) - 1)];
    return [
      ...PERCENTILES.map((share): [string, number] => [`p${share}`, at(share)]),
      ["max", sorted.at(-1)!],
    ];
  }
}

async function bench(context: Context, _: string[], options: BenchOptions): Promise<void> {
  const durationMs = parseDuration(options.duration);
  if (durationMs < 100) throw usage("--duration takes 100ms or more");
  const kv = await context.kv();
  if (options.mode === "get" || options.mode === "mixed") await fill(kv, options);
  const operation = operationOf(kv, options);
  const measurement = new Measurement();
  const progress = new Progress(context.io.err, options.mode, durationMs);
  const startedMs = performance.now();
  const stopped = () => context.interrupted.aborted || performance.now() - startedMs >= durationMs;
  let next = 0;
  const worker = async () => {
    while (!stopped()) {
      const i = next++;
      let dueMs = performance.now();
      if (options.rate !== undefined) {
        dueMs = startedMs + i * 1000 / options.rate;
        if (dueMs >= startedMs + durationMs) return;
        const waitMs = dueMs - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
      await measurement.run(() => operation(i), dueMs);
      progress.update(measurement.count, performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  const elapsedMs = performance.now() - startedMs;
  progress.clear();
  if (!options.keep) await clean(kv);
  report(context, options, measurement, elapsedMs);
  if (measurement.errors.size > 0) throw new Exit(EXIT.error, "Some operations failed");
}

async function fill(kv: Kv, { keys, size }: BenchOptions): Promise<void> {
  const value = "x".repeat(size);
  const operations = Array.from(
    { length: keys },
    (_, i) => ({ op: "put", key: `${PREFIX}${i}`, value }) as const,
  );
  for (const result of await kv.batch(operations, { timeoutMs: 60_000 })) {
    if (result.op === "error") throw result.error;
  }
}

async function clean(kv: Kv): Promise<void> {
  for await (const { entries } of kv.list({ prefix: PREFIX }, { keysOnly: true }).pages()) {
    const operations = entries.map(({ key }) => ({ op: "delete", key }) as const);
    for (const result of await kv.batch(operations)) if (result.op === "error") throw result.error;
  }
}

function report(
  context: Context,
  { mode, concurrency, size }: BenchOptions,
  measurement: Measurement,
  elapsedMs: number,
): void {
  const { count, errors } = measurement;
  const rate = count / elapsedMs * 1000;
  const percentiles = measurement.percentiles();
  if (context.form() === "json") {
    const latencyMs = Object.fromEntries(percentiles);
    return context.print(
      JSON.stringify({
        mode,
        concurrency,
        sizeBytes: size,
        count,
        elapsedMs,
        ratePerSecond: rate,
        latencyMs,
        errors: Object.fromEntries(errors),
      }),
    );
  }
  context.print(`${mode}: ${grouped(count)} in ${durationText(elapsedMs)}, ${grouped(rate)}/s`);
  context.print(percentiles.map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`).join("  "));
  for (const [code, failures] of errors) context.print(`failed: ${grouped(failures)} ${code}`);
}
