// What a backup file says, block by block: which partitions are copied, how far their changes go, what they
// hold. The same rules while a file is written and when it is read. Refuses what no backup would write.

import {
  type Block,
  BlockType,
  type Content,
  ContentSum,
  type CopyBegin,
  type CopyEnd,
  decodeBegin,
  decodeChanges,
  decodeChangesGone,
  decodeEnd,
  decodeHeader,
  decodeRecords,
  decodeTrailer,
  type FileHeader,
  type FileTrailer,
  type PartitionSummary,
} from "../../backup/mod.ts";
import { CodecError } from "../../base/codec.ts";
import { type WatchPosition, WHOLE_REVISION } from "../../store/history.ts";

/** One partition's latest copy and what followed it. */
export interface PartitionState {
  readonly begin: CopyBegin;
  readonly run: number;
  readonly sum: ContentSum;
  /** Of the last record; undefined before the first. */
  lastKey: string | undefined;
  records: number;
  /** Present once the copy is whole. */
  end: CopyEnd | undefined;
  changes: number;
  /** Everything up to it is in the file. */
  changesTo: WatchPosition;
  changesTimeMs: number;
  /** When that was read, by the clock of who made the backup. */
  changesWallMs: number;
  /** Why no later changes will come, if so. */
  gone: string | undefined;
}

function isSame(a: WatchPosition, b: WatchPosition): boolean {
  return a.revision === b.revision && a.subIndex === b.subIndex;
}

export class BackupState {
  readonly partitions = new Map<number, PartitionState>();
  #header: FileHeader | undefined;
  #trailer: FileTrailer | undefined;

  /** Throws CodecError before the first block. */
  get header(): FileHeader {
    if (this.#header === undefined) throw new CodecError("it has no header");
    return this.#header;
  }

  get isEmpty(): boolean {
    return this.#header === undefined;
  }

  /** Present iff the file is finished. */
  get trailer(): FileTrailer | undefined {
    return this.#trailer;
  }

  /** Partitions of the cluster that are not copied wholly yet, ascending. */
  missing(): number[] {
    return this.header.partitions.map(({ partition }) => partition)
      .filter((partition) => this.partitions.get(partition)?.end === undefined);
  }

  /** What the copies hold together, each at its index. */
  content(): Content {
    const total = new ContentSum();
    for (const { sum } of this.partitions.values()) total.addContent(sum.content());
    return total.content();
  }

  keyCount(): number {
    let count = 0;
    for (const { records } of this.partitions.values()) count += records;
    return count;
  }

  /** Every partition must be whole. */
  summaries(): PartitionSummary[] {
    return [...this.partitions.values()].map((state) => {
      const { begin: { partition, applied, timeMs }, run, end, changesTo, changesTimeMs } = state;
      if (end === undefined) throw new CodecError(`partition ${partition} has no whole copy`);
      const { stateHash, content } = end;
      return { partition, run, applied, timeMs, stateHash, content, changesTo, changesTimeMs };
    }).sort((a, b) => a.partition - b.partition);
  }

  /** Whether a block belongs to the copy that counts, if it belongs to any. */
  isCurrent({ partition, run }: Block): boolean {
    return this.partitions.get(partition)?.run === run;
  }

  /** Takes the next block of the file. Throws CodecError. */
  take(block: Block): void {
    if (this.#trailer !== undefined) throw new CodecError("there is something behind the end");
    if ((this.#header === undefined) !== (block.type === BlockType.Header)) {
      throw new CodecError("a file has one header, and it comes first");
    }
    switch (block.type) {
      case BlockType.Header:
        this.#header = decodeHeader(block.payload);
        return;
      case BlockType.Begin:
        return this.#begin(block);
      case BlockType.Trailer:
        this.#trailer = decodeTrailer(block.payload);
        return this.#checkTrailer(this.#trailer);
      default:
        return this.#continue(block);
    }
  }

  #begin({ payload, partition, run }: Block): void {
    const begin = decodeBegin(payload);
    const known = this.header.partitions.some((one) => one.partition === partition);
    const before = this.partitions.get(partition);
    if (begin.partition !== partition || !known || run !== (before?.run ?? 0) + 1) {
      throw new CodecError(`run ${run} of partition ${partition} can't begin here`);
    }
    this.partitions.set(partition, {
      begin,
      run,
      sum: new ContentSum(),
      lastKey: undefined,
      records: 0,
      end: undefined,
      changes: 0,
      changesTo: { revision: begin.applied, subIndex: WHOLE_REVISION },
      changesTimeMs: begin.timeMs,
      changesWallMs: begin.wallMs,
      gone: undefined,
    });
  }

  #continue(block: Block): void {
    const { type, partition, run, payload } = block;
    const state = this.partitions.get(partition);
    if (state?.run !== run) {
      throw new CodecError(`run ${run} of partition ${partition} never began`);
    }
    if (type === BlockType.Changes) return this.#changes(state, payload);
    if (type === BlockType.ChangesGone) {
      state.gone = decodeChangesGone(payload).reason;
      return;
    }
    if (state.end !== undefined) throw new CodecError(`partition ${partition} was whole before`);
    if (type === BlockType.Records) return this.#records(state, payload);
    const end = decodeEnd(payload);
    if (JSON.stringify(end.content) !== JSON.stringify(state.sum.content())) {
      throw new CodecError(
        `partition ${partition} does not hold what its node says: ${JSON.stringify(end.content)}`,
      );
    }
    state.end = end;
  }

  #records(state: PartitionState, payload: Uint8Array): void {
    for (const record of decodeRecords(payload)) {
      if (state.lastKey !== undefined && record.key <= state.lastKey) {
        throw new CodecError(`the keys of partition ${state.begin.partition} do not ascend`);
      }
      state.lastKey = record.key;
      state.records++;
      state.sum.add(record);
    }
  }

  #changes(state: PartitionState, payload: Uint8Array): void {
    const { from, to, timeMs, wallMs, events } = decodeChanges(payload);
    if (!isSame(from, state.changesTo) || state.gone !== undefined) {
      throw new CodecError(
        `changes of partition ${state.begin.partition} are missing before these`,
      );
    }
    state.changesTo = to;
    state.changesTimeMs = Math.max(state.changesTimeMs, timeMs);
    state.changesWallMs = wallMs;
    state.changes += events.length;
  }

  #checkTrailer({ partitions, content }: FileTrailer): void {
    const found = JSON.stringify([this.summaries(), this.content()]);
    if (this.missing().length > 0 || found !== JSON.stringify([partitions, content])) {
      throw new CodecError("the end of the file does not say what is in it");
    }
  }
}
