// Records what every client saw: calls in memory for judges and charts, events as NDJSON in the order in which this
// one recorder saw them. A call of unknown outcome ends its process.

import type { Fault } from "../types.ts";
import type { Call, Outcome, RecordedCall } from "./types.ts";

/** Where lines of text go. */
export type LineSink = (line: string) => void;

export class Recorder {
  readonly calls: RecordedCall[] = [];
  readonly counts: Record<"ok" | "fail" | "info", number> = { ok: 0, fail: 0, info: 0 };
  readonly #write: LineSink;
  readonly #now: () => number;
  #sequence = 0;
  #nextProcess = 0;

  /** @param now milliseconds since the start of the run */
  constructor(now: () => number, write: LineSink) {
    this.#now = now;
    this.#write = write;
  }

  /** A process that has not called anything yet. */
  process(): number {
    return this.#nextProcess++;
  }

  invoke(process: number, client: number, call: Call, node: string): RecordedCall {
    const recorded: RecordedCall = {
      process,
      client,
      node,
      kind: call.kind,
      input: call.input,
      call: this.#sequence++,
      atMs: this.#now(),
      attempts: 0,
    };
    this.calls.push(recorded);
    this.#event({
      process,
      type: "invoke",
      input: call.input,
      kind: call.kind,
      node,
      timeMs: round(recorded.atMs),
      sequence: recorded.call,
    });
    return recorded;
  }

  complete(recorded: RecordedCall, outcome: Outcome, attempts: number): void {
    recorded.outcome = outcome;
    recorded.doneMs = this.#now();
    recorded.return = this.#sequence++;
    recorded.attempts = attempts;
    this.counts[outcome.type]++;
    this.#event({
      process: recorded.process,
      ...outcome,
      ...(attempts > 1 ? { attempts } : {}),
      timeMs: round(recorded.doneMs),
      sequence: recorded.return,
    });
  }

  /** Faults are in the history as events of the process "nemesis", as Jepsen has them. */
  fault(fault: Fault, phase: "start" | "heal"): void {
    this.#event({
      process: "nemesis",
      type: "info",
      f: `${phase}-${fault.kind}`,
      value: [...fault.targets],
      timeMs: round(this.#now()),
      sequence: this.#sequence++,
    });
  }

  #event(fields: unknown): void {
    this.#write(JSON.stringify(fields));
  }
}

function round(timeMs: number): number {
  return Math.round(timeMs * 1000) / 1000;
}
