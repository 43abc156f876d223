// The binary form of a partition's whole state, as snapshots carry it: chunks of whole items, the same
// bytes for the same state. Owns the layout; the file around it is the snapshot layer's.
//
// Each item begins with a type byte; numbers as in envelope.ts:
//   1 header   format version u8 | partition time | floor revision | floor sub-index
//   2 record   key | revision | create revision | expiry (0: none) | content type | value
//   3 session  id u8 length | acknowledged through | last used, ms
//   4 outcome  id u16 length | fingerprint 16 | index | result as JSON, u32 length
//   5 purge    u16 length, bytes
//   6 event    revision | sub-index u32 | kind u8 | key | for put: content type | value
//   7 end      counts of records, sessions, outcomes, purges, events: 5 x f64

import { assert } from "../base/assert.ts";
import { bytesFromLatin1, utf8Bytes } from "../base/bytes.ts";
import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import { crc32 } from "node:zlib";
import { Dedupe } from "./dedupe.ts";
import { FINGERPRINT_SIZE_BYTES } from "./envelope.ts";
import { History } from "./history.ts";
import { newRecord, Records } from "./records.ts";
import { Store, type StoreState } from "./store.ts";
import type { CommandResult, WatchEvent } from "./types.ts";

const VERSION = 1;
/** Chunks end after the item that reaches this size. */
const CHUNK_BYTES = 128 * 1024;

const enum Item {
  Header = 1,
  Record = 2,
  Session = 3,
  Outcome = 4,
  Purge = 5,
  Event = 6,
  End = 7,
}

const EVENT_KINDS: readonly WatchEvent["kind"][] = ["put", "delete", "expire"];

/** The state's chunks. `state` must not change meanwhile (see {@linkcode Store.freeze}). */
export function* imageChunks(state: StoreState): Generator<Uint8Array<ArrayBuffer>> {
  const writer = new BytesWriter(CHUNK_BYTES * 2);
  const { floor } = state.history;
  const counts = { records: 0, sessions: 0, outcomes: 0, purges: 0, events: 0 };
  writer.u8(Item.Header).u8(VERSION).f64(state.timeMs).f64(floor.revision).f64(floor.subIndex);
  for (const record of state.records.range("", undefined)) {
    counts.records++;
    writer.u8(Item.Record).u16(record.key.length).latin1(record.key);
    writer.f64(record.revision).f64(record.createRevision).f64(record.expiresAtMs ?? 0);
    writeTyped(writer, record.contentType, record.value);
    if (writer.length >= CHUNK_BYTES) yield writer.take();
  }
  for (const [id, session] of state.dedupe.sessions()) {
    counts.sessions++;
    writer.u8(Item.Session).u8(id.length).latin1(id);
    writer.f64(session.acknowledgedThrough).f64(session.lastUsedMs);
    if (writer.length >= CHUNK_BYTES) yield writer.take();
  }
  for (const [id, outcome] of state.dedupe.outcomes()) {
    counts.outcomes++;
    const result = utf8Bytes(JSON.stringify(outcome.result));
    writer.u8(Item.Outcome).u16(id.length).latin1(id).latin1(outcome.fingerprint);
    writer.f64(outcome.index).u32(result.length).raw(result);
    if (writer.length >= CHUNK_BYTES) yield writer.take();
  }
  for (const purge of state.dedupe.purges()) {
    counts.purges++;
    writer.u8(Item.Purge).u16(purge.length).latin1(purge);
    if (writer.length >= CHUNK_BYTES) yield writer.take();
  }
  for (const event of state.history.events()) {
    counts.events++;
    writer.u8(Item.Event).f64(event.revision).u32(event.subIndex);
    writer.u8(EVENT_KINDS.indexOf(event.kind)).u16(event.key.length).latin1(event.key);
    if (event.kind === "put") {
      assert(event.value !== undefined && event.contentType !== undefined, "a put has a value");
      writeTyped(writer, event.contentType, event.value);
    }
    if (writer.length >= CHUNK_BYTES) yield writer.take();
  }
  writer.u8(Item.End).f64(counts.records).f64(counts.sessions).f64(counts.outcomes);
  writer.f64(counts.purges).f64(counts.events);
  yield writer.take();
}

function writeTyped(writer: BytesWriter, contentType: string, value: string): void {
  writer.u8(contentType.length).latin1(contentType).u32(value.length).latin1(value);
}

/** Rebuilds a state from its chunks, in order. */
export class ImageLoader {
  readonly #target: Store;
  readonly #records = new Records();
  readonly #dedupe = new Dedupe();
  readonly #history = new History();
  readonly #contentTypes = new Map<string, string>();
  readonly #counts = { records: 0, sessions: 0, outcomes: 0, purges: 0, events: 0 };
  #timeMs = 0;
  #phase: "header" | "items" | "ended" = "header";

