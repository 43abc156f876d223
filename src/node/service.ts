// What the HTTP layer asks of a node, and every way an answer can turn out. Types only: http/ renders
// them, node/ provides them, neither imports the other's code.

import type { Meters, NodeFigures } from "./meters.ts";
import type { SlowRequests } from "./slow_requests.ts";
import type { Happening } from "./journal.ts";
import type { KnownReport } from "./overview.ts";
import type { LoadFigures, Status } from "../gossip/mod.ts";
import type { LogIndex, NodeId, PartitionId, ReplicaId, Term } from "../base/ids.ts";
import type { PageQuery } from "../store/page.ts";
import type { WatchPosition } from "../store/history.ts";
import type { StoreState } from "../store/store.ts";
import type {
  Applied,
  Command,
  Idempotency,
  Key,
  RecordView,
  WatchEvent,
  WatchFilter,
} from "../store/types.ts";

/** Every problem code of the API. HTTP status and words hang on it (http/problem.ts). */
export type ProblemCode =
  // Decided by this node before anything was accepted: outcome none.
  | "not-leader" // 421 or 307, only when the client asked not to be forwarded
  | "no-leader" // 503: no leader known within the deadline, nothing was sent
  | "overloaded" // 503: a bounded queue is full
  | "disk-full" // 503
  | "stopping" // 503
  | "unavailable" // 503: withdrawn or overwritten; definitely not applied
  | "idempotency-table-full" // 429
  // Refused membership changes.
  | "unknown-member" // 404
  | "unknown-partition" // 404
  | "conflict" // 409
  // Event streams.
  | "history-gone" // 410: what a watcher missed is no longer kept
  // Unknown outcome (writes only).
  | "timeout" // 504
  | "internal"; // 500

/** Why a request has no decided answer. */
export interface Failure {
  readonly ok: false;
  readonly code: ProblemCode;
  /** `none`: the attempt had no effect and never will. `unknown`: it may have, or may yet. */
  readonly outcome: "none" | "unknown";
  readonly detail: string;
  /** For `not-leader`: where to go, as advertised HTTP address, if known. */
  readonly leaderHttp?: string;
  /** Between nodes: who leads, as the refusing node knows. */
  readonly leaderNodeId?: NodeId;
  readonly epoch?: number;
}

/** A decided write. */
export interface WriteAnswer {
  readonly ok: true;
  readonly partition: PartitionId;
  readonly applied: Applied;
}

/** A decided read: `record` absent means 404. */
export interface ReadAnswer {
  readonly ok: true;
  readonly partition: PartitionId;
  /** lastApplied, taken in the same synchronous step as the record (RULES 20). */
  readonly appliedIndex: LogIndex;
  /** Partition time then; expiry is relative to it. */
  readonly timeMs: number;
  readonly record: RecordView | undefined;
  /** Present if the answer is not linearizable: it came from whichever replica was asked. */
  readonly stale?: Staleness;
}

/** What is known of a stale answer's age. */
export interface Staleness {
  /**
   * The replica had applied, when it answered, all that was committed so long before; undefined if
   * that is not known.
   */
  readonly ageMs: number | undefined;
}

/** What a stale read must have at least; a replica that falls short passes it on to the leader. */
export interface StaleBounds {
  readonly maxStalenessMs?: number;
  /** The replica has applied at least this. */
  readonly minApplied?: LogIndex;
}

/** A decided page of a scan: linearizable for its partition (RULES 21). */
export interface PageAnswer {
  readonly ok: true;
  readonly partition: PartitionId;
  /** lastApplied, taken in the same synchronous step as the records. */
  readonly appliedIndex: LogIndex;
  /** Partition time then. */
  readonly timeMs: number;
  readonly records: readonly RecordView[];
  /** Live records met. */
  readonly count: number;
  /** The last key looked at, if the page ended before the range did. */
  readonly resume?: Key;
  /** As in {@linkcode ReadAnswer}. */
  readonly stale?: Staleness;
}

/** Events of one partition behind a position. */
export interface EventsAnswer {
  readonly ok: true;
  readonly partition: PartitionId;
  /** Partition time when they were read. */
  readonly timeMs: number;
  readonly events: readonly WatchEvent[];
  /** Everything up to it was looked at, and what was wanted of it is in `events`. */
  readonly position: WatchPosition;
}

/** A partition's whole state at one applied index, which nothing changes any more. */
export interface FrozenPartition {
  readonly ok: true;
  readonly nodeId: NodeId;
  readonly partition: PartitionId;
  readonly appliedIndex: LogIndex;
  readonly state: StoreState;
}

