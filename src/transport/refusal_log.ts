// Tells of connections that were refused: loudly, of the same from the same machine, once a minute. A node with a
// wrong secret, or whoever scans ports, comes back several times a second.

import type { Address, Clock, Log } from "../platform/ports.ts";
import type { RefusalCode } from "./handshake.ts";

const REPEATED_AFTER_MS = 60_000;
/** Machines and codes remembered; the oldest is forgotten first. */
const REMEMBERED_MAX = 64;

interface Told {
  readonly atMs: number;
  /** Since then. */
  count: number;
}

export class RefusalLog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #told = new Map<string, Told>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  refused(remote: Address, code: RefusalCode, reason: string): void {
    const nowMs = this.#clock.monotonicMs();
    // Not by the reason: it may be the other side's words.
    const same = `${remote.replace(/:\d+$/, "")} ${code}`;
    const told = this.#told.get(same);
    if (told !== undefined && nowMs - told.atMs < REPEATED_AFTER_MS) {
      told.count++;
      this.#log.log("debug", "peer connection refused", { remote, code, reason });
      return;
    }
    this.#told.delete(same);
    if (this.#told.size >= REMEMBERED_MAX) {
      this.#told.delete(this.#told.keys().next().value!);
    }
    this.#told.set(same, { atMs: nowMs, count: 0 });
    const repeated = told?.count ?? 0;
    const fields = { remote, code, reason, ...(repeated === 0 ? {} : { repeated }) };
    this.#log.log("warn", "peer connection refused", fields);
  }
}
