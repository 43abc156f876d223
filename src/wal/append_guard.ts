// Asserts, before a record is gathered, what every reader of the log relies on: no gap in a group's
// entries, no term that runs back, no replica under an id that was deleted. Keeps each group's tip.

import { assert } from "../base/assert.ts";
import type { LogIndex, PartitionId, ReplicaId, Term } from "../base/ids.ts";
import type { LogState } from "./log_state.ts";
import type { GroupAppend, SnapshotMarker } from "./types.ts";

/** A group's log end and term with everything gathered so far. */
interface Tip {
  readonly replicaId: ReplicaId;
  lastIndex: LogIndex;
  term: Term;
}

export class AppendGuard {
  readonly #tips = new Map<PartitionId, Tip>();
  readonly #buried: Map<PartitionId, ReplicaId>;

  constructor(state: LogState) {
    for (const { group, replicaId, lastIndex, hardState } of state.groups.values()) {
      this.#tips.set(group, { replicaId, lastIndex, term: hardState.term });
    }
    this.#buried = new Map(state.tombstones);
  }

  append({ group, hardState, entries, snapshot }: GroupAppend): void {
    const tip = this.#tip(group);
    if (hardState) {
      assert(hardState.term >= tip.term, `group ${group}: the durable term never runs back`);
      tip.term = hardState.term;
    }
    if (snapshot) tip.lastIndex = snapshot.index;
    if (entries.length === 0) return;
    const first = entries[0].index;
    assert(
      first >= 1 && first <= tip.lastIndex + 1,
      `group ${group}: no gap before entry ${first}`,
    );
    tip.lastIndex = entries[entries.length - 1].index;
  }

  snapshotTaken(group: PartitionId, { index }: SnapshotMarker): void {
    const tip = this.#tip(group);
    tip.lastIndex = Math.max(tip.lastIndex, index);
  }

  known(group: PartitionId): void {
    this.#tip(group);
  }

  /** Whether a tombstone refuses the replica. */
  isBuried(group: PartitionId, replicaId: ReplicaId): boolean {
    return replicaId <= (this.#buried.get(group) ?? 0);
  }

  created(group: PartitionId, replicaId: ReplicaId): void {
    assert(!this.#tips.has(group), `group ${group} is there already`);
    const buried = this.#buried.get(group) ?? 0;
    assert(replicaId > buried, `replica ${replicaId} of partition ${group} was deleted`);
    this.#tips.set(group, { replicaId, lastIndex: 0, term: 0 });
  }

  removed(group: PartitionId, replicaId: ReplicaId): void {
    const tip = this.#tips.get(group);
    if (tip !== undefined && tip.replicaId <= replicaId) this.#tips.delete(group);
    this.#buried.set(group, Math.max(replicaId, this.#buried.get(group) ?? 0));
  }

  #tip(group: PartitionId): Tip {
    const tip = this.#tips.get(group);
    assert(tip !== undefined, `group ${group} was never created`);
    return tip;
  }
}
