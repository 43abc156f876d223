// The words that the bench's parts share: systems under test, the links between them, nemeses and the faults they
// did, workloads. Interfaces only; how a system is broken or driven is known where it is done.

/** Uniform in [0, 1); seeded by the run. */
export type Random = () => number;

/** What clients may ask of a system. */
export type Feature =
  /** PUT, GET, DELETE on /key/KEY with 200, 201, 404. */
  | "kv"
  /** If-Match and If-None-Match; answers carry revisions. */
  | "conditions"
  /** POST /txn. */
  | "txn"
  /** Idempotency-Key. */
  | "idempotency"
  | "ttl"
  | "scan"
  | "watch"
  /** Decided answers carry `Pontoon-Applied`, and the order by it must itself be a linearization. */
  | "applied";

/** What the bench may do to a system. */
export type Ability =
  /** SIGKILL, SIGSTOP and a start on the same data. */
  | "processes"
  /** SIGTERM ends a node cleanly. */
  | "graceful-stop"
  /** Directed links between nodes can be cut. */
  | "links"
  /** Links can lose some of their packets. */
  | "packet-loss"
  /** Links can be slowed, held back and reset: a proxy stands in them. */
  | "slow-links"
  /** The proxy knows the frames of the links between nodes and can repeat and delay whole ones. */
  | "frames"
  /** Wall clocks can be set and run fast or slow, each node's by itself. */
  | "clocks"
  /** Power cuts that lose what was not synced, a quota, slow and failing syncs. */
  | "disks"
  /** The layout of the data directory is known well enough to damage what had been durable. */
  | "files"
  /** Nodes can join and leave. */
  | "membership"
  /** Leaderships and replicas can be moved about. */
  | "moves";

/** One node of a system under test. */
export interface SystemNode {
  readonly name: string;
  /** HOST:PORT of its HTTP API for clients: through the links, where there are any. */
  readonly http: string;
  /** The same past the links, for the bench's own questions, which no fault on a link may silence. */
  readonly directHttp: string;
  /** True while its process exists, paused or not. */
  readonly running: boolean;
  /** True while the bench has it stopped, paused or taken out: not being ready is then no surprise. */
  readonly down: boolean;
  readonly dataDir: string;
  /** What it wrote on standard error, over all its starts. */
  readonly logFile: string;
}

/** What one node says of one partition. */
export interface PartitionStatus {
  readonly partition: string;
  readonly term: number;
  /** Name of the node that it takes for the leader. */
  readonly leader: string | undefined;
}

/** A node that ended though nobody had asked it to. It is started again. */
export interface NodeEnd {
  readonly node: string;
  /** By performance.now() in the runner. */
  readonly atMs: number;
  /** Exit code; -1 if a signal ended it. */
  readonly code: number;
  /** What its log says last of an error. */
  readonly reason: string;
}

/**
 * *Contract:* `stop` ends every process that the system started, in whatever state it is, and takes back every
 * change to the machine.
 */
export interface System {
  readonly name: string;
  readonly nodes: readonly SystemNode[];
  readonly features: ReadonlySet<Feature>;
  readonly abilities: ReadonlySet<Ability>;
  /** The links, if the system was made with any. */
  readonly links: Links | undefined;
  /** Disk and clock under each node, if they can be steered. */
  readonly machines: Machines | undefined;
  /** Who belongs to the cluster, if that can be changed. */
  readonly membership: Membership | undefined;
  /** Nodes that ended by themselves, so far. */
  readonly ends: readonly NodeEnd[];
  /** Starts all nodes and waits until each serves. */
  start(): Promise<void>;
  /** Starts one node again on its data; resolves when its process runs, ready or not. */
  restart(node: SystemNode): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(node: SystemNode): Promise<void>;
  /** SIGTERM; resolves with the exit code. Rejects, having killed it, after `timeoutMs`. */
  terminate(node: SystemNode, timeoutMs: number): Promise<number>;
  /** SIGSTOP; resolves when the kernel says the process is stopped. */
  pause(node: SystemNode): Promise<void>;
  /** SIGCONT. */
  resume(node: SystemNode): void;
  /** Waits until each node of the cluster serves. Rejects, naming those that don't, after `timeoutMs`. */
  ready(timeoutMs: number): Promise<void>;
  /** What a node says of its partitions; undefined if it does not answer. Never rejects. */
  status(node: SystemNode): Promise<readonly PartitionStatus[] | undefined>;
  /** The node that leads the first data partition, as the nodes say now; undefined if none does. */
  leader(): Promise<SystemNode | undefined>;
  /** What runs, by name. */
  versions(): Promise<Readonly<Record<string, string>>>;
  stop(): Promise<void>;
}

