// The paths that backups read by: one partition named in each.

import type { PartitionId } from "../base/ids.ts";

// As much of a number as the router takes: a path that differs is nobody's.
const PARTITION = ":partition{0|[1-9][0-9]{0,3}}";
export const COPY_ROUTE = `/cluster/partitions/${PARTITION}/copy`;
export const CHANGES_ROUTE = `/cluster/partitions/${PARTITION}/changes`;
const PATTERN = /^\/cluster\/partitions\/(0|[1-9]\d{0,3})\/(?:copy|changes)$/;

/** Whether `path` gives every key of a partition. */
export function isBackupPath(path: string): boolean {
  return PATTERN.test(path);
}

/** The partition that a path names; undefined if it is none of these. */
export function backupPartitionOf(path: string): PartitionId | undefined {
  const found = PATTERN.exec(path);
  return found === null ? undefined : Number(found[1]);
}
