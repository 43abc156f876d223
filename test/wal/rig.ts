// A node's surroundings for log tests: virtual time, a simulated disk, and a process whose end is noted
// instead of suffered.

import type { Log, Process } from "../../src/platform/ports.ts";
import { type Entry, type Recovered, Wal, type WalOptions } from "../../src/wal/mod.ts";
import { Incarnation, Scheduler, SimClock } from "../sim/clock.ts";
import { SimDisk, type SimDiskOptions } from "../sim/disk.ts";
import { SeededRandom } from "../sim/random.ts";

/** Thrown by the rig's `Process.fatal`. */
export class Ended extends Error {}

export const silentLog: Log = { log() {}, with: () => silentLog };

export interface Opened {
  readonly wal: Wal;
  readonly recovered: Recovered;
  /** Surviving entries per group, as replayed. */
  readonly entries: Map<number, Entry[]>;
}

export class WalRig {
  readonly scheduler = new Scheduler();
  readonly random: SeededRandom;
  readonly disk: SimDisk;
  /** Reasons given to `Process.fatal`. */
  readonly ends: string[] = [];
  incarnation = new Incarnation(this.scheduler, "node");
  clock = new SimClock(this.incarnation);

  constructor(seed: string | number, options: SimDiskOptions = {}, disk?: SimDisk) {
    this.random = new SeededRandom(seed);
    this.disk = disk ?? new SimDisk({
      schedule: (delayMs, callback) => this.scheduler.schedule(delayMs, callback),
      ...options,
    });
  }

  readonly process: Process = {
    fatal: (reason: string, cause?: unknown) => {
      this.ends.push(`${reason}: ${cause}`);
      this.incarnation.kill();
      throw new Ended(reason);
    },
  };

  options(overrides: Partial<WalOptions> = {}): WalOptions {
    const { clock, random, process } = this;
    return {
      disk: this.disk.mount(),
      clock,
      random,
      process,
      log: silentLog,
      segmentSizeBytes: 16 * 1024,
      freeBytesMin: 0,
      ...overrides,
    };
  }

  async open(overrides: Partial<WalOptions> = {}): Promise<Opened> {
    const { wal, recovered } = await Wal.open(this.options(overrides));
    const entries = new Map<number, Entry[]>();
    for (const group of recovered.groups.keys()) entries.set(group, []);
    await recovered.replay((group, entry) => entries.get(group)!.push(entry));
    return { wal, recovered, entries };
  }

  /** The process dies; `powerCut` takes unsynced writes with it. */
  kill(options: { powerCut?: boolean } = {}): void {
    this.incarnation.kill();
    if (options.powerCut) this.disk.powerCut(this.random);
    else this.disk.crashProcess();
    this.incarnation = new Incarnation(this.scheduler, "node");
    this.clock = new SimClock(this.incarnation);
  }

  /** Flushes and lets time pass until nothing is in flight. */
  async settle(wal: Wal, durationMs = 5): Promise<void> {
    wal.flush();
    await this.scheduler.runFor(durationMs);
  }

  close(wal: Wal): Promise<void> {
    return this.scheduler.settle(wal.close());
  }
}

export function entriesFrom(
  first: number,
  count: number,
  term: number,
  sizeBytes = 20,
): Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const data = new Uint8Array(sizeBytes).fill((first + i) & 0xff);
    return { term, index: first + i, type: 0, data };
  });
}

export function indexes(entries: readonly Entry[] | undefined): number[] {
  return (entries ?? []).map(({ index }) => index);
}
