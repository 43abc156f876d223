// What a log must say after any prefix of the records appended to it, and random workloads to feed both.
// A crash may cut the unacknowledged end off, and nothing else: recovery must equal some prefix that
// holds every acknowledged record.

import { assert } from "@std/assert";
import { crc32 } from "node:zlib";
import type { Entry, HardState, SnapshotMarker, Wal } from "../../src/wal/mod.ts";
import type { SeededRandom } from "../sim/random.ts";
import type { Opened } from "./rig.ts";

interface ModelGroup {
  replicaId: number;
  hardState: HardState;
  snapshot: SnapshotMarker | null;
  configuration: number;
  /** Entries behind the snapshot. */
  entries: readonly Entry[];
}

interface ModelState {
  readonly groups: ReadonlyMap<number, ModelGroup>;
  readonly tombstones: ReadonlyMap<number, number>;
  readonly nodeRecords: ReadonlyMap<number, string>;
}

const EMPTY: ModelState = { groups: new Map(), tombstones: new Map(), nodeRecords: new Map() };
const CONF = new Uint8Array([3, 1, 4]);

export function digestOf(entry: Entry): string {
  return `${entry.index}/${entry.term}/${entry.type}/${entry.data.length}/${crc32(entry.data)}`;
}

/** A group as one line, comparable between model and recovery. */
function describeModelGroup(group: ModelGroup): string {
  const { replicaId, hardState: { term, vote, commit }, snapshot, configuration, entries } = group;
  return `${replicaId} ${term}/${vote}/${commit} ${snapshot?.index}/${snapshot?.term} ` +
    `${configuration} ${entries.map(digestOf).join(" ")}`;
}

const flatStates = new WeakMap<ModelState, string>();

function flattenModel(state: ModelState): string {
  let flat = flatStates.get(state);
  if (flat === undefined) flatStates.set(state, flat = flatten(describeModel(state)));
  return flat;
}

export function describeModel(state: ModelState): Map<string, string> {
  const lines = new Map<string, string>();
  for (const [id, group] of state.groups) lines.set(`group ${id}`, describeModelGroup(group));
  for (const [id, replica] of state.tombstones) lines.set(`tombstone ${id}`, String(replica));
  for (const [kind, record] of state.nodeRecords) lines.set(`record ${kind}`, record);
  return lines;
}

export function describeRecovered({ recovered, entries }: Opened): Map<string, string> {
  const lines = new Map<string, string>();
  for (const [id, group] of recovered.groups) {
    const { replicaId, hardState, snapshot, configuration } = group;
    lines.set(
      `group ${id}`,
      describeModelGroup({
        replicaId,
        hardState,
        snapshot,
        configuration: configuration?.index ?? 0,
        entries: entries.get(id) ?? [],
      }),
    );
  }
  for (const [id, replica] of recovered.tombstones) lines.set(`tombstone ${id}`, String(replica));
  for (const [kind, record] of recovered.nodeRecords) lines.set(`record ${kind}`, String(record));
  return lines;
}

export function flatten(lines: ReadonlyMap<string, string>): string {
  return [...lines].sort(([a], [b]) => a < b ? -1 : 1).map((line) => line.join(": ")).join("\n");
}

/** The history of a log: every record appended, how many are durable, and the state after each. */
export class LogModel {
  /** After 0, 1, 2, … records. */
  readonly states: ModelState[] = [EMPTY];
  durableCount = 0;
  /** Distinguishes entries that would otherwise look alike. */
  #nonce = 0;

  get current(): ModelState {
    return this.states[this.states.length - 1];
  }

  /** Goes on from what recovery found, which is one of the states from `durableCount` on. */
  matchRecovered(opened: Opened, context: string): number {
    const found = flatten(describeRecovered(opened));
    for (let i = this.states.length - 1; i >= this.durableCount; i--) {
      if (flattenModel(this.states[i]) === found) return i;
    }
    const expected = flattenModel(this.states[this.durableCount]);
    throw new Error(
      `${context}: recovery found no state since the last durable one.\nfound:\n${found}\n` +
        `durable:\n${expected}`,
    );
  }

  /** The log was recovered with the state after `count` records, all durable now. */
  restartAt(count: number): void {
    this.states.length = count + 1;
    this.durableCount = count;
  }

