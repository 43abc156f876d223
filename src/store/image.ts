// The binary form of a partition's whole state, as snapshots carry it: chunks of whole items, the same
// bytes for the same state. Owns the layout; the file around it, checksums included, is the snapshot
// layer's.
//
// Each item begins with a type byte, and types never go down; records and changes ascend strictly,
// others do not repeat.
// Numbers are as in envelope.ts, values as in value.ts; a session id is 16 bytes:
//   1 header   format version u8 | partition time | floor revision | floor sub-index
//   2 record   key | revision | create revision | expiry (0: none) | content type | value
//   3 session  id | acknowledged through | last used, ms
//   4 outcome in a session   id | sequence | outcome
//   5 outcome of a bare key  u8 length, key | forgotten from, ms | outcome
//   6 purge    time | kind u8: 0 key, 1 session | u8 length, key or session id in hex
//   7 change   revision | sub-index u32 | kind u8: 0 put, 1 delete, 2 expire, 3 current | key
//              | for put: create revision | expiry | content type | value; current is the put that made
//              the key's record
//   8 end      counts of items 2 to 7: 6 x f64
//   outcome:   fingerprint 16 | index | result (result_codec.ts)

import { assert } from "../base/assert.ts";
import { bytesFromHex, hexFromBytes } from "../base/bytes.ts";
import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import { Dedupe, type Outcome, type Purge } from "./dedupe.ts";
import { FINGERPRINT_SIZE_BYTES } from "./envelope.ts";
import { type Change, History, type WatchPosition } from "./history.ts";
import { newRecord, Records, type StoredRecord } from "./records.ts";
import { readResult, writeResult } from "./result_codec.ts";
import type { Store, StoreState } from "./store.ts";
import { readStoredValue, type StoredValue, writeStoredValue } from "./value.ts";

const VERSION = 1;
/** Chunks end after the item that reaches this size. */
const CHUNK_BYTES = 128 * 1024;
const SESSION_ID_SIZE_BYTES = 16;

const enum Item {
  Header = 1,
  Record = 2,
  Session = 3,
  Place = 4,
  Key = 5,
  Purge = 6,
  Change = 7,
  End = 8,
}

const COUNTED = Item.End - Item.Record;
const CHANGE_KINDS = ["put", "delete", "expire", "current"] as const;
const PURGE_KINDS: readonly Purge["kind"][] = ["key", "session"];

/** How a value goes into the chunks. */
type WriteValue = (writer: BytesWriter, value: StoredValue) => void;

/**
 * The state's chunks. `state` must not change meanwhile (see {@linkcode Store.freeze}). With another
 * `writeValue` they are no image that can be loaded.
 */
export function* imageChunks(
  state: StoreState,
  writeValue: WriteValue = writeStoredValue,
): Generator<Uint8Array<ArrayBuffer>> {
  const writer = new BytesWriter(CHUNK_BYTES * 2);
  const counts = new Array<number>(COUNTED).fill(0);
  const { floor } = state.history;
  writer.u8(Item.Header).u8(VERSION).f64(state.timeMs).f64(floor.revision).f64(floor.subIndex);
  for (const _ of writeItems(writer, state, counts, writeValue)) {
    if (writer.length >= CHUNK_BYTES) yield writer.take();
  }
  writer.u8(Item.End);
  for (const count of counts) writer.f64(count);
  yield writer.take();
}

