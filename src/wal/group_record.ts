// One group as the log has it: hard state, snapshot, configuration, and in which stretches of which
// segments its surviving entries lie. Knows no bytes.

import type { LogIndex, PartitionId, ReplicaId, Term } from "../base/ids.ts";
import type { HardState, RecordedConfiguration, RecoveredGroup, SnapshotMarker } from "./types.ts";

/**
 * Entries `first..last` of one group within bytes `start..end` of one segment.
 * *Invariant:* walking the group's frames there, the surviving entries up to `last` come in order.
 */
export interface Run {
  first: LogIndex;
  last: LogIndex;
  readonly segment: number;
  readonly start: number;
  end: number;
  /** False once a truncation or damage follows: the next frame starts a new run. */
  open: boolean;
}

const NO_HARD_STATE: HardState = { term: 0, vote: 0, commit: 0 };

/** One group as the log has it. */
export class GroupRecord {
  hardState: HardState = NO_HARD_STATE;
  snapshot: SnapshotMarker | null = null;
  configuration: RecordedConfiguration | null = null;
  lastIndex: LogIndex = 0;
  lastTerm: Term = 0;
  /** *Invariant:* ascending and disjoint, all behind the snapshot's index. */
  runs: Run[] = [];
  /** Log bytes of the entries behind the snapshot; an estimate after a truncation. */
  bytesSinceSnapshot = 0;
  suspect: string | null = null;

  constructor(readonly group: PartitionId, readonly replicaId: ReplicaId) {}

  get firstIndex(): LogIndex {
    return (this.snapshot?.index ?? 0) + 1;
  }

  markSuspect(reason: string): void {
    this.suspect ??= reason;
  }

  recordEntries(first: number, last: number, lastTerm: Term, run: Omit<Run, "open">): void {
    if (first > this.lastIndex + 1) {
      this.markSuspect(`entries ${this.lastIndex + 1}..${first - 1} are missing`);
      this.runs = [];
    } else if (first <= this.lastIndex) this.#truncate(first);
    const open = this.runs.at(-1);
    if (
      open !== undefined && open.open && open.segment === run.segment && open.last === first - 1
    ) {
      open.last = last;
      open.end = run.end;
    } else this.runs.push({ ...run, open: true });
    this.lastIndex = last;
    this.lastTerm = lastTerm;
    this.bytesSinceSnapshot += run.end - run.start;
  }

  /** Entries from `index` on were replaced. */
  #truncate(index: LogIndex): void {
    while (this.runs.length > 0 && this.runs[this.runs.length - 1].first >= index) this.runs.pop();
    const run = this.runs.at(-1);
    if (run === undefined) return;
    if (run.last >= index) run.last = index - 1;
    run.open = false;
  }

  closeRun(): void {
    const run = this.runs.at(-1);
    if (run !== undefined) run.open = false;
  }

  recordSnapshot(installed: boolean, marker: SnapshotMarker): void {
    const { index, term } = marker;
    if (!installed && this.snapshot !== null && this.snapshot.index >= index) return;
    if (installed || index >= this.lastIndex) {
      this.runs = [];
      this.lastIndex = index;
      this.lastTerm = term;
      this.bytesSinceSnapshot = 0;
    } else {
      const kept = (this.lastIndex - index) / (this.lastIndex - this.firstIndex + 1);
      this.bytesSinceSnapshot = Math.round(this.bytesSinceSnapshot * kept);
      while (this.runs.length > 0 && this.runs[0].last <= index) this.runs.shift();
      if (this.runs.length > 0) this.runs[0].first = Math.max(this.runs[0].first, index + 1);
    }
    this.snapshot = marker;
    if (installed || (this.configuration !== null && this.configuration.index <= index)) {
      this.configuration = null;
    }
  }

  /** The first index of `firstIndex..lastIndex` that no run holds, or 0. */
  missingIndex(): LogIndex {
    let next = this.firstIndex;
    for (const run of this.runs) {
      if (run.first > next) return next;
      next = run.last + 1;
    }
    return next <= this.lastIndex ? next : 0;
  }

  view(): RecoveredGroup {
    const { group, replicaId, hardState, snapshot, configuration, firstIndex } = this;
    const { lastIndex, lastTerm, suspect } = this;
    return {
      group,
      replicaId,
      hardState,
      snapshot,
      configuration,
      firstIndex,
      lastIndex,
      lastTerm,
      suspect,
    };
  }
}