  #push(change: Partial<ModelState>): () => void {
    const count = this.states.push({ ...this.current, ...change }) - 1;
    return () => {
      assert(this.durableCount === count - 1, "callbacks come in order");
      this.durableCount = count;
    };
  }

  #pushGroup(id: number, group: ModelGroup | undefined): () => void {
    const groups = new Map(this.current.groups);
    if (group === undefined) groups.delete(id);
    else groups.set(id, group);
    return this.#push({ groups });
  }

  /** Appends one random record to `wal` and to the history. */
  appendRandom(wal: Wal, random: SeededRandom, entryBytesMax = 60): void {
    const ids = [...this.current.groups.keys()];
    const dice = random.int(100);
    if (ids.length === 0 || (dice < 6 && ids.length < 5)) return this.#create(wal, random);
    const id = random.pick(ids);
    const group = this.current.groups.get(id)!;
    if (dice < 9 && ids.length > 1) return this.#remove(wal, id, group);
    if (dice < 13) return this.#nodeRecord(wal, random);
    if (dice < 19) return this.#configuration(wal, id, group);
    if (dice < 28) return this.#snapshotTaken(wal, id, group, random);
    this.#append(wal, id, group, random, entryBytesMax);
  }

  #create(wal: Wal, random: SeededRandom): void {
    let id = random.int(8);
    while (this.current.groups.has(id)) id = random.int(8);
    const replicaId = (this.current.tombstones.get(id) ?? 0) + 1 + random.int(3);
    const durable = this.#pushGroup(id, {
      replicaId,
      hardState: { term: 0, vote: 0, commit: 0 },
      snapshot: null,
      configuration: 0,
      entries: [],
    });
    wal.createGroup(id, replicaId, durable);
  }

  #remove(wal: Wal, id: number, group: ModelGroup): void {
    const groups = new Map(this.current.groups);
    groups.delete(id);
    const tombstones = new Map(this.current.tombstones).set(id, group.replicaId);
    wal.removeGroup(id, group.replicaId, this.#push({ groups, tombstones }));
  }

  #nodeRecord(wal: Wal, random: SeededRandom): void {
    const record = random.bytes(random.int(20));
    const kind = random.int(3);
    const nodeRecords = new Map(this.current.nodeRecords).set(kind, String(record));
    wal.putNodeRecord(kind, record, this.#push({ nodeRecords }));
  }

  #configuration(wal: Wal, id: number, group: ModelGroup): void {
    const index = lastIndexOf(group);
    if (index <= (group.snapshot?.index ?? 0)) return;
    // Recorded without a callback: it is durable with the next record's.
    wal.recordConfiguration(id, index, CONF);
    this.#pushGroup(id, { ...group, configuration: index });
    const next = this.current.groups.get(id)!;
    const hardState = { ...next.hardState, commit: next.hardState.commit + 1 };
    const durable = this.#pushGroup(id, { ...next, hardState });
    wal.append({ group: id, hardState, entries: [] }, () => {
      this.durableCount++;
      durable();
    });
  }

  #snapshotTaken(wal: Wal, id: number, group: ModelGroup, random: SeededRandom): void {
    const { entries } = group;
    if (entries.length === 0) return;
    const at = random.int(entries.length);
    const { index, term } = entries[at];
    const marker = { index, term, confState: CONF };
    const configuration = group.configuration > index ? group.configuration : 0;
    const after = { ...group, snapshot: marker, configuration, entries: entries.slice(at + 1) };
    wal.snapshotTaken(id, marker, this.#pushGroup(id, after));
  }

  #append(
    wal: Wal,
    id: number,
    group: ModelGroup,
    random: SeededRandom,
    entryBytesMax: number,
  ): void {
    let { hardState, snapshot, configuration } = group;
    let kept = group.entries;
    let installed: SnapshotMarker | null = null;
    const term = hardState.term + (random.int(4) === 0 ? 1 : 0);
    if (random.int(12) === 0) {
      installed = { index: lastIndexOf(group) + 1 + random.int(9), term, confState: CONF };
      snapshot = installed;
      configuration = 0;
      kept = [];
    } // One in six replaces part of the suffix, as a new leader's entries do.
    else if (kept.length > 0 && random.int(6) === 0) {
      // Never what a recorded, hence committed, configuration rests on.
      const fixed = kept.filter(({ index }) => index <= group.configuration).length;
      kept = kept.slice(0, fixed + random.int(kept.length - fixed + 1));
    }
    const first = (kept.at(-1)?.index ?? snapshot?.index ?? 0) + 1;
    const entries = Array.from({ length: random.int(5) }, (_, i) => {
      const data = random.bytes(random.int(entryBytesMax));
      if (data.length > 3) data[0] = this.#nonce++;
      return { term, index: first + i, type: random.int(3), data };
    });
    // Without new entries nothing was replaced.
    if (entries.length === 0 && installed === null) kept = group.entries;
    const withHardState = random.int(2) === 0 || entries.length === 0;
    if (withHardState) {
      hardState = { term, vote: random.int(4), commit: hardState.commit + random.int(3) };
    }
    const after = {
      ...group,
      hardState,
      snapshot,
      configuration,
      entries: [...kept, ...entries],
    };
    wal.append(
      { group: id, hardState: withHardState ? hardState : null, entries, snapshot: installed },
      this.#pushGroup(id, after),
    );
  }
}

function lastIndexOf(group: ModelGroup): number {
  return group.entries.at(-1)?.index ?? group.snapshot?.index ?? 0;
}
