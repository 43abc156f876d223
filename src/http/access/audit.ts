// The audit log: who asked for which admin verb and what came of it, and who was turned away from one. Never logs a
// token, nor more of a request than says what it asked for.

import { LineAllowance } from "../../base/line_allowance.ts";
import type { Clock, Log } from "../../platform/ports.ts";

/** Admin documents name a node, a partition or a zone: anything longer is none. */
const DOCUMENT_LENGTH_MAX = 1_000;
const PATH_LENGTH_MAX = 200;

/** Holder of the token; null where no token is asked for, or none that is known was shown. */
type By = string | null;

export class Audit {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #refusals = new LineAllowance();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** An admin verb was carried out or refused by its route; `document` is the request's body as JSON. */
  answered(by: By, path: string, document: unknown, status: number): void {
    const text = JSON.stringify(document);
    const asked = text.length <= DOCUMENT_LENGTH_MAX
      ? document
      : text.slice(0, DOCUMENT_LENGTH_MAX);
    this.#log.log("info", "admin verb", { by, path, document: asked, status });
  }

  /** Somebody was not let near one. At most a few lines a second: anybody can ask. */
  turnedAway(by: By, method: string, path: string, status: number): void {
    const left = this.#refusals.take(this.#clock.monotonicMs());
    if (left === undefined) return;
    this.#log.log("warn", "admin verb refused", {
      by,
      method,
      path: path.slice(0, PATH_LENGTH_MAX),
      status,
      ...(left === 0 ? {} : { notTold: left }),
    });
  }
}