/** A read of a partition's history that may wait. */
export interface PendingEvents {
  /** At least one event, unless the wait was ended. `history-gone` is final, other failures pass. */
  readonly result: Promise<EventsAnswer | Failure>;
  /** How far the wait has seen without finding anything, if that is known and further than asked. */
  seen(): WatchPosition | undefined;
  /** Nobody awaits the result any more. */
  cancel(): void;
}

/** How the client wants to be routed when this node does not lead the key's partition. */
export type ForwardMode = "forward" | "never" | "redirect";

export interface RequestOptions {
  readonly forward: ForwardMode;
  /** Milliseconds from now after which the answer is no longer awaited. */
  readonly timeoutMs: number;
}

/** One member as `GET /cluster` shows it. */
export interface MemberView {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly http: string;
  readonly peer: string;
  /** `drained`: it was drained and holds no replica any more. */
  readonly state: "active" | "draining" | "drained" | "leaving";
  /** Data partitions' replicas that it holds, or is about to hold, by the map. */
  readonly replicas: number;
  /** Share of the replicas, relative to other members' weights. */
  readonly weight: number;
  readonly zone?: string;
  readonly host?: string;
  /** False when this node's links to it are down. */
  readonly reachable: boolean;
  /** What the members together believe of it; absent of the node that answers. */
  readonly gossip?: Status;
  /** Since when it is alive, or is not (suspect, then dead), ms ago. */
  readonly gossipForMs?: number;
  /** What it last said of its own load. */
  readonly load?: LoadFigures;
}

export interface ReplicaView {
  readonly replicaId: ReplicaId;
  readonly nodeId: NodeId;
  readonly role: "voter" | "learner";
  /** Known on the leader only. */
  readonly matchIndex?: LogIndex;
  readonly lag?: number;
}

/** One partition as this node sees it. */
export interface PartitionView {
  readonly partition: PartitionId;
  readonly term: Term;
  readonly leader: ReplicaId;
  readonly leaderNodeId: NodeId | undefined;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly replicas: readonly ReplicaView[];
  /** Nothing was asked of the group for a while: its clocks stand still (RULES 12). */
  readonly asleep: boolean;
  /** Keys in the state, expired ones that are not reaped yet included. */
  readonly keys?: number;
  /** Bytes of log since the last snapshot, and of that snapshot. */
  readonly logBytes: number;
  readonly snapshotBytes: number;
  /** `corrupt`, `awaiting-snapshot` … (RULES 4), or `ok`. */
  readonly health: string;
}

/** Where requests for one partition's keys go. */
export interface RoutingView {
  readonly partition: PartitionId;
  /** Hash slots, each pair half-open: [start, end). */
  readonly slots: readonly (readonly [start: number, end: number])[];
  /** Nodes of the settled voters. */
  readonly replicas: readonly NodeId[];
  /** Absent while this node knows none. */
  readonly leader?: NodeId;
  /** Where the leader should be, if that was asked for. */
  readonly preferredZone?: string;
}

export interface ClusterView {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly name: string;
  readonly version: string;
  readonly epoch: number;
  readonly members: readonly MemberView[];
  /** Those this node holds a replica of. */
  readonly partitions: readonly PartitionView[];
  /** Every data partition, ascending. */
  readonly routing: readonly RoutingView[];
  readonly moves: readonly MoveView[];
  /** On the node that leads the meta group. */
  readonly plan?: PlanView;
}

/** `GET /cluster/hash`. */
export interface HashesAnswer {
  readonly ok: true;
  readonly nodeId: NodeId;
  readonly partitions: readonly {
    readonly partition: PartitionId;
    /** The index at which it was taken. */
    readonly applied: LogIndex;
    /** Sixteen hex digits. */
    readonly hash: string;
  }[];
}

/** `POST /cluster/members`. */
export type MemberChange =
  /** A running node without a cluster listens for peers at `peer`. */
  | { readonly kind: "add"; readonly peer: string }
  /** Its replicas go elsewhere, then it is no member any more. By name or nodeId. */
  | { readonly kind: "remove"; readonly node: string }
  /** Its replicas go elsewhere; it stays a member without any. */
  | { readonly kind: "drain"; readonly node: string }
  /** Takes a drain or a removal that is under way back. */
  | { readonly kind: "activate"; readonly node: string };

