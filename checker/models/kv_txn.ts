// One partition of a key-value store as one state: single-key requests as in kv.ts, and transactions
// {if, then, else} over several keys, all with revisions out of one growing sequence (strict
// serializability of the partition). Partitioned by the operation's own `partition`, or its keys' one.

import { isKnown, type Json, type Operation } from "../history/types.ts";
import type { NondeterministicModel } from "./model.ts";
import { kv, type KvInput, type KvOperation, type KvOutput, statusOf } from "./kv.ts";
import { type Comparison, type RevisionRef, Revisions } from "./revisions.ts";
import { placeByKeys } from "./txn_places.ts";
import { badFunction, canonical, equalValues, fieldsOf, show } from "./values.ts";

/** A missing key's revisions count as 0; its value compares false, except by `!=`. */
export type TxnCompare =
  | {
    readonly target: "revision" | "createRevision";
    readonly key: string;
    readonly operator: Comparison;
    readonly revision: number;
  }
  | { readonly target: "exists"; readonly key: string; readonly exists: boolean }
  | {
    readonly target: "value";
    readonly key: string;
    readonly operator: Comparison;
    readonly value: Json;
  };

export type TxnStep =
  | { readonly kind: "get"; readonly key: string }
  | { readonly kind: "put"; readonly key: string; readonly value: Json; readonly ttl?: Json }
  | { readonly kind: "delete"; readonly key: string }
  | { readonly kind: "deleteRange"; readonly start: string; readonly end: string };

/** Fields left out are not checked. A get's `revision` is 0, or its `found` false, for a missing key. */
export interface TxnStepResult {
  readonly found?: boolean;
  readonly value?: Json;
  readonly revision?: number;
  readonly created?: boolean;
  readonly deleted?: boolean;
  readonly deletedCount?: number;
}

export interface TxnInput {
  readonly f: "txn";
  readonly if?: readonly TxnCompare[];
  readonly then?: readonly TxnStep[];
  readonly else?: readonly TxnStep[];
}

export interface TxnOutput {
  readonly succeeded?: boolean;
  /** The revision of everything the transaction changed: above every earlier one of the partition. */
  readonly revision?: number;
  readonly results?: readonly TxnStepResult[];
}

export type TxnOperation = Operation<TxnInput, TxnOutput>;
export type KvTxnOperation = TxnOperation | KvOperation;

interface Entry {
  readonly value: Json;
  readonly revision: RevisionRef;
  readonly created: RevisionRef;
  readonly mayExpire: boolean;
}

/** Immutable once returned. */
interface State {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly revisions: Revisions;
}

/** `init`: map of key to {value, revision}, or null. */
export function kvTxn(init: Json = null): NondeterministicModel<State, KvTxnOperation> {
  const initial = initialState(init);
  const single = kv();
  return {
    name: "kv-txn",
    init: () => initial,
    hash: hashState,
    partition: (operation) => operation.partition ?? 0,
    place: (history) => placeByKeys(history, namedKeys),
    steps: (state, operation) =>
      spontaneous(state, touchedKeys(operation)).flatMap((start) =>
        isTxn(operation) ? txnSteps(start, operation) : singleSteps(start, operation)
      ),
    observes: (operation) =>
      isTxn(operation) ? txnObserves(operation) : single.observes!(operation),
    order: (operation) =>
      isTxn(operation)
        ? (isKnown(operation) ? operation.output?.revision : undefined)
        : single.order!(operation),
    validate: (operation) =>
      isTxn(operation)
        ? validateTxn(operation)
        : badFunction(operation.input, ["txn", "get", "put", "delete", "cas"]) ??
          single.validate!(operation),
    describe: (operation) => isTxn(operation) ? describeTxn(operation) : single.describe(operation),
    describeState: (state) =>
      `{${
        [...state.entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, entry]) =>
          `${key}: ${show(entry.value)} ${state.revisions.describe(entry.revision)}`
        ).join(", ")
      }}`,
  };
}

function isTxn(operation: KvTxnOperation): operation is TxnOperation {
  return operation.input.f === "txn";
}

function initialState(init: Json): State {
  const entries = new Map<string, Entry>();
  let last = 0;
  for (const [key, given] of Object.entries(fieldsOf(init) ?? {})) {
    const fields = fieldsOf(given);
    const revision = typeof fields?.revision === "number" ? fields.revision : 1;
    last = Math.max(last, revision);
    entries.set(key, {
      value: fields?.value ?? null,
      revision,
      created: revision,
      mayExpire: false,
    });
  }
  return { entries, revisions: new Revisions(last) };
}

