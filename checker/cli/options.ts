// The command's arguments. Pure: text in, options or a complaint out.

import type { FailMeaning, Json } from "../history/types.ts";
import { type Format, FORMATS } from "../history/parse.ts";
import {
  MODEL_NAMES,
  type ModelReference,
  parseLooseJson,
  parseModelReference,
} from "../models/registry.ts";

export const USAGE = `Usage: check HISTORY… --model MODEL [options]

Judges whether each recorded history is linearizable.

  --model M           ${MODEL_NAMES.join(", ")};
                      with an initial value: 'cas-register(init=0)'
  --init JSON         the initial value
  --format F          ${FORMATS.join(", ")} (default: detected)
  --fail MEANING      did-not-happen, or not-equal: a failed cas shows that the state was another
  --timeout 60s       give up after this long, per history (ms, s, m, h)
  --memory 2GB        what the search may hold (MB, GB)
  --jobs N            threads for hard partitions (default: 1)
  --minimize          make the counterexample as small as it gets, whatever it costs
  --html FILE         write a page that shows the history and the verdict
  --json              print the verdict as JSON, one line a history
  --help

Exit code: 0 linearizable, 1 illegal, 2 unknown, 64 usage or bad input.
`;

export interface CliOptions {
  readonly files: readonly string[];
  readonly model: ModelReference;
  readonly format?: Format;
  readonly fail?: FailMeaning;
  readonly timeoutMs?: number;
  readonly memoryBytes?: number;
  readonly jobs: number;
  readonly minimize: boolean;
  readonly html?: string;
  readonly json: boolean;
}

/** Wrong arguments; the message is for the user. */
export class UsageError extends Error {
  override name = "UsageError";
}

const FLAGS: ReadonlySet<string> = new Set(["minimize", "json", "help"]);
const NAMED: ReadonlySet<string> = new Set([
  "model",
  "init",
  "format",
  "fail",
  "timeout",
  "memory",
  "jobs",
  "html",
]);

/** @returns the options, or "help". @throws UsageError */
export function parseArguments(args: readonly string[]): CliOptions | "help" {
  const files: string[] = [];
  const named = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!;
    if (argument === "--") {
      files.push(...args.slice(i + 1));
      break;
    }
    if (argument === "-h") return "help";
    if (!argument.startsWith("--")) {
      files.push(argument);
      continue;
    }
    const equals = argument.indexOf("=");
    const name = argument.slice(2, equals < 0 ? undefined : equals);
    if (FLAGS.has(name)) {
      if (equals >= 0) throw new UsageError(`--${name} takes no value`);
      named.set(name, "");
      continue;
    }
    if (!NAMED.has(name)) throw new UsageError(`unknown option --${name}`);
    const value = equals >= 0 ? argument.slice(equals + 1) : args[++i];
    if (value === undefined) throw new UsageError(`--${name} needs a value`);
    named.set(name, value);
  }
  if (named.has("help")) return "help";
  return build(files, named);
}

function build(files: readonly string[], named: ReadonlyMap<string, string>): CliOptions {
  if (files.length === 0) throw new UsageError("name a history to check");
  const html = named.get("html");
  if (html !== undefined && files.length > 1) throw new UsageError("--html takes one history");
  const format = named.get("format");
  if (format !== undefined && !(FORMATS as readonly string[]).includes(format)) {
    throw new UsageError(`--format must be one of ${FORMATS.join(", ")}: got ${format}`);
  }
  const fail = named.get("fail");
  if (fail !== undefined && fail !== "did-not-happen" && fail !== "not-equal") {
    throw new UsageError(`--fail must be did-not-happen or not-equal: got ${fail}`);
  }
  const timeout = named.get("timeout");
  const memory = named.get("memory");
  return {
    files,
    model: modelFrom(named.get("model"), named.get("init")),
    ...(format === undefined ? {} : { format: format as Format }),
    ...(fail === undefined ? {} : { fail }),
    ...(timeout === undefined ? {} : { timeoutMs: durationMs(timeout) }),
    ...(memory === undefined ? {} : { memoryBytes: sizeBytes(memory) }),
    jobs: jobsFrom(named.get("jobs")),
    minimize: named.has("minimize"),
    ...(html === undefined ? {} : { html }),
    json: named.has("json"),
  };
}

function modelFrom(text: string | undefined, init: string | undefined): ModelReference {
  if (text === undefined) throw new UsageError("name a model with --model");
  try {
    const reference = parseModelReference(text);
    if (!MODEL_NAMES.includes(reference.name)) {
      throw new TypeError(`no model "${reference.name}": choose one of ${MODEL_NAMES.join(", ")}`);
    }
    const value: Json | undefined = init === undefined ? reference.init : parseLooseJson(init);
    return value === undefined ? { name: reference.name } : { name: reference.name, init: value };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function jobsFrom(text: string | undefined): number {
  if (text === undefined) return 1;
  const jobs = Number(text);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 256) {
    throw new UsageError(`--jobs must be 1 to 256: got ${text}`);
  }
  return jobs;
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const SIZE_UNITS_BYTES: Readonly<Record<string, number>> = {
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (match === null) throw new UsageError(`--timeout must be like 500ms, 60s, 5m: got ${text}`);
  return Number(match[1]) * DURATION_UNITS_MS[match[2]!]!;
}

function sizeBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]i?B)$/i.exec(text);
  if (match === null) throw new UsageError(`--memory must be like 512MB or 2GB: got ${text}`);
  return Number(match[1]) * SIZE_UNITS_BYTES[match[2]!.toUpperCase()]!;
}