/** A directed link: everything that `from` says to `to`, and its answers. `client` stands for all clients. */
export interface Link {
  readonly from: string;
  readonly to: string;
}

/** What happens to the bytes of a link. */
export type LinkEffect =
  /** Nothing arrives and nobody is told. `direction`: which bytes, seen from the dialler. */
  | { readonly kind: "blackhole"; readonly direction?: "both" | "forward" | "backward" }
  /** Bytes are kept and flushed, in order, when the effect ends (what a router's full queue does). */
  | { readonly kind: "hold" }
  /** Open connections are reset, and new ones as soon as they are accepted. */
  | { readonly kind: "reset" }
  /** Every piece arrives `delayMs` plus up to `jitterMs` late, at most so many bytes a second. */
  | {
    readonly kind: "slow";
    readonly delayMs: number;
    readonly jitterMs: number;
    readonly bytesPerSecond?: number;
  }
  /** Packets are lost with that chance, and TCP has to make up for it; network namespaces only. */
  | { readonly kind: "loss"; readonly chance: number }
  /** Connections are reset at random, on average after `meanMs`; in between all is well. */
  | { readonly kind: "flaky"; readonly meanMs: number }
  /**
   * Raft frames arrive twice with chance `twice`; with chance `late` a copy arrives again on the next connection
   * of the link, which the link is reset for about every `renewMs`.
   */
  | {
    readonly kind: "repeat";
    readonly twice: number;
    readonly late: number;
    readonly renewMs: number;
  };

/** What a link has done since its start. Only ever grows. */
export interface LinkCounters {
  readonly forwardedBytes: number;
  readonly swallowedBytes: number;
  readonly heldBytes: number;
  readonly delayedBytes: number;
  readonly resets: number;
  readonly repeatedFrames: number;
  readonly lateFrames: number;
  /** Connections that were opened while nothing could pass. */
  readonly refusedConnections: number;
}

/** The links of a running system. *Contract:* each link has one effect at a time; the last one set counts. */
export interface Links {
  readonly net: "proxy" | "netns";
  readonly all: readonly Link[];
  /** Resolves when the effect is in force; without `effect` the links are as if nothing had been. */
  set(links: readonly Link[], effect: LinkEffect | undefined): Promise<void>;
  heal(): Promise<void>;
  /** Sum over `links`. */
  counters(links: readonly Link[]): Promise<LinkCounters>;
  close(): Promise<void>;
}

/** What a node's machine does to it. A field that is absent is as on a healthy machine. */
export interface MachineSettings {
  /** Added to the wall clock. */
  readonly wallOffsetMs?: number;
  /** Speed of both clocks, 1 is true. */
  readonly clockRate?: number;
  /** Bytes that the data directory may hold; more is ENOSPC. */
  readonly quotaBytes?: number;
  /** Every sync takes so much longer. */
  readonly syncDelayMs?: number;
  /** The next sync fails, and all after it. */
  readonly syncFails?: boolean;
}

/** Some settings, to be put in force or back. */
export type MachineChange = {
  readonly [Name in keyof MachineSettings]: MachineSettings[Name] | undefined;
};

