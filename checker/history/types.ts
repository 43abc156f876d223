// What a history is: operations with a place in the record's order, and the events they are read from.
// Order comes from the record's sequence alone; a wall clock in a history is carried along, never used.

/** Any JSON value. Inputs, outputs and register values are JSON and compare by content. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

export type ProcessId = number | string;

/** What distinguishes one partition of a history from another. Compared by identity (`===`). */
export type PartitionKey = string | number;

/**
 * One call of one process.
 *
 * `call` and `return` are positions in the record's order: any finite numbers, in which a call and a
 * return at the same position count as concurrent. An operation precedes another if it returned before
 * the other was called.
 */
export interface Operation<Input = unknown, Output = unknown> {
  readonly process: ProcessId;
  readonly call: number;
  /** `undefined` (or null) when the outcome is unknown: it may take effect at any time after `call`. */
  readonly return?: number | null | undefined;
  readonly input: Input;
  /** Ignored when the outcome is unknown. */
  readonly output?: Output;
  /** The system said no, and that is an observation (`fail: "not-equal"`): a failed compare-and-set. */
  readonly failed?: boolean;
  /** The log position at which the system says it applied or read (strictly increasing over writes). */
  readonly applied?: number;
  /** The system's own partition, for models that span a partition's keys. */
  readonly partition?: PartitionKey;
  /** Line of the call in the file it was read from, from 1. */
  readonly line?: number;
}

export type EventType = "invoke" | "ok" | "fail" | "info";

/**
 * One line of a history. Either `input`/`output` are given, or Jepsen's `f`, `key` and `value`, which
 * stand for `input: {f, key, value}` in an invocation and for `output: value` in a completion.
 */
export interface HistoryEvent {
  readonly process: ProcessId;
  readonly type: EventType;
  readonly f?: string;
  readonly key?: Json;
  readonly value?: Json;
  readonly input?: Json;
  readonly output?: Json;
  readonly applied?: number;
  readonly partition?: PartitionKey;
  readonly line?: number;
}

/**
 * What a `fail` completion says.
 *
 * - `did-not-happen`: the operation had no effect and says nothing (Jepsen, Knossos).
 * - `not-equal`: a failed compare-and-set is an observation: the state was not the expected one
 *   (Porcupine's etcd logs). Any other failed operation says nothing.
 */
export type FailMeaning = "did-not-happen" | "not-equal";

/** A history that can't be read. `line` counts from 1 and is absent when no line is to blame. */
export class HistoryError extends Error {
  override name = "HistoryError";
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`);
    this.line = line;
  }
}

/** True iff the operation's outcome is known. */
export function isKnown(operation: Operation): boolean {
  return operation.return !== undefined && operation.return !== null;
}