  /** The state goes into `target` at `finish()`. */
  constructor(target: Store) {
    this.#target = target;
  }

  /** Throws CodecError on bytes that {@linkcode imageChunks} did not make. */
  push(chunk: Uint8Array): void {
    const reader = new BytesReader(chunk);
    while (reader.remaining > 0) this.#item(reader, reader.u8());
  }

  finish(): void {
    if (this.#phase !== "ended") throw new CodecError("Cannot load state: it ends too early");
    this.#target.replace({
      timeMs: this.#timeMs,
      records: this.#records,
      dedupe: this.#dedupe,
      history: this.#history,
    });
  }

  #item(reader: BytesReader, item: number): void {
    if (this.#phase === "header") return this.#header(reader, item);
    if (this.#phase === "ended") throw new CodecError("Cannot load state: bytes after its end");
    switch (item) {
      case Item.Record: {
        this.#counts.records++;
        const key = reader.latin1(reader.u16());
        const revision = reader.integer();
        const createRevision = reader.integer();
        const expiresAtMs = reader.f64() || undefined;
        const [contentType, value] = this.#typed(reader);
        this.#records.set(
          newRecord(key, value, contentType, revision, createRevision, expiresAtMs),
          undefined,
        );
        return;
      }
      case Item.Session: {
        this.#counts.sessions++;
        const id = reader.latin1(reader.u8());
        const acknowledgedThrough = reader.integer();
        return this.#dedupe.restoreSession(id, { acknowledgedThrough, lastUsedMs: reader.f64() });
      }
      case Item.Outcome: {
        this.#counts.outcomes++;
        const id = reader.latin1(reader.u16());
        const fingerprint = reader.latin1(FINGERPRINT_SIZE_BYTES);
        const index = reader.integer();
        const result = parseResult(reader.raw(reader.u32()));
        return this.#dedupe.restoreOutcome(id, { fingerprint, index, result });
      }
      case Item.Purge:
        this.#counts.purges++;
        return this.#dedupe.restorePurge(reader.latin1(reader.u16()));
      case Item.Event:
        this.#counts.events++;
        return this.#history.append(this.#event(reader));
      case Item.End:
        return this.#end(reader);
      default:
        throw new CodecError(`Cannot load state: unknown item ${item}`);
    }
  }

  #header(reader: BytesReader, item: number): void {
    if (item !== Item.Header) throw new CodecError("Cannot load state: it has no header");
    const version = reader.u8();
    if (version !== VERSION) {
      throw new CodecError(`Cannot load state of format ${version}: ${VERSION} is known`);
    }
    this.#timeMs = reader.f64();
    const revision = reader.integer();
    this.#history.resetFloor({ revision, subIndex: reader.integer() });
    this.#phase = "items";
  }

  #typed(reader: BytesReader): [string, string] {
    const contentType = reader.latin1(reader.u8());
    let shared = this.#contentTypes.get(contentType);
    if (shared === undefined) this.#contentTypes.set(contentType, shared = contentType);
    return [shared, reader.latin1(reader.u32())];
  }

  #event(reader: BytesReader): WatchEvent {
    const revision = reader.integer();
    const subIndex = reader.u32();
    const kind = EVENT_KINDS[reader.u8()];
    if (kind === undefined) throw new CodecError("Cannot load state: unknown event kind");
    const key = reader.latin1(reader.u16());
    if (kind !== "put") return { revision, subIndex, kind, key };
    const [contentType, value] = this.#typed(reader);
    // The event shares its value with the record it made, if that is still the current one.
    const record = this.#records.get(key);
    const shared = record?.revision === revision && record.value === value ? record.value : value;
    return { revision, subIndex, kind, key, value: shared, contentType };
  }

  #end(reader: BytesReader): void {
    const { records, sessions, outcomes, purges, events } = this.#counts;
    for (const count of [records, sessions, outcomes, purges, events]) {
      const written = reader.f64();
      if (written !== count) {
        throw new CodecError(`Cannot load state: ${count} items where ${written} were written`);
      }
    }
    this.#phase = "ended";
  }
}

function parseResult(bytes: Uint8Array): CommandResult {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as CommandResult;
  } catch (cause) {
    throw new CodecError("Cannot load state: an outcome is not JSON", { cause });
  }
}

/** Sixteen hex digits over everything replicated; equal iff (but for chance) the states are. */
export function stateHash(state: StoreState): string {
  let low = 0;
  let high = 0x9e3779b9;
  for (const chunk of imageChunks(state)) {
    low = crc32(chunk, low);
    high = crc32(bytesFromLatin1(String(low)), crc32(chunk, high));
  }
  return low.toString(16).padStart(8, "0") + high.toString(16).padStart(8, "0");
}
