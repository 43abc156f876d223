// Reads surviving entries back, in the order of the disk, which is index order within every group. The
// scan before has verified all of it; checksums are verified once more, for reads fail too.

import type { LogIndex, PartitionId } from "../base/ids.ts";
import type { Clock, Disk } from "../platform/ports.ts";
import {
  APPEND_FIXED_BYTES,
  ENTRY_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  frameBytes,
  FrameType,
  getU64,
  segmentName,
} from "./format.ts";
import type { Run } from "./group_record.ts";
import type { LogState } from "./log_state.ts";
import { SegmentReader } from "./segment_reader.ts";
import type { EntryVisitor } from "./types.ts";

/** Longest stretch of reading and visiting before the event loop gets its turn. */
const SLICE_MS = 8;
/** Frames between two looks at the clock. */
const FRAMES_PER_CHECK = 64;

interface GroupRun {
  readonly group: PartitionId;
  readonly first: LogIndex;
  readonly last: LogIndex;
  readonly start: number;
  readonly end: number;
}

/** What to read, frozen when it is made: later appends don't change it. */
export type ReplayPlan = ReadonlyMap<number, readonly GroupRun[]>;

/** The entries that survive, by segment, in order of position. */
export function planReplay(state: LogState): ReplayPlan {
  const plan = new Map<number, GroupRun[]>();
  for (const { group, runs } of state.groups.values()) {
    for (const { first, last, segment, start, end } of runs as readonly Run[]) {
      const planned = { group, first, last, start, end };
      const list = plan.get(segment);
      if (list === undefined) plan.set(segment, [planned]);
      else list.push(planned);
    }
  }
  for (const list of plan.values()) list.sort((a, b) => a.start - b.start);
  return new Map([...plan].sort(([a], [b]) => a - b));
}

export class Replay {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #plan: ReplayPlan;
  readonly #visitor: EntryVisitor;
  #sliceStartMs: number;
  #frames = 0;

  constructor(disk: Disk, folder: string, clock: Clock, plan: ReplayPlan, visitor: EntryVisitor) {
    this.#disk = disk;
    this.#folder = folder;
    this.#clock = clock;
    this.#plan = plan;
    this.#visitor = visitor;
    this.#sliceStartMs = clock.monotonicMs();
  }

  /** Throws what the visitor throws, and DiskError. */
  async run(): Promise<void> {
    for (const [segment, runs] of this.#plan) {
      const path = `${this.#folder}/${segmentName(segment)}`;
      const reader = new SegmentReader(this.#disk, path, { freshWindows: true });
      try {
        await this.#segment(reader, runs);
      } finally {
        reader.close();
      }
    }
  }

  /** Walks each stretch of frames that the runs cover; stretches hold no damage. */
  async #segment(reader: SegmentReader, runs: readonly GroupRun[]): Promise<void> {
    const current = new Map<PartitionId, GroupRun>();
    let next = 0;
    let offset = 0;
    let stretchEnd = 0;
    while (next < runs.length || offset < stretchEnd) {
      if (offset >= stretchEnd) offset = runs[next].start;
      while (next < runs.length && runs[next].start <= offset) {
        const run = runs[next++];
        current.set(run.group, run);
        stretchEnd = Math.max(stretchEnd, run.end);
      }
      const type = reader.frameAt(offset);
      if (typeof type !== "number") {
        throw new Error(
          `Cannot replay ${reader.path}: byte ${type.badOffset} now reads with ${type.reason}`,
        );
      }
      if (type === FrameType.Append) this.#frame(reader, offset, current);
      offset += frameBytes(reader.view, reader.at(offset));
      if (++this.#frames % FRAMES_PER_CHECK === 0) await this.#maybeYield();
    }
  }

  #frame(reader: SegmentReader, offset: number, runs: ReadonlyMap<PartitionId, GroupRun>): void {
    const { view } = reader;
    let at = reader.at(offset);
    const group = view.getUint32(at + 12, true);
    const run = runs.get(group);
    if (run === undefined || offset < run.start || offset >= run.end) return;
    at += FRAME_HEADER_BYTES;
    const count = view.getUint32(at + 4, true);
    let index = getU64(view, at + 32);
    at += APPEND_FIXED_BYTES;
    for (let i = 0; i < count; i++, index++) {
      const length = view.getUint32(at, true);
      if (index >= run.first && index <= run.last) {
        this.#visitor(group, {
          term: getU64(view, at + 8),
          index,
          type: view.getUint8(at + 4),
          data: new Uint8Array(view.buffer, view.byteOffset + at + ENTRY_HEADER_BYTES, length),
        });
      }
      at += ENTRY_HEADER_BYTES + length;
    }
  }

  #maybeYield(): Promise<void> | void {
    if (this.#clock.monotonicMs() - this.#sliceStartMs < SLICE_MS) return;
    return new Promise((resolve) => {
      this.#clock.defer(() => {
        this.#sliceStartMs = this.#clock.monotonicMs();
        resolve();
      });
    });
  }
}
