// One node: composes log, links, replicas and the API's service, and routes requests among them.

import { GOSSIP_DATAGRAM, type LoadFigures } from "../gossip/mod.ts";
import { META_PARTITION, type NodeId, type PartitionId, type Term } from "../base/ids.ts";
import type { Platform, TimerHandle } from "../platform/ports.ts";
import {
  ALL_WELL,
  type Genesis,
  type MemberDetails,
  type MetaCommand,
  type MetaResult,
} from "../partition/mod.ts";
import type { ReplicaLinks } from "../replica/log_port.ts";
import type { SnapshotStore } from "../snapshot/mod.ts";
import { Transport } from "../transport/mod.ts";
import type { Wal } from "../wal/mod.ts";
import { CONTROL_CALL_TIMEOUT_MS } from "./bootstrap.ts";
import { ApiService } from "./api_service.ts";
import { Administration } from "./administration.ts";
import { type NodeConfig, PONTOON_VERSION } from "./config.ts";
import type { RecoveredReplica } from "./group_files.ts";
import type { Journal } from "./journal.ts";
import { noteMapChange } from "./map_news.ts";
import type { Meters } from "./meters.ts";
import { MemberWatch } from "./member_watch.ts";
import { handOver } from "./handover.ts";
import { Hosting } from "./hosting.ts";
import { HELP_TIMEOUT_MS, Housekeeping } from "./housekeeping.ts";
import { MetaProposals } from "./meta_proposals.ts";
import { Membership } from "./membership.ts";
import { type NodeReport, replicaReport, workCounts } from "./node_report.ts";
import type { NodeRecordKeeper } from "./node_record.ts";
import { Overview } from "./overview.ts";
import { answerRequest } from "./peer_requests.ts";
import { LeaderSurvey } from "./leader_survey.ts";
import { LeaderTable } from "./leader_table.ts";
import { caughtUp, type Readiness } from "./readiness.ts";
import { Router } from "./router.ts";
import { Scheduler } from "./scheduler.ts";
import type { Failure } from "./service.ts";
import { SnapshotCourier } from "./snapshot_courier.ts";
import { SlowRequests } from "./slow_requests.ts";
import { Steward } from "./steward.ts";
import { Topology } from "./topology.ts";

/** Raft's tick. */
const TICK_MS = 50;
/** How long a stopping node lets requests in flight finish. */
const STOP_GRACE_MS = 5000;

export interface NodeParts {
  readonly meters: Meters;
  readonly journal: Journal;
  readonly config: NodeConfig;
  readonly platform: Platform;
  readonly wal: Wal;
  readonly store: SnapshotStore;
  readonly keeper: NodeRecordKeeper;
  readonly details: MemberDetails;
  /** A part of the log is damaged that may have named groups of which nothing is left (RULES 4). */
  readonly mayHaveLostGroups: boolean;
}

