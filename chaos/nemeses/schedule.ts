// When nemeses strike: each layer of a system (its processes, its links, its machines) has one fault at a time, the
// nemeses of the layer taking turns in random order; the layers go on beside each other. Whatever happens, every fault
// is healed before this returns.

import { between, seededRandom, shuffled } from "../random.ts";
import type { Arena, Fault, Layer, Nemesis, Random, Strike, System } from "../types.ts";
import { rest } from "../wait.ts";

export interface ScheduleOptions {
  readonly nemeses: readonly Nemesis[];
  readonly system: System;
  readonly random: Random;
  /** True when the run is over. */
  readonly stopped: () => boolean;
  /** Called when a fault begins, and again, with the same place in the list, when it has ended. */
  readonly onFault?: (fault: Fault, place: number) => void;
}

/** A fault that has not bitten by its end lasts so much longer, for somebody to run into it. */
const EXTENSION_MS = 2000;
const ASK_AGAIN_MS = 200;
const LAYERS: readonly Layer[] = ["nodes", "links", "machines"];

class Schedule {
  readonly faults: Fault[] = [];
  readonly #options: ScheduleOptions;
  #failed = false;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { nemeses } = this.#options;
    const tracks = LAYERS.map((layer) => nemeses.filter((nemesis) => nemesis.layer === layer))
      .filter((track) => track.length > 0);
    const ends = await Promise.allSettled(tracks.map((track) => this.#runTrack(track)));
    const failure = ends.find((end) => end.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  get #stopped(): boolean {
    return this.#failed || this.#options.stopped();
  }

  async #runTrack(track: readonly Nemesis[]): Promise<void> {
    const { system } = this.#options;
    // Its own, so that what one layer draws does not depend on how fast the others are.
    const random = seededRandom(Math.floor(this.#options.random() * 2 ** 32));
    const stopped = () => this.#stopped;
    const arena: Arena = { system, random, stopped };
    try {
      while (!stopped()) {
        for (const nemesis of shuffled(random, track)) {
          await rest(between(random, nemesis.pace.quietMs), stopped);
          if (stopped()) return;
          await this.#strike(nemesis, arena);
        }
      }
    } catch (cause) {
      this.#failed = true;
      throw cause;
    }
  }

  async #strike(nemesis: Nemesis, arena: Arena): Promise<void> {
    const atMs = performance.now();
    const strike = await nemesis.strike(arena);
    if (strike === undefined) return;
    const place = this.faults.length;
    const tell = (fault: Omit<Fault, "kind" | "targets" | "atMs">) => {
      this.faults[place] = { kind: nemesis.name, targets: strike.targets, atMs, ...fault };
      this.#options.onFault?.(this.faults[place], place);
    };
    tell({ untilMs: Infinity, bit: false, detail: strike.detail });
    const bite = await this.#endure(nemesis, strike, arena);
    const detail = [strike.detail, bite.detail].filter((text) => text !== "").join("; ");
    tell({ untilMs: performance.now(), bit: bite.bit, detail });
  }

  /** Lets a fault last, asks whether it bit, and heals it. */
  async #endure(nemesis: Nemesis, strike: Strike, { random, stopped }: Arena) {
    try {
      await rest(between(random, nemesis.pace.faultMs), stopped);
      const deadlineMs = performance.now() + EXTENSION_MS;
      for (;;) {
        const bite = await strike.verify();
        if (bite.bit || stopped() || performance.now() > deadlineMs) return bite;
        await rest(ASK_AGAIN_MS, stopped);
      }
    } finally {
      await strike.heal();
    }
  }
}

/**
 * Breaks and heals until `stopped`; on return everything is healed.
 *
 * @returns the faults that were done, in the order of their beginnings. Rejects with what went wrong in the bench
 * itself; then too everything that could be healed is.
 */
export async function runNemeses(options: ScheduleOptions): Promise<readonly Fault[]> {
  const schedule = new Schedule(options);
  await schedule.run();
  return schedule.faults;
}
