// A partition's frozen state as blocks: in steps, so that whoever makes them has time for something else in
// between. Owns what a copy holds: the live records at one applied index, and at its end two hashes of it.

import { BytesWriter } from "../base/codec.ts";
import type { StoreState } from "../store/store.ts";
import { stateHashSteps } from "../store/state_hash.ts";
import type { RecordView } from "../store/types.ts";
import { plainLength } from "../store/value.ts";
import { type Block, BlockType } from "./block.ts";
import { ContentSum } from "./content_hash.ts";
import {
  BACKUP_FORMAT_VERSION,
  type CopyBegin,
  type CopyEnd,
  encodeDocument,
} from "./documents.ts";
import { writeRecord } from "./records.ts";

/** A block of records ends with the one that reaches this size: a third of a ms of work. */
const RECORDS_SIZE_BYTES = 32 * 1024;
/** What is hashed in one step: about a tenth of a ms. */
const HASHED_SIZE_BYTES = 64 * 1024;
/** What a record costs beside its bytes. */
const RECORD_OVERHEAD_BYTES = 64;

/** What of a state is copied. */
export interface CopySource {
  readonly partition: number;
  readonly nodeId: string;
  /** Names it on its node. */
  readonly copy: string;
  readonly applied: number;
  /** Must not change while it is copied (see Store.freeze). */
  readonly state: StoreState;
}

function* liveRecords({ records, timeMs }: StoreState, start: string): Generator<RecordView> {
  for (const record of records.range(start, undefined)) {
    if (record.expiresAtMs === undefined || record.expiresAtMs > timeMs) yield record;
  }
}

/** The content of a state's live records, in steps. */
export function* contentSteps(state: StoreState): Generator<void, ContentSum> {
  const sum = new ContentSum();
  let sizeBytes = 0;
  for (const record of liveRecords(state, "")) {
    sum.add(record);
    sizeBytes += RECORD_OVERHEAD_BYTES + record.key.length + plainLength(record.value);
    if (sizeBytes < HASHED_SIZE_BYTES) continue;
    sizeBytes = 0;
    yield;
  }
  return sum;
}

/** What a copy is to hold. */
export interface CopyWish {
  /** Go on behind this key, a copy that was cut off there. */
  readonly after?: string;
  /** `hash`: beginning and end only. */
  readonly want: "records" | "hash";
}

/** The copy's blocks, numbered from 0, and `undefined` where a step made none. */
export function* copyBlocks(
  source: CopySource,
  { after, want }: CopyWish,
): Generator<Block | undefined, void> {
  const { partition, state } = source;
  let sequence = 0;
  const block = (type: BlockType, payload: Uint8Array<ArrayBuffer>): Block => ({
    type,
    partition,
    run: 0,
    sequence: sequence++,
    payload,
  });
  yield block(BlockType.Begin, encodeDocument(beginOf(source)));
  if (want === "records") {
    const writer = new BytesWriter(2 * RECORDS_SIZE_BYTES);
    // No key lies between a key and itself with a zero byte behind it.
    for (const record of liveRecords(state, after === undefined ? "" : after + "\0")) {
      writeRecord(writer, record);
      if (writer.length >= RECORDS_SIZE_BYTES) yield block(BlockType.Records, writer.take());
    }
    if (writer.length > 0) yield block(BlockType.Records, writer.take());
  }
  const content = yield* silently(contentSteps(state));
  const stateHash = yield* silently(stateHashSteps(state));
  const end: CopyEnd = { content: content.content(), stateHash };
  yield block(BlockType.End, encodeDocument(end));
}

function beginOf({ partition, nodeId, copy, applied, state }: CopySource): CopyBegin {
  return {
    formatVersion: BACKUP_FORMAT_VERSION,
    partition,
    copy,
    nodeId,
    applied,
    timeMs: state.timeMs,
    records: state.records.size,
    wallMs: 0,
    url: "",
  };
}

function* silently<Result>(steps: Generator<void, Result>): Generator<undefined, Result> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    yield undefined;
  }
}
