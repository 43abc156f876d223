// Makes a failing schedule small: fewer faults, operations, nodes, partitions and less time, as long as it fails
// in the same way. Every candidate is a whole run; nothing is assumed of what causes what.

import type { Fault, Target } from "./faults.ts";
import { runSchedule } from "./run.ts";
import type { SimOptions, SimSchedule, WorkloadMix } from "./schedule.ts";

/**
 * A smaller schedule draws other delays, so that a fault which is still there may just miss: each candidate
 * is tried with so many seeds.
 */
const SEEDS_TRIED = 3;
const SEED_STRIDE = 1_000_003;

export interface ShrinkOptions {
  /** Runs at most. */
  readonly runsMax: number;
  /** True when there is no time left. */
  readonly stopped: () => boolean;
  /** Runs a schedule; says which invariant it broke. Default: a whole simulation. */
  readonly run?: (schedule: SimSchedule) => Promise<string | undefined>;
  /** Called with every smaller schedule. */
  readonly onProgress?: (schedule: SimSchedule, runs: number) => void;
}

/** The smallest schedule found that breaks `invariant`; the given one if there is none. */
export async function shrink(
  schedule: SimSchedule,
  invariant: string,
  options: ShrinkOptions,
): Promise<SimSchedule> {
  const shrinker = new Shrinker(schedule, invariant, options);
  await shrinker.run();
  return shrinker.best;
}

class Shrinker {
  best: SimSchedule;
  readonly #invariant: string;
  readonly #options: ShrinkOptions;
  #runs = 0;

  constructor(schedule: SimSchedule, invariant: string, options: ShrinkOptions) {
    this.best = schedule;
    this.#invariant = invariant;
    this.#options = options;
  }

