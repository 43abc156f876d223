// The cluster's directory: made, marked as ours, locked against a second cluster, emptied by --fresh.
// Never writes into, and never deletes from, a directory that doesn't bear the marker.

import { join } from "node:path";
import { CONTROL_FILE } from "./control_server.ts";
import { ClusterError, type ClusterOptions } from "./options.ts";

/** Names the directory as one that `deno task cluster` made, and carries its lock. */
export const MARKER_FILE = ".pontoon-cluster";
const MARKER_FORMAT = "pontoon-cluster";
const MARKER_VERSION = 1;
/** The file by whose lock a node holds its data directory. */
const NODE_LOCK_FILE = "LOCK";

interface Marker {
  readonly format: typeof MARKER_FORMAT;
  readonly version: number;
  /** Nodes of the cluster; fewer of them may be no quorum. */
  readonly nodes: number;
  /** HTTP port of n1. The nodes know each other by the ports that follow from it. */
  readonly port: number;
  /** Numbers of the nodes, where some were added or removed; absent: 1 to `nodes`. */
  readonly numbers?: readonly number[];
  /** Highest number that a node ever had: none is used twice. */
  readonly highest?: number;
  /** Numbers up to this were the first nodes; others joined. */
  readonly first?: number;
}

/** Which nodes a cluster's directory holds. */
export interface Roster {
  readonly numbers: readonly number[];
  readonly highest: number;
  /** Numbers up to this were the first nodes. */
  readonly first: number;
}

/** The hold on a data directory; lasts until {@linkcode release} or the end of the process. */
export interface DataDirClaim {
  /** True if an earlier cluster's data was found and kept. */
  readonly existing: boolean;
  readonly roster: Roster;
  /** Notes durably which nodes there are from now on. */
  note(roster: Roster): void;
  release(): void;
}

function isAbsent(cause: unknown): boolean {
  return cause instanceof Deno.errors.NotFound;
}

function readMarker(file: Deno.FsFile, path: string): Marker | undefined {
  const bytes = new Uint8Array(4096);
  const length = file.readSync(bytes) ?? 0;
  // An empty marker is one that a start died over before it was written; nothing is in the directory yet.
  if (length === 0) return undefined;
  let marker: Partial<Marker> | null;
  try {
    marker = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
  } catch {
    marker = null;
  }
  if (marker?.format === MARKER_FORMAT && marker.version !== MARKER_VERSION) {
    throw new ClusterError(
      `Cannot use ${path}: its format is version ${marker.version}, this program knows ${MARKER_VERSION}`,
    );
  }
  const { format, nodes, port } = marker ?? {};
  if (format !== MARKER_FORMAT || typeof nodes !== "number" || typeof port !== "number") {
    throw new ClusterError(`Cannot use ${path}: it is not a cluster's marker file`);
  }
  return marker as Marker;
}

function rosterOf(marker: Marker): Roster {
  const { nodes } = marker;
  return {
    numbers: marker.numbers ?? Array.from({ length: nodes }, (_, index) => index + 1),
    highest: marker.highest ?? nodes,
    first: marker.first ?? nodes,
  };
}

/** The roster that is to run: the directory's, and as many more nodes as were asked for. */
function wantedRoster(present: Roster | undefined, { nodes, nodesGiven }: ClusterOptions): Roster {
  if (present === undefined) {
    const count = nodes.length;
    return { numbers: nodes.map((_, index) => index + 1), highest: count, first: count };
  }
  const missing = nodesGiven ? Math.max(0, nodes.length - present.numbers.length) : 0;
  const more = Array.from({ length: missing }, (_, index) => present.highest + index + 1);
  return {
    numbers: [...present.numbers, ...more],
    highest: present.highest + missing,
    first: present.first,
  };
}

function writeMarker(file: Deno.FsFile, roster: Roster, port: number): void {
  const marker: Marker = {
    format: MARKER_FORMAT,
    version: MARKER_VERSION,
    nodes: roster.numbers.length,
    port,
    ...roster,
  };
  const text = `${JSON.stringify(marker)}\n`;
  file.seekSync(0, Deno.SeekMode.Start);
  file.truncateSync(0);
  file.writeSync(new TextEncoder().encode(text));
  file.syncSync();
}