function hashState(state: State): string {
  const entries = [...state.entries].map(([key, { value, revision, created, mayExpire }]) =>
    `${JSON.stringify(key)}:${canonical(value)}@${revision},${created}${mayExpire ? "t" : ""}`
  );
  return `${entries.sort().join(" ")} ${state.revisions.hash()}`;
}

/** The keys that it can touch; undefined if they are a range of them. */
function touchedKeys(operation: KvTxnOperation): ReadonlySet<string> | undefined {
  const steps = isTxn(operation) ? stepsOf(operation) : [];
  return steps.some(({ kind }) => kind === "deleteRange") ? undefined : namedKeys(operation);
}

function namedKeys(operation: KvTxnOperation): ReadonlySet<string> {
  if (!isTxn(operation)) return new Set([String(operation.input.key)]);
  const keys = new Set<string>();
  for (const compare of operation.input.if ?? []) keys.add(compare.key);
  for (const step of stepsOf(operation)) if (step.kind !== "deleteRange") keys.add(step.key);
  return keys;
}

function stepsOf({ input }: TxnOperation): TxnStep[] {
  return [...input.then ?? [], ...input.else ?? []];
}

/** The state, and what it may have become by keys expiring that the operation could notice. */
function spontaneous(state: State, keys: ReadonlySet<string> | undefined): State[] {
  let states = [state];
  for (const [key, entry] of state.entries) {
    if (!entry.mayExpire || (keys !== undefined && !keys.has(key))) continue;
    states = states.flatMap((before) => {
      const draft = new Draft(before);
      draft.entries.delete(key);
      return [before, draft.freeze()];
    });
  }
  return states;
}

/** A state being changed. */
class Draft {
  readonly entries: Map<string, Entry>;
  readonly revisions: Revisions;

  constructor(state: State) {
    this.entries = new Map(state.entries);
    this.revisions = state.revisions.clone();
  }

  /** The next revision: the one the response names, or one nobody knows. Undefined if impossible. */
  take(revision: number | undefined): RevisionRef | undefined {
    if (revision === undefined) return this.revisions.takeUnknown();
    return this.revisions.take(revision) ? revision : undefined;
  }

  put(key: string, value: Json, revision: RevisionRef, mayExpire: boolean): void {
    const created = this.entries.get(key)?.created ?? revision;
    this.entries.set(key, { value, revision, created, mayExpire });
  }

  freeze(): State {
    const referenced = new Set<RevisionRef>();
    for (const { revision, created } of this.entries.values()) {
      referenced.add(revision).add(created);
    }
    const read = this.revisions.compact(referenced);
    for (const [key, entry] of this.entries) {
      const revision = read(entry.revision);
      const created = read(entry.created);
      if (revision !== entry.revision || created !== entry.created) {
        this.entries.set(key, { ...entry, revision, created });
      }
    }
    return { entries: this.entries, revisions: this.revisions };
  }
}

function txnSteps(state: State, operation: TxnOperation): State[] {
  const output = isKnown(operation) ? operation.output ?? {} : {};
  const compares = operation.input.if ?? [];
  const results: State[] = [];
  if (output.succeeded !== false) {
    const draft = new Draft(state);
    if (compares.every((compare) => compareIs(draft, compare, true))) {
      if (runBranch(draft, operation.input.then ?? [], output)) results.push(draft.freeze());
    }
  }
  if (output.succeeded === true) return results;
  // The first comparison that fails may be any of them.
  for (let failing = 0; failing < compares.length; failing++) {
    const draft = new Draft(state);
    const fits = compares.slice(0, failing + 1).every((compare, i) =>
      compareIs(draft, compare, i < failing)
    );
    if (fits && runBranch(draft, operation.input.else ?? [], output)) results.push(draft.freeze());
  }
  return results;
}

/** Narrows the draft to where the comparison has this truth. False if nowhere. */
function compareIs(draft: Draft, compare: TxnCompare, truth: boolean): boolean {
  const entry = draft.entries.get(compare.key);
  if (compare.target === "exists") return ((entry !== undefined) === compare.exists) === truth;
  if (compare.target === "value") {
    const holds = entry === undefined
      ? compare.operator === "!="
      : compareValues(entry.value, compare.operator, compare.value);
    return holds === truth;
  }
  const ref = entry === undefined
    ? 0
    : compare.target === "revision"
    ? entry.revision
    : entry.created;
  return truth
    ? draft.revisions.require(ref, compare.operator, compare.revision)
    : draft.revisions.refute(ref, compare.operator, compare.revision);
}

