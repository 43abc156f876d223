// The clients: each does one call after the other, at a rate, against nodes chosen by its habit. Real time and
// randomness of a seed; knows no workload.

import { pick } from "../random.ts";
import type { Random, SystemNode } from "../types.ts";
import type { Recorder } from "./recorder.ts";
import { Session } from "./session.ts";
import type { Call, Outcome, WorkloadRun } from "./types.ts";

/** `stick`: to one node each. `move`: another one each call. `follow`: the leader. `mixed`: a third of each. */
export const CLIENT_HABITS = ["mixed", "stick", "move", "follow"] as const;
export type ClientHabit = typeof CLIENT_HABITS[number];

export interface ClientOptions {
  /** Those of the cluster, as they are now. */
  readonly nodes: () => readonly SystemNode[];
  readonly concurrency: number;
  /** Calls a second over all clients. */
  readonly rate: number;
  readonly habit: ClientHabit;
  readonly random: Random;
  /** Told apart from every other run against the same system. */
  readonly runId: string;
  readonly stopped: () => boolean;
  /** Who leads, as last seen. */
  readonly leader: () => SystemNode | undefined;
}

const SERVER_TIMEOUT_MS = 2000;
const CLIENT_TIMEOUT_MS = 3000;
/** After a call that came to nothing: a node that is down is not asked a thousand times a second. */
const AFTER_FAILURE_MS = 200;
const DECIDE_PAUSE_MS = 100;

function habitOf({ habit }: ClientOptions, client: number): ClientHabit {
  return habit === "mixed" ? CLIENT_HABITS[1 + client % 3]! : habit;
}

export class Clients {
  readonly #options: ClientOptions;
  readonly #run: WorkloadRun;
  readonly #recorder: Recorder;
  #calls = 0;

  constructor(options: ClientOptions, run: WorkloadRun, recorder: Recorder) {
    this.#options = options;
    this.#run = run;
    this.#recorder = recorder;
  }

  /** All clients, until `stopped`; each waits for its last answer. */
  async drive(): Promise<void> {
    const { concurrency } = this.#options;
    await Promise.all(Array.from({ length: concurrency }, (_, i) => this.#client(i)));
  }

  /** One call after the other, each again until it is decided. Rejects after `timeoutMs`. */
  async decide(calls: readonly Call[], what: string, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    let process = this.#recorder.process();
    for (const call of calls) {
      for (let attempt = 0;; attempt++) {
        const outcome = await this.#do(
          process,
          0,
          call,
          (n) => {
            const nodes = this.#options.nodes();
            return nodes[(attempt + n) % nodes.length]!;
          },
          () => performance.now() > deadlineMs,
        );
        if (outcome.type === "info") process = this.#recorder.process();
        if (outcome.type === "ok") break;
        if (performance.now() > deadlineMs) {
          throw new Error(
            `it waited ${timeoutMs / 1000} s in vain until ${what} (${outcome.error})`,
          );
        }
        await rest(DECIDE_PAUSE_MS);
      }
    }
  }

  async #client(client: number): Promise<void> {
    const { random, stopped, concurrency, rate } = this.#options;
    const habit = habitOf(this.#options, client);
    const gapMs = 1000 * concurrency / rate;
    let process = this.#recorder.process();
    await rest(gapMs * random());
    while (!stopped()) {
      const startMs = performance.now();
      const nodes = this.#options.nodes();
      const first = this.#nodeFor(nodes, habit, client);
      const at = nodes.indexOf(first);
      // A repeated request goes to the next node: the first may be the one that is broken.
      const choose = (attempt: number) => nodes[(at + attempt) % nodes.length]!;
      const outcome = await this.#do(process, client, this.#run.next(client), choose, stopped);
      if (outcome.type === "info") process = this.#recorder.process();
      const tookMs = performance.now() - startMs;
      const leastMs = outcome.type === "ok" ? 1 : AFTER_FAILURE_MS;
      await rest(Math.max(leastMs, gapMs * (0.75 + 0.5 * random()) - tookMs));
    }
  }

  #nodeFor(nodes: readonly SystemNode[], habit: ClientHabit, client: number): SystemNode {
    const { random, leader } = this.#options;
    if (habit === "stick") return nodes[Math.floor(client / 3) % nodes.length]!;
    const followed = habit === "follow" ? leader() : undefined;
    // The last known leader may have left the cluster.
    return followed !== undefined && nodes.includes(followed) ? followed : pick(random, nodes);
  }

  async #do(
    process: number,
    client: number,
    call: Call,
    choose: (attempt: number) => SystemNode,
    stopped: () => boolean,
  ): Promise<Outcome> {
    const session = new Session({
      pick: choose,
      serverTimeoutMs: SERVER_TIMEOUT_MS,
      clientTimeoutMs: CLIENT_TIMEOUT_MS,
      id: `${this.#options.runId}-${this.#calls++}`,
      stopped,
    });
    const recorded = this.#recorder.invoke(process, client, call, choose(0).name);
    const outcome = await call.perform(session);
    this.#recorder.complete(recorded, outcome, session.attempts);
    this.#run.saw(call, outcome);
    return outcome;
  }
}

function rest(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
