// Replaces the machine's state by a snapshot file's, one file after the other, and holds the apply orders that
// come meanwhile. Leaves most of the event loop to the node's other groups. An order must never reach the
// machine before the state that it follows.

import { assert } from "../base/assert.ts";
import type { Clock } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";
import type { GroupSnapshots, SnapshotFile } from "./log_port.ts";
import type { StateMachine } from "./machine.ts";

/** Longest stretch of loading before others get their turn. */
const SLICE_MS = 1;
/** Of each ms of loading so many are left to others. */
const PAUSE_RATIO = 2;

export class StateLoading {
  readonly #clock: Clock;
  readonly #machine: StateMachine<unknown>;
  readonly #snapshots: GroupSnapshots;
  readonly #onFatal: (reason: string, cause: unknown) => never;
  /** Undefined while the machine's state is whole. */
  #held: Message[] | undefined;
  #pending = 0;
  #chain: Promise<void> = Promise.resolve();
  #stopped = false;

  /**
   * @param clock paces the loading
   * @param onFatal ends the process: the state can't be had
   * @param damaged the machine has no state yet: orders are held until a file is loaded
   */
  constructor(
    machine: StateMachine<unknown>,
    snapshots: GroupSnapshots,
    clock: Clock,
    onFatal: (reason: string, cause: unknown) => never,
    damaged: boolean,
  ) {
    this.#machine = machine;
    this.#snapshots = snapshots;
    this.#clock = clock;
    this.#onFatal = onFatal;
    if (damaged) this.#held = [];
  }

  /** Whether apply orders have to wait. */
  get holds(): boolean {
    return this.#held !== undefined;
  }

  hold(order: Message): void {
    assert(this.#held !== undefined, "orders are held only while a state is loaded");
    this.#held.push(order);
  }

  /**
   * Loads `file`, then calls `loaded`, with whether it was the last one for now: then it must `release` what
   * was held once the state may be used.
   */
  load(file: SnapshotFile, loaded: (isLast: boolean) => void): void {
    this.#held ??= [];
    this.#pending++;
    this.#chain = this.#chain.then(async () => {
      // A newer file that came while this one waited its turn will be loaded next.
      if (this.#pending === 1 && !this.#stopped) await this.#read(file);
      this.#pending--;
      if (!this.#stopped) loaded(this.#pending === 0);
    }).catch((cause) => this.#onFatal(`cannot load snapshot ${file.point.index}`, cause));
  }

  /** Holds no longer; returns the orders that waited, in their order. */
  release(): readonly Message[] {
    assert(this.#held !== undefined && this.#pending === 0, "the last state has been loaded");
    const released = this.#held;
    this.#held = undefined;
    return released;
  }

  /** Ends the load under way; nothing is told any more. */
  stop(): void {
    this.#stopped = true;
  }

  async #read(file: SnapshotFile): Promise<void> {
    const loader = this.#machine.beginLoad();
    let workedMs = 0;
    for await (const chunk of this.#snapshots.read(file)) {
      if (this.#stopped) return;
      const startedMs = this.#clock.monotonicMs();
      loader.push(chunk);
      workedMs += this.#clock.monotonicMs() - startedMs;
      if (workedMs < SLICE_MS) continue;
      const pauseMs = PAUSE_RATIO * workedMs;
      await new Promise<void>((resolve) => this.#clock.setTimer(pauseMs, resolve));
      workedMs = 0;
    }
    if (!this.#stopped) loader.finish();
  }
}
