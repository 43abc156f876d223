// Measures the checker: recorded histories against Porcupine's published or measured times, and synthetic
// histories of a million operations, in process and end to end from an NDJSON file.
//
//   deno task bench:checker [--porcupine DIR] [--data DIR] [--quick]

import {
  appendKv,
  appendKvWhole,
  casRegister,
  check,
  kv,
  type Operation,
  parseHistory,
  register,
  type Verdict,
} from "../../checker/mod.ts";
import { readHistoryFile } from "../../checker/cli/files.ts";
import { defaultDataFolder } from "../../checker/cli/conformance.ts";
import {
  independentKeysHistory,
  kvHistory,
  registerHistory,
  toNdjson,
} from "./checker_histories.ts";
import { measurePorcupine } from "./porcupine.ts";

interface Row {
  readonly name: string;
  readonly ms: number;
  readonly limitMs: number;
  readonly note: string;
  /** Shown for comparison; its limit is not a promise. */
  readonly informative?: boolean;
}

const RUNS = 5;

/** Best of five after one warm-up, in milliseconds. */
function best(run: () => unknown, runs = RUNS): number {
  run();
  let least = Infinity;
  for (let i = 0; i < runs; i++) {
    const from = performance.now();
    run();
    least = Math.min(least, performance.now() - from);
  }
  return least;
}

function expectVerdict(verdict: Verdict, expected: Verdict["verdict"]): void {
  if (verdict.verdict !== expected) {
    throw new Error(`expected ${expected}, got ${verdict.verdict}: ${verdict.reason ?? ""}`);
  }
}

const argument = (name: string) => {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
};

const dataArgument = argument("--data");
const data = dataArgument === undefined
  ? defaultDataFolder()
  : new URL(`file://${await Deno.realPath(dataArgument)}/`);
const porcupineFolder = argument("--porcupine");
const quick = Deno.args.includes("--quick");
const measured = porcupineFolder === undefined
  ? undefined
  : await measurePorcupine(porcupineFolder);

/** Porcupine's times in milliseconds on a machine of this class, where it was not measured in this run. */
const PORCUPINE_MS: Readonly<Record<string, number>> = {
  "etcd_002": 266,
  "etcd_007": 163,
  "c50-ok": 238,
  "c10-ok": 3040,
  "c10-bad": 4040,
  ...measured,
};

const rows: Row[] = [];

function recorded(file: string): readonly Operation[] | undefined {
  try {
    return parseHistory(Deno.readTextFileSync(new URL(file, data))).operations;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

for (const name of ["etcd_002", "etcd_007"]) {
  const history = recorded(`porcupine-etcd/${name}.log`);
  if (history === undefined) continue;
  const model = casRegister();
  rows.push({
    name,
    ms: best(() => expectVerdict(check(history, model), "linearizable")),
    limitMs: PORCUPINE_MS[name]!,
    note: "cas-register",
  });
}
{
  const history = recorded("porcupine-kv/c50-ok.txt");
  const ms = best(() =>
    expectVerdict(check(history ?? independentKeysHistory(50, 2000), appendKv()), "linearizable")
  );
  const note = history === undefined ? "append-kv, made like it: the file is absent" : "append-kv";
  rows.push({ name: "c50-ok", ms, limitMs: PORCUPINE_MS["c50-ok"]!, note });
}
for (const [name, verdict] of [["c10-ok", "linearizable"], ["c10-bad", "illegal"]] as const) {
  const history = recorded(`porcupine-kv/${name}.txt`);
  if (history === undefined) continue;
  for (const without of [[], ["independence"]] as const) {
    const model = appendKvWhole();
    const ms = best(() =>
      expectVerdict(check(history, model, { without, minimize: "none" }), verdict)
    );
    rows.push({
      name,
      ms,
      limitMs: PORCUPINE_MS[name]! / 10,
      informative: without.length > 0,
      note: `no partition declared, ${
        without.length === 0 ? "independence found and proved" : "independence not looked for"
      }`,
    });
  }
}

if (!quick) {
  const runs = 3;
  const folder = Deno.makeTempDirSync();
  try {
    // First, so that its memory figure is its own.
    const keyed = kvHistory(1_000_000, 100, 1000, 0.02);
    rows.push({
      name: "kv 1M",
      ms: best(() => expectVerdict(check(keyed, kv()), "linearizable"), runs),
      limitMs: 10_000,
      note: `1,000 keys, ${Math.round(Deno.memoryUsage().rss / 1e6)} MB resident`,
    });
    rows.push(await fromFile("kv 1M, file", keyed, kv(), 12_000, folder));
    const plain = registerHistory(1_000_000, 100, 0.02);
    rows.push({
      name: "register 1M",
      ms: best(() => expectVerdict(check(plain, register(0)), "linearizable"), runs),
      limitMs: 2000,
      note: "100 processes, 2% unknown, distinct values",
    });
    rows.push(await fromFile("register 1M, file", plain, register(0), 4000, folder));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function fromFile(
  name: string,
  history: readonly Operation[],
  model: Parameters<typeof check>[1],
  limitMs: number,
  folder: string,
): Promise<Row> {
  const path = `${folder}/history.ndjson`;
  await toNdjson(history, path);
  let ms = Infinity;
  for (let i = 0; i < 2; i++) {
    const from = performance.now();
    const { operations } = await readHistoryFile(path);
    expectVerdict(check(operations, model), "linearizable");
    ms = Math.min(ms, performance.now() - from);
  }
  return { name, ms, limitMs, note: `NDJSON, ${Math.round(Deno.statSync(path).size / 1e6)} MB` };
}

if (measured === undefined) {
  console.log(
    "Porcupine was not measured here (--porcupine DIR is absent): its times are the published ones.",
  );
}
console.log("| history | ms | limit | | note |\n| --- | ---: | ---: | --- | --- |");
for (const { name, ms, limitMs, note } of rows) {
  const met = ms <= limitMs ? "met" : "MISSED";
  console.log(
    `| ${name} | ${ms.toFixed(ms < 10 ? 2 : 0)} | ${limitMs.toFixed(0)} | ${met} | ${note} |`,
  );
}
if (rows.some(({ ms, limitMs, informative }) => ms > limitMs && !informative)) Deno.exit(1);
