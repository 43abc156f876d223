// `deno task chaos`: options -> runs -> exit code. 0 all held, 1 a violation, 2 unknown, 64 usage.

import { parseArgs } from "node:util";
import { NEMESIS_NAMES } from "./nemesis.ts";
import { run } from "./run.ts";
import { SYSTEM_NAMES } from "./systems.ts";
import { WORKLOAD_NAMES } from "./workload.ts";

const HELP = `Breaks a real cluster and judges what its clients saw.

Usage: deno task chaos [options]
  --system S        ${SYSTEM_NAMES.join(", ")} [pontoon]
  --workload W      ${WORKLOAD_NAMES.join(", ")} [kv]
  --nemesis A,B     ${NEMESIS_NAMES.join(", ")} [kill]
  --nodes N         [3]
  --concurrency C   clients [10]
  --keys N          [5]
  --rate R          operations a second, all clients together [300]
  --time-limit 60s  of each run [10s]
  --runs N          [1]
  --seed N          of the first run; the next ones count up [random]
  --out DIR         [reports]

Exit codes: 0 all held, 1 a violation, 2 unknown, 64 usage.
`;

class UsageError extends Error {}

function count(text: string, flag: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`--${flag} takes a whole number from 1: got ${text}`);
  }
  return value;
}

function oneOf(text: string, flag: string, names: readonly string[]): string {
  if (!names.includes(text)) {
    throw new UsageError(`--${flag} takes ${names.join(", ")}: got ${text}`);
  }
  return text;
}

function parse() {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
  const { values } = parseArgs({
    args: Deno.args,
    strict: true,
    options: {
      system: text("pontoon"),
      workload: text("kv"),
      nemesis: text("kill"),
      nodes: text("3"),
      concurrency: text("10"),
      keys: text("5"),
      rate: text("300"),
      "time-limit": text("10s"),
      runs: text("1"),
      seed: { type: "string" },
      out: text("reports"),
      help: { type: "boolean" },
    },
  });
  return {
    help: values.help === true,
    system: oneOf(values.system, "system", SYSTEM_NAMES),
    workload: oneOf(values.workload, "workload", WORKLOAD_NAMES),
    nemeses: values.nemesis.split(",").map((name) => oneOf(name, "nemesis", NEMESIS_NAMES)),
    nodes: count(values.nodes, "nodes"),
    concurrency: count(values.concurrency, "concurrency"),
    keys: count(values.keys, "keys"),
    rate: count(values.rate, "rate"),
    timeLimitMs: 1000 * count(values["time-limit"].replace(/s$/, ""), "time-limit"),
    runs: count(values.runs, "runs"),
    seed: values.seed === undefined
      ? Math.floor(Math.random() * 2 ** 31)
      : count(values.seed, "seed"),
    out: values.out,
  };
}

function parseOrExit(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (cause) {
    console.error(`chaos: ${cause instanceof Error ? cause.message : cause} (--help)`);
    return Deno.exit(64);
  }
}

async function main(): Promise<void> {
  const { help, runs, out, seed, ...options } = parseOrExit();
  if (help) {
    console.log(HELP);
    return;
  }
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => abort.abort());
  }
  let violated = false;
  let undecided = false;
  for (let i = 0; i < runs && !abort.signal.aborted; i++) {
    const name = `${options.system}-${options.workload}-${options.nemeses.join("+")}-${seed + i}`;
    const dir = `${out}/${name}`;
    try {
      Deno.removeSync(dir, { recursive: true });
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
    const result = await run({ ...options, seed: seed + i, out: dir, signal: abort.signal });
    violated ||= result.valid === false;
    undecided ||= result.valid === "unknown";
    const word = { true: "held", false: "VIOLATION", unknown: "unknown" }[String(result.valid)];
    const { ok, fail, info } = result.counts;
    console.log(
      `${word}: ${name}: ${ok} ok, ${fail} refused, ${info} unknown, ` +
        `${result.faults.length} faults; ${result.reason}\n  ${dir}/index.html`,
    );
  }
  Deno.exit(violated ? 1 : undecided ? 2 : 0);
}

try {
  await main();
} catch (cause) {
  // A bench that failed has proven nothing.
  console.error(cause);
  Deno.exit(2);
}
