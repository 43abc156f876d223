// What a node does for its own HTTP layer: finds the partition of each request and hands it to the router, to a
// replica here, or to the administration. Owns nothing of Raft; whatever it refuses has had no effect.

import { assert } from "../base/assert.ts";
import { CodecError } from "../base/codec.ts";
import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Platform } from "../platform/ports.ts";
import { routingKeyOf } from "../store/command_keys.ts";
import {
  type Command,
  encodeEnvelope,
  type Idempotency,
  type PageQuery,
  type WatchFilter,
  type WatchPosition,
} from "../store/mod.ts";
import type { Transport } from "../transport/mod.ts";
import type { Wal } from "../wal/mod.ts";
import type { Administration } from "./administration.ts";
import { clusterView } from "./cluster_view.ts";
import { Compressor } from "./compression.ts";
import type { NodeConfig } from "./config.ts";
import { failure } from "./data_partition.ts";
import type { Hosting } from "./hosting.ts";
import type { LeaderTable } from "./leader_table.ts";
import type { MemberWatch } from "./member_watch.ts";
import type { Meters, NodeFigures } from "./meters.ts";
import type { NodeRecordKeeper } from "./node_record.ts";
import type { Overview } from "./overview.ts";
import { freezePartition } from "./partition_freeze.ts";
import type { Readiness } from "./readiness.ts";
import type { Router } from "./router.ts";
import type {
  ClusterView,
  Failure,
  FrozenPartition,
  HashesAnswer,
  MemberChange,
  NodeService,
  PageAnswer,
  PendingEvents,
  ReadAnswer,
  RequestOptions,
  StaleBounds,
  WriteAnswer,
} from "./service.ts";
import type { SlowRequests } from "./slow_requests.ts";
import { StaleReads } from "./stale_reads.ts";
import { type HashWish, stateHashes } from "./state_hashes.ts";
import type { Steward } from "./steward.ts";
import type { Topology } from "./topology.ts";
import { eventsFrom, type WatchSourceHost } from "./watch_source.ts";

/** What it works with; all of it is the node's. */
export interface ApiParts {
  readonly config: NodeConfig;
  readonly platform: Platform;
  readonly wal: Wal;
  readonly keeper: NodeRecordKeeper;
  readonly meters: Meters;
  readonly topology: Topology;
  readonly transport: Transport;
  readonly router: Router;
  readonly leaders: LeaderTable;
  readonly memberWatch: MemberWatch;
  readonly administration: Administration;
  readonly overview: Overview;
  readonly slowRequests: SlowRequests;
  /** Undefined until the node belongs to a cluster, as is the steward. */
  hosting(): Hosting | undefined;
  steward(): Steward | undefined;
  isConnected(nodeId: NodeId): boolean;
  readiness(): Readiness;
}

/** Reads nothing but the place in the log at which a linearizable read stands. */
const LOOK: PageQuery = {
  start: "",
  end: undefined,
  reverse: false,
  want: "count",
  limit: 0,
  sizeBytesMax: 0,
};

export class ApiService implements NodeService {
  readonly #parts: ApiParts;
  readonly #compressor: Compressor | undefined;
  readonly #staleReads: StaleReads;
  readonly #watchSources: WatchSourceHost;
  readonly #stopListeners = new Set<() => void>();
  #stopAnnounced = false;
  /** Client requests begun since the start. */
  #requestCount = 0;

