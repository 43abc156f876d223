// Membership changes in a replica's life: which one the leader lets into the log, and what follows
// when one is applied. A configuration takes effect when applied, not when appended.
// Source: Raft §6 and dissertation §4, with the rules of etcd-raft.

import { assert } from "../base/assert.ts";
import type { LogIndex } from "../base/ids.ts";
import {
  type AnyConfChange,
  type ConfChangeV2,
  decodeConfChange,
  decodeConfChangeV2,
  toV2,
} from "./conf_change.ts";
import { Changer, ConfChangeError, type Membership, restoreMembership } from "./changer.ts";
import type { Raft } from "./raft.ts";
import { answerConfirmedReads } from "./read_only.ts";
import { bcastAppend, maybeCommit, maybeSendAppend } from "./replication.ts";
import { toConfState } from "./tracker.ts";
import { type ConfState, EntryType, NONE, Role, type SnapshotMetadata } from "./types.ts";

/** Why a leader may not take this membership change now; null if it may. */
export function confChangeRefusal(
  raft: Raft,
  proposal: { readonly type: EntryType; readonly data: Uint8Array },
): string | null {
  if (raft.config.disableConfChangeValidation) return null;
  let change: ConfChangeV2;
  try {
    change = proposal.type === EntryType.ConfChange
      ? toV2(decodeConfChange(proposal.data))
      : decodeConfChangeV2(proposal.data);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
  const { applied } = raft.log;
  const joint = raft.tracker.config.outgoing.length > 0;
  const wantsLeave = change.changes.length === 0;
  if (raft.pendingConfIndex > applied) {
    return `possible unapplied conf change at index ${raft.pendingConfIndex} (applied to ${applied})`;
  }
  if (joint && !wantsLeave) return "must transition out of joint config first";
  if (!joint && wantsLeave) return "not in joint state; refusing empty conf change";
  // As no other change is pending, what fails here would fail when applied, on every replica.
  try {
    changer(raft).apply(change);
    return null;
  } catch (error) {
    if (error instanceof ConfChangeError) return error.message;
    throw error;
  }
}

function changer(raft: Raft, from: Membership = raft.tracker): Changer {
  return new Changer(from, raft.tracker, raft.log.lastIndex());
}

/**
 * Applies the committed membership change at `index`. Throws {@linkcode ConfChangeError} if the
 * configuration does not allow it, which only a leader without validation lets happen.
 *
 * A snapshot may have been taken while entries from before it were still being applied. Its
 * configuration is the active one already; such a change only tells how the state machine gets there,
 * should the snapshot never be installed.
 */
export function applyConfChange(raft: Raft, change: AnyConfChange, index: LogIndex): ConfState {
  if (index > raft.snapshotConfIndex) {
    return installMembership(raft, changer(raft).apply(toV2(change)));
  }
  const superseded = raft.supersededMembership;
  if (superseded === null) return toConfState(raft.tracker.config);
  raft.supersededMembership = changer(raft, superseded).apply(toV2(change));
  return toConfState(raft.supersededMembership.config);
}

/** Switches to the configuration of a snapshot that has replaced the log. */
export function installSnapshotMembership(raft: Raft, metadata: SnapshotMetadata): void {
  const { config, members } = raft.tracker;
  raft.supersededMembership ??= { config, members };
  raft.snapshotConfIndex = metadata.index;
  const membership = restoreMembership(metadata.confState, raft.tracker, raft.log.lastIndex());
  const restored = installMembership(raft, membership);
  assert(
    sameConfState(restored, metadata.confState),
    "a snapshot's configuration is not well-formed",
  );
}

/** Switches to a membership, and on a leader does what follows from it. */
export function installMembership(raft: Raft, membership: Membership): ConfState {
  raft.tracker.install(membership.config, membership.members);
  const confState = toConfState(membership.config);
  if (raft.role !== Role.Leader) return confState;

  const self = raft.tracker.progress(raft.id);
  if (self === undefined || self.isLearner) {
    // Removed or demoted. Until it steps down it goes on to replicate, without counting itself. Better
    // to hand leadership over before: where the old majority needed us, nobody may be electable while
    // we hold entries that others lack (say, when one of two voters goes).
    if (raft.config.stepDownOnRemoval) raft.becomeFollower(raft.term, NONE);
    return confState;
  }
  assert(confState.voters.length > 0, "a leader's configuration has voters");
  if (maybeCommit(raft)) {
    bcastAppend(raft);
  } else {
    // New members need not wait for the next heartbeat.
    for (const progress of raft.tracker.members) {
      if (progress.id !== raft.id) maybeSendAppend(raft, progress, false);
    }
  }
  answerConfirmedReads(raft);
  if (raft.leadTransferee !== NONE && !raft.tracker.isVoter(raft.leadTransferee)) {
    raft.leadTransferee = NONE;
  }
  return confState;
}

/** Whether two descriptions mean the same configuration, in whatever order they list it. */
export function sameConfState(a: ConfState, b: ConfState): boolean {
  const same = (x: readonly number[], y: readonly number[]) =>
    x.length === y.length && x.every((id) => y.includes(id));
  return same(a.voters, b.voters) && same(a.learners, b.learners) &&
    same(a.votersOutgoing, b.votersOutgoing) && same(a.learnersNext, b.learnersNext) &&
    a.autoLeave === b.autoLeave;
}
