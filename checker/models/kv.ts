// A key-value store with revisions, one key at a time: Pontoon's HTTP API, etcd's in spirit. Partitioned by
// key. A revision grows with every change of its key (deletions included) and may skip numbers.

import { isKnown, type Json, type Operation } from "../history/types.ts";
import type { Model } from "./model.ts";
import { badFunction, equalValues, fieldsOf, show, UNSEEN, valueKey } from "./values.ts";

/** One request about one key. */
export interface KvInput {
  /**
   * `cas` is a put whose `ifMatch` must be given. `touch` sets a present key's `ttl` anew: its revision
   * changes, its value does not.
   */
  readonly f: "get" | "put" | "delete" | "cas" | "touch";
  readonly key: Json;
  readonly value?: Json;
  /** `If-Match: "N"` (a revision) or `If-Match: *` (the key exists). */
  readonly ifMatch?: number | "*";
  /** `If-None-Match: *`: the key does not exist. */
  readonly ifNoneMatch?: true | "*";
  /** Present (in any unit): the key may vanish by itself from then on. */
  readonly ttl?: Json;
}

/**
 * The decided answer, as HTTP has it. Whatever is left out is not checked.
 *
 * - get: 200 with value and revision; 404; 304 with the revision
 * - put, cas: 201 (created) or 200 (replaced) with the new revision; 412
 * - delete: 200 with the deletion's revision; 404; 412
 * - touch: 200 with the new revision; 404; 412
 * - 412: `revision` is the current one, 0 when there is no such key
 */
export interface KvOutput {
  readonly status?: number;
  readonly value?: Json;
  readonly revision?: number;
}

export type KvOperation = Operation<KvInput, KvOutput | null>;

/** One key. Of an unknown write the revision is not known either, only that it is at least `lowest`. */
export interface Cell {
  readonly present: boolean;
  readonly value: Json;
  /** *Invariant:* when `exact`, `lowest` is the revision; else it is one of lowest, lowest + 1, … */
  readonly exact: boolean;
  readonly lowest: number;
  /** Revisions it is known not to have, ascending, all above `lowest`. Empty when `exact`. */
  readonly not: readonly number[];
  /** It may vanish at any time. */
  readonly mayExpire: boolean;
}

const NOTHING: readonly number[] = [];

/** A key nobody wrote: any revision above 0 may come. */
export const ABSENT: Cell = {
  present: false,
  value: null,
  exact: false,
  lowest: 0,
  not: NOTHING,
  mayExpire: false,
};

/** With `init` {value, revision} every key starts with it; with null every key starts absent. */
export function kv(init: Json = null): Model<Cell, KvOperation> {
  const fields = fieldsOf(init);
  const initial: Cell = fields === undefined ? ABSENT : {
    ...ABSENT,
    present: true,
    value: fields.value ?? null,
    exact: typeof fields.revision === "number",
    lowest: typeof fields.revision === "number" ? fields.revision : 1,
  };
  return {
    name: "kv",
    init: () => initial,
    hash: hashCell,
    partition: (operation) => {
      const { key } = operation.input;
      return typeof key === "string" ? key : valueKey(key);
    },
    step: stepCell,
    observes,
    hopeless(state, operation) {
      if (!isKnown(operation)) return false;
      const revision = operation.output?.revision;
      if (revision === undefined) return false;
      if (statusOf(operation) === 412) return revision > 0 && state.lowest > revision;
      // Revisions only grow: a write must exceed the present one, a read must not be behind it.
      return operation.input.f === "get"
        ? state.lowest > revision
        : state.lowest > revision || (state.exact && state.lowest === revision);
    },
    covers(general, special) {
      if (general.present !== special.present) return false;
      if (!equalValues(general.value, special.value)) return false;
      if (special.mayExpire && !general.mayExpire) return false;
      // A missing key's last revision only bounds the next one from below.
      if (!general.present) return general.lowest <= special.lowest;
      if (general.exact) return special.exact && general.lowest === special.lowest;
      return general.lowest <= special.lowest &&
        general.not.every((revision) =>
          revision < special.lowest || special.not.includes(revision)
        );
    },
    blur,
    order(operation) {
      if (!isKnown(operation)) return undefined;
      const revision = operation.output?.revision;
      if (revision === undefined) return undefined;
      return observes(operation) ? revision + 0.5 : revision;
    },
    validate,
    describe,
    describeState: describeCell,
  };
}

