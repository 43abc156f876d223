// What a node sends to its dashboard: the cluster at one moment, as rows that are ready to be shown. Types only,
// shared by the server's side (http/dashboard) and the page (dashboard/page).

/** Index of a member in {@linkcode DashboardView.members}. */
export type MemberIndex = number;

/** Counted since the node's start; `counts` by upper bounds of DURATION_BOUNDS_SECONDS, not cumulative. */
export interface WorkRow {
  readonly count: number;
  readonly sumSeconds: number;
  readonly counts: readonly number[];
}

export type WorkName = "put" | "get" | "scan" | "txn" | "delete" | "batch" | "sync" | "apply";

/** A member. What only its own report can tell is absent while there is none. */
export interface MemberRow {
  readonly nodeId: string;
  readonly name: string;
  readonly http: string;
  readonly state: "active" | "draining" | "drained" | "leaving";
  readonly zone?: string;
  readonly host?: string;
  readonly weight: number;
  /** Data partitions' replicas that it holds or is about to hold, by the map. */
  readonly replicas: number;
  /** Data partitions that it leads. */
  readonly leads: number;
  /** The node that serves the page. */
  readonly isSelf: boolean;
  /** Whether the serving node has a link with it. */
  readonly reachable: boolean;
  /** What the members together believe, and since when. */
  readonly status: "alive" | "suspect" | "dead";
  readonly statusForMs?: number;
  readonly requestsPerSecond?: number;
  readonly logBytes?: number;
  readonly diskFreeBytes?: number;
  /** Writes are refused for lack of space. */
  readonly diskLow?: boolean;
  readonly version?: string;
  readonly uptimeMs?: number;
  readonly memoryBytes?: number;
  readonly requestsInFlight?: number;
  /** Its wall clock minus the median of those that are known. */
  readonly clockErrorMs?: number;
  /** Since its report came. */
  readonly reportAgeMs?: number;
  readonly work?: Readonly<Record<WorkName, WorkRow>>;
}

/** One replica of a partition. */
export interface ReplicaCell {
  readonly member: MemberIndex;
  readonly role: "leader" | "voter" | "learner";
  /** By the move under way. */
  readonly change?: "adding" | "removing";
  /** Entries that the leader has and that it is not known to hold. Absent if no leader tells. */
  readonly behind?: number;
  /** Entries committed and not yet applied. Absent if the node does not report. */
  readonly unapplied?: number;
  /** `corrupt: …`, `awaiting-snapshot`. */
  readonly trouble?: string;
}

export interface PartitionRow {
  /** 0 is the meta group. */
  readonly partition: number;
  /** Hash slots, each pair half-open; none for the meta group. */
  readonly slots: readonly (readonly [start: number, end: number])[];
  readonly leader?: MemberIndex;
  readonly term?: number;
  readonly commitIndex?: number;
  readonly keys?: number;
  /** Since so long no leader is known. */
  readonly leaderlessMs?: number;
  readonly preferredZone?: string;
  readonly replicas: readonly ReplicaCell[];
}

/** A partition's change of replicas under way. */
export interface MoveRow {
  readonly partition: number;
  readonly beganEpoch: number;
  readonly to: readonly string[];
  readonly from: readonly string[];
  readonly phase: "learning" | "promoted";
  readonly cancelled: boolean;
  /** Snapshot bytes handed over and in all, while one is on its way. */
  readonly sentBytes?: number;
  readonly sizeBytes?: number;
  /** Entries that the slowest addition lacks. */
  readonly behind?: number;
  /** That is all there are: it waits for a snapshot, or has not been reached yet. */
  readonly empty?: true;
  readonly waitingFor?: string;
}

/** Something that happened; `count` of its kind in a row. */
export interface HappeningRow {
  readonly atMs: number;
  readonly kind: string;
  /** Name of the member it is about. */
  readonly member: string;
  readonly count: number;
  readonly partitions: readonly number[];
  readonly term?: number;
  readonly durationMs?: number;
  readonly to?: readonly string[];
  readonly from?: readonly string[];
}

export interface DashboardView {
  /** Wall clock of the serving node. */
  readonly atMs: number;
  readonly clusterId: string;
  readonly version: string;
  readonly epoch: number;
  /** A member silent for so long is replaced. */
  readonly deadAfterMs: number;
  /** By name. */
  readonly members: readonly MemberRow[];
  /** Ascending. */
  readonly partitions: readonly PartitionRow[];
  readonly moves: readonly MoveRow[];
  /** Steps planned behind those under way; known on the node that leads the meta group. */
  readonly plan?: {
    readonly waiting: number;
    readonly blocked: readonly { readonly partition: number; readonly reason: string }[];
  };
  /** Oldest first. */
  readonly happenings: readonly HappeningRow[];
}

/**
 * One event of the stream: the view, with those partitions only that changed since the event before, and
 * without happenings if there are no new ones. The first event holds everything.
 */
export type DashboardFrame =
  & Omit<DashboardView, "happenings">
  & Partial<Pick<DashboardView, "happenings">>
  & { readonly whole: boolean };

/** The view after `frame`, on top of the one before it. */
export function viewAfter(before: DashboardView | undefined, frame: DashboardFrame): DashboardView {
  const { whole, happenings, partitions, ...rest } = frame;
  if (whole || before === undefined) {
    return { ...rest, partitions, happenings: happenings ?? [] };
  }
  const changed = new Map(partitions.map((row) => [row.partition, row]));
  const kept = before.partitions.map((row) => {
    const now = changed.get(row.partition);
    changed.delete(row.partition);
    return now ?? row;
  });
  return {
    ...rest,
    partitions: changed.size === 0 ? kept : [...kept, ...changed.values()],
    happenings: happenings ?? before.happenings,
  };
}
