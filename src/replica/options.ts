// What a replica is given and what it tells: its owner's side of the contract.

import type { LogIndex, PartitionId, ReplicaId } from "../base/ids.ts";
import type { Clock, Log, Random } from "../platform/ports.ts";
import type { GroupLog, GroupSnapshots, ReplicaLinks } from "./log_port.ts";
import type { StateMachine } from "./machine.ts";
import type { NoticeBoard } from "./commit_notices.ts";
import type { ProposalRounds } from "./proposal_rounds.ts";
import type { ReadRounds } from "./read_rounds.ts";
import type { Replica } from "./replica.ts";
import type { WindowLimits } from "./window_storage.ts";

/** Why a replica ends: with its node, or because it was moved; then others know the leader. */
export type EndReason = "stopping" | "not-leader";

/** What a replica tells its owner. All calls are synchronous. */
export interface ReplicaObserver {
  /** Leader, term or role changed. */
  onLeadership(replica: Replica): void;
  /** Another configuration took effect. */
  onConfiguration(replica: Replica): void;
  /** It fell asleep, or woke up: `replica.asleep` tells. */
  onQuiescence(replica: Replica): void;
  /** Applied what was committed in one step; `durationMs` is the time it took. */
  onApplied?(durationMs: number): void;
  /** A round of ReadIndex was confirmed by its quorum after `durationMs`. */
  onReadIndex?(durationMs: number): void;
}

export interface ReplicaOptions<Result> {
  readonly group: PartitionId;
  readonly id: ReplicaId;
  readonly machine: StateMachine<Result>;
  readonly log: GroupLog;
  readonly snapshots: GroupSnapshots;
  readonly links: ReplicaLinks;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Log;
  readonly observer: ReplicaObserver;
  /** Asks the owner to call `turn()` soon; calls may repeat. */
  readonly wake: () => void;
  /** The same, within the turn under way if there is one. */
  readonly join: () => void;
  /** This and the next two are shared by all groups of the node. */
  readonly proposalRounds: ProposalRounds;
  readonly readRounds: ReadRounds;
  readonly notices: NoticeBoard;
  /** Log bytes since the last snapshot after which the next one is taken. */
  readonly snapshotLogBytes: number;
  /** Memory that applied entries may take for followers that are late. */
  readonly windowLimits: () => WindowLimits;
  /** The map epoch that a membership change carries, if it carries one. */
  readonly epochOf: (context: Uint8Array) => LogIndex | undefined;
  /** Ends the process: the state can't be had. */
  readonly onFatal: (reason: string, cause: unknown) => never;
  /**
   * The newest snapshot file is damaged though log and hard state are whole: the machine is empty,
   * the replica votes and acknowledges, but neither campaigns nor serves (RULES 4).
   */
  readonly awaitingSnapshot: boolean;
  /**
   * Whether the group may sleep as far as the node knows: links to all its members work both ways, the
   * map wants no change of it. Whoever says so must call `doubt` when that ends.
   */
  readonly maySleep: () => boolean;
}