  get #exhausted(): boolean {
    return this.#runs >= this.#options.runsMax || this.#options.stopped();
  }

  async run(): Promise<void> {
    for (let before = ""; before !== JSON.stringify(this.best) && !this.#exhausted;) {
      before = JSON.stringify(this.best);
      await this.#cutTime();
      await this.#dropFaults();
      await this.#dropNodes();
      await this.#simplify();
      await this.#shortenFaults();
    }
  }

  /** Keeps the candidate if it fails as it should. */
  async #try(candidate: SimSchedule): Promise<boolean> {
    const { seed } = this.best;
    for (let i = 0; i < SEEDS_TRIED && !this.#exhausted; i++) {
      const salted = { ...candidate, seed: seed + i * SEED_STRIDE };
      this.#runs++;
      if (await this.#run(salted) !== this.#invariant) continue;
      this.best = salted;
      this.#options.onProgress?.(salted, this.#runs);
      return true;
    }
    return false;
  }

  async #run(schedule: SimSchedule): Promise<string | undefined> {
    if (this.#options.run !== undefined) return await this.#options.run(schedule);
    return (await runSchedule(schedule)).failure?.invariant;
  }

  #with(options: Partial<SimOptions>): Promise<boolean> {
    return this.#try({ ...this.best, options: { ...this.best.options, ...options } });
  }

  async #cutTime(): Promise<void> {
    for (let factor = 0.25; factor < 1 && !this.#exhausted;) {
      const { options, faults } = this.best;
      const safetyMs = Math.ceil(options.safetyMs * factor);
      const kept = faults.filter(({ atMs }) => atMs < safetyMs);
      const shorter = { ...this.best, options: { ...options, safetyMs }, faults: kept };
      if (safetyMs < 100 || !await this.#try(shorter)) factor += 0.25;
    }
  }

  /** Delta debugging (Zeller, Hildebrandt 2002): without ever smaller parts. */
  async #dropFaults(): Promise<void> {
    let size = Math.ceil(this.best.faults.length / 2);
    while (size >= 1 && this.best.faults.length > 0 && !this.#exhausted) {
      let dropped = false;
      for (let start = 0; start < this.best.faults.length && !this.#exhausted;) {
        const { faults } = this.best;
        const rest = [...faults.slice(0, start), ...faults.slice(start + size)];
        if (await this.#try({ ...this.best, faults: rest })) dropped = true;
        else start += size;
      }
      if (size === 1 && !dropped) return;
      if (size > 1) size = Math.ceil(size / 2);
    }
  }

  async #dropNodes(): Promise<void> {
    while (this.best.options.nodes > 3 && !this.#exhausted) {
      const { options, faults } = this.best;
      const nodes = options.nodes - 1;
      const spares = Math.max(0, options.spares - 1);
      const kept = faults.map((fault) => confined(fault, nodes)).filter((fault) => fault !== null);
      const lostNode = options.lostNode < nodes ? options.lostNode : -1;
      const fewer = { ...options, nodes, spares, lostNode };
      if (!await this.#try({ ...this.best, options: fewer, faults: kept })) return;
    }
  }

  async #simplify(): Promise<void> {
    const { options } = this.best;
    if (options.partitions > 1) await this.#with({ partitions: 1 });
    if (options.spares > 0) await this.#with({ spares: 0, nodes: options.nodes - options.spares });
    if (options.lostNode >= 0) await this.#with({ lostNode: -1 });
    if (options.splitChance > 0) await this.#with({ splitChance: 0 });
    await this.#dropReaders();
    await this.#fewer("keys", 1);
    await this.#fewer("clients", 1);
    for (const kind of Object.keys(options.mix) as (keyof WorkloadMix)[]) {
      const { mix } = this.best.options;
      if ((mix[kind] ?? 0) > 0) await this.#with({ mix: { ...mix, [kind]: 0 } });
    }
    let operationsMax = options.operationsMax ?? 256;
    while (operationsMax > 0 && !this.#exhausted) {
      const fewer = operationsMax >> 1;
      if (!await this.#with({ operationsMax: fewer })) break;
      operationsMax = fewer;
    }
  }

  async #dropReaders(): Promise<void> {
    for (const kind of ["scanners", "staleReaders", "watchers"] as const) {
      const { readers } = this.best.options;
      if (readers !== undefined && readers[kind] > 0) {
        await this.#with({ readers: { ...readers, [kind]: 0 } });
      }
    }
  }

  async #fewer(name: "keys" | "clients", least: number): Promise<void> {
    while (this.best.options[name] > least && !this.#exhausted) {
      const fewer = Math.max(least, this.best.options[name] >> 1);
      if (!await this.#with({ [name]: fewer })) return;
    }
  }

  /** Halves what has a duration. */
  async #shortenFaults(): Promise<void> {
    for (let i = 0; i < this.best.faults.length && !this.#exhausted; i++) {
      for (let again = true; again && !this.#exhausted;) {
        const fault = this.best.faults[i];
        const shorter = halved(fault);
        if (shorter === undefined) break;
        again = await this.#try({ ...this.best, faults: this.best.faults.with(i, shorter) });
      }
    }
  }
}

const SHORT_MS = 20;

function halved(fault: Fault): Fault | undefined {
  if ("durationMs" in fault && fault.durationMs > SHORT_MS) {
    return { ...fault, durationMs: fault.durationMs >> 1 };
  }
  if ("downMs" in fault && fault.downMs > SHORT_MS) {
    return { ...fault, downMs: fault.downMs >> 1 };
  }
  return undefined;
}

/** The fault in a cluster of `nodes` nodes; null where it has no meaning there. */
function confined(fault: Fault, nodes: number): Fault | null {
  const fits = (target: Target) => typeof target !== "number" || target < nodes;
  if ("node" in fault && !fits(fault.node)) return null;
  if ("from" in fault && !fits(fault.from)) return null;
  if ("to" in fault && !fits(fault.to)) return null;
  if (!("left" in fault)) return fault;
  const left = fault.left.filter(fits);
  return left.length === 0 ? null : { ...fault, left };
}
