// What the maps allow: a voter goes out of its group's configuration only if some map says so, the meta group is
// told of a group's configurations as they are, and a replica is deleted only when the newest configuration of
// its group does without it (RULES 10).

import type { PartitionId, ReplicaId } from "../../../src/base/ids.ts";
import type { Hosted } from "../../../src/node/group.ts";
import type { Hosting } from "../../../src/node/hosting.ts";
import { type ClusterMap, decodeCommand, UNKNOWN_MAP } from "../../../src/partition/mod.ts";
import type { GroupFacts, Watched } from "./facts.ts";
import { Violation } from "./violation.ts";

/** What one life of a node was last seen to go by and to hold. */
interface Seen {
  map: ClusterMap;
  readonly held: Map<PartitionId, Hosted>;
}

export class Maps {
  readonly #seen = new WeakMap<Hosting, Seen>();

  /** Looks at a node whose code has run. `factsOf` gives what is known of a partition's group. */
  look(
    name: string,
    hosting: Hosting,
    map: ClusterMap,
    factsOf: (partition: PartitionId) => GroupFacts,
  ): void {
    let seen = this.#seen.get(hosting);
    if (seen === undefined) this.#seen.set(hosting, seen = { map: UNKNOWN_MAP, held: new Map() });
    if (map !== seen.map) {
      seen.map = map;
      noteLeavers(map, factsOf);
    }
    for (const [partition, before] of seen.held) {
      const now = hosting.get(partition);
      if (now === before) continue;
      if (now?.replicaId !== before.replicaId) checkDeleted(name, before, factsOf(partition));
      seen.held.delete(partition);
    }
    for (const hosted of hosting.all()) seen.held.set(hosted.partition, hosted);
  }
}

/** Every replica that the map has on its way out, or out already. */
function noteLeavers(map: ClusterMap, factsOf: (partition: PartitionId) => GroupFacts): void {
  for (const { partition, move, dropping, retired } of map.partitions) {
    const leavers = [...dropping, ...retired, ...move?.removing ?? [], ...move?.demoting ?? []];
    if (leavers.length === 0) continue;
    const { leavers: known } = factsOf(partition);
    for (const { replicaId } of leavers) known.add(replicaId);
  }
}

function checkDeleted(name: string, hosted: Hosted, facts: GroupFacts): void {
  const { partition, replicaId } = hosted;
  // One that is suspect never votes again: it makes room for the one that comes in its place (RULES 4).
  if (hosted.kind === "suspect") return;
  const newest = Math.max(-1, ...facts.configurations.keys());
  const text = facts.configurations.get(newest);
  if (text === undefined) return;
  const [voters, outgoing] = JSON.parse(text) as ReplicaId[][];
  if (!voters.includes(replicaId) && !outgoing.includes(replicaId)) return;
  throw new Violation(
    "a replica is deleted once its group does without it",
    `${name} deletes replica ${replicaId} of partition ${partition}: ${voters}/${outgoing} vote`,
  );
}

/** Looks at an entry of the meta group: what it records of a group's configuration is what the group applied. */
export function checkRecord(
  watched: Watched,
  data: Uint8Array,
  factsOf: (partition: PartitionId) => GroupFacts,
): void {
  if (data.length === 0) return;
  const command = decodeCommand(data);
  if (command.kind !== "recordConfiguration") return;
  const { partition, confIndex, voters, votersOutgoing } = command;
  const text = factsOf(partition).configurations.get(confIndex);
  if (text === undefined) return;
  const [knownVoters, knownOutgoing] = JSON.parse(text) as ReplicaId[][];
  if (sameIds(voters, knownVoters) && sameIds(votersOutgoing, knownOutgoing)) return;
  const message = `partition ${partition} at ${confIndex}: told of ${voters}/${votersOutgoing}, ` +
    `and ${knownVoters}/${knownOutgoing} vote`;
  watched.report(new Violation("the meta group is told of what is", message));
}

function sameIds(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

/** `leaving` were voters before the group's configuration changed, and are none any more. */
export function checkLeavers(facts: GroupFacts, leaving: readonly ReplicaId[]): void {
  const orphaned = leaving.filter((id) => !facts.leavers.has(id));
  if (orphaned.length === 0) return;
  throw new Violation(
    "voters leave as the map says",
    `partition ${facts.group}: ${orphaned} left, and no map had said so`,
  );
}