/** The names in the directory, or undefined if there is none. */
function entryNames(dataDir: string): string[] | undefined {
  try {
    return [...Deno.readDirSync(dataDir)].map((entry) => entry.name);
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    if (cause instanceof Deno.errors.NotADirectory) {
      throw new ClusterError(`Cannot use ${dataDir} as data directory: it is a file`);
    }
    throw cause;
  }
}

/** More nodes may join a cluster, but fewer may be no quorum, and others' ports lead to nobody. */
function assertSameCluster(
  marker: Marker,
  { dataDir, nodes, nodesGiven, port }: ClusterOptions,
): void {
  const enough = !nodesGiven || marker.nodes <= nodes.length;
  if (enough && marker.port === port) return;
  throw new ClusterError(
    `${dataDir} holds a cluster of ${marker.nodes} nodes on port ${marker.port}: start it with ` +
      `--nodes ${marker.nodes} --port ${marker.port}, begin empty with --fresh, or choose another --data`,
  );
}

/** A node that outlived its runner may still be winding down: its lock tells. */
function assertNoNodeRuns(dataDir: string, names: readonly string[]): void {
  for (const name of names) {
    const path = join(dataDir, name, NODE_LOCK_FILE);
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { write: true });
    } catch (cause) {
      if (isAbsent(cause) || cause instanceof Deno.errors.NotADirectory) continue;
      throw cause;
    }
    const free = file.tryLockSync(true);
    file.close();
    if (!free) {
      throw new ClusterError(
        `data directory ${join(dataDir, name)} is locked: another node uses it`,
      );
    }
  }
}

function openAndLock(dataDir: string): Deno.FsFile {
  const file = Deno.openSync(join(dataDir, MARKER_FILE), { create: true, read: true, write: true });
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new ClusterError(`data directory ${dataDir} is locked: another cluster uses it`);
}

function claim(options: ClusterOptions): DataDirClaim {
  const { dataDir, fresh } = options;
  const names = entryNames(dataDir);
  if (names !== undefined && names.length > 0 && !names.includes(MARKER_FILE)) {
    throw new ClusterError(
      `Cannot ${fresh ? "delete" : "use"} ${dataDir}: it holds files but not ${MARKER_FILE}, ` +
        "so it is no cluster's data directory",
    );
  }
  Deno.mkdirSync(dataDir, { recursive: true });
  const file = openAndLock(dataDir);
  try {
    const marker = readMarker(file, join(dataDir, MARKER_FILE));
    const content = (names ?? []).filter((name) =>
      name !== MARKER_FILE && !name.startsWith(CONTROL_FILE)
    );
    assertNoNodeRuns(dataDir, content);
    if (fresh) {
      // The marker goes on standing while the rest goes: a crash in between leaves a directory that is still ours.
      for (const name of content) Deno.removeSync(join(dataDir, name), { recursive: true });
    } else if (marker !== undefined && content.length > 0) {
      assertSameCluster(marker, options);
    }
    const existing = !fresh && content.length > 0;
    const present = existing && marker !== undefined ? rosterOf(marker) : undefined;
    const roster = wantedRoster(present, options);
    const note = (next: Roster) => writeMarker(file, next, options.port);
    note(roster);
    return { existing, roster, note, release: () => file.close() };
  } catch (cause) {
    file.close();
    throw cause;
  }
}

/**
 * Makes the directory if need be, takes its lock, and with `fresh` deletes what is in it.
 *
 * @throws ClusterError if the directory isn't ours, is in use, or holds a larger cluster.
 */
export function claimDataDir(options: ClusterOptions): DataDirClaim {
  try {
    return claim(options);
  } catch (cause) {
    if (cause instanceof ClusterError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ClusterError(`Cannot use ${options.dataDir} as data directory: ${message}`);
  }
}
