// What the logs of Pontoon's nodes say that clients can't see: snapshots that were sent, damage that nobody did,
// invariants that did not hold.
// Reads finished logs only; a system whose nodes log something else says nothing here.

import type { Fault } from "./types.ts";
import type { Flaw } from "./workloads/types.ts";

/** The log of each node, spares and those that left included, by name. */
export type NodeLogs = ReadonlyMap<string, string>;

/** What a node logs when another has got its snapshot. */
const SNAPSHOT_SENT = '"message":"snapshot sent"';
/** What a node logs whose log breaks off before a point that had been durable. */
const DAMAGED = '"message":"acknowledged data is damaged"';

/** Reads `*.log` of a folder; none if there is no such folder. */
export function readNodeLogs(folder: string): NodeLogs {
  const logs = new Map<string, string>();
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      if (!name.endsWith(".log")) continue;
      logs.set(name.slice(0, -".log".length), Deno.readTextFileSync(`${folder}/${name}`));
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  return logs;
}

export function snapshotsSent(logs: NodeLogs): number {
  let count = 0;
  for (const log of logs.values()) count += log.split(SNAPSHOT_SENT).length - 1;
  return count;
}

/** Whether `nemesis` changes what had been durable. */
export function damagesFiles(nemesis: string): boolean {
  return nemesis === "all" || /^damage\b/.test(nemesis);
}

function reasonOf(line: string): string {
  try {
    return JSON.parse(line).damage?.reason ?? "no reason given";
  } catch {
    return "the line breaks off";
  }
}

/**
 * Damage that a node found in its log though nobody had touched its files. Kills and power cuts may tear what was not
 * synced, never more: a node that misses what it had acknowledged has broken its promise, even where the others still
 * hold every write and no client could notice.
 */
export function unexplainedDamage(logs: NodeLogs, faults: readonly Fault[]): Flaw[] {
  const touched = new Set(
    faults.filter(({ kind }) => damagesFiles(kind)).flatMap(({ targets }) => targets),
  );
  const flaws: Flaw[] = [];
  for (const [node, log] of [...logs].sort(([a], [b]) => a < b ? -1 : 1)) {
    if (touched.has(node)) continue;
    for (const line of log.split("\n").filter((line) => line.includes(DAMAGED))) {
      flaws.push({
        message: `${node} has lost what it had acknowledged, and nobody had damaged its files: ${
          reasonOf(line)
        }`,
        calls: [],
      });
    }
  }
  return flaws;
}

/** How a node names an invariant of its own that did not hold. */
const BROKEN_INVARIANT = /InvariantError: ([^\n"\\]+)/g;

/**
 * Invariants that nodes found broken. Each is a bug by a node's own account, whatever was broken around it; that it ends
 * itself before a client can be lied to makes it no better.
 */
export function brokenInvariants(logs: NodeLogs): Flaw[] {
  return [...logs].sort(([a], [b]) => a < b ? -1 : 1).flatMap(([node, log]) => {
    const found = [...log.matchAll(BROKEN_INVARIANT)].map(([, words]) => words!);
    if (found.length === 0) return [];
    const more = found.length > 1 ? ` (the first of ${found.length} times)` : "";
    return [{ message: `${node} found an invariant broken: ${found[0]}${more}`, calls: [] }];
  });
}
