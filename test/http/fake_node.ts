// A node without a cluster: the real state machine, applied at once, behind the interface that the HTTP
// layer sees. Failures and faults are handed in; what it was asked is kept.

import { hashTag } from "../../src/base/slot.ts";
import { routingKeyOf } from "../../src/store/command_keys.ts";
import { type PageQuery, stateHash, Store, type WatchPosition } from "../../src/store/mod.ts";
import type { Command, Idempotency, WatchFilter } from "../../src/store/types.ts";
import { Meters, type NodeFigures } from "../../src/node/meters.ts";
import type { HostedData } from "../../src/node/group.ts";
import { WatchHub } from "../../src/node/watch_hub.ts";
import { LocalEvents } from "../../src/node/watch_source.ts";
import type {
  ClusterView,
  Failure,
  FrozenPartition,
  HashesAnswer,
  MemberChange,
  NodeService,
  OverviewSource,
  PageAnswer,
  PendingEvents,
  ReadAnswer,
  RequestOptions,
  StaleBounds,
  Staleness,
  WriteAnswer,
} from "../../src/node/service.ts";

export const PARTITION = 7;

/** A failure with the members that matter. */
export function failureOf(
  code: Failure["code"],
  outcome: Failure["outcome"] = "none",
  more: Partial<Failure> = {},
): Failure {
  return { ok: false, code, outcome, detail: `because of ${code}`, ...more };
}

export class FakeNode implements NodeService {
  readonly meters = new Meters();
  readonly slowRequests = { isSlow: () => false, tell: () => {} };
  valueSizeBytesMax = 1024 * 1024;
  readonly store = new Store();
  /** Of the partitions by number. */
  readonly stores = new Map([[PARTITION, this.store], [PARTITION + 1, new Store()]]);
  partitions: readonly number[] = [PARTITION, PARTITION + 1];
  /** The pages that were asked for. */
  readonly pages: { partition: number; query: PageQuery }[] = [];
  /** What stale reads are said to be; undefined: they were answered by the leader. */
  staleness: Staleness | undefined = { ageMs: undefined };
  lastBounds: StaleBounds | undefined;
  readonly writes: { command: Command; idempotency: Idempotency | undefined }[] = [];
  readonly changes: MemberChange[] = [];
  readonly moves: { partition: number; from: string; to: string }[] = [];
  readonly zones: { partition: number; zone: string | undefined }[] = [];
  readonly transfers: { partition: number; to: string }[] = [];
  lastOptions: RequestOptions | undefined;
  staleReads = 0;
  isReady = true;
  /** Answers the next call instead of the store. */
  nextFailure: Failure | undefined;
  /** Rejects the next call. */
  nextFault: Error | undefined;
  /** Partition time of the next entries. */
  timeMs = 0;
  /** Answers the next read of a partition's history. */
  nextEventsFailure: Failure | undefined;
  /** Answers all of them, each in its own time, while it is set. */
  eventsOutage: (() => Promise<Failure>) | undefined;
  readonly followers = new Set<() => void>();
  readonly overview: OverviewSource = {
    reports: () => new Map(),
    happenings: () => [],
    follow: (onChange) => {
      this.followers.add(onChange);
      return () => this.followers.delete(onChange);
    },
  };
  readonly stopListeners = new Set<() => void>();
  #index = 0;

  /** Keys that begin with "far" are of another partition. */
  partitionOf(key: string): number {
    return (hashTag(key) ?? key).startsWith("far") ? PARTITION + 1 : PARTITION;
  }

