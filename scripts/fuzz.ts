// `deno task fuzz`: gives every surface inputs that nobody vouches for, in turns, until the time is over. What is found
// is made smaller and left as a file; a seed gives the same inputs again.

import { parseArgs } from "node:util";
import { type Finding, inputOf, judge, minimized, type Surface } from "../test/fuzz/surface.ts";
import { record } from "../test/fuzz/recording.ts";
import { surfacesOf } from "../test/fuzz/surfaces.ts";
import { nodeSurfaces } from "../test/fuzz/node_surface.ts";
import { SeededRandom } from "../test/sim/random.ts";

const HELP = `Usage: deno task fuzz [options]

Feeds changed inputs to every decoder, to the HTTP API, and to a real node's two ports.

  --minutes M       how long                                 [1]
  --seed N          of all inputs                            [random]
  --surface A,B     these only
  --replay FILE     one input, to the surface in its name: SURFACE-….bin
  --out DIR         where findings are left                  [out/fuzz]
  --list            the surfaces' names
  --help

Exit codes: 0 nothing found, 1 something was, 64 usage.`;

const EXIT_USAGE = 64;
/** A turn of one surface. */
const TURN_MS = 500;
const REPORT_MS = 10_000;
const FINDINGS_MAX = 10;

interface Progress {
  cases: number;
  ms: number;
}

async function fuzz(
  surfaces: readonly Surface[],
  seed: number,
  minutes: number,
  out: string,
): Promise<number> {
  const progress = new Map<string, Progress>(
    surfaces.map(({ name }) => [name, { cases: 0, ms: 0 }]),
  );
  const known = new Set<string>();
  let found = 0;
  const endMs = performance.now() + minutes * 60_000;
  let nextReportMs = performance.now() + REPORT_MS;
  while (performance.now() < endMs && found < FINDINGS_MAX) {
    for (const surface of surfaces) {
      const turn = progress.get(surface.name)!;
      const startedMs = performance.now();
      while (performance.now() - startedMs < TURN_MS && performance.now() < endMs) {
        const random = new SeededRandom(`${seed}/${surface.name}/${turn.cases++}`);
        const finding = await judge(surface, inputOf(surface, random));
        if (finding === undefined) continue;
        const looks = `${surface.name} ${firstLine(finding.error).replace(/\d+/g, "#")}`;
        if (known.has(looks)) continue;
        known.add(looks);
        found++;
        await tell(surface, finding, out, `${seed}-${turn.cases - 1}`);
      }
      turn.ms += performance.now() - startedMs;
    }
    if (performance.now() < nextReportMs) continue;
    nextReportMs += REPORT_MS;
    const cases = [...progress.values()].reduce((sum, one) => sum + one.cases, 0);
    const leftS = Math.max(0, Math.round((endMs - performance.now()) / 1000));
    console.log(`${cases} cases, ${found} findings, ${leftS} s left`);
  }
  for (const [name, { cases, ms }] of progress) {
    console.log(
      `${name.padEnd(16)} ${String(cases).padStart(9)} cases, ${rate(cases, ms)} a second`,
    );
  }
  console.log(`seed ${seed}: ${found === 0 ? "nothing found" : `${found} findings, in ${out}`}`);
  return found === 0 ? 0 : 1;
}

function rate(cases: number, ms: number): string {
  return String(Math.round(cases / Math.max(1, ms) * 1000)).padStart(7);
}

function firstLine(error: unknown): string {
  return String(error).split("\n")[0];
}

async function tell(surface: Surface, finding: Finding, out: string, id: string): Promise<void> {
  const { input, error } = await minimized(surface, finding);
  Deno.mkdirSync(out, { recursive: true });
  const path = `${out}/${surface.name}-${id}.bin`;
  Deno.writeFileSync(path, input);
  console.log(`FOUND ${surface.name}: ${firstLine(error)}; ${input.length} bytes`);
  if (error instanceof Error) console.log(error.stack?.split("\n").slice(1, 6).join("\n"));
  console.log(`  again: deno task fuzz --replay ${path}`);
}

async function replay(surfaces: readonly Surface[], path: string): Promise<number> {
  const name = path.split("/").at(-1)!.split("-")[0];
  const surface = surfaces.find((one) => one.name === name);
  if (surface === undefined) {
    console.error(`no surface is called ${name}: the file's name begins with one (--list)`);
    return EXIT_USAGE;
  }
  const finding = await judge(surface, Deno.readFileSync(path));
  if (finding === undefined) {
    console.log(`${name}: nothing wrong with it`);
    return 0;
  }
  console.error(finding.error);
  return 1;
}

async function main(args: string[]): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({
      args: args.filter((arg) => arg !== "--"),
      strict: true,
      options: {
        minutes: { type: "string", default: "1" },
        seed: { type: "string" },
        surface: { type: "string" },
        replay: { type: "string" },
        out: { type: "string", default: "out/fuzz" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }));
  } catch (cause) {
    console.error(`${cause instanceof Error ? cause.message : cause} (--help)`);
    return EXIT_USAGE;
  }
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const minutes = Number(values.minutes);
  const seed = values.seed === undefined
    ? Math.floor(Math.random() * 2 ** 31)
    : Number(values.seed);
  if (!(minutes > 0 && minutes <= 24 * 60) || !Number.isSafeInteger(seed)) {
    console.error("--minutes takes 0 to 1440, --seed a whole number (--help)");
    return EXIT_USAGE;
  }
  const recording = await record();
  const all: Surface[] = [...surfacesOf(recording), ...nodeSurfaces(recording)];
  if (values.list) {
    for (const { name } of all) console.log(name);
    return 0;
  }
  const wanted = values.surface?.split(",");
  const unknown = wanted?.find((name) => !all.some((surface) => surface.name === name));
  if (unknown !== undefined) {
    console.error(`no surface is called ${unknown}: --list (--help)`);
    return EXIT_USAGE;
  }
  const surfaces = all.filter(({ name }) => wanted === undefined || wanted.includes(name));
  try {
    if (values.replay !== undefined) return await replay(surfaces, values.replay);
    console.log(`seed ${seed}, ${surfaces.length} surfaces, ${minutes} min`);
    return await fuzz(surfaces, seed, minutes, values.out);
  } finally {
    for (const surface of surfaces) await surface.close?.();
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
