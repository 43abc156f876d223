// The command line of the bench: flags in, a plan of runs out. Touches nothing.

import { parseArgs } from "node:util";
import { type Expectation, EXPECTATIONS } from "./gates.ts";
import { MUTANTS } from "./mutants/catalogue.ts";
import { MAIN_NEMESES, NEMESIS_NAMES } from "./nemeses/mod.ts";
import type { RunOptions } from "./options.ts";
import { SYSTEM_NAMES, WRONG_SYSTEMS } from "./systems/mod.ts";
import type { Ability } from "./types.ts";
import { CLIENT_HABITS, type ClientHabit } from "./workloads/clients.ts";
import { WORKLOADS } from "./workloads/mod.ts";

const WORKLOAD_NAMES = WORKLOADS.map(({ name }) => name);
/** Each by itself, one run after the other. */
const EACH = "each";

export const HELP = `Breaks a real cluster and judges what its clients saw.

Usage: deno task chaos [options]
  --system S         what is broken                                     [pontoon]
  --mutant NAME      puts a known bug into a copy of pontoon: see the names with
                     deno task mutants --list                           [none]
  --workload A,B     what clients do, or "${EACH}"                           [register]
  --nemesis X,Y+Z    what breaks it, or "none", or "${EACH}"                 [kill]
                     a comma makes another run, a plus one run with both
  --nodes N                                                             [3]
  --concurrency N    clients                                            [10]
  --keys N           keys, sets, banks or groups                        [5]
  --rate N           operations a second, all clients together          [300]
  --clients HABIT    ${CLIENT_HABITS.join(", ")}                          [mixed]
  --net NET          proxy, or netns (Linux, as root): what stands in
                     the links                                          [proxy]
  --expect A,B       what a run must have seen besides: ${EXPECTATIONS.join(", ")}
  --time-limit 60s   of each run                                        [10s]
  --runs N           of each pair of workload and nemesis               [1]
  --seed N           of the first run; the next ones count up           [random]
  --out DIR                                                             [reports]
  --resume DIR       goes on with a campaign that was stopped
  --canary S         the wrong system that a campaign has to catch      [by the seed]

Systems:   ${SYSTEM_NAMES.join(", ")}
Workloads: ${WORKLOAD_NAMES.join(", ")}
Nemeses:   ${NEMESIS_NAMES.join(", ")}

More than one run make a campaign, with an overview of its own and a canary.
Exit codes: 0 all held, 1 a violation, 2 unknown, 64 usage.
`;

export class UsageError extends Error {
  override name = "UsageError";
}

/** What the command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "resume"; readonly dir: string }
  | {
    readonly kind: "runs";
    readonly runs: readonly RunOptions[];
    readonly out: string;
    readonly seed: number;
    readonly canary: string;
  };

function count(text: string, flag: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`--${flag} takes a whole number from 1: got ${text}`);
  }
  return value;
}

function oneOf<T extends string>(text: string, flag: string, names: readonly T[]): T {
  const found = names.find((name) => name === text);
  if (found === undefined) {
    throw new UsageError(`--${flag} takes ${names.join(", ")}: got ${text}`);
  }
  return found;
}

function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|)$/.exec(text);
  const factor = { ms: 1, s: 1000, m: 60_000, "": 1000 }[match?.[2] ?? ""]!;
  const durationMs = match === null ? 0 : Number(match[1]) * factor;
  if (durationMs < 100) {
    throw new UsageError(`--time-limit takes a time like 60s, 500ms or 2m: got ${text}`);
  }
  return durationMs;
}

function listOf<T extends string>(text: string, flag: string, names: readonly T[]): T[] {
  if (text === EACH) return [...names];
  return text.split(",").map((name) => oneOf(name, flag, names));
}

/** The name of a known bug; only Pontoon has any. */
function mutantOf(text: string, system: string): string {
  if (system !== "pontoon") throw new UsageError(`--mutant is for pontoon: not for ${system}`);
  if (!MUTANTS.some(({ name }) => name === text)) {
    throw new UsageError(`--mutant takes a name of deno task mutants --list: got ${text}`);
  }
  return text;
}

/** Each item a list of nemeses that act together; empty for none. */
function nemesesOf(text: string, net: RunOptions["net"]): string[][] {
  const single = NEMESIS_NAMES.filter((name) => name !== "none");
  if (text === EACH) {
    // What a proxy can do and what packets can suffer are not the same.
    const lacking: readonly Ability[] = net === "netns"
      ? ["slow-links", "frames"]
      : ["packet-loss"];
    return MAIN_NEMESES.filter(({ needs }) => !needs.some((need) => lacking.includes(need)))
      .map(({ name }) => [name]);
  }
  return text.split(",").map((group) =>
    group === "none" ? [] : group.split("+").map((name) => oneOf(name, "nemesis", single))
  );
}

function parseFlags(args: readonly string[]) {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      options: {
        system: text("pontoon"),
        mutant: { type: "string" },
        workload: text("register"),
        nemesis: text("kill"),
        nodes: text("3"),
        concurrency: text("10"),
        keys: text("5"),
        rate: text("300"),
        clients: text("mixed"),
        net: text("proxy"),
        expect: text(""),
        "time-limit": text("10s"),
        runs: text("1"),
        seed: { type: "string" },
        out: text("reports"),
        resume: { type: "string" },
        canary: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause));
  }
}

/**
 * Reads the flags; `drawSeed` gives a seed where none is given.
 *
 * @throws UsageError
 */
export function parseCommand(args: readonly string[], drawSeed: () => number): Command {
  const flags = parseFlags(args);
  if (flags.help) return { kind: "help" };
  if (flags.resume !== undefined) return { kind: "resume", dir: flags.resume };
  const seed = flags.seed === undefined ? drawSeed() : count(flags.seed, "seed");
  const system = oneOf(flags.system, "system", SYSTEM_NAMES);
  const base = {
    system,
    ...(flags.mutant === undefined ? {} : { mutant: mutantOf(flags.mutant, system) }),
    nodes: count(flags.nodes, "nodes"),
    concurrency: count(flags.concurrency, "concurrency"),
    keys: count(flags.keys, "keys"),
    rate: count(flags.rate, "rate"),
    clients: oneOf<ClientHabit>(flags.clients, "clients", CLIENT_HABITS),
    net: oneOf(flags.net, "net", ["proxy", "netns"] as const),
    expect: flags.expect === "" ? [] : listOf<Expectation>(flags.expect, "expect", EXPECTATIONS),
    timeLimitMs: duration(flags["time-limit"]),
  };
  const runs: RunOptions[] = [];
  for (const workload of listOf(flags.workload, "workload", WORKLOAD_NAMES)) {
    for (const nemeses of nemesesOf(flags.nemesis, base.net)) {
      for (let i = 0; i < count(flags.runs, "runs"); i++) {
        runs.push({ ...base, workload, nemeses, seed: seed + runs.length });
      }
    }
  }
  return {
    kind: "runs",
    runs,
    out: flags.out,
    seed,
    canary: flags.canary === undefined
      ? WRONG_SYSTEMS[seed % WRONG_SYSTEMS.length]!
      : oneOf(flags.canary, "canary", [...WRONG_SYSTEMS, "none"]),
  };
}
