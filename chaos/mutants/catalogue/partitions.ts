// Known bugs of the partition map, of moves, of sleeping groups and of gossip.

import type { Mutant } from "../types.ts";

export const PARTITION_MUTANTS: readonly Mutant[] = [
  {
    name: "stale-route-accepted",
    breaks: "linearizable",
    seenIn: "reads at a primary that was replaced, as Jepsen found in MongoDB 2.6",
    file: "src/node/peer_requests.ts",
    target:
      `      if (hosted === undefined || !hosted.replica.isLeader) return notLeader(host, partition);
      const key = reader.latin1(reader.remaining);`,
    replacement: `      if (hosted === undefined) return notLeader(host, partition);
      const key = reader.latin1(reader.remaining);
      if (!hosted.replica.isLeader) return encodeReadAnswer(hosted.data.readLocal(key));`,
  },
  {
    name: "replica-deleted-before-joint-left",
    breaks: "a quorum of the configuration keeps its data",
    seenIn: "a peer destroyed before the change that removes it is committed",
    file: "src/partition/map.ts",
    target:
      'return namedReplicas(entry).some((ref) => ref.replicaId === replicaId) ? "keep" : "delete";',
    replacement: `const leaves = entry.move?.removing.some((ref) => ref.replicaId === replicaId);
  return !leaves && namedReplicas(entry).some((ref) => ref.replicaId === replicaId)
    ? "keep"
    : "delete";`,
  },
  {
    name: "replica-id-reused-after-wipe",
    breaks: "a wiped node is a new node",
    seenIn: "a server that lost its disk and comes back as itself: its vote and its log are gone",
    file: "src/node/run.ts",
    target: "    random,\n    log,\n    process,",
    replacement: `    random: {
      float: () => random.float(),
      int: (bound) => random.int(bound),
      bytes: (length) =>
        length === 16
          ? new Uint8Array(16).map((_, i) => config.name.charCodeAt(i % config.name.length))
          : random.bytes(length),
    },
    log,
    process,`,
  },
  {
    name: "two-moves-on-one-partition",
    breaks: "map and configurations agree",
    seenIn: "two operators, or an operator and the balancer, at the same shard",
    file: "src/partition/apply_moves.ts",
    target:
      'return refused("move-in-progress", `partition ${entry.partition} is being moved already`);',
    replacement: "",
  },
  {
    name: "move-resumed-twice",
    breaks: "map and configurations agree",
    seenIn: "any workflow whose steps are repeated but not idempotent",
    file: "src/partition/apply_moves.ts",
    target: `  if (entry.move !== undefined) {
    if (isSameMove(entry, entry.move, command)) return UNCHANGED;`,
    replacement: "  if (entry.move !== undefined && !isSameMove(entry, entry.move, command)) {",
  },
  {
    name: "removal-recorded-in-the-joint-configuration",
    breaks: "map and configurations agree",
    seenIn: "Raft §6: the old majority rules until the new configuration is committed",
    file: "src/partition/intent.ts",
    target: `    return conf.autoLeave ? wait("the joint configuration is being left") : {
      kind: "leaveJoint",
      epoch,
    };`,
    replacement: "    return record(entry, { ...conf, votersOutgoing: [] });",
  },
  {
    name: "quiesced-group-with-dead-leader",
    theme: "sleeping-groups",
    breaks: "a lost leader is replaced",
    seenIn:
      "CockroachDB's quiesced ranges, whose leaders are watched by node liveness for this reason",
    file: "src/node/hosting.ts",
    target:
      `      if (hosted !== undefined && hosted.kind !== "suspect") hosted.replica.peerLost(replicaId);
    }
  }

  /** One of the links to and from a node broke, its process is another one, or it is suspected. */
  peerDoubted(nodeId: NodeId): void {
    for (const { partition, replicaId } of this.#host.topology.index.hostedBy(nodeId)) {
      const hosted = this.#hosted.get(partition);
      if (hosted !== undefined && hosted.kind !== "suspect") hosted.replica.doubt(replicaId);`,
    replacement: `      if (hosted === undefined || hosted.kind === "suspect") continue;
      if (!hosted.replica.asleep) hosted.replica.peerLost(replicaId);
    }
  }

  /** One of the links to and from a node broke, its process is another one, or it is suspected. */
  peerDoubted(nodeId: NodeId): void {
    for (const { partition, replicaId } of this.#host.topology.index.hostedBy(nodeId)) {
      const hosted = this.#hosted.get(partition);
      if (hosted === undefined || hosted.kind === "suspect") continue;
      if (!hosted.replica.asleep) hosted.replica.doubt(replicaId);`,
  },
  {
    name: "gossip-overrules-meta",
    breaks: "map and configurations agree",
    seenIn:
      "Cassandra before transactional metadata: gossip lets nodes disagree about who owns what",
    file: "src/node/steward.ts",
    target: '    if (step === null || step.kind === "wait") return;\n',
    replacement: `    const { voters } = replica.configuration.confState;
    const silent = voters.find((replicaId) => {
      const nodeId = this.#host.topology.nodeOf(replica.group, replicaId);
      return nodeId !== undefined && nodeId !== this.#host.nodeId &&
        !this.#host.isReachable(nodeId);
    });
    if (silent !== undefined && voters.length > 2) {
      return this.#change(replica, nowMs, {
        kind: "v2",
        transition: ConfChangeTransition.Auto,
        changes: [{ type: ConfChangeType.Remove, replicaId: silent }],
        context: encodeEpoch(map.epoch),
      });
    }
    if (step === null || step.kind === "wait") return;
`,
  },
  {
    name: "message-for-another-replica-taken",
    breaks: "a replica takes its own messages only",
    seenIn: "messages to a peer that was destroyed and created anew on the same node",
    file: "src/node/hosting.ts",
    target:
      "    if (message.to !== hosted.replicaId) return;\n    hosted.replica.step(message, wallMs);",
    replacement: "    hosted.replica.step({ ...message, to: hosted.replicaId }, wallMs);",
  },
  {
    name: "suspect-replica-never-replaced",
    breaks: "damaged replicas are replaced",
    seenIn: "Alagappan et al., Protocol-Aware Recovery, FAST 2018",
    file: "src/node/steward.ts",
    target: "    this.#suspects.set(partition, known.add(replicaId));",
    replacement: "    known.add(replicaId);",
  },
];
