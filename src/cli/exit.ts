// How the command line ends: one exit code for each kind of end, and a sentence for people on standard
// error. Owns the codes, which scripts rely on.

import { PontoonError } from "../client/mod.ts";

export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  unknown: 6,
} as const;

export type ExitCode = typeof EXIT[keyof typeof EXIT];

/** The part of the help that explains them. */
export const EXIT_HELP = `Exit codes
  0  done
  1  error
  2  wrong usage
  3  there is no such key or member
  4  conflict: a condition did not hold, nothing was done
  5  unavailable: nothing was done, try again
  6  outcome unknown: it may have been done, or may yet be`;

/** A command that ends with a code of its own, after it has said why. */
export class Exit extends Error {
  override readonly name = "Exit";
  readonly code: ExitCode;

  /** @param message for standard error; none if it is empty */
  constructor(code: ExitCode, message = "") {
    super(message);
    this.code = code;
  }
}

/** Wrong usage that the parser of options can't see. */
export function usage(message: string): Exit {
  return new Exit(EXIT.usage, message);
}

const CONFLICT_CODES: ReadonlySet<string> = new Set(["conflict", "condition-failed"]);
const NOT_FOUND_CODES: ReadonlySet<string> = new Set(["not-found", "unknown-member"]);

/** The code that `error` ends in. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Exit) return error.code;
  if (error instanceof TypeError || error instanceof RangeError) return EXIT.usage;
  if (!(error instanceof PontoonError)) return EXIT.error;
  if (error.outcome === "unknown") return EXIT.unknown;
  if (CONFLICT_CODES.has(error.code)) return EXIT.conflict;
  if (NOT_FOUND_CODES.has(error.code)) return EXIT.notFound;
  return error.retryable ? EXIT.unavailable : EXIT.error;
}

/** What to tell people about `error`. */
export function messageOf(error: unknown): string {
  if (!(error instanceof PontoonError)) {
    return error instanceof Error ? error.message : String(error);
  }
  return error.outcome === "unknown"
    ? `${error.message}\nIts outcome is unknown: it may have been done, or may yet be.`
    : error.message;
}
