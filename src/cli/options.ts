// Options that several commands share, and how their arguments are read.

import { type Command, InvalidArgumentError, Option } from "commander";

/** A whole number from 0. */
export function parseCount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It takes a whole number from 0.");
}

/** A whole number from 1. */
export function parsePositive(text: string): number {
  const count = parseCount(text);
  if (count > 0) return count;
  throw new InvalidArgumentError("It takes a whole number from 1.");
}

export function consistencyOption(): Option {
  return new Option("--consistency <kind>", "linearizable, or stale: the nearest replica answers")
    .choices(["linearizable", "stale"]).default("linearizable");
}

export function maxStalenessOption(): Option {
  return new Option("--max-staleness <duration>", "with stale: the answer is at most so old");
}

/** --prefix, --start, --end. */
export function addRangeOptions(command: Command): void {
  command.option("--prefix <prefix>", "keys that begin so")
    .option("--start <key>", "from this key on")
    .option("--end <key>", "up to this key, without it");
}
