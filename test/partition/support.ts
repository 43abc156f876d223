// Small clusters for the tests of this folder: readable ids, a driver for the state machine, and the
// seed of random tests.

import { assert, assertEquals } from "@std/assert";
import {
  applyCommand,
  type ClusterMap,
  type GenesisMember,
  initialMap,
  type MetaCommand,
} from "../../src/partition/mod.ts";
import type { MetaRefusal } from "../../src/partition/result.ts";
import { contradictionIn } from "../../src/partition/map_codec.ts";

/** Node n's id: its number in hex, padded. */
export function nodeId(n: number): string {
  return n.toString(16).padStart(32, "0");
}

export const CLUSTER_ID = "c".repeat(32);

export function memberDetails(
  n: number,
  labels: { host?: string; zone?: string } = {},
  weight = 1,
) {
  return {
    name: `n${n}`,
    peer: `10.0.0.1:${8000 + n}`,
    http: `10.0.0.1:${7000 + n}`,
    ...labels,
    weight,
  };
}

export function genesisMember(
  n: number,
  labels: { host?: string; zone?: string } = {},
  weight = 1,
): GenesisMember {
  return { nodeId: nodeId(n), ...memberDetails(n, labels, weight) };
}

/** A new cluster of nodes 1..nodeCount. */
export function clusterOf(
  nodeCount: number,
  partitionCount: number,
  replication = 3,
  member: (n: number) => GenesisMember = genesisMember,
): ClusterMap {
  const members = Array.from({ length: nodeCount }, (_, i) => member(i + 1));
  return initialMap({ clusterId: CLUSTER_ID, replication, partitionCount, members });
}

/** Applies at the next index; fails the test unless it changed the map or had been applied before. */
export function mustApply(map: ClusterMap, command: MetaCommand): ClusterMap {
  const outcome = applyCommand(map, map.epoch + 1, command);
  assert(outcome.kind !== "refused", `refused: ${JSON.stringify({ command, outcome })}`);
  if (outcome.kind === "unchanged") return map;
  assertEquals(contradictionIn(outcome.map), undefined);
  assertEquals(outcome.map.epoch, map.epoch + 1);
  return outcome.map;
}

export function assertRefused(
  map: ClusterMap,
  command: MetaCommand,
  code: MetaRefusal,
  what?: string,
): void {
  const outcome = applyCommand(map, map.epoch + 1, command);
  assertEquals(outcome.kind === "refused" ? outcome.code : outcome.kind, code, what);
}

export function assertUnchanged(map: ClusterMap, command: MetaCommand): void {
  assertEquals(applyCommand(map, map.epoch + 1, command).kind, "unchanged");
}

export { testSeed } from "../support/seed.ts";
