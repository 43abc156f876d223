// Surroundings for snapshot tests: a simulated disk under virtual time and a store on it.

import type { Process } from "../../src/platform/ports.ts";
import { type SnapshotSource, SnapshotStore } from "../../src/snapshot/mod.ts";
import { Incarnation, Scheduler, SimClock } from "../sim/clock.ts";
import { SimDisk, type SimDiskOptions } from "../sim/disk.ts";
import { SeededRandom } from "../sim/random.ts";
import { silentLog } from "../wal/rig.ts";

export class SnapshotRig {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly disk: SimDisk;
  readonly ends: string[] = [];
  incarnation: Incarnation;
  clock: SimClock;

  constructor(seed: string | number, scheduler = new Scheduler(), options: SimDiskOptions = {}) {
    this.scheduler = scheduler;
    this.random = new SeededRandom(seed);
    this.disk = new SimDisk({
      schedule: (delayMs, callback) => this.scheduler.schedule(delayMs, callback),
      ...options,
    });
    this.incarnation = new Incarnation(scheduler, "node");
    this.clock = new SimClock(this.incarnation);
  }

  readonly process: Process = {
    fatal: (reason: string) => {
      this.ends.push(reason);
      throw new Error(reason);
    },
  };

  open(writeBytesPerSecondMax?: number): SnapshotStore {
    const { clock, process } = this;
    const disk = this.disk.mount();
    return SnapshotStore.open({ disk, clock, process, log: silentLog, writeBytesPerSecondMax });
  }

  kill(options: { powerCut?: boolean } = {}): void {
    this.incarnation.kill();
    if (options.powerCut) this.disk.powerCut(this.random);
    else this.disk.crashProcess();
    this.incarnation = new Incarnation(this.scheduler, "node");
    this.clock = new SimClock(this.incarnation);
  }
}

export const confState = new Uint8Array([1, 2, 3]);

export function source(index: number, chunks: readonly Uint8Array[]): SnapshotSource {
  return {
    metadata: { group: 1, index, term: 2, confState },
    chunks: () => chunks[Symbol.iterator](),
  };
}

/** Chunks whose content tells their snapshot and place. */
export function chunksOf(index: number, sizes: readonly number[]): Uint8Array[] {
  return sizes.map((size, i) =>
    new Uint8Array(size).map((_, j) => (index * 31 + i * 7 + j) & 0xff)
  );
}

/** All chunks, or the error. */
export async function readAll(
  store: SnapshotStore,
  group = 1,
): Promise<Uint8Array[] | undefined> {
  const file = store.latest(group);
  if (file === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(file)) chunks.push(chunk.slice());
  return chunks;
}