/** Unknown puts of values that no completed get returned: only that they are there can matter. */
function blur(operations: readonly KvOperation[]): ReadonlyMap<number, KvOperation> {
  const read = new Set<string | number>();
  const unknown: number[] = [];
  operations.forEach((operation, position) => {
    const { f } = operation.input;
    if (!isKnown(operation)) {
      if (f === "put" || f === "cas") unknown.push(position);
    } else if (f === "get" && operation.output?.value !== undefined) {
      read.add(valueKey(operation.output.value));
    }
  });
  const blurred = new Map<number, KvOperation>();
  if (read.has(valueKey(UNSEEN))) return blurred;
  for (const position of unknown) {
    const operation = operations[position]!;
    if (read.has(valueKey(operation.input.value))) continue;
    blurred.set(position, { ...operation, input: { ...operation.input, value: UNSEEN } });
  }
  return blurred;
}

export function hashCell(cell: Cell): string {
  if (!cell.present) return cell.exact ? `-${cell.lowest}` : `-${cell.lowest}+`;
  const flags = `${cell.exact ? "=" : "+"}${cell.mayExpire ? "t" : ""}${cell.not.join(",")}`;
  return `${cell.lowest}${flags}|${valueKey(cell.value)}`;
}

/** The operation's status; inferred where the answer has none. */
export function statusOf(operation: KvOperation): number | undefined {
  const output = operation.output;
  if (output === null || output === undefined) {
    if (operation.failed) return 412;
    return operation.input.f === "get" ? 404 : undefined;
  }
  if (output.status !== undefined) return output.status;
  if (operation.failed) return 412;
  return operation.input.f === "get" && output.value !== undefined ? 200 : undefined;
}

function observes(operation: KvOperation): boolean {
  if (operation.input.f === "get") return true;
  if (!isKnown(operation)) return false;
  const status = statusOf(operation);
  return status === 412 || status === 404;
}

/** One operation on one key. A cell that may have vanished is tried as it is first: that keeps more open. */
export function stepCell(cell: Cell, operation: KvOperation): Cell | undefined {
  const next = stepLive(cell, operation);
  if (next !== undefined || !cell.mayExpire) return next;
  return stepLive(expired(cell), operation);
}

/** The cell after it vanished by itself. */
export function expired(cell: Cell): Cell {
  return { ...ABSENT, lowest: cell.lowest };
}

function stepLive(cell: Cell, operation: KvOperation): Cell | undefined {
  const known = isKnown(operation);
  const { f } = operation.input;
  const status = known ? statusOf(operation) : undefined;
  const revision = known ? operation.output?.revision : undefined;
  if (f === "get") {
    if (!known) return cell;
    if (status === 404) return cell.present ? undefined : cell;
    if (!cell.present) return undefined;
    const value = operation.output?.value;
    if (value !== undefined && !equalValues(value, cell.value)) return undefined;
    return revision === undefined ? cell : withRevision(cell, revision);
  }
  if (status === 412) return conditionFails(cell, operation.input, revision);
  // A missing key is 404 for these whatever their condition.
  if ((f === "delete" || f === "touch") && status === 404) return cell.present ? undefined : cell;
  const matched = conditionHolds(cell, operation.input);
  if (matched === undefined) return undefined;
  const mayExpire = operation.input.ttl !== undefined && operation.input.ttl !== null;
  if (f === "delete" || f === "touch") {
    if (!cell.present) return known && status !== undefined ? undefined : matched;
    return f === "delete"
      ? written(matched, false, null, revision, false)
      : written(matched, true, matched.value, revision, mayExpire);
  }
  if ((status === 201 && cell.present) || (status === 200 && !cell.present)) return undefined;
  return written(matched, true, operation.input.value ?? null, revision, mayExpire);
}

/** The cell after a change, with the given revision or any that exceeds the present one. */
function written(
  before: Cell,
  present: boolean,
  value: Json,
  revision: number | undefined,
  mayExpire: boolean,
): Cell | undefined {
  const lowest = before.lowest + 1;
  if (revision === undefined) {
    return { present, value, exact: false, lowest, not: NOTHING, mayExpire };
  }
  if (revision < lowest) return undefined;
  return { present, value, exact: true, lowest: revision, not: NOTHING, mayExpire };
}

/** The cell known to have this revision, or undefined if it can't. */
export function withRevision(cell: Cell, revision: number): Cell | undefined {
  if (!cell.present) return undefined;
  if (cell.exact) return cell.lowest === revision ? cell : undefined;
  if (revision < cell.lowest || cell.not.includes(revision)) return undefined;
  return { ...cell, exact: true, lowest: revision, not: NOTHING };
}