/** One partition's change of voters under way, for `GET /cluster`. */
export interface MoveView {
  readonly partition: PartitionId;
  /** Epoch of the map that began it. */
  readonly beganEpoch: LogIndex;
  readonly adding: readonly NodeId[];
  readonly removing: readonly NodeId[];
  /** `learning`: additions catch up. `promoted`: at least one of them votes. */
  readonly phase: "learning" | "promoted";
  readonly cancelled: boolean;
  /** Known on the partition's leader: how far each addition is, and what is waited for. */
  readonly progress?: readonly {
    readonly nodeId: NodeId;
    readonly matchIndex: LogIndex;
    readonly lag: number;
  }[];
  readonly waitingFor?: string;
}

/** What is yet to be moved, as the meta group's leader plans it. */
export interface PlanView {
  /** Steps that wait for those under way. */
  readonly waiting: number;
  readonly blocked: readonly { readonly partition: PartitionId; readonly reason: string }[];
}

/** What a node can show of the whole cluster (node/overview.ts). */
export interface OverviewSource {
  /** By node, this one included; others' only while somebody follows. */
  reports(): ReadonlyMap<NodeId, KnownReport>;
  /** Oldest first. */
  happenings(): readonly Happening[];
  follow(onChange: () => void): () => void;
}

/** The node as its HTTP layer sees it. No method throws; what goes wrong is a {@linkcode Failure}. */
export interface NodeService {
  readonly valueSizeBytesMax: number;
  /** What this node has counted of its own work; the HTTP layer counts its part in it. */
  readonly meters: Meters;
  readonly overview: OverviewSource;
  /** Where the HTTP layer tells of requests that took long. */
  readonly slowRequests: Pick<SlowRequests, "isSlow" | "tell">;
  figures(): NodeFigures;
  /** The partition a key belongs to, by the map that this node has applied. */
  partitionOf(key: Key): PartitionId;
  /** A transaction goes to the partition of its keys (store/command_keys.ts), of which its caller made sure. */
  write(
    command: Command,
    idempotency: Idempotency | undefined,
    options: RequestOptions,
  ): Promise<WriteAnswer | Failure>;
  /** Linearizable by ReadIndex. */
  read(key: Key, options: RequestOptions): Promise<ReadAnswer | Failure>;
  /** From this node's own replica if that keeps the bounds; else linearizable, from the leader. */
  readStale(
    key: Key,
    bounds: StaleBounds,
    options: RequestOptions,
  ): Promise<ReadAnswer | Failure>;
  /** Every partition that holds data, ascending, by the map that this node has applied. */
  dataPartitions(): readonly PartitionId[];
  /** One page of a partition: linearizable by ReadIndex, or, with bounds, as `readStale` reads. */
  scanPage(
    partition: PartitionId,
    query: PageQuery,
    bounds: StaleBounds | undefined,
    options: RequestOptions,
  ): Promise<PageAnswer | Failure>;
  /** Committed events of a partition behind a position; `waits`: for the first one to come. */
  events(
    partition: PartitionId,
    position: WatchPosition,
    filter: WatchFilter,
    waits: boolean,
  ): PendingEvents;
  /**
   * A partition as this node's replica has it, with everything that was acknowledged before the call and
   * partition time brought up to now; `not-leader` if this node holds no whole replica.
   */
  freezePartition(
    partition: PartitionId,
    options: RequestOptions,
  ): Promise<FrozenPartition | Failure>;
  /** Calls `listener` once, when the node begins to stop. Returns how to take that back. */
  onStopping(listener: () => void): () => void;
  cluster(): ClusterView;
  /**
   * State hashes of the replicas on this node, or of one of them once it has applied `applied`: equal
   * ones at equal index mean equal replicas.
   */
  stateHashes(
    wanted: { readonly partition: PartitionId; readonly applied: LogIndex } | undefined,
    options: RequestOptions,
  ): Promise<HashesAnswer | Failure>;
  /** Resolves when the meta group has committed the intent; `/cluster` shows it being carried out. */
  changeMembers(
    change: MemberChange,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure>;
  transferLeadership(
    partition: PartitionId,
    /** Name or nodeId. */
    to: string,
    options: RequestOptions,
  ): Promise<{ ok: true } | Failure>;
  /** Asks that a partition's leader be in a zone; undefined: anywhere. */
  preferZone(
    partition: PartitionId,
    zone: string | undefined,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure>;
  /** As `changeMembers`; names or nodeIds. */
  moveReplica(
    partition: PartitionId,
    from: string,
    to: string,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure>;
  /** Ready to take traffic: every replica caught up to a known leader, not stopping. */
  ready(): { readonly ready: boolean; readonly reason: string };
}
