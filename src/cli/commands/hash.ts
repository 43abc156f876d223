// `endpoint hash`: replicas of one partition that have applied the same entries must be in the same state.
// Compares hashes at equal log positions only; a difference is a fault of the store.

import type { Context } from "../context.ts";
import { EXIT, Exit } from "../exit.ts";
import { tableLines } from "../format.ts";
import { ask, askAll, type Asking, type Endpoint, endpointsOf } from "../nodes.ts";

/** A partition under load moves between two questions; after so many the command says so. */
const ROUNDS_MAX = 20;

interface HashDocument {
  readonly node: string;
  readonly partitions: readonly { partition: number; applied: number; hash: string }[];
}

/** A replica's hash at a log position. */
interface ReplicaHash {
  readonly endpoint: Endpoint;
  readonly applied: number;
  readonly hash: string;
}

/** What became of a partition: hashes at one position, or the reason why there is none. */
interface Comparison {
  readonly partition: number;
  readonly applied?: number;
  readonly hashes: readonly ReplicaHash[];
  readonly verdict: "equal" | "DIFFERENT" | "alone" | "moving";
}

export async function hashEndpoints(
  context: Context,
  { partition }: { partition?: number },
): Promise<void> {
  const endpoints = await endpointsOf(context);
  const query = partition === undefined ? "" : `?partition=${partition}`;
  const answers = await askAll<HashDocument>(context, endpoints, `/cluster/hash${query}`);
  const silent = answers.filter(({ body }) => body === undefined);
  for (const { endpoint, error } of silent) context.note(`kv: ${endpoint.url}: ${error}`);
  const byPartition = new Map<number, ReplicaHash[]>();
  for (const { endpoint, body } of answers) {
    for (const { partition, applied, hash } of body?.partitions ?? []) {
      const replicas = byPartition.get(partition) ?? [];
      replicas.push({ endpoint, applied, hash });
      byPartition.set(partition, replicas);
    }
  }
  const partitions = [...byPartition].sort(([a], [b]) => a - b);
  const comparisons = await Promise.all(
    partitions.map(([partition, replicas]) => compare(partition, replicas, context)),
  );
  print(context, comparisons);
  const different = comparisons.filter(({ verdict }) => verdict === "DIFFERENT");
  if (different.length > 0) {
    const names = different.map(({ partition }) => partition).join(", ");
    throw new Exit(EXIT.error, `Replicas have diverged: partition ${names}`);
  }
  if (silent.length > 0) throw new Exit(EXIT.unavailable, `${silent.length} nodes gave no hashes`);
  if (comparisons.some(({ verdict }) => verdict === "moving")) {
    throw new Exit(
      EXIT.unavailable,
      "Some partitions change too quickly to be compared: try again",
    );
  }
}

/** Asks the replicas that are behind to catch up, until two or more stand at the same position. */
async function compare(
  partition: number,
  first: readonly ReplicaHash[],
  asking: Asking,
): Promise<Comparison> {
  let replicas = first;
  if (replicas.length < 2) return { partition, hashes: replicas, verdict: "alone" };
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const target = Math.max(...replicas.map(({ applied }) => applied));
    const equal = replicas.filter(({ applied }) => applied === target);
    // Wrong anywhere is wrong: positions below the highest count as well.
    const wrong = replicas.find((one) =>
      replicas.some((other) => other.applied === one.applied && other.hash !== one.hash)
    );
    if (wrong !== undefined) {
      const hashes = replicas.filter(({ applied }) => applied === wrong.applied);
      return { partition, applied: wrong.applied, hashes, verdict: "DIFFERENT" };
    }
    if (equal.length === replicas.length) {
      return { partition, applied: target, hashes: equal, verdict: "equal" };
    }
    replicas = await Promise.all(replicas.map(async (replica) => {
      if (replica.applied === target) return replica;
      const path = `/cluster/hash?partition=${partition}&applied=${target}`;
      const { body } = await ask<HashDocument>(asking, replica.endpoint, path);
      const found = body?.partitions.find((one) => one.partition === partition);
      return found === undefined ? replica : { ...replica, ...found };
    }));
  }
  return { partition, hashes: replicas, verdict: "moving" };
}

function print(context: Context, comparisons: readonly Comparison[]): void {
  if (context.form() === "json") {
    for (const { partition, applied, verdict, hashes } of comparisons) {
      const replicas = hashes.map(({ endpoint, hash, applied }) => ({
        node: endpoint.name,
        applied,
        hash,
      }));
      context.print(JSON.stringify({ partition, applied, verdict, replicas }));
    }
    return;
  }
  const rows = comparisons.map(({ partition, applied, verdict, hashes }) => [
    String(partition),
    applied === undefined ? "-" : String(applied),
    verdict,
    hashes.map(({ endpoint, hash }) => `${endpoint.name} ${hash.slice(0, 16)}`).join("  "),
  ]);
  const columns = [
    { title: "PARTITION", right: true },
    { title: "APPLIED", right: true },
    { title: "VERDICT" },
    { title: "HASHES" },
  ];
  for (const line of tableLines(columns, rows)) context.print(line);
}