/** The cell known not to have this revision, or undefined if it must. */
export function withoutRevision(cell: Cell, revision: number): Cell | undefined {
  if (!cell.present || revision < cell.lowest || cell.not.includes(revision)) return cell;
  if (cell.exact) return cell.lowest === revision ? undefined : cell;
  const not = [...cell.not, revision].sort((a, b) => a - b);
  let lowest = cell.lowest;
  while (not[0] === lowest) {
    not.shift();
    lowest++;
  }
  return { ...cell, lowest, not };
}

function conditionHolds(cell: Cell, input: KvInput): Cell | undefined {
  if (input.ifNoneMatch !== undefined && cell.present) return undefined;
  if (input.ifMatch === undefined) return cell;
  if (!cell.present) return undefined;
  return input.ifMatch === "*" ? cell : withRevision(cell, input.ifMatch);
}

function conditionFails(
  cell: Cell,
  input: KvInput,
  current: number | undefined,
): Cell | undefined {
  let seen: Cell | undefined = cell;
  if (current !== undefined) {
    if (current === 0) seen = cell.present ? undefined : cell;
    else seen = withRevision(cell, current);
    if (seen === undefined) return undefined;
  }
  if (input.ifNoneMatch !== undefined) return seen.present ? seen : undefined;
  if (input.ifMatch === undefined) return undefined;
  if (!seen.present) return seen;
  return input.ifMatch === "*" ? undefined : withoutRevision(seen, input.ifMatch);
}

const STATUSES: Readonly<Record<string, readonly number[]>> = {
  get: [200, 304, 404],
  put: [200, 201, 412],
  cas: [200, 201, 412],
  delete: [200, 404, 412],
  touch: [200, 404, 412],
};

function validate(operation: KvOperation): string | undefined {
  const { input, output } = operation;
  const wrong = badFunction(input, ["get", "put", "delete", "cas", "touch"]);
  if (wrong !== undefined) return wrong;
  if (input.key === undefined) return "the operation needs a key";
  if ((input.f === "put" || input.f === "cas") && input.value === undefined) {
    return `${input.f} needs a value`;
  }
  const match = input.ifMatch;
  if (match !== undefined && match !== "*" && typeof match !== "number") {
    return `"ifMatch" must be a revision or "*": got ${show(match)}`;
  }
  if (input.f === "cas" && match === undefined) return 'cas needs "ifMatch"';
  if (!isKnown(operation) || output === null || output === undefined) return undefined;
  if (fieldsOf(output) === undefined) {
    return `the response must be {status, value, revision}: got ${show(output as Json)}`;
  }
  const { status, revision } = output;
  if (status !== undefined && !STATUSES[input.f]!.includes(status)) {
    return `status ${
      show(status)
    } decides nothing about a ${input.f}: record it as "info" (unknown) ` +
      `or "fail" (did not happen)`;
  }
  if (revision !== undefined && typeof revision !== "number") {
    return `"revision" must be a number: got ${show(revision)}`;
  }
  return undefined;
}

function describe(operation: KvOperation): string {
  const { f, key, value, ifMatch, ifNoneMatch } = operation.input;
  const parts = [show(key)];
  if (f === "put" || f === "cas") parts.push(show(value));
  if (ifMatch !== undefined) parts.push(`if revision is ${ifMatch === "*" ? "any" : ifMatch}`);
  if (ifNoneMatch !== undefined) parts.push("if absent");
  return `${f}(${parts.join(", ")}) -> ${describeOutput(operation)}`;
}

function describeOutput(operation: KvOperation): string {
  if (!isKnown(operation)) return "?";
  const parts: string[] = [];
  const status = statusOf(operation);
  if (status !== undefined) parts.push(String(status));
  if (operation.output?.value !== undefined) parts.push(show(operation.output.value));
  if (operation.output?.revision !== undefined) parts.push(`@${operation.output.revision}`);
  return parts.join(" ") || "done";
}

export function describeCell(cell: Cell): string {
  if (!cell.present) {
    return cell.lowest > 0
      ? `absent since @${cell.lowest}${cell.exact ? "" : " or later"}`
      : "absent";
  }
  const revision = cell.exact ? `@${cell.lowest}` : `@${cell.lowest} or later`;
  return `${show(cell.value)} ${revision}${cell.mayExpire ? ", may expire" : ""}`;
}