/** What a node's machine did to it since the process started. */
export interface MachineCounters {
  /** Answers "no space", to writes and to questions for the free space. */
  readonly noSpaceAnswers: number;
  readonly delayedSyncs: number;
  readonly failedSyncs: number;
  /** The wall clock of the node minus that of the bench. */
  readonly wallErrorMs: number;
}

/** What a power cut took away. */
export interface PowerCutLoss {
  readonly writes: number;
  readonly bytes: number;
  readonly directoryEntries: number;
}

/** Disks and clocks that can be made to misbehave. */
export interface Machines {
  /**
   * Changes the named settings of a node's machine, `undefined` meaning as on a healthy one; resolves when the node, if
   * it runs, goes by them.
   */
  steer(node: SystemNode, change: MachineChange): Promise<void>;
  counters(node: SystemNode): Promise<MachineCounters>;
  /** Kills the node and undoes what it had written and not synced, all or part of it. */
  cutPower(node: SystemNode, random: Random): Promise<PowerCutLoss>;
}

/** Nodes that come and go. */
export interface Membership {
  /** Nodes that are not in the cluster and could join it. */
  readonly spares: readonly SystemNode[];
  /** Starts a spare node and waits until it is a member that serves. */
  join(spare: SystemNode, timeoutMs: number): Promise<void>;
  /** Drains a member, waits until it holds nothing, stops it and empties its directory. */
  leave(member: SystemNode, timeoutMs: number): Promise<void>;
  /** Waits until every partition has all its replicas, each healthy, and nothing is being moved. */
  settled(timeoutMs: number): Promise<void>;
  /** Takes everything off a member, waits until it holds nothing, and gives it work again. */
  drain(member: SystemNode, timeoutMs: number): Promise<void>;
  /** Hands the leadership of some partition over; resolves with what was asked, and whether it was refused. */
  transfer(random: Random): Promise<string>;
  /** Moves a replica to a node that has none of its partition; resolves as `transfer`. */
  move(random: Random): Promise<string>;
}

/** What a nemesis breaks. */
export interface Arena {
  readonly system: System;
  readonly random: Random;
  /** True when the run ends: waits inside a nemesis end early. */
  readonly stopped: () => boolean;
}

/** How long a nemesis lets go and holds on, each drawn from a range. */
export interface Pace {
  readonly quietMs: readonly [low: number, high: number];
  readonly faultMs: readonly [low: number, high: number];
}

/** A fault in force. */
export interface Strike {
  readonly targets: readonly string[];
  readonly detail: string;
  /** Asked before the heal, maybe more than once: whether the fault really did something by now, and what. */
  verify(): Promise<Bite>;
  /** Ends the fault. *Contract:* idempotent, and complete when it resolves. */
  heal(): Promise<void>;
}

export interface Bite {
  readonly bit: boolean;
  readonly detail: string;
}

/** What a nemesis lays hands on. Faults of different layers may be in force at the same time. */
export type Layer = "nodes" | "links" | "machines";

/** One way of breaking a system. */
export interface Nemesis {
  readonly name: string;
  /** What it does, in one sentence. */
  readonly summary: string;
  readonly needs: readonly Ability[];
  readonly layer: Layer;
  readonly pace: Pace;
  /** Breaks something. Undefined: nothing that could be broken just now. */
  strike(arena: Arena): Promise<Strike | undefined>;
}

/** One fault that was done. Times are those of performance.now() in the runner. */
export interface Fault {
  /** The nemesis's name. */
  readonly kind: string;
  readonly targets: readonly string[];
  readonly atMs: number;
  /** When it was healed; Infinity while it lasts. */
  readonly untilMs: number;
  readonly bit: boolean;
  readonly detail: string;
}

/** A way of using a system, as far as the choice of runs needs to know it. */
export interface Workload {
  readonly name: string;
  readonly summary: string;
  readonly needs: readonly Feature[];
}