/** Writes item after item, stopping after each. */
function* writeItems(
  writer: BytesWriter,
  state: StoreState,
  counts: number[],
  writeValue: WriteValue,
): Generator<void> {
  const writeTypedValue = ({ contentType, value }: StoredRecord) => {
    writer.u8(contentType.length).latin1(contentType);
    writeValue(writer, value);
  };
  const { records, dedupe, history } = state;
  const begin = (item: Item) => {
    counts[item - Item.Record]++;
    writer.u8(item);
  };
  const { revision: floorRevision } = history.floor;
  const recent = new Set<Change>();
  for (const record of records.range("", undefined)) {
    if (record.revision >= floorRevision) recent.add(record);
    begin(Item.Record);
    writer.u16(record.key.length).latin1(record.key);
    writer.f64(record.revision).f64(record.createRevision).f64(record.expiresAtMs ?? 0);
    yield writeTypedValue(record);
  }
  for (const session of dedupe.sessions()) {
    begin(Item.Session);
    writer.raw(sessionIdBytes(session.id));
    yield void writer.f64(session.acknowledgedThrough).f64(session.lastUsedMs);
  }
  for (const outcome of dedupe.places()) {
    begin(Item.Place);
    writer.raw(sessionIdBytes(outcome.sessionId)).f64(outcome.sequence);
    yield writeOutcome(writer, outcome);
  }
  for (const outcome of dedupe.keys()) {
    begin(Item.Key);
    writer.u8(outcome.key.length).latin1(outcome.key).f64(outcome.endMs);
    yield writeOutcome(writer, outcome);
  }
  for (const purge of dedupe.purges()) {
    begin(Item.Purge);
    writer.f64(purge.timeMs).u8(PURGE_KINDS.indexOf(purge.kind));
    yield void writer.u8(purge.id.length).latin1(purge.id);
  }
  for (const { change, subIndex } of history.changes()) {
    begin(Item.Change);
    const kind = "removed" in change ? change.removed : recent.has(change) ? "current" : "put";
    writer.f64(change.revision).u32(subIndex).u8(CHANGE_KINDS.indexOf(kind));
    writer.u16(change.key.length).latin1(change.key);
    if (kind === "put") {
      const { createRevision, expiresAtMs } = change as StoredRecord;
      writer.f64(createRevision).f64(expiresAtMs ?? 0);
      writeTypedValue(change as StoredRecord);
    }
    yield;
  }
}

function sessionIdBytes(id: string): Uint8Array {
  const bytes = bytesFromHex(id);
  assert(bytes?.length === SESSION_ID_SIZE_BYTES, "a session id has 32 hex digits");
  return bytes;
}

function writeOutcome(writer: BytesWriter, outcome: Outcome): void {
  writer.latin1(outcome.fingerprint).f64(outcome.index);
  writeResult(writer, outcome.result);
}

/** Rebuilds a state from its chunks, in order. */
export class ImageLoader {
  readonly #target: Store;
  /** Collected in key order, then built at once. */
  #sorted: StoredRecord[] = [];
  #records: Records | undefined;
  /** Records that changes may name as current: those not older than the history. */
  readonly #recent = new Map<string, StoredRecord>();
  readonly #dedupe = new Dedupe();
  readonly #history = new History();
  readonly #contentTypes = new Map<string, string>();
  #lastContentType = "";
  readonly #counts = new Array<number>(COUNTED).fill(0);
  #timeMs = 0;
  #floorRevision = 0;
  /** Position of the last change, the history's floor before the first; no revision is 0. */
  #lastChange: WatchPosition = { revision: 0, subIndex: 0 };
  #lastItem = 0;

  /** The state goes into `target` at `finish()`. */
  constructor(target: Store) {
    this.#target = target;
  }

  /** Throws CodecError on bytes that {@linkcode imageChunks} did not make. */
  push(chunk: Uint8Array): void {
    const reader = new BytesReader(chunk);
    while (reader.remaining > 0) this.#item(reader, reader.u8());
  }

