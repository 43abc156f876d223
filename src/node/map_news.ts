// What changed between two maps, as entries of the journal: members that come and go, moves that begin and end.

import { META_PARTITION, type NodeId } from "../base/ids.ts";
import type { ClusterMap, Member, PartitionEntry } from "../partition/mod.ts";
import type { Journal } from "./journal.ts";

/** Notes in `journal` how `after` differs from `before`; the first map that a node sees is no news. */
export function noteMapChange(journal: Journal, before: ClusterMap, after: ClusterMap): void {
  if (before.members.length === 0) return;
  noteMembers(journal, before.members, after.members);
  for (const entry of after.partitions) {
    const old = before.partitions[entry.partition];
    // Entries are immutable: what is the same object has not changed.
    if (old !== undefined && old !== entry) noteMove(journal, old, entry);
  }
}

function noteMembers(
  journal: Journal,
  before: readonly Member[],
  after: readonly Member[],
): void {
  const old = new Map<NodeId, Member>(before.map((member) => [member.nodeId, member]));
  for (const { nodeId, state } of after) {
    const was = old.get(nodeId);
    old.delete(nodeId);
    if (was === undefined) journal.note("joined", nodeId);
    else if (was.state !== state) journal.note(state, nodeId);
  }
  for (const nodeId of old.keys()) journal.note("left", nodeId);
}

function noteMove(journal: Journal, before: PartitionEntry, after: PartitionEntry): void {
  const { partition } = after;
  // The meta group's voters follow the members; who comes and goes is said already.
  if (partition === META_PARTITION) return;
  const [old, now] = [before.move, after.move];
  if (old !== undefined && old.beganEpoch !== now?.beganEpoch) {
    const isDone = old.adding.every((added) =>
      after.replicas.some(({ replicaId }) => replicaId === added.replicaId)
    );
    noteOne(isDone ? "move-done" : "move-cancelled", old);
  }
  if (now !== undefined && old?.beganEpoch !== now.beganEpoch) noteOne("move-began", now);

  function noteOne(
    kind: "move-began" | "move-done" | "move-cancelled",
    { adding, removing }: NonNullable<PartitionEntry["move"]>,
  ): void {
    const to = adding.map(({ nodeId }) => nodeId);
    const from = removing.map(({ nodeId }) => nodeId);
    journal.note(kind, to[0] ?? from[0] ?? "", { partition, to, from });
  }
}
