// Which replicas live on this node: starts them from the log, creates and deletes them as the applied map
// says (RULES 10), takes their messages in. It must never run a replica that the map did not name, nor
// delete one before the map says that it is out.

import {
  type LogIndex,
  META_PARTITION,
  type NodeId,
  type PartitionId,
  type ReplicaId,
} from "../base/ids.ts";
import {
  LOG_HELPING_WINDOWS_MAX,
  LOG_WINDOW_BYTES_MAX,
  LOG_WINDOW_BYTES_MIN,
} from "../base/limits.ts";
import type { Platform } from "../platform/ports.ts";
import {
  type ClusterMap,
  decodeEpoch,
  type Genesis,
  GENESIS_INDEX,
  initialMap,
  MetaMachine,
  type MetaResult,
  type PartitionEntry,
  replicaFate,
  UNKNOWN_MAP,
} from "../partition/mod.ts";
import { EMPTY_HARD_STATE, type Message, NONE } from "../raft/mod.ts";
import type { ReplicaLinks, SnapshotPoint } from "../replica/log_port.ts";
import type { StateMachine } from "../replica/machine.ts";
import type { EndReason, ReplicaObserver } from "../replica/options.ts";
import { NoticeBoard } from "../replica/commit_notices.ts";
import { ProposalRounds } from "../replica/proposal_rounds.ts";
import { ReadRounds } from "../replica/read_rounds.ts";
import { Replica } from "../replica/replica.ts";
import type { WindowLimits } from "../replica/window_storage.ts";
import type { SnapshotStore } from "../snapshot/mod.ts";
import type { Applied } from "../store/mod.ts";
import type { Wal } from "../wal/mod.ts";
import { DataPartition, StoreMachine } from "./data_partition.ts";
import type { Hosted, HostedData, HostedMeta } from "./group.ts";
import {
  NO_SNAPSHOT,
  type RecoveredReplica,
  SharedGroupLog,
  SharedGroupSnapshots,
} from "./group_files.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Topology } from "./topology.ts";

/** What hosting needs of the node. */
export interface HostingHost {
  readonly platform: Platform;
  readonly wal: Wal;
  readonly store: SnapshotStore;
  readonly scheduler: Scheduler;
  readonly topology: Topology;
  readonly nodeId: NodeId;
  readonly snapshotLogBytes: number;
  /** What each group's log may hold in memory, bytes; absent: its share of the node's bound. */
  readonly logWindowBytes: number | undefined;
  /** The genesis record, if this is one of the first nodes. */
  readonly genesis: Genesis | undefined;
  /** A part of the log is damaged that may have named groups of which nothing is left. */
  readonly mayHaveLostGroups: boolean;
  linksOf(partition: PartitionId): ReplicaLinks;
  readonly observer: ReplicaObserver;
  /** Whether this node can speak to the other and hear it. */
  isLinked(nodeId: NodeId): boolean;
}

export class Hosting {
  readonly #host: HostingHost;
  readonly #hosted = new Map<PartitionId, Hosted>();
  /** Replicas being deleted; a new one of the same partition waits for them. */
  readonly #deleting = new Set<PartitionId>();
  /** Partitions of which it is known what the log held: whatever comes later is new. */
  readonly #accounted = new Set<PartitionId>();
  /** The map's newest epoch at some moment of this life, where one was asked for. */
  #newestEpoch: LogIndex | undefined;
  #tookStock: boolean;

  /** What the groups propose and ask goes to the log and the links together. */
  readonly #proposalRounds: ProposalRounds;
  readonly #readRounds: ReadRounds;
  readonly #notices: NoticeBoard;

  constructor(host: HostingHost) {
    this.#host = host;
    this.#tookStock = !host.mayHaveLostGroups;
    this.#proposalRounds = new ProposalRounds(host.platform.clock);
    this.#readRounds = new ReadRounds(host.platform.clock);
    this.#notices = new NoticeBoard(host.platform.clock);
  }

  get(partition: PartitionId): Hosted | undefined {
    return this.#hosted.get(partition);
  }

  data(partition: PartitionId): HostedData | undefined {
    const hosted = this.#hosted.get(partition);
    return hosted?.kind === "data" ? hosted : undefined;
  }

