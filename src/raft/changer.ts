// From one configuration to the next: simple changes, entering and leaving joint ones, restoring.
// Works on copies, so that a change that turns out invalid has changed nothing.
// Source: Raft dissertation §4.1-4.3; learners that replace outgoing voters as in etcd-raft.

import { assert } from "../base/assert.ts";
import type { LogIndex, ReplicaId } from "../base/ids.ts";
import {
  type ConfChangeSingle,
  ConfChangeType,
  type ConfChangeV2,
  entersJoint,
  leavesJoint,
} from "./conf_change.ts";
import { Progress } from "./progress.ts";
import { type Config, EMPTY_CONFIG, type Tracker } from "./tracker.ts";
import type { ConfState } from "./types.ts";

/** A change that the configuration does not allow. */
export class ConfChangeError extends Error {
  override name = "ConfChangeError";
}

/** A configuration and the progress of everyone in it, ascending by id. */
export interface Membership {
  readonly config: Config;
  readonly members: readonly Progress[];
}

/** A configuration in the making. */
interface Draft {
  incoming: Set<ReplicaId>;
  outgoing: Set<ReplicaId>;
  learners: Set<ReplicaId>;
  learnersNext: Set<ReplicaId>;
  autoLeave: boolean;
  members: Map<ReplicaId, Progress>;
}

export class Changer {
  readonly #from: Membership;
  readonly #tracker: Tracker;
  readonly #lastIndex: LogIndex;

  /**
   * `tracker` only makes in-flight windows here; new members are probed from `lastIndex` (at least
   * 1) on.
   */
  constructor(from: Membership, tracker: Tracker, lastIndex: LogIndex) {
    this.#from = from;
    this.#tracker = tracker;
    this.#lastIndex = lastIndex;
  }

  /** Carries out whatever `change` asks for. Throws {@linkcode ConfChangeError}. */
  apply(change: ConfChangeV2): Membership {
    if (leavesJoint(change)) return this.leaveJoint();
    const { joint, autoLeave } = entersJoint(change);
    return joint ? this.enterJoint(autoLeave, change.changes) : this.simple(change.changes);
  }

  /** From (1 2 3) to, say, (2 3 4)&&(1 2 3). Throws {@linkcode ConfChangeError}. */
  enterJoint(autoLeave: boolean, changes: readonly ConfChangeSingle[]): Membership {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) throw new ConfChangeError("config is already joint");
    if (draft.incoming.size === 0) {
      throw new ConfChangeError("can't make a zero-voter config joint");
    }
    draft.outgoing = new Set(draft.incoming);
    this.#change(draft, changes);
    draft.autoLeave = autoLeave;
    return finish(draft);
  }

  /** From (2 3 4)&&(1 2 3) to (2 3 4). Throws {@linkcode ConfChangeError}. */
  leaveJoint(): Membership {
    const draft = this.#draft();
    if (draft.outgoing.size === 0) throw new ConfChangeError("can't leave a non-joint config");
    for (const id of draft.learnersNext) {
      draft.learners.add(id);
      draft.members.get(id)!.isLearner = true;
    }
    draft.learnersNext.clear();
    for (const id of draft.outgoing) {
      if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.members.delete(id);
    }
    draft.outgoing.clear();
    draft.autoLeave = false;
    return finish(draft);
  }

  /** Changes at most one voter, and any learners. Throws {@linkcode ConfChangeError}. */
  simple(changes: readonly ConfChangeSingle[]): Membership {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) {
      throw new ConfChangeError("can't apply simple config change in joint config");
    }
    this.#change(draft, changes);
    const before = new Set(this.#from.config.incoming);
    if (before.symmetricDifference(draft.incoming).size > 1) {
      throw new ConfChangeError("more than one voter changed without entering joint config");
    }
    return finish(draft);
  }

  #draft(): Draft {
    const { config, members } = this.#from;
    checkInvariants(this.#from);
    return {
      incoming: new Set(config.incoming),
      outgoing: new Set(config.outgoing),
      learners: new Set(config.learners),
      learnersNext: new Set(config.learnersNext),
      autoLeave: config.autoLeave,
      members: new Map(members.map((progress) => [progress.id, progress.clone()])),
    };
  }

  #change(draft: Draft, changes: readonly ConfChangeSingle[]): void {
    for (const { type, replicaId } of changes) {
      // An application vetoes a step by zeroing its id.
      if (replicaId === 0) continue;
      switch (type) {
        case ConfChangeType.AddVoter:
          this.#makeVoter(draft, replicaId);
          break;
        case ConfChangeType.AddLearner:
          this.#makeLearner(draft, replicaId);
          break;
        case ConfChangeType.Remove:
          remove(draft, replicaId);
          break;
        case ConfChangeType.Update:
          break;
      }
    }
    if (draft.incoming.size === 0) throw new ConfChangeError("removed all voters");
  }

  #makeVoter(draft: Draft, id: ReplicaId): void {
    const progress = draft.members.get(id);
    if (progress === undefined) {
      this.#addMember(draft, id, false);
      return;
    }
    progress.isLearner = false;
    draft.learners.delete(id);
    draft.learnersNext.delete(id);
    draft.incoming.add(id);
  }

  #makeLearner(draft: Draft, id: ReplicaId): void {
    const progress = draft.members.get(id);
    if (progress === undefined) {
      this.#addMember(draft, id, true);
      return;
    }
    if (progress.isLearner) return;
    remove(draft, id);
    draft.members.set(id, progress);
    // While the outgoing majority still counts it as a voter it can't be a learner too.
    if (draft.outgoing.has(id)) {
      draft.learnersNext.add(id);
    } else {
      progress.isLearner = true;
      draft.learners.add(id);
    }
  }

  #addMember(draft: Draft, id: ReplicaId, isLearner: boolean): void {
    (isLearner ? draft.learners : draft.incoming).add(id);
    const next = Math.max(this.#lastIndex, 1);
    const progress = new Progress(id, next, isLearner, this.#tracker.newInflights());
    // Counts as heard of, or a quorum check before its first answer might depose the leader.
    progress.recentActive = true;
    draft.members.set(id, progress);
  }
}

