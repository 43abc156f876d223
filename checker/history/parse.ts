// Reads a history in any known format, whole or in chunks. The format is named or detected from the
// first characters that are neither blank nor comment.

import { EdnReader } from "./edn.ts";
import { eventFrom } from "./events.ts";
import { NdjsonReader } from "./ndjson.ts";
import { OperationBuilder } from "./operations.ts";
import { porcupineEtcdEvents, porcupineKvEvents } from "./porcupine.ts";
import {
  type FailMeaning,
  HistoryError,
  type HistoryEvent,
  type Json,
  type Operation,
} from "./types.ts";

export const FORMATS = ["ndjson", "edn", "porcupine-etcd", "porcupine-kv"] as const;
export type Format = typeof FORMATS[number];

export interface ParseOptions {
  /** Detected when absent. */
  readonly format?: Format;
  /** Default: `not-equal` for `porcupine-etcd`, else `did-not-happen`. */
  readonly fail?: FailMeaning;
}

export interface ParsedHistory {
  readonly format: Format;
  readonly fail: FailMeaning;
  readonly operations: Operation[];
}

/**
 * The format of a text that starts like this.
 *
 * @throws HistoryError when it is none of the known ones.
 */
export function detectFormat(start: string): Format {
  const text = start.replace(/^\uFEFF?(\s|;[^\n]*(\n|$))*/, "");
  if (text === "") throw new HistoryError("the history is empty");
  if (/^\{\s*("|\})/.test(text)) return "ndjson";
  if (/^\{\s*:/.test(text)) return /^[^\n]*:key\b/.test(text) ? "porcupine-kv" : "edn";
  if (/^[[(#]/.test(text)) return "edn";
  if (/^[A-Z]+\s+[\w.$-]+\s+-/.test(text)) return "porcupine-etcd";
  throw new HistoryError(
    `the format is none of ${FORMATS.join(", ")}: it starts with ${
      JSON.stringify(text.slice(0, 40))
    }`,
    start.slice(0, start.length - text.length).split("\n").length,
  );
}

/** Takes a history's text in chunks. NDJSON is parsed as it arrives; the others when they are whole. */
export class HistoryReader {
  readonly #options: ParseOptions;
  #pending = "";
  #format: Format | undefined;
  #ndjson: NdjsonReader | undefined;

  constructor(options: ParseOptions = {}) {
    this.#options = options;
    this.#format = options.format;
  }

  push(text: string): void {
    if (this.#ndjson !== undefined) {
      this.#ndjson.push(text);
      return;
    }
    this.#pending += text;
    if (this.#format === undefined) {
      if (this.#pending.trim() === "") return;
      // A comment may fill a whole first chunk: wait for more rather than guess.
      try {
        this.#format = detectFormat(this.#pending);
      } catch {
        return;
      }
    }
    if (this.#format === "ndjson") this.#startNdjson();
  }

  /** @throws HistoryError when the history is ill-formed or holds no operation. */
  end(): ParsedHistory {
    const format = this.#format ??= detectFormat(this.#pending);
    if (format === "ndjson" && this.#ndjson === undefined) this.#startNdjson();
    const fail = this.#fail();
    const reader = this.#ndjson ?? build(eventsOf(format, this.#pending), fail);
    const operations = reader.end();
    // Events without any operation that happened (all failed, or only the nemesis') are a history too.
    if (reader.isEmpty) throw new HistoryError("the history is empty: it holds no event");
    return { format, fail, operations };
  }

  #fail(): FailMeaning {
    return this.#options.fail ??
      (this.#format === "porcupine-etcd" ? "not-equal" : "did-not-happen");
  }

  #startNdjson(): void {
    this.#ndjson = new NdjsonReader(this.#fail());
    this.#ndjson.push(this.#pending.replace(/^\uFEFF/, ""));
    this.#pending = "";
  }
}

/**
 * Reads a whole history.
 *
 * @throws HistoryError with the line to blame.
 */
export function parseHistory(text: string, options: ParseOptions = {}): ParsedHistory {
  const reader = new HistoryReader(options);
  reader.push(text);
  return reader.end();
}

function build(events: Iterable<HistoryEvent>, fail: FailMeaning): OperationBuilder {
  const builder = new OperationBuilder(fail);
  for (const event of events) builder.push(event);
  return builder;
}

function eventsOf(format: Format, text: string): Iterable<HistoryEvent> {
  switch (format) {
    case "porcupine-etcd":
      return porcupineEtcdEvents(text);
    case "porcupine-kv":
      return porcupineKvEvents(text);
    default:
      return ednEvents(text);
  }
}

function* ednEvents(text: string): Generator<HistoryEvent> {
  for (const form of new EdnReader(text.replace(/^\uFEFF/, "")).forms()) {
    yield withoutNilReads(eventFrom(form.value, form.line));
  }
}

/**
 * In Jepsen and Knossos a completed read of nil says nothing about the state (knossos.model: `nil` fits
 * every value), at the top as well as inside a transaction's list.
 */
function withoutNilReads(event: HistoryEvent): HistoryEvent {
  if (event.type !== "ok") return event;
  const { value, ...rest } = event;
  if (value === null) return rest;
  if (!Array.isArray(value) || !value.every((item) => Array.isArray(item) && item.length === 3)) {
    return event;
  }
  const items = (value as Json[][]).map((item) =>
    (item[0] === "read" || item[0] === "r") && item[2] === null ? item.slice(0, 2) : item
  );
  return { ...rest, value: items };
}