  meta(): HostedMeta | undefined {
    const hosted = this.#hosted.get(META_PARTITION);
    return hosted?.kind === "meta" ? hosted : undefined;
  }

  all(): IterableIterator<Hosted> {
    return this.#hosted.values();
  }

  // -------------------------------------------------------------------------------------- starting

  /** Starts the replicas that the log knows; those of the genesis on the very first start. */
  async start(recovered: readonly RecoveredReplica[]): Promise<void> {
    const { genesis } = this.#host;
    const replicas = [...recovered];
    // A first start that was cut short has left some of them, none of which has lived yet.
    if (genesis !== undefined && !this.#host.mayHaveLostGroups && recovered.every(isNewborn)) {
      replicas.push(...await this.#createFromGenesis(genesis, recovered));
    }
    for (const { group, replicaId, suspect } of replicas) {
      // Behind what is left of a suspect one, the log may have held its successor.
      if (replicaId !== NONE && suspect === null) this.#accounted.add(group);
    }
    // The meta group first: the others' links go by its map.
    replicas.sort((a, b) => a.group - b.group);
    for (const replica of replicas) await this.#open(replica);
  }

  #genesisPoint(entry: PartitionEntry): SnapshotPoint {
    const confState = {
      voters: entry.replicas.map((ref) => ref.replicaId),
      learners: entry.learners.map((ref) => ref.replicaId),
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    const configuration = { confState, confIndex: GENESIS_INDEX, confEpoch: GENESIS_INDEX };
    return { index: GENESIS_INDEX, term: 1, configuration };
  }

  /** Creates this node's replicas of the genesis, but those that are there; one sync for all of them. */
  #createFromGenesis(
    genesis: Genesis,
    present: readonly RecoveredReplica[],
  ): Promise<RecoveredReplica[]> {
    const { wal, store, nodeId } = this.#host;
    const groups = new Set(present.map(({ group }) => group));
    const created = initialMap(genesis).partitions.flatMap((entry) => {
      const group = entry.partition;
      const own = [...entry.replicas, ...entry.learners].find((ref) => ref.nodeId === nodeId);
      if (own === undefined || groups.has(group) || wal.isDeleted(group, own.replicaId)) return [];
      const snapshot = this.#genesisPoint(entry);
      const hardState = { term: 1, vote: 0, commit: GENESIS_INDEX };
      wal.createGroup(group, own.replicaId);
      const log = new SharedGroupLog(wal, store, group);
      return [
        new Promise<RecoveredReplica>((resolve) => {
          const { replicaId } = own;
          const whole = { group, replicaId, hardState, snapshot, entries: [], suspect: null };
          log.append({ hardState, entries: [], snapshot }, () => resolve(whole));
        }),
      ];
    });
    wal.flush();
    return Promise.all(created);
  }

