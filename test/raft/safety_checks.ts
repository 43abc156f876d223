// What Raft promises (figure 3 of the paper), and what rests on it, as checks on a running group.
// Knows everything that ever happened in the group; throws at the first contradiction.

import { assert, assertEquals } from "@std/assert";
import {
  type MemoryStorage,
  type Message,
  MessageType,
  type RawNode,
  Role,
} from "../../src/raft/mod.ts";

/** One life of a replica, from start to crash. */
export interface Incarnation {
  readonly id: number;
  readonly life: number;
  readonly raw: RawNode;
  readonly disk: MemoryStorage;
}

export class SafetyChecks {
  /** Who led each term, in which life. */
  readonly #leaders = new Map<number, string>();
  /** Term of the entry committed at each index, and the highest term that can have committed it. */
  readonly #committed = new Map<number, { term: number; inTerm: number }>();
  /** State after each applied index. */
  readonly #states = new Map<number, number>();
  /** For each read under way: the lowest index it may return. */
  readonly #reads = new Map<number, { replica: number; atLeast: number }>();
  #highestCommit = 1;
  #readsDone = 0;

  get highestCommit(): number {
    return this.#highestCommit;
  }

  get elections(): number {
    return this.#leaders.size;
  }

  get readsDone(): number {
    return this.#readsDone;
  }

  /** To be called whenever a replica may have changed. */
  observe(replica: Incarnation): void {
    const { id, life, raw, disk } = replica;
    if (raw.role === Role.Leader) {
      const leader = `replica ${id} in its life ${life}`;
      const known = this.#leaders.get(raw.term);
      if (known === undefined) {
        this.#leaders.set(raw.term, leader);
        this.#checkLeaderCompleteness(raw);
      } else {
        // The same replica in another life counts as another leader: it may have forgotten entries.
        assertEquals(leader, known, `election safety: two leaders in term ${raw.term}`);
      }
    }
    // What is applied is durable here, so this disk tells what was committed.
    const end = Math.min(raw.applied, disk.lastIndex());
    for (let index = disk.firstIndex(); index <= end; index++) {
      const term = disk.term(index);
      const known = this.#committed.get(index);
      if (known === undefined) this.#committed.set(index, { term, inTerm: raw.term });
      else assertEquals(term, known.term, `two entries were committed at ${index}`);
    }
    this.#highestCommit = Math.max(this.#highestCommit, raw.committed);
  }

  /** A leader has all that was committed in earlier terms. */
  #checkLeaderCompleteness(leader: RawNode): void {
    const { firstIndex, lastIndex, term } = leader.status();
    for (const [index, committed] of this.#committed) {
      if (committed.inTerm >= term || index < firstIndex) continue;
      assert(index <= lastIndex, `leader completeness: term ${term}'s lacks entry ${index}`);
    }
  }

  /** State machine safety: after the same index, the same state. */
  checkState(index: number, state: number): void {
    const known = this.#states.get(index);
    if (known !== undefined) assertEquals(state, known, `states differ after index ${index}`);
    this.#states.set(index, state);
  }

  /** If two logs have an entry of the same index and term, they are the same up to there. */
  checkLogMatching(disks: readonly MemoryStorage[]): void {
    for (const a of disks) {
      for (const b of disks) {
        if (a === b) break;
        const low = Math.max(a.firstIndex(), b.firstIndex());
        let matched = false;
        for (let index = Math.min(a.lastIndex(), b.lastIndex()); index >= low; index--) {
          const same = a.term(index) === b.term(index);
          assert(same || !matched, `log matching: two logs agree above ${index}, not there`);
          matched ||= same;
        }
      }
    }
  }

  /** What leaves a replica once a write is done rests on what its disk has. */
  checkDurable(id: number, disk: MemoryStorage, m: Message): void {
    if (m.reject) return;
    const { hardState } = disk.initialState();
    if (m.type === MessageType.VoteResponse) {
      assert(
        hardState.term > m.term || (hardState.term === m.term && hardState.vote === m.to),
        `${id} sends a vote that is not durable`,
      );
    } else if (m.type === MessageType.AppendResponse) {
      assert(hardState.term >= m.term, `${id} acknowledges in a term that is not durable`);
      if (m.term === hardState.term) {
        assert(disk.lastIndex() >= m.index, `${id} acknowledges what is not durable`);
      }
    }
  }

  /** Notes that a replica was asked for a read index. */
  readAsked(replica: number, context: number): void {
    this.#reads.set(context, { replica, atLeast: this.#highestCommit });
  }

  /** Linearizability: the index covers all that was committed before the read was asked for. */
  readDone(replica: number, context: number, index: number): void {
    const read = this.#reads.get(context);
    if (read === undefined) return;
    assertEquals(read.replica, replica, "a read returns where it was asked");
    assert(index >= read.atLeast, `a read at ${index} misses what ${read.atLeast} committed`);
    this.#reads.delete(context);
    this.#readsDone++;
  }
}
