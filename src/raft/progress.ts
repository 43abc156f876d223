// The leader's view of one replica: how far its log matches, what to send next, and whether it may.
// A small state machine; the transitions that depend on the leader's log live in replication.ts.
// Source: Raft §5.3 (nextIndex, matchIndex), with etcd-raft's probe/replicate/snapshot states.

import type { LogIndex, ReplicaId } from "../base/ids.ts";
import { Inflights } from "./inflights.ts";

export enum ProgressState {
  /** One append at a time, to find where the logs meet. */
  Probe = 0,
  /** Appends are sent optimistically within the in-flight window. */
  Replicate = 1,
  /** Nothing is sent until a snapshot was applied. */
  Snapshot = 2,
}

export class Progress {
  readonly id: ReplicaId;
  /** Highest index known to match the leader's log, durable on the replica. */
  match: LogIndex = 0;
  /** Next index to send; what lies between is in flight. *Invariant:* match < next. */
  next: LogIndex;
  /** Highest commit index sent so far, in an append or a heartbeat. */
  sentCommit: LogIndex = 0;
  state: ProgressState = ProgressState.Probe;
  /** In `Snapshot`: index of the snapshot that was sent, else 0. */
  pendingSnapshot: LogIndex = 0;
  /** Whether anything came from the replica since the last quorum check. */
  recentActive = false;
  /** Set after a probe and when the window is full; lifted by answers and heartbeat answers. */
  appendPaused = false;
  inflights: Inflights;
  isLearner: boolean;
  /** Highest read sequence of this term the replica has confirmed our leadership for. */
  readAck = 0;

  constructor(id: ReplicaId, next: LogIndex, isLearner: boolean, inflights: Inflights) {
    this.id = id;
    this.next = next;
    this.isLearner = isLearner;
    this.inflights = inflights;
  }

  /** A copy that shares the in-flight window, for a configuration in the making. */
  clone(): Progress {
    const copy = new Progress(this.id, this.next, this.isLearner, this.inflights);
    copy.match = this.match;
    copy.sentCommit = this.sentCommit;
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.recentActive = this.recentActive;
    copy.appendPaused = this.appendPaused;
    copy.readAck = this.readAck;
    return copy;
  }

  #enter(state: ProgressState): void {
    this.appendPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  /** Probes from match + 1 on, or from a snapshot that was delivered meanwhile. */
  becomeProbe(): void {
    const delivered = this.state === ProgressState.Snapshot ? this.pendingSnapshot : 0;
    this.#enter(ProgressState.Probe);
    this.next = Math.max(this.match, delivered) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter(ProgressState.Replicate);
    this.next = this.match + 1;
  }

  becomeSnapshot(index: LogIndex): void {
    this.#enter(ProgressState.Snapshot);
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Notes that an append with this many entries, from `next` on, was sent. */
  sentEntries(count: number, sizeBytes: number): void {
    if (this.state === ProgressState.Replicate) {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, sizeBytes);
      }
      // With a full window even an empty append is a probe: the next one waits for an answer.
      this.appendPaused = this.inflights.full();
    } else if (count > 0) {
      this.appendPaused = true;
    }
  }

  /** Whether sending `commit` now can advance the replica's commit index. */
  canBumpCommit(commit: LogIndex): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** Takes an acknowledgement up to `index`; false if it says nothing new. */
  maybeUpdate(index: LogIndex): boolean {
    if (index <= this.match) return false;
    this.match = index;
    if (this.next <= index) this.next = index + 1;
    this.appendPaused = false;
    return true;
  }

  /**
   * Takes the rejection of an append anchored at `rejected`; `hint` is where the logs may meet.
   * False if the rejection is stale (duplicated or reordered).
   */
  maybeDecrease(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === ProgressState.Replicate) {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.sentCommit = Math.min(this.sentCommit, this.next - 1);
      return true;
    }
    // A replica that is not replicating gets one append at a time, so only its answer can count.
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.appendPaused = false;
    return true;
  }

  /** Whether no append may be sent. */
  paused(): boolean {
    return this.state === ProgressState.Snapshot || this.appendPaused;
  }
}