  /** Starts one replica: its state from the newest snapshot, the rest from the log's entries. */
  async #open(recovered: RecoveredReplica): Promise<void> {
    const { group, replicaId, suspect } = recovered;
    const { platform, store } = this.#host;
    const snapshots = new SharedGroupSnapshots(store, group);
    if (suspect !== null) {
      platform.log.log("error", "replica lost acknowledged data: it waits to be replaced", {
        partition: group,
        replicaId,
        reason: suspect,
      });
      const hosted = { kind: "suspect", partition: group, replicaId, snapshots, reason: suspect };
      this.#hosted.set(group, hosted as Hosted);
      return;
    }
    const machine = this.#newMachine(group);
    const whole = await this.#loadState(machine, recovered, snapshots);
    this.#run(recovered, machine, snapshots, !whole);
  }

  #newMachine(group: PartitionId): MetaMachine | StoreMachine {
    if (group !== META_PARTITION) return new StoreMachine();
    const { genesis } = this.#host;
    return new MetaMachine(genesis === undefined ? UNKNOWN_MAP : initialMap(genesis));
  }

  /** False if the state that the log follows can't be had: the snapshot is missing or damaged. */
  async #loadState(
    machine: StateMachine,
    { snapshot, group }: RecoveredReplica,
    snapshots: SharedGroupSnapshots,
  ): Promise<boolean> {
    if (snapshot.index <= GENESIS_INDEX && this.#host.genesis !== undefined) return true;
    if (snapshot.index === 0) return true;
    const file = snapshots.find(snapshot.index);
    if (file === undefined) return false;
    try {
      const loader = machine.beginLoad();
      for await (const chunk of snapshots.read(file)) loader.push(chunk);
      loader.finish();
      return true;
    } catch (cause) {
      this.#host.platform.log.log("error", "snapshot is damaged: a new one will be fetched", {
        partition: group,
        error: String(cause),
      });
      snapshots.markDamaged(file);
      return false;
    }
  }

  #run(
    recovered: RecoveredReplica,
    machine: MetaMachine | StoreMachine,
    snapshots: SharedGroupSnapshots,
    awaitingSnapshot: boolean,
  ): void {
    const { platform, wal, store, scheduler, observer } = this.#host;
    const { group, replicaId } = recovered;
    const options = {
      group,
      id: replicaId,
      log: new SharedGroupLog(wal, store, group),
      snapshots,
      links: this.#host.linksOf(group),
      clock: platform.clock,
      random: platform.random,
      logger: platform.log.with({ partition: group }),
      observer,
      wake: () => scheduler.wake(group),
      join: () => scheduler.join(group),
      proposalRounds: this.#proposalRounds,
      readRounds: this.#readRounds,
      notices: this.#notices,
      awaitingSnapshot,
      maySleep: () => this.#maySleep(group),
      snapshotLogBytes: this.#host.snapshotLogBytes,
      windowLimits: () => this.#windowLimits(),
      epochOf: decodeEpoch,
      onFatal: (reason: string, cause: unknown) => platform.process.fatal(reason, cause),
    };
    if (machine instanceof MetaMachine) {
      const replica = new Replica<MetaResult>(
        { ...options, machine: this.#watched(machine) },
        recovered,
      );
      this.#hosted.set(group, {
        kind: "meta",
        partition: group,
        replicaId,
        snapshots,
        replica,
        machine,
      });
      this.#host.topology.offer(machine.map);
      scheduler.add(group, replica);
    } else {
      const replica = new Replica<Applied>({ ...options, machine }, recovered);
      const data = new DataPartition(replica, machine, platform.clock);
      this.#hosted.set(group, {
        kind: "data",
        partition: group,
        replicaId,
        snapshots,
        replica,
        machine,
        data,
      });
      scheduler.add(group, replica);
    }
    scheduler.wake(group);
  }

  /** Each group's share of the node's bounds, which hold for all groups together. */
  #windowLimits(): WindowLimits {
    const groups = Math.max(1, this.#hosted.size);
    const { logWindowBytes } = this.#host;
    const share = logWindowBytes ?? LOG_WINDOW_BYTES_MAX / groups;
    const bytesMax = logWindowBytes ?? Math.max(LOG_WINDOW_BYTES_MIN, share);
    return { bytesMax, helpingBytesMax: Math.max(bytesMax, LOG_HELPING_WINDOWS_MAX * share) };
  }

  /** The meta machine, telling the topology of every map it makes. */
  #watched(machine: MetaMachine): StateMachine<MetaResult> {
    const { topology } = this.#host;
    return {
      apply: (index, term, data) => {
        const result = machine.apply(index, term, data);
        topology.offer(machine.map);
        return result;
      },
      image: () => machine.image(),
      beginLoad: () => {
        const loader = machine.beginLoad();
        return {
          push: (chunk) => loader.push(chunk),
          finish: () => {
            loader.finish();
            topology.offer(machine.map);
          },
        };
      },
      stateHash: () => machine.stateHash(),
    };
  }

  // -------------------------------------------------------------------------------- following the map

  /**
   * Whether it has to know first which map is the newest (see {@linkcode Hosting.mapWasAt}): the log has lost
   * what may have been whole replicas.
   */
  get awaitsNewestMap(): boolean {
    return !this.#tookStock;
  }

  /** The newest map had `epoch` at some moment since this node started. */
  mapWasAt(epoch: LogIndex): void {
    this.#newestEpoch ??= epoch;
    this.reconcile(this.#host.topology.map);
  }

  /**
   * A map that was the newest one in this life names every replica that a lost part of the log can have held,
   * or a later one. Where it names none here, or the one that is here, all that comes after is new.
   */
  #takeStock(map: ClusterMap): void {
    if (this.#newestEpoch === undefined || map.epoch < this.#newestEpoch) return;
    this.#tookStock = true;
    const wanted = new Map(
      this.#host.topology.index.hostedBy(this.#host.nodeId)
        .map(({ partition, replicaId }) => [partition, replicaId]),
    );
    for (const { partition } of map.partitions) {
      const replicaId = wanted.get(partition);
      if (replicaId === undefined || replicaId === this.#hosted.get(partition)?.replicaId) {
        this.#accounted.add(partition);
      }
    }
  }

  /** Creates and deletes replicas as `map` says. Call after every change of the map. */
  reconcile(map: ClusterMap): void {
    if (!this.#tookStock) this.#takeStock(map);
    for (const hosted of [...this.#hosted.values()]) {
      const replaced = this.#wanted(hosted.partition);
      if (hosted.replicaId === NONE) {
        // Which replica was lost nobody knows: the one that the map names may be it, and must not begin anew.
        if (replaced !== undefined && this.#tookStock) this.#mourn(hosted.partition, replaced);
        continue;
      }
      const fate = replicaFate(map, hosted.partition, hosted.replicaId);
      if (fate === "delete" || (replaced !== undefined && replaced > hosted.replicaId)) {
        this.#delete(hosted);
      }
    }
    for (const { partition, replicaId } of this.#host.topology.index.hostedBy(this.#host.nodeId)) {
      // A restarted node goes by an old map first, which may name replicas that are gone by now.
      if (this.#host.wal.isDeleted(partition, replicaId)) continue;
      if (this.#hosted.has(partition) || this.#deleting.has(partition)) continue;
      const isNew = !this.#host.mayHaveLostGroups || this.#accounted.has(partition);
      if (isNew) this.#createEmpty(partition, replicaId);
      else if (this.#tookStock) this.#mourn(partition, replicaId);
    }
  }

  /** The replica of `partition` that the map wants here. */
  #wanted(partition: PartitionId): ReplicaId | undefined {
    return this.#host.topology.index.hostedBy(this.#host.nodeId)
      .find((ref) => ref.partition === partition)?.replicaId;
  }

  /**
   * The log has lost the record of a replica, or may have: this one never votes again, in this life or a
   * later one, and waits to be replaced (RULES 4).
   */
  #mourn(partition: PartitionId, replicaId: ReplicaId): void {
    const { wal, store, platform, scheduler } = this.#host;
    const reason = "the record of it may have been lost with a damaged part of the log";
    platform.log.log("error", "replica may have lost acknowledged data: it waits to be replaced", {
      partition,
      replicaId,
    });
    const snapshots = new SharedGroupSnapshots(store, partition);
    this.#hosted.set(partition, { kind: "suspect", partition, replicaId, snapshots, reason });
    this.#accounted.add(partition);
    if (!wal.isDeleted(partition, replicaId)) wal.removeGroup(partition, replicaId);
    scheduler.schedule();
  }

  /** Replicas the map has here that can't be: damaged, or buried because they were. */
  unusable(): { readonly partition: PartitionId; readonly replicaId: ReplicaId }[] {
    const { topology, nodeId, wal } = this.#host;
    // A successor made earlier than that would be one that the log might have held.
    if (!this.#tookStock) return [];
    return topology.index.hostedBy(nodeId).filter(({ partition, replicaId }) => {
      const hosted = this.#hosted.get(partition);
      if (hosted?.replicaId === replicaId) return hosted.kind === "suspect";
      return hosted === undefined && !this.#deleting.has(partition) &&
        wal.isDeleted(partition, replicaId);
    });
  }

  /** A replica that gets everything from its leader. */
  #createEmpty(group: PartitionId, replicaId: ReplicaId): void {
    const { wal, platform, scheduler } = this.#host;
    platform.log.log("info", "replica created", { partition: group, replicaId });
    this.#deleting.add(group); // until it is durable nothing else may happen to the partition here
    wal.createGroup(group, replicaId, () => {
      const recovered: RecoveredReplica = {
        group,
        replicaId,
        hardState: EMPTY_HARD_STATE,
        snapshot: NO_SNAPSHOT,
        entries: [],
        suspect: null,
      };
      this.#open(recovered).then(() => {
        this.#deleting.delete(group);
        this.reconcile(this.#host.topology.map);
      });
    });
    scheduler.schedule();
  }

  #delete(hosted: Hosted): void {
    const { wal, store, platform, scheduler } = this.#host;
    const { partition, replicaId } = hosted;
    platform.log.log("info", "replica deleted", { partition, replicaId });
    endReplica(hosted, "not-leader");
    if (hosted.kind === "data") hosted.data.hub.close();
    scheduler.remove(partition);
    this.#hosted.delete(partition);
    this.#deleting.add(partition);
    // The tombstone first: a crash in between leaves files that nobody will ever read.
    wal.removeGroup(partition, replicaId, () => {
      store.removeGroup(partition);
      this.#deleting.delete(partition);
      this.reconcile(this.#host.topology.map);
    });
    scheduler.schedule();
  }

  // ------------------------------------------------------------------------------------------ input

  /** A Raft message from a peer. Those for replicas that are not here (any more) are dropped. */
  onRaft(partition: PartitionId, message: Message, wallMs: number): void {
    const hosted = this.#hosted.get(partition);
    if (hosted === undefined || hosted.kind === "suspect") return;
    if (message.to !== hosted.replicaId) return;
    hosted.replica.step(message, wallMs);
  }

  tick(): void {
    for (const hosted of this.#hosted.values()) {
      if (hosted.kind === "suspect") continue;
      if (hosted.replica.asleep) continue;
      hosted.replica.tick();
      if (hosted.kind === "data") hosted.data.tick();
    }
  }

  /** No link to or from a node is left. */
  peerLost(nodeId: NodeId): void {
    for (const { partition, replicaId } of this.#host.topology.index.hostedBy(nodeId)) {
      const hosted = this.#hosted.get(partition);
      if (hosted !== undefined && hosted.kind !== "suspect") hosted.replica.peerLost(replicaId);
    }
  }

  /** One of the links to and from a node broke, its process is another one, or it is suspected. */
  peerDoubted(nodeId: NodeId): void {
    for (const { partition, replicaId } of this.#host.topology.index.hostedBy(nodeId)) {
      const hosted = this.#hosted.get(partition);
      if (hosted !== undefined && hosted.kind !== "suspect") hosted.replica.doubt(replicaId);
    }
  }

  /** A group may sleep while the map wants no change of it and all its members can be heard. */
  #maySleep(partition: PartitionId): boolean {
    const hosted = this.#hosted.get(partition);
    if (hosted === undefined || hosted.kind === "suspect") return false;
    const { topology, nodeId } = this.#host;
    const entry = topology.map.partitions[partition];
    if (entry === undefined || entry.move !== undefined || entry.dropping.length > 0) return false;
    if (hosted.kind === "data" && !hosted.data.maySleep()) return false;
    const { voters, learners } = hosted.replica.configuration.confState;
    return [...voters, ...learners].every((replicaId) => {
      const member = topology.nodeOf(partition, replicaId);
      return member === nodeId || member !== undefined && this.#host.isLinked(member);
    });
  }

  stop(): void {
    for (const hosted of this.#hosted.values()) {
      endReplica(hosted, "stopping");
      if (hosted.kind === "data") hosted.data.hub.close();
    }
  }
}

/** Whether the replica is as the genesis made it. */
function isNewborn({ hardState, snapshot, entries, suspect }: RecoveredReplica): boolean {
  return suspect === null && entries.length === 0 && snapshot.index === GENESIS_INDEX &&
    hardState.term === 1;
}

function endReplica(hosted: Hosted, reason: EndReason): void {
  if (hosted.kind !== "suspect") hosted.replica.stop(reason);
  if (hosted.kind === "data") hosted.data.stop();
}