/** Builds the membership that a snapshot or the initial state describes. */
export function restoreMembership(
  confState: ConfState,
  tracker: Tracker,
  lastIndex: LogIndex,
): Membership {
  let membership: Membership = { config: EMPTY_CONFIG, members: [] };
  const step = (change: (changer: Changer) => Membership) => {
    membership = change(new Changer(membership, tracker, lastIndex));
  };
  const singles = (type: ConfChangeType, ids: readonly ReplicaId[]): ConfChangeSingle[] =>
    ids.map((replicaId) => ({ type, replicaId }));

  const incoming = [
    ...singles(ConfChangeType.Remove, confState.votersOutgoing),
    ...singles(ConfChangeType.AddVoter, confState.voters),
    ...singles(ConfChangeType.AddLearner, confState.learners),
    ...singles(ConfChangeType.AddLearner, confState.learnersNext),
  ];
  if (confState.votersOutgoing.length === 0) {
    for (const change of incoming) step((changer) => changer.simple([change]));
    return membership;
  }
  for (const change of singles(ConfChangeType.AddVoter, confState.votersOutgoing)) {
    step((changer) => changer.simple([change]));
  }
  step((changer) => changer.enterJoint(confState.autoLeave, incoming));
  return membership;
}

function remove(draft: Draft, id: ReplicaId): void {
  if (!draft.members.has(id)) return;
  draft.incoming.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  if (!draft.outgoing.has(id)) draft.members.delete(id);
}

function ascending(ids: Iterable<ReplicaId>): ReplicaId[] {
  return [...ids].sort((a, b) => a - b);
}

function finish(draft: Draft): Membership {
  const membership: Membership = {
    config: {
      incoming: ascending(draft.incoming),
      outgoing: ascending(draft.outgoing),
      learners: ascending(draft.learners),
      learnersNext: ascending(draft.learnersNext),
      autoLeave: draft.autoLeave,
    },
    members: [...draft.members.values()].sort((a, b) => a.id - b.id),
  };
  checkInvariants(membership);
  return membership;
}

/** Holds before and after every change, so a failure here is a bug in this file. */
function checkInvariants({ config, members }: Membership): void {
  const byId = new Map(members.map((progress) => [progress.id, progress]));
  const lists = [config.incoming, config.outgoing, config.learners, config.learnersNext];
  for (const ids of lists) {
    for (const id of ids) assert(byId.has(id), `no progress for ${id}`);
  }
  for (const id of config.learnersNext) {
    assert(config.outgoing.includes(id), `${id} is in learnersNext, but not in outgoing`);
    assert(!byId.get(id)!.isLearner, `${id} is in learnersNext, but already marked as learner`);
  }
  for (const id of config.learners) {
    assert(!config.outgoing.includes(id), `${id} is in learners and outgoing`);
    assert(!config.incoming.includes(id), `${id} is in learners and incoming`);
    assert(byId.get(id)!.isLearner, `${id} is in learners, but not marked as learner`);
  }
  if (config.outgoing.length === 0) {
    assert(config.learnersNext.length === 0, "learnersNext must be empty when not joint");
    assert(!config.autoLeave, "autoLeave must be false when not joint");
  }
}
