// Starts a node on a platform: log, links, API, cluster. Resolves when the node listens; becoming part of
// a cluster goes on behind it and is told by `/health/ready`.

import { type AccessPolicy, Doorkeeper, NO_POLICY } from "../http/access/mod.ts";
import { createApp } from "../http/app.ts";
import type { Platform } from "../platform/ports.ts";
import type { MemberDetails } from "../partition/mod.ts";
import { SnapshotStore } from "../snapshot/mod.ts";
import { type Recovered, Wal } from "../wal/mod.ts";
import { bootstrap } from "./bootstrap.ts";
import type { NodeConfig } from "./config.ts";
import { type RecoveredReplica, recoveredReplica } from "./group_files.ts";
import { Journal } from "./journal.ts";
import { Meters } from "./meters.ts";
import { Node, STOP_GRACE_MS } from "./node.ts";
import { NodeRecordKeeper } from "./node_record.ts";

const BODY_IDLE_MS = 10_000;
/** A batch that takes so long to reach the disk is worth telling: clients wait for it. */
const SLOW_SYNC_MS = 500;

/** A node that runs. */
export interface RunningNode {
  readonly node: Node;
  readonly httpAddress: string;
  readonly peerAddress: string;
  /** Graceful: hands over, lets requests finish, syncs. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Runs a node. Without `access` it asks for no tokens and goes by its advertised and the loopback's names.
 *
 * @throws DiskError `locked` if another process has the data directory; WalError if the log can't be
 * used; Error "Cannot listen on …" if an address is taken.
 */
export async function runNode(
  config: NodeConfig,
  platform: Platform,
  access?: AccessPolicy,
): Promise<RunningNode> {
  const { clock, random, disk, log, process } = platform;
  const meters = new Meters();
  const journal = new Journal(clock);
  /** Notes what this node's disk does, once it is known who this node is. */
  let noteDisk = (_kind: "disk-low" | "disk-room" | "disk-slow", _durationMs?: number) => {};
  const { wal, recovered } = await Wal.open({
    disk,
    clock,
    random,
    log,
    process,
    onSynced: (durationMs) => {
      meters.sync.observeMs(durationMs);
      if (durationMs >= SLOW_SYNC_MS) noteDisk("disk-slow", durationMs);
    },
    onDiskLow: (isLow) => noteDisk(isLow ? "disk-low" : "disk-room"),
    ...config.logSizes,
  });
  const keeper = await NodeRecordKeeper.open(wal, recovered, platform.clock.wallMs());
  const details: MemberDetails = {
    name: config.name,
    peer: config.advertisePeer ?? config.peer,
    http: config.advertiseHttp ?? config.http,
    ...(config.host === undefined ? {} : { host: config.host }),
    ...(config.zone === undefined ? {} : { zone: config.zone }),
    weight: config.weight,
  };
  const store = SnapshotStore.open({
    disk,
    clock,
    log,
    process,
    onWritten: (durationMs) => meters.snapshot.observeMs(durationMs),
  });
  const mayHaveLostGroups = recovered.damages.some(({ groups }) => groups === null);
  const node = new Node({
    meters,
    journal,
    config,
    platform,
    wal,
    store,
    keeper,
    details,
    mayHaveLostGroups,
  });
  noteDisk = (kind, durationMs) => {
    const slowest = durationMs === undefined ? {} : { durationMs: Math.round(durationMs) };
    journal.note(kind, node.nodeId, slowest);
    node.overview.changed();
  };
  journal.note("started", node.nodeId);
  const app = createApp(node.api, {
    clock,
    digest: platform.digest,
    log,
    requestTimeoutMs: config.requestTimeoutMs,
    bodyIdleMs: BODY_IDLE_MS,
  });
  const peerAddress = await node.listen();
  const doorkeeper = new Doorkeeper((request, environment) => app.fetch(request, environment), {
    policy: access ?? { ...NO_POLICY, hosts: [details.http] },
    clock,
    digest: platform.digest,
    log,
    onRefused: (code) => node.meters.refused(code),
  });
  const http = await platform.http.listen(config.http, doorkeeper.handle);
  log.log("info", "node started", {
    nodeId: keeper.record.nodeId,
    boots: keeper.record.boots,
    http: http.address,
    peer: peerAddress,
  });

  const started = enterCluster(node, config, keeper, await replay(recovered), platform)
    .catch((cause) => {
      process.fatal("Cannot start", cause);
    });

  let stopped: Promise<void> | undefined;
  return {
    node,
    httpAddress: http.address,
    peerAddress,
    stop: () => stopped ??= stopNode(node, http, wal, platform, started),
  };
}

/** A function of its own, so that nothing which outlives the start holds on to the entries. */
async function replay(recovered: Recovered): Promise<RecoveredReplica[]> {
  const groups = [...recovered.groups.values()].map(recoveredReplica);
  const entriesOf = new Map(groups.map((group) => [group.group, group.entries]));
  await recovered.replay((group, entry) => void entriesOf.get(group)?.push(entry));
  return groups;
}

async function enterCluster(
  node: Node,
  config: NodeConfig,
  keeper: NodeRecordKeeper,
  groups: readonly RecoveredReplica[],
  platform: Platform,
): Promise<void> {
  const { clock, random, log } = platform;
  const { membership } = node;
  // A first node that came back without its data joins through the others, and may end before it has a
  // meta replica of its own to follow the map by.
  let seeds = config.join.length > 0
    ? config.join
    : config.initial.filter(({ name }) => name !== config.name).map(({ peer }) => peer);
  const startsCluster = keeper.record.genesis !== undefined ||
    (keeper.record.clusterId === "" && config.initial.length > 0);
  if (startsCluster) {
    const host = {
      config,
      clock,
      random,
      log,
      details: node.details,
      record: () => keeper.record,
      save: (record: typeof keeper.record) => keeper.save(record),
      call: (address: string, body: Uint8Array) => node.call(address, body),
      get stopping() {
        return node.stopping;
      },
    };
    const genesis = await bootstrap(host, (reason, others) => {
      log.log("warn", "this data directory is new to an existing cluster: joining it", { reason });
      seeds = others;
    });
    if (node.stopping) return;
    if (genesis !== undefined) {
      membership.followMap(genesis.members.map((member) => member.peer));
      return await node.startGroups(genesis, groups);
    }
  }
  if (seeds.length > 0) await membership.join(seeds);
  if (node.stopping) return;
  membership.followMap(seeds);
  await node.startGroups(undefined, groups);
}

async function stopNode(
  node: Node,
  http: { shutdown(graceMs: number): Promise<void> },
  wal: Wal,
  platform: Platform,
  started: Promise<void>,
): Promise<void> {
  platform.log.log("info", "node stopping");
  await node.handOver();
  node.api.announceStop();
  await http.shutdown(STOP_GRACE_MS);
  node.stop();
  await started;
  await wal.close();
  platform.log.log("info", "node stopped");
}