  /** Throws CodecError, leaving the target as it is, if the image is not whole. */
  finish(): void {
    if (this.#lastItem !== Item.End || this.#records === undefined) {
      throw new CodecError("Cannot load state: it ends too early");
    }
    this.#target.replace({
      timeMs: this.#timeMs,
      records: this.#records,
      dedupe: this.#dedupe,
      history: this.#history,
    });
  }

  #item(reader: BytesReader, item: number): void {
    const repeats = item === this.#lastItem && item > Item.Header && item < Item.End;
    const follows = this.#lastItem === 0 ? item === Item.Header : item > this.#lastItem;
    if ((!repeats && !follows) || item > Item.End) {
      throw new CodecError(`Cannot load state: item ${item} after ${this.#lastItem}`);
    }
    this.#lastItem = item;
    if (item > Item.Record && this.#records === undefined) {
      this.#records = Records.fromSorted(this.#sorted);
      this.#sorted = [];
    }
    if (item === Item.Header) return this.#header(reader);
    if (item === Item.End) return this.#end(reader);
    this.#counts[item - Item.Record]++;
    this.#counted(reader, item);
  }

  #counted(reader: BytesReader, item: Item): void {
    switch (item) {
      case Item.Record:
        return this.#record(reader);
      case Item.Session:
        return this.#dedupe.restoreSession({
          id: hexFromBytes(reader.raw(SESSION_ID_SIZE_BYTES)),
          acknowledgedThrough: reader.integer(),
          lastUsedMs: reader.integer(),
        });
      case Item.Place:
        return this.#dedupe.restorePlace({
          sessionId: hexFromBytes(reader.raw(SESSION_ID_SIZE_BYTES)),
          sequence: reader.integer(),
          ...readOutcome(reader),
        });
      case Item.Key:
        return this.#dedupe.restoreKey({
          key: reader.latin1(reader.u8()),
          endMs: reader.integer(),
          ...readOutcome(reader),
        });
      case Item.Purge: {
        const timeMs = reader.integer();
        const kind = PURGE_KINDS[reader.u8()];
        if (kind === undefined) throw new CodecError("Cannot load state: unknown purge kind");
        return this.#dedupe.restorePurge({ timeMs, kind, id: reader.latin1(reader.u8()) });
      }
      case Item.Change: {
        const revision = reader.integer();
        const subIndex = reader.u32();
        this.#checkAscending(revision, subIndex);
        return this.#history.append(this.#change(reader, revision), subIndex);
      }
    }
  }

  #header(reader: BytesReader): void {
    const version = reader.u8();
    if (version !== VERSION) {
      throw new CodecError(`Cannot load state of format ${version}: ${VERSION} is known`);
    }
    this.#timeMs = reader.integer();
    this.#lastChange = { revision: reader.integer(), subIndex: reader.integer() };
    this.#floorRevision = this.#lastChange.revision;
    this.#history.resetFloor(this.#lastChange);
  }

  #record(reader: BytesReader): void {
    const key = reader.latin1(reader.u16());
    const last = this.#sorted.at(-1);
    if (last !== undefined && key <= last.key) {
      throw new CodecError("Cannot load state: its keys do not ascend");
    }
    const revision = reader.integer();
    const createRevision = reader.integer();
    const expiresAtMs = reader.integer() || undefined;
    const contentType = this.#contentType(reader);
    const value = readStoredValue(reader);
    const record = newRecord(key, value, contentType, revision, createRevision, expiresAtMs);
    this.#sorted.push(record);
    if (revision >= this.#floorRevision) this.#recent.set(key, record);
  }

  #checkAscending(revision: number, subIndex: number): void {
    const last = this.#lastChange;
    if (revision < last.revision || (revision === last.revision && subIndex <= last.subIndex)) {
      throw new CodecError("Cannot load state: its changes do not ascend");
    }
    this.#lastChange = { revision, subIndex };
  }

  #change(reader: BytesReader, revision: number): Change {
    const kind = CHANGE_KINDS[reader.u8()];
    if (kind === undefined) throw new CodecError("Cannot load state: unknown change kind");
    const key = reader.latin1(reader.u16());
    if (kind === "current") {
      const current = this.#recent.get(key);
      if (current?.revision !== revision) {
        throw new CodecError("Cannot load state: a change is current, but its record is not there");
      }
      return current;
    }
    if (kind !== "put") return { removed: kind, key, revision };
    const createRevision = reader.integer();
    const expiresAtMs = reader.integer() || undefined;
    const contentType = this.#contentType(reader);
    return newRecord(
      key,
      readStoredValue(reader),
      contentType,
      revision,
      createRevision,
      expiresAtMs,
    );
  }

  /** Content types repeat: one string each. */
  #contentType(reader: BytesReader): string {
    const contentType = reader.latin1Guessed(reader.u8(), this.#lastContentType);
    if (contentType === this.#lastContentType) return contentType;
    const known = this.#contentTypes.get(contentType);
    if (known === undefined) this.#contentTypes.set(contentType, contentType);
    return this.#lastContentType = known ?? contentType;
  }

  #end(reader: BytesReader): void {
    for (const count of this.#counts) {
      const written = reader.integer();
      if (written !== count) {
        throw new CodecError(`Cannot load state: ${count} items where ${written} were written`);
      }
    }
    const [, sessions, places, keys, purges] = this.#counts;
    const { sessionCount, outcomeCount, purgeCount } = this.#dedupe;
    if (sessionCount !== sessions || outcomeCount !== places + keys || purgeCount !== purges) {
      throw new CodecError("Cannot load state: its idempotency table repeats itself");
    }
  }
}

function readOutcome(reader: BytesReader): Outcome {
  return {
    fingerprint: reader.latin1(FINGERPRINT_SIZE_BYTES),
    index: reader.integer(),
    result: readResult(reader),
  };
}