function compareValues(a: Json, operator: Comparison, b: Json): boolean {
  if (operator === "=") return equalValues(a, b);
  if (operator === "!=") return !equalValues(a, b);
  const order = typeof a === "number" && typeof b === "number" ? a - b : compareText(
    typeof a === "string" ? a : canonical(a),
    typeof b === "string" ? b : canonical(b),
  );
  return operator === "<" ? order < 0 : order > 0;
}

/** UTF-8 byte order, which is code point order. */
function compareText(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Whether a branch leaves something else than it finds. Without a put, keys only go: those at its start decide. */
function changesAny(draft: Draft, steps: readonly TxnStep[]): boolean {
  return steps.some((step) => {
    if (step.kind === "get") return false;
    if (step.kind === "put") return true;
    if (step.kind === "delete") return draft.entries.has(step.key);
    return keysWithin(draft, step.start, step.end).length > 0;
  });
}

function keysWithin(draft: Draft, start: string, end: string): string[] {
  return [...draft.entries.keys()].filter((key) =>
    compareText(key, start) >= 0 && compareText(key, end) < 0
  );
}

/** Runs one branch; later steps see earlier ones. False if the response does not fit. */
function runBranch(draft: Draft, steps: readonly TxnStep[], output: TxnOutput): boolean {
  // A branch that changes nothing and whose revision is hidden leaves no trace: txnObserves counts on it, and a store may
  // give it no revision at all.
  const silent = output.revision === undefined && !changesAny(draft, steps);
  const revision = silent ? 0 : draft.take(output.revision);
  if (revision === undefined) return false;
  const results = output.results;
  if (results !== undefined && results.length !== steps.length) return false;
  return steps.every((step, i) => runStep(draft, step, revision, results?.[i] ?? {}));
}

function runStep(
  draft: Draft,
  step: TxnStep,
  revision: RevisionRef,
  result: TxnStepResult,
): boolean {
  if (step.kind === "deleteRange") {
    const keys = keysWithin(draft, step.start, step.end);
    for (const key of keys) draft.entries.delete(key);
    return result.deletedCount === undefined || result.deletedCount === keys.length;
  }
  const entry = draft.entries.get(step.key);
  if (step.kind === "get") return getFits(draft, entry, result);
  if (step.kind === "put") {
    const mayExpire = step.ttl !== undefined && step.ttl !== null;
    draft.put(step.key, step.value, revision, mayExpire);
    return result.created === undefined || result.created === (entry === undefined);
  }
  draft.entries.delete(step.key);
  return result.deleted === undefined || result.deleted === (entry !== undefined);
}

function getFits(draft: Draft, entry: Entry | undefined, result: TxnStepResult): boolean {
  const found = result.found ?? (result.revision === undefined ? undefined : result.revision !== 0);
  if (found !== undefined && found !== (entry !== undefined)) return false;
  if (entry === undefined) return result.value === undefined || result.value === null;
  if (result.value !== undefined && !equalValues(result.value, entry.value)) return false;
  return result.revision === undefined ||
    draft.revisions.require(entry.revision, "=", result.revision);
}

function singleSteps(state: State, operation: KvOperation): State[] {
  const { input } = operation;
  const known = isKnown(operation);
  const status = known ? statusOf(operation) : undefined;
  const output: KvOutput = (known ? operation.output : undefined) ?? {};
  const key = String(input.key);
  const draft = new Draft(state);
  const entry = draft.entries.get(key);
  const done = (fits: boolean) => (fits ? [draft.freeze()] : []);
  if (input.f === "get") {
    if (!known) return [state];
    if (status === 404) return entry === undefined ? [state] : [];
    return entry === undefined ? [] : done(getFits(draft, entry, output));
  }
  if (status === 412) return done(conditionFails(draft, entry, input, output.revision));
  if (input.f === "delete" && status === 404) return entry === undefined ? [state] : [];
  if (!conditionHolds(draft, entry, input)) return [];
  if (input.f === "delete") {
    if (entry === undefined) return known && status !== undefined ? [] : [state];
    draft.entries.delete(key);
    return done(draft.take(output.revision) !== undefined);
  }
  if (status === 201 ? entry !== undefined : status === 200 && entry === undefined) return [];
  const revision = draft.take(output.revision);
  if (revision === undefined) return [];
  const mayExpire = input.ttl !== undefined && input.ttl !== null;
  draft.put(key, input.value ?? null, revision, mayExpire);
  return done(true);
}

function conditionHolds(draft: Draft, entry: Entry | undefined, input: KvInput): boolean {
  if (input.ifNoneMatch !== undefined && entry !== undefined) return false;
  if (input.ifMatch === undefined) return true;
  if (entry === undefined) return false;
  return input.ifMatch === "*" || draft.revisions.require(entry.revision, "=", input.ifMatch);
}

function conditionFails(
  draft: Draft,
  entry: Entry | undefined,
  input: KvInput,
  current: number | undefined,
): boolean {
  if (current !== undefined) {
    if ((current === 0) !== (entry === undefined)) return false;
    if (entry !== undefined && !draft.revisions.require(entry.revision, "=", current)) return false;
  }
  if (input.ifNoneMatch !== undefined) return entry !== undefined;
  if (input.ifMatch === undefined) return false;
  if (entry === undefined) return true;
  return input.ifMatch !== "*" && draft.revisions.refute(entry.revision, "=", input.ifMatch);
}

/** A transaction that changes nothing still takes a revision; only one that hides it is a pure observer. */
function txnObserves(operation: TxnOperation): boolean {
  const { input, output } = operation;
  const reads = (steps: readonly TxnStep[] | undefined) =>
    (steps ?? []).every((step) => step.kind === "get");
  if (!isKnown(operation)) return reads(input.then) && reads(input.else);
  if (output?.revision !== undefined) return false;
  if (output?.succeeded === undefined) return reads(input.then) && reads(input.else);
  return reads(output.succeeded ? input.then : input.else);
}

const COMPARISONS: readonly string[] = ["=", "!=", "<", ">"];
const KINDS: readonly string[] = ["get", "put", "delete", "deleteRange"];

function validateTxn(operation: TxnOperation): string | undefined {
  const { input, output } = operation;
  for (const name of ["if", "then", "else"] as const) {
    if (input[name] !== undefined && !Array.isArray(input[name])) return `"${name}" must be a list`;
  }
  for (const compare of input.if ?? []) {
    const { target, key } = compare;
    if (typeof key !== "string") return `a comparison needs a "key": got ${show(compare as Json)}`;
    if (
      target === "exists"
        ? typeof compare.exists === "boolean"
        : COMPARISONS.includes(compare.operator)
    ) {
      continue;
    }
    return `not a comparison: ${show(compare as Json)}`;
  }
  for (const step of [...input.then ?? [], ...input.else ?? []]) {
    if (!KINDS.includes(step.kind)) return `not a transaction's operation: ${show(step as Json)}`;
  }
  if (isKnown(operation) && output !== undefined && fieldsOf(output) === undefined) {
    return `the response must be {succeeded, revision, results}: got ${show(output as Json)}`;
  }
  return undefined;
}

function describeTxn(operation: TxnOperation): string {
  const { input, output } = operation;
  const compares = (input.if ?? []).map((compare) => {
    if (compare.target === "exists") {
      return `${compare.key} ${compare.exists ? "exists" : "is absent"}`;
    }
    const right = compare.target === "value" ? show(compare.value) : String(compare.revision);
    return `${compare.target}(${compare.key}) ${compare.operator} ${right}`;
  });
  const steps = (list: readonly TxnStep[] | undefined) =>
    (list ?? []).map((step) => {
      if (step.kind === "deleteRange") return `delete [${step.start}, ${step.end})`;
      return step.kind === "put"
        ? `put ${step.key} = ${show(step.value)}`
        : `${step.kind} ${step.key}`;
    }).join(", ");
  const head = `txn(if ${compares.join(" and ") || "true"}: ${steps(input.then) || "nothing"}` +
    `${(input.else ?? []).length > 0 ? `, else: ${steps(input.else)}` : ""})`;
  if (!isKnown(operation)) return `${head} -> ?`;
  const results = output?.results === undefined
    ? ""
    : ` ${show(output.results as unknown as Json)}`;
  const verdict = output?.succeeded === undefined ? "done" : output.succeeded ? "then" : "else";
  return `${head} -> ${verdict}${
    output?.revision === undefined ? "" : ` @${output.revision}`
  }${results}`;
}