  constructor(parts: ApiParts) {
    this.#parts = parts;
    const { config, leaders, platform: { clock }, router, transport } = parts;
    this.#compressor = config.compression && new Compressor(config.compression);
    this.#staleReads = new StaleReads(
      clock,
      (partition, timeoutMs) => router.page(partition, LOOK, { forward: "forward", timeoutMs }),
    );
    this.#watchSources = {
      clock,
      hosted: (partition) => parts.hosting()?.data(partition),
      replicaElsewhere: (partition) => leaders.replicaElsewhere(partition),
      request: (to, body, budgetMs) => transport.request(to, body, budgetMs),
      change: (deadlineMs) => leaders.nextChange(deadlineMs),
    };
  }

  get requestCount(): number {
    return this.#requestCount;
  }

  get meters(): Meters {
    return this.#parts.meters;
  }

  get overview(): Overview {
    return this.#parts.overview;
  }

  get slowRequests(): SlowRequests {
    return this.#parts.slowRequests;
  }

  get valueSizeBytesMax(): number {
    return this.#parts.config.valueSizeBytesMax;
  }

  get #nodeId(): NodeId {
    return this.#parts.keeper.record.nodeId;
  }

  /** Follows how fresh the replicas are that were read with a bound. */
  tick(): void {
    this.#staleReads.tick();
  }

  figures(): NodeFigures {
    const { wal, platform } = this.#parts;
    return {
      requestsInFlight: this.#parts.router.inFlight,
      logBytes: wal.sizeBytes,
      diskFreeBytes: platform.disk.freeBytes(),
      diskLow: wal.diskLow,
      partitions: [...this.#parts.hosting()?.all() ?? []].flatMap((hosted) =>
        hosted.kind !== "data" ? [] : [{
          partition: hosted.partition,
          ...hosted.data.store.figures(),
          proposals: hosted.replica.pendingProposals,
          reads: hosted.replica.pendingReads,
        }]
      ),
      links: this.#parts.transport.status().map((link) => ({
        to: this.#parts.topology.member(link.nodeId)?.name ?? link.nodeId,
        up: link.outboundUp,
        queuedBytes: link.queuedBytes,
        writtenBytes: link.writtenBytes,
        readBytes: link.readBytes,
        droppedMessages: link.droppedMessages,
        roundTripMs: link.roundTripMs,
        wallOffsetMs: link.wallOffsetMs,
      })),
    };
  }

  partitionOf(key: string): PartitionId {
    return this.#parts.topology.partitionOf(key);
  }

  write(
    command: Command,
    idempotency: Idempotency | undefined,
    options: RequestOptions,
  ): Promise<WriteAnswer | Failure> {
    const key = routingKeyOf(command);
    assert(key !== undefined, "a client's command names a key");
    const packed = this.#compressor?.pack(command) ?? command;
    let envelope: Uint8Array;
    try {
      envelope = encodeEnvelope(
        idempotency === undefined
          ? { timeMs: 0, command: packed }
          : { timeMs: 0, command: packed, idempotency },
      );
    } catch (cause) {
      if (!(cause instanceof CodecError)) throw cause;
      return Promise.resolve(failure("conflict", "none", cause.message));
    }
    const partition = this.#parts.topology.partitionOf(key);
    if (this.#parts.wal.diskLow && this.#parts.leaders.route(partition).kind === "local") {
      return Promise.resolve(failure("disk-full", "none", "the leader's disk is almost full"));
    }
    this.#requestCount++;
    return this.#parts.router.write(partition, envelope, idempotency !== undefined, options);
  }

  read(key: string, options: RequestOptions): Promise<ReadAnswer | Failure> {
    this.#requestCount++;
    return this.#parts.router.read(this.#parts.topology.partitionOf(key), key, options);
  }

  readStale(
    key: string,
    bounds: StaleBounds,
    options: RequestOptions,
  ): Promise<ReadAnswer | Failure> {
    const hosted = this.#parts.hosting()?.data(this.#parts.topology.partitionOf(key));
    const stale = hosted && this.#staleReads.within(hosted, bounds);
    if (stale === undefined) return this.read(key, options);
    return Promise.resolve({ ...hosted!.data.readLocal(key), stale });
  }

  dataPartitions(): readonly PartitionId[] {
    return this.#parts.topology.index.dataPartitions;
  }

  scanPage(
    partition: PartitionId,
    query: PageQuery,
    bounds: StaleBounds | undefined,
    options: RequestOptions,
  ): Promise<PageAnswer | Failure> {
    if (bounds !== undefined) {
      const hosted = this.#parts.hosting()?.data(partition);
      const stale = hosted && this.#staleReads.within(hosted, bounds);
      if (stale !== undefined) return Promise.resolve({ ...hosted!.data.pageLocal(query), stale });
    }
    return this.#parts.router.page(partition, query, options);
  }

  events(
    partition: PartitionId,
    position: WatchPosition,
    filter: WatchFilter,
    waits: boolean,
  ): PendingEvents {
    return eventsFrom(this.#watchSources, partition, { position, filter }, waits);
  }

  freezePartition(
    partition: PartitionId,
    options: RequestOptions,
  ): Promise<FrozenPartition | Failure> {
    const route = this.#parts.leaders.route(partition);
    return freezePartition(
      {
        nodeId: this.#nodeId,
        clock: this.#parts.platform.clock,
        router: this.#parts.router,
        hosted: this.#parts.hosting()?.data(partition),
        leaderHttp: route.kind === "remote" ? route.http : undefined,
        mayWrite: !(this.#parts.wal.diskLow && route.kind === "local"),
      },
      partition,
      options,
    );
  }

  onStopping(listener: () => void): () => void {
    if (this.#stopAnnounced) listener();
    else this.#stopListeners.add(listener);
    return () => this.#stopListeners.delete(listener);
  }

  /** Ends what would otherwise go on for ever, such as event streams. */
  announceStop(): void {
    this.#stopAnnounced = true;
    const listeners = [...this.#stopListeners];
    this.#stopListeners.clear();
    for (const listener of listeners) listener();
  }

  cluster(): ClusterView {
    return clusterView({
      nodeId: this.#nodeId,
      name: this.#parts.config.name,
      topology: this.#parts.topology,
      hosting: this.#parts.hosting(),
      clusterId: this.#parts.keeper.record.clusterId,
      leaders: this.#parts.leaders.known(),
      plan: this.#parts.steward()?.plan,
      waitingFor: (partition) => this.#parts.steward()?.waitingFor(partition),
      isConnected: (nodeId) => this.#parts.isConnected(nodeId),
      newsOf: (nodeId) => this.#parts.memberWatch.newsOf(nodeId),
      nowMs: this.#parts.platform.clock.monotonicMs(),
    });
  }

  stateHashes(
    wanted: HashWish | undefined,
    options: RequestOptions,
  ): Promise<HashesAnswer | Failure> {
    const hosting = this.#parts.hosting();
    if (hosting === undefined) {
      return Promise.resolve(failure("no-leader", "none", "this node is in no cluster yet"));
    }
    return stateHashes(
      { nodeId: this.#nodeId, clock: this.#parts.platform.clock, hosting },
      wanted,
      options,
    );
  }

  changeMembers(
    change: MemberChange,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure> {
    return this.#parts.administration.changeMembers(change, options.timeoutMs);
  }

  transferLeadership(
    partition: PartitionId,
    to: string,
    options: RequestOptions,
  ): Promise<{ ok: true } | Failure> {
    return this.#parts.administration.transfer(partition, to, options.timeoutMs);
  }

  preferZone(
    partition: PartitionId,
    zone: string | undefined,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure> {
    return this.#parts.administration.preferZone(partition, zone, options.timeoutMs);
  }

  moveReplica(
    partition: PartitionId,
    from: string,
    to: string,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure> {
    return this.#parts.administration.moveReplica(partition, from, to, options.timeoutMs);
  }

  ready(): Readiness {
    return this.#parts.readiness();
  }
}