export class Node {
  /** What it does for its clients. */
  readonly api: ApiService;
  readonly topology: Topology;
  readonly membership: Membership;
  readonly overview: Overview;
  readonly #parts: NodeParts;
  readonly #transport: Transport;
  readonly #scheduler: Scheduler;
  readonly #router: Router;
  readonly #leaders: LeaderTable;
  readonly #courier: SnapshotCourier;
  readonly #memberWatch: MemberWatch;
  readonly #administration: Administration;
  readonly #metaProposals: MetaProposals;
  readonly #housekeeping: Housekeeping;
  readonly #survey: LeaderSurvey;
  readonly #slowRequests: SlowRequests;
  #hosting: Hosting | undefined;
  #steward: Steward | undefined;
  #tickTimer: TimerHandle | undefined;
  /** Terms that replicas here were elected in. */
  readonly #wonTerms = new Map<PartitionId, Term>();
  /** Monotonic times at which replicas here lost sight of a leader. */
  readonly #leaderlessSinceMs = new Map<PartitionId, number>();
  readonly #startedMs: number;
  /** What loading and replay left behind is cleared away. */
  #settled = false;
  /** Not ready any more, but still serving. */
  #leaving = false;
  #stopped = false;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    const { config, platform, wal, keeper } = parts;
    this.#startedMs = platform.clock.monotonicMs();
    this.#scheduler = new Scheduler(platform.clock, () => {
      // The way to the followers' disks is the longer one. What must not leave before it is durable here
      // is not handed to the links before it is.
      this.#transport.flush();
      wal.flush();
    });
    wal.gatherBy((callbacks) => this.#scheduler.gather(callbacks));
    this.topology = new Topology((map, before) => {
      noteMapChange(parts.journal, before, map);
      this.#transport.setPeers(map.members.map(({ nodeId, peer }) => ({ nodeId, address: peer })));
      this.#hosting?.reconcile(map);
      this.#leaders.changed();
      this.#memberWatch.mapChanged(map);
      this.overview.changed();
    });
    this.#transport = new Transport({
      ...platform,
      nodeId: keeper.record.nodeId,
      bootNonce: keeper.record.bootNonce,
      secret: config.secret,
      ...(config.protocol === undefined ? {} : { protocol: config.protocol }),
      clusterId: () => keeper.record.clusterId,
      scheduleFlush: () => this.#scheduler.schedule(),
      dialOverride: (_, address) => config.dialOverrides.get(address) ?? address,
    }, {
      onRaft: (_, partition, message, wallMs) => this.#hosting?.onRaft(partition, message, wallMs),
      onRead: (deliver) => this.#scheduler.gather(deliver),
      onRequest: (from, body, budgetMs) => this.#onRequest(from, body, budgetMs),
      onControl: (body) => this.membership.onControl(body),
      onDatagram: (from, body) => {
        if (body[0] === GOSSIP_DATAGRAM) this.#memberWatch.onDatagram(from, body);
        else this.#courier.onDatagram(from, body);
      },
      onLinkUp: (nodeId) => {
        this.#leaders.changed();
        this.#memberWatch.onLinkUp(nodeId);
        this.overview.changed();
      },
      onLinkDown: (nodeId, direction) => {
        this.#hosting?.peerDoubted(nodeId);
        // What it answers comes over the link that it dials.
        if (direction === "inbound") this.#courier.answersLost(nodeId);
        if (this.#isConnected(nodeId)) return;
        this.overview.changed();
        this.#courier.linkLost(nodeId);
        this.#hosting?.peerLost(nodeId);
      },
      onPeerRestarted: (nodeId) => this.#hosting?.peerDoubted(nodeId),
    });
    this.#courier = new SnapshotCourier({
      clock: platform.clock,
      log: platform.log,
      store: parts.store,
      hosting: () => this.#hosting,
      send: (to, body) => this.#transport.sendDatagram(to, body),
    });
    this.#memberWatch = new MemberWatch({
      clock: platform.clock,
      log: platform.log,
      random: platform.random,
      nodeId: keeper.record.nodeId,
      boots: keeper.record.boots,
      send: (to, datagram) => this.#transport.sendDatagram(to, datagram),
      isConnected: (nodeId) => this.#isConnected(nodeId),
      epoch: () => this.topology.epoch,
      load: () => this.#load(),
      requestCount: () => this.api.requestCount,
      onSuspected: (nodeId) => this.#hosting?.peerDoubted(nodeId),
      onStatus: (nodeId, status) => {
        parts.journal.note(status, nodeId);
        this.overview.changed();
      },
      onNewerEpoch: (epoch, from) => this.membership.newerMapExists(epoch, from),
    });
    this.#leaders = new LeaderTable(platform.clock, this.topology, {
      nodeId: keeper.record.nodeId,
      hosted: (partition) => this.#hosting?.data(partition),
      isUp: (nodeId) => this.#transport.isUp(nodeId),
    });
    this.#router = new Router({
      clock: platform.clock,
      route: (partition) => this.#leaders.route(partition),
      routeChange: (_, deadlineMs) => this.#leaders.nextChange(deadlineMs),
      noteLeader: (partition, nodeId) => this.#leaders.note(partition, nodeId),
      request: (to, body, budgetMs) => this.#transport.request(to, body, budgetMs),
      epoch: () => this.topology.epoch,
      stopping: () => this.#stopped,
      removed: () => this.topology.epoch > 0 && this.topology.member(this.nodeId) === undefined,
    });
    this.membership = new Membership({
      clock: platform.clock,
      log: platform.log,
      details: parts.details,
      topology: this.topology,
      stopping: () => this.#stopped,
      followsMap: () => {
        const meta = this.#hosting?.meta();
        return meta !== undefined && meta.replica.serving && meta.machine.map.epoch > 0;
      },
      hearsMetaLeader: () => {
        const leader = this.#leaderOf(META_PARTITION);
        if (leader === this.nodeId) return true;
        return leader !== undefined && this.#transport.isUp(leader) &&
          this.#transport.isHeard(leader);
      },
      record: () => keeper.record,
      save: (record) => keeper.save(record),
      call: (address, body) => this.call(address, body),
      proposeMeta: (command, timeoutMs) => this.proposeMeta(command, timeoutMs),
      isConnected: (nodeId) => this.#isConnected(nodeId),
      awaitsNewestMap: () => this.#hosting?.awaitsNewestMap ?? false,
      mapWasAt: (epoch) => this.#hosting?.mapWasAt(epoch),
    });
    this.#survey = new LeaderSurvey({
      clock: platform.clock,
      nodeId: keeper.record.nodeId,
      topology: this.topology,
      leaders: this.#leaders,
      hosting: () => this.#hosting,
      isUp: (nodeId) => this.#transport.isUp(nodeId),
      request: (to, body, budgetMs) => this.#transport.request(to, body, budgetMs),
    });
    this.#metaProposals = new MetaProposals({
      clock: platform.clock,
      nodeId: keeper.record.nodeId,
      topology: this.topology,
      meta: () => this.#hosting?.meta(),
      stopping: () => this.#stopped,
      request: (to, body, budgetMs) => this.#transport.request(to, body, budgetMs),
      leaderChange: (deadlineMs) => this.#leaders.nextChange(deadlineMs),
    });
    this.#housekeeping = new Housekeeping({
      clock: platform.clock,
      wal,
      nodeId: keeper.record.nodeId,
      topology: this.topology,
      hosting: () => this.#hosting,
      isFull: (nodeId) => this.#isFull(nodeId),
      reportSuspectHere: (partition, replicaId) =>
        this.#steward?.reportSuspect(partition, replicaId),
      request: (to, body) => this.#transport.request(to, body, HELP_TIMEOUT_MS),
    });
    this.overview = new Overview({
      clock: platform.clock,
      journal: parts.journal,
      nodeId: keeper.record.nodeId,
      members: () => this.topology.map.members.map(({ nodeId }) => nodeId),
      isUp: (nodeId) => this.#transport.isUp(nodeId),
      request: (to, body, budgetMs) => this.#transport.request(to, body, budgetMs),
      report: () => this.#report(),
    });
    this.#administration = new Administration({
      clock: platform.clock,
      nodeId: keeper.record.nodeId,
      topology: this.topology,
      hosting: () => this.#hosting,
      status: () => this.#steward?.status() ?? ALL_WELL,
      proposeMeta: (command, timeoutMs) => this.proposeMeta(command, timeoutMs),
      admit: (peer, timeoutMs) => this.membership.admit(peer, timeoutMs),
      leaderOf: (partition) => this.#leaderOf(partition),
      request: (to, body, budgetMs) => this.#transport.request(to, body, budgetMs),
      leaderChange: (deadlineMs) => this.#leaders.nextChange(deadlineMs),
    });
    this.#slowRequests = new SlowRequests(
      platform.clock,
      platform.log,
      () => this.#hosting,
      config.slowRequestMs,
    );
    this.api = new ApiService({
      config,
      platform,
      wal,
      keeper,
      meters: parts.meters,
      topology: this.topology,
      transport: this.#transport,
      router: this.#router,
      leaders: this.#leaders,
      memberWatch: this.#memberWatch,
      administration: this.#administration,
      overview: this.overview,
      slowRequests: this.#slowRequests,
      hosting: () => this.#hosting,
      steward: () => this.#steward,
      isConnected: (nodeId) => nodeId === this.nodeId || this.#isConnected(nodeId),
      readiness: () => this.#readiness(),
    });
  }

  /** The leader of any partition, the meta group's included, as far as this node knows. */
  #leaderOf(partition: PartitionId): NodeId | undefined {
    if (partition !== META_PARTITION) return this.#leaders.leaderOf(partition);
    const meta = this.#hosting?.meta();
    return meta && this.topology.nodeOf(META_PARTITION, meta.replica.leader);
  }

  /** What this node says about itself. */
  get details(): MemberDetails {
    return this.#parts.details;
  }

  get nodeId(): NodeId {
    return this.#parts.keeper.record.nodeId;
  }

  get stopping(): boolean {
    return this.#stopped;
  }

  /** The hosted replicas; for status and for tests that watch invariants. */
  get hosting(): Hosting | undefined {
    return this.#hosting;
  }

  get transport(): Transport {
    return this.#transport;
  }

  get meters(): Meters {
    return this.#parts.meters;
  }

  /** Starts to listen for peers; resolves with the bound address. */
  listen(): Promise<string> {
    return this.#transport.start(this.#parts.config.peer);
  }

  /** A control call, through the address translation if there is one. */
  call(address: string, body: Uint8Array): Promise<Uint8Array> {
    const target = this.#parts.config.dialOverrides.get(address) ?? address;
    return this.#transport.callAddress(target, body, CONTROL_CALL_TIMEOUT_MS);
  }

  /** Starts the replicas and the clock. Call once the node belongs to a cluster. */
  async startGroups(
    genesis: Genesis | undefined,
    recovered: readonly RecoveredReplica[],
  ): Promise<void> {
    const { platform, wal, store, keeper, config } = this.#parts;
    const hosting = new Hosting({
      platform,
      wal,
      store,
      scheduler: this.#scheduler,
      topology: this.topology,
      nodeId: keeper.record.nodeId,
      snapshotLogBytes: config.snapshotLogBytes,
      logWindowBytes: config.logWindowBytes,
      genesis,
      mayHaveLostGroups: this.#parts.mayHaveLostGroups,
      linksOf: (partition) => this.#linksOf(partition),
      isLinked: (nodeId) => this.#transport.isUp(nodeId) && this.#transport.isHeard(nodeId),
      observer: {
        onLeadership: (replica) => {
          this.#noteLeadership(replica.group, replica.leader !== 0);
          if (replica.isLeader && this.#wonTerms.get(replica.group) !== replica.term) {
            this.#wonTerms.set(replica.group, replica.term);
            this.meters.electionsWon++;
            const { group: partition, term } = replica;
            this.#parts.journal.note("elected", this.nodeId, { partition, term });
          }
          this.#hosting?.data(replica.group)?.data.onLeadership();
          this.#leaders.changed();
          this.overview.changed();
        },
        onApplied: (durationMs) => this.meters.apply.observeMs(durationMs),
        onReadIndex: (durationMs) => this.meters.readIndex.observeMs(durationMs),
        onConfiguration: () => {},
        onQuiescence: (replica) => this.#hosting?.data(replica.group)?.data.onQuiescence(),
      },
    });
    this.#steward = new Steward({
      clock: platform.clock,
      log: platform.log,
      hosting,
      nodeId: keeper.record.nodeId,
      topology: this.topology,
      deadAfterMs: config.deadAfterMs,
      isReachable: (nodeId) => this.#memberWatch.isReachable(nodeId),
      isFull: (nodeId) => this.#isFull(nodeId),
      proposeMeta: async (command) => {
        await this.proposeMeta(command, 2000);
      },
      transfer: (partition, to) => this.#administration.transfer(partition, to, 1000),
      leaders: () => this.#leaders.known(),
    });
    await hosting.start(recovered);
    if (this.#stopped) return;
    this.#hosting = hosting;
    hosting.reconcile(this.topology.map);
    this.#tick();
    this.membership.announceDetails();
  }

  #noteLeadership(partition: PartitionId, hasLeader: boolean): void {
    const nowMs = this.#parts.platform.clock.monotonicMs();
    const sinceMs = this.#leaderlessSinceMs.get(partition);
    if (!hasLeader) {
      if (sinceMs === undefined) this.#leaderlessSinceMs.set(partition, nowMs);
    } else if (sinceMs !== undefined) {
      this.#leaderlessSinceMs.delete(partition);
      this.meters.election.observeMs(nowMs - sinceMs);
    }
  }

  #report(): Omit<NodeReport, "happenings" | "changes"> {
    const { wal, platform, keeper, config } = this.#parts;
    const nowMs = platform.clock.monotonicMs();
    const memoryBytes = platform.process.memoryBytes?.();
    return {
      version: PONTOON_VERSION,
      boots: keeper.record.boots,
      uptimeMs: nowMs - this.#startedMs,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      logBytes: wal.sizeBytes,
      diskFreeBytes: platform.disk.freeBytes(),
      diskLow: wal.diskLow,
      requestsInFlight: this.#router.inFlight,
      requestsPerSecond: this.#memberWatch.requestsPerSecond,
      deadAfterMs: config.deadAfterMs,
      work: workCounts(this.meters),
      replicas: [...this.#hosting?.all() ?? []].map((hosted) => {
        const sinceMs = this.#leaderlessSinceMs.get(hosted.partition);
        return replicaReport(
          hosted,
          this.topology,
          sinceMs === undefined ? undefined : nowMs - sinceMs,
        );
      }),
      sends: this.#courier.sends(),
    };
  }

  #linksOf(partition: PartitionId): ReplicaLinks {
    return {
      send: (to, message) => {
        const nodeId = this.topology.nodeOf(partition, to);
        return nodeId !== undefined && this.#transport.sendRaft(nodeId, partition, message);
      },
      sendSnapshot: (to, file, message) => {
        const nodeId = this.topology.nodeOf(partition, to);
        const hosted = this.#hosting?.get(partition);
        if (nodeId === undefined || hosted === undefined) return Promise.resolve(false);
        return this.#courier.ship(nodeId, partition, hosted.snapshots.storedFile(file), message);
      },
    };
  }

  #isConnected(nodeId: NodeId): boolean {
    return this.#transport.isUp(nodeId) || this.#transport.isHeard(nodeId);
  }

  #isFull(nodeId: NodeId): boolean {
    return nodeId === this.nodeId ? this.#parts.wal.diskLow : this.#memberWatch.isFull(nodeId);
  }

  #load(): Omit<LoadFigures, "requestsPerSecond"> {
    const replicas = [...this.#hosting?.all() ?? []].filter((hosted) => hosted.kind !== "suspect");
    return {
      replicaCount: replicas.length,
      leaderCount: replicas.filter(({ replica }) => replica.isLeader).length,
      logBytes: this.#parts.wal.sizeBytes,
      diskFreeBytes: this.#parts.platform.disk.freeBytes(),
    };
  }

  // ------------------------------------------------------------------------------------------ ticks

  #tick(): void {
    if (this.#stopped) return;
    this.#tickTimer = this.#parts.platform.clock.setTimer(TICK_MS, () => this.#tick());
    this.#hosting!.tick();
    this.#steward!.tick();
    this.#leaders.expire();
    this.#survey.tick();
    this.#memberWatch.tick();
    if (!this.#settled) this.#settle();
    this.api.tick();
    this.#housekeeping.tick();
    this.overview.tick();
  }

  /** Loading a large state leaves garbage that an idle node would keep for hours. */
  #settle(): void {
    if (!this.#caughtUp().ready) return;
    this.#settled = true;
    this.#parts.platform.process.releaseMemory?.();
  }

  // ------------------------------------------------------------------------------------ peer requests

  #onRequest(from: NodeId, body: Uint8Array, budgetMs: number): Promise<Uint8Array> {
    return answerRequest(
      {
        hosting: this.#hosting,
        steward: this.#steward,
        clock: this.#parts.platform.clock,
        log: this.#parts.platform.log,
        slowRequests: this.#slowRequests,
        leaderOf: (partition) => this.#leaders.leaderOf(partition),
        diskLow: this.#parts.wal.diskLow,
        report: (boots, change) =>
          this.overview.own(boots === this.#parts.keeper.record.boots ? change : 0),
        transferHere: (partition, to) => this.#administration.transferHere(partition, to),
        proposeMetaHere: (command, timeoutMs) =>
          this.#metaProposals.proposeHere(command, timeoutMs),
      },
      from,
      body,
      budgetMs,
    );
  }

  /** Proposes to the meta group, here or at whichever member leads it. */
  proposeMeta(command: MetaCommand, timeoutMs: number): Promise<MetaResult | Failure> {
    return this.#metaProposals.propose(command, timeoutMs);
  }

  #readiness(): Readiness {
    if (this.#leaving) return { ready: false, reason: "stopping" };
    const caughtUp = this.#caughtUp();
    return caughtUp.ready && !this.#settled ? { ready: false, reason: "settling" } : caughtUp;
  }

  #caughtUp(): Readiness {
    return caughtUp(this.nodeId, this.topology, this.#hosting);
  }

  // --------------------------------------------------------------------------------------- stopping

  /** Hands leadership over; the API goes on serving. */
  async handOver(): Promise<void> {
    this.#leaving = true;
    const { clock } = this.#parts.platform;
    await handOver(this.#hosting, clock, (deadlineMs) => this.#leaders.nextChange(deadlineMs));
  }

  /** Ends everything but the log. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#leaving = true;
    this.#tickTimer?.cancel();
    this.#courier.stop();
    this.#hosting?.stop();
    this.#leaders.changed();
    this.#scheduler.stop();
    this.#transport.stop();
  }
}

export { STOP_GRACE_MS };