  write(
    command: Command,
    idempotency: Idempotency | undefined,
    options: RequestOptions,
  ): Promise<WriteAnswer | Failure> {
    this.writes.push({ command, idempotency });
    return this.#settle(options, () => {
      const envelope = { timeMs: this.timeMs, command, idempotency };
      const partition = this.partitionOf(routingKeyOf(command)!);
      const applied = this.stores.get(partition)!.applyEnvelope(++this.#index, envelope);
      return { ok: true, partition, applied };
    });
  }

  read(key: string, options: RequestOptions): Promise<ReadAnswer | Failure> {
    const partition = this.partitionOf(key);
    const store = this.stores.get(partition)!;
    return this.#settle(options, () => ({
      ok: true,
      partition,
      appliedIndex: this.#index,
      timeMs: store.timeMs,
      record: store.get(key),
    }));
  }

  async readStale(
    key: string,
    bounds: StaleBounds,
    options: RequestOptions,
  ): Promise<ReadAnswer | Failure> {
    this.staleReads++;
    this.lastBounds = bounds;
    const answer = await this.read(key, options);
    return answer.ok && this.staleness !== undefined
      ? { ...answer, stale: this.staleness }
      : answer;
  }

  dataPartitions(): readonly number[] {
    return this.partitions;
  }

  scanPage(
    partition: number,
    query: PageQuery,
    bounds: StaleBounds | undefined,
    options: RequestOptions,
  ): Promise<PageAnswer | Failure> {
    this.pages.push({ partition, query });
    this.lastBounds = bounds;
    return this.#settle(options, () => {
      const { records, count, resume } = this.stores.get(partition)!.page(query);
      return {
        ok: true,
        partition,
        appliedIndex: this.#index,
        timeMs: this.timeMs,
        records,
        count,
        ...(resume === undefined ? {} : { resume }),
      };
    });
  }

  /** The partition's replica as its watchers see it. */
  readonly #hosted = new Map([...this.stores].map(([partition, store]) => {
    const hub = new WatchHub(store, () => this.#index);
    const replica = { serving: true, group: partition };
    return [partition, { data: { store, hub, replica } } as unknown as HostedData];
  }));

  events(
    partition: number,
    position: WatchPosition,
    filter: WatchFilter,
    waits: boolean,
  ): PendingEvents {
    const { nextEventsFailure, eventsOutage } = this;
    if (eventsOutage !== undefined) {
      return { result: eventsOutage(), seen: () => undefined, cancel: () => {} };
    }
    if (nextEventsFailure !== undefined) {
      this.nextEventsFailure = undefined;
      const result = Promise.resolve(nextEventsFailure);
      return { result, seen: () => undefined, cancel: () => {} };
    }
    const pending = new LocalEvents(this.#hosted.get(partition)!, { position, filter });
    if (!waits) pending.nudge();
    return pending;
  }

  freezePartition(
    partition: number,
    options: RequestOptions,
  ): Promise<FrozenPartition | Failure> {
    return this.#settle(options, () => ({
      ok: true,
      nodeId: "a",
      partition,
      appliedIndex: this.#index,
      state: this.stores.get(partition)!.freeze(),
    }));
  }

  onStopping(listener: () => void): () => void {
    this.stopListeners.add(listener);
    return () => this.stopListeners.delete(listener);
  }

  figures(): NodeFigures {
    const partitions = [...this.stores].map(([partition, store]) => ({
      partition,
      ...store.figures(),
      proposals: 0,
      reads: 0,
    }));
    const disk = { logBytes: 1, diskFreeBytes: 2, diskLow: false };
    return { requestsInFlight: 0, ...disk, links: [], partitions };
  }

  cluster(): ClusterView {
    return {
      clusterId: "c",
      nodeId: "a",
      name: "n1",
      version: "0",
      epoch: 3,
      members: [
        {
          nodeId: "a",
          name: "n1",
          http: "h:1",
          peer: "h:2",
          state: "active",
          replicas: 1,
          weight: 1,
          reachable: true,
        },
      ],
      partitions: [],
      routing: [{ partition: PARTITION, slots: [[0, 16384]], replicas: ["a"], leader: "a" }],
      moves: [],
    };
  }

  stateHashes(
    wanted: { partition: number; applied: number } | undefined,
    options: RequestOptions,
  ): Promise<HashesAnswer | Failure> {
    return this.#settle(options, () => ({
      ok: true,
      nodeId: "a",
      partitions: [...this.stores]
        .filter(([partition]) => wanted === undefined || wanted.partition === partition)
        .map(([partition, store]) => ({
          partition,
          applied: this.#index,
          hash: stateHash(store.freeze()),
        })),
    }));
  }

  changeMembers(
    change: MemberChange,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure> {
    this.changes.push(change);
    return this.#settle(options, () => ({ ok: true, epoch: 4 }));
  }

  transferLeadership(
    partition: number,
    to: string,
    options: RequestOptions,
  ): Promise<{ ok: true } | Failure> {
    this.transfers.push({ partition, to });
    return this.#settle(options, () => ({ ok: true }));
  }

  preferZone(
    partition: number,
    zone: string | undefined,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure> {
    this.zones.push({ partition, zone });
    return this.#settle(options, () => ({ ok: true, epoch: 6 }));
  }

  moveReplica(
    partition: number,
    from: string,
    to: string,
    options: RequestOptions,
  ): Promise<{ ok: true; epoch: number } | Failure> {
    this.moves.push({ partition, from, to });
    return this.#settle(options, () => ({ ok: true, epoch: 5 }));
  }

  ready() {
    return { ready: this.isReady, reason: this.isReady ? "" : "no leader" };
  }

  #settle<Answer>(options: RequestOptions, answer: () => Answer): Promise<Answer | Failure> {
    this.lastOptions = options;
    const { nextFault, nextFailure } = this;
    this.nextFault = undefined;
    this.nextFailure = undefined;
    if (nextFault !== undefined) return Promise.reject(nextFault);
    return Promise.resolve(nextFailure ?? answer());
  }
}
