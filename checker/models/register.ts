// A register, with and without compare-and-set. State: its value, any JSON.
// `read` -> the value (without an output it says nothing); `write` v; `cas` [from, to] -> done, or a failure that shows it was not `from`.

import { isKnown, type Json, type Operation } from "../history/types.ts";
import type { Model, RegisterAccess } from "./model.ts";
import { badFunction, equalValues, show, UNSEEN, valueKey } from "./values.ts";

export interface RegisterInput {
  readonly f: "read" | "write" | "cas";
  readonly value?: Json;
}

export type RegisterOperation = Operation<RegisterInput, Json>;

/** A read's response is `output`; a cas fails with `failed: true` or the output `false`. */
export function register(init: Json = null): Model<Json, RegisterOperation> {
  return model("register", ["read", "write"], init);
}

/** {@linkcode register} with `cas`. */
export function casRegister(init: Json = null): Model<Json, RegisterOperation> {
  return model("cas-register", ["read", "write", "cas"], init);
}

function casPair(operation: RegisterOperation): readonly [Json, Json] {
  return operation.input.value as unknown as readonly [Json, Json];
}

/** A read whose value is not known, or was not recorded. */
function saysNothing(operation: RegisterOperation): boolean {
  return !isKnown(operation) || operation.output === undefined;
}

/** A cas that was answered "no": an observation that the value was not the expected one. */
function refused(operation: RegisterOperation): boolean {
  return isKnown(operation) && (operation.failed === true || operation.output === false);
}

function model(
  name: string,
  functions: readonly string[],
  init: Json,
): Model<Json, RegisterOperation> {
  return {
    name,
    initialValue: init,
    init: () => init,
    hash: valueKey,
    step(state, operation) {
      const { f, value } = operation.input;
      if (f === "read") {
        return saysNothing(operation) || equalValues(state, operation.output) ? state : undefined;
      }
      if (f === "write") return value ?? null;
      const [from, to] = casPair(operation);
      const matches = equalValues(state, from);
      if (refused(operation)) return matches ? undefined : state;
      return matches ? to : undefined;
    },
    observes: (operation) => operation.input.f === "read" || refused(operation),
    access(operation): RegisterAccess | undefined {
      const { f, value } = operation.input;
      if (f === "read") {
        // A read that says nothing fits anywhere: a zone could not express that, a dropped one need not.
        if (isKnown(operation) && operation.output === undefined) return undefined;
        return { kind: "read", value: operation.output ?? null };
      }
      return f === "write" ? { kind: "write", value: value ?? null } : undefined;
    },
    irrelevant,
    blur,
    resets: (operation) => operation.input.f === "write",
    tokens(operation) {
      const { f, value } = operation.input;
      if (f === "read") return saysNothing(operation) ? [] : [valueKey(operation.output)];
      if (f === "write") return [valueKey(value)];
      // A refusal can rest on any other value, so it is about all of them.
      return refused(operation) ? undefined : casPair(operation).map(valueKey);
    },
    validate(operation) {
      const { f, value } = operation.input ?? {};
      const wrong = badFunction(operation.input, functions);
      if (wrong !== undefined) return wrong;
      if (f === "cas" && !(Array.isArray(value) && value.length === 2)) {
        return `the value of a cas must be [from, to]: got ${show(value)}`;
      }
      if (f === "write" && value === undefined) return "a write needs a value";
      return undefined;
    },
    describe(operation) {
      const { f, value } = operation.input;
      const known = isKnown(operation);
      if (f === "read") return known ? `read -> ${show(operation.output)}` : "read -> ?";
      if (f === "write") return `write(${show(value)})${known ? "" : " -> ?"}`;
      const [from, to] = casPair(operation);
      return `cas(${show(from)}, ${show(to)}) -> ${
        known ? (refused(operation) ? "refused" : "done") : "?"
      }`;
    },
    describeState: show,
  };
}

/**
 * RULES: a value that nothing needs can go. After an unknown write of such a value the next operation that
 * took effect must be a write (or nothing): no read and no successful cas fits, and no unknown cas leads
 * from it to a needed value. A refused cas does fit (the value is not its `from`), so with one of those
 * among the operations nothing is dropped.
 */
function irrelevant(operations: readonly RegisterOperation[]): readonly number[] {
  const needed = new Set<string | number>();
  const unknownCas: RegisterOperation[] = [];
  for (const operation of operations) {
    const { f } = operation.input;
    if (isKnown(operation)) {
      if (refused(operation)) return [];
      if (f === "read" && !saysNothing(operation)) needed.add(valueKey(operation.output));
      if (f === "cas") needed.add(valueKey(casPair(operation)[0]));
    } else if (f === "cas") unknownCas.push(operation);
  }
  for (let before = -1; before !== needed.size;) {
    before = needed.size;
    for (const operation of unknownCas) {
      const [from, to] = casPair(operation);
      if (needed.has(valueKey(to))) needed.add(valueKey(from));
    }
  }
  const positions: number[] = [];
  operations.forEach((operation, position) => {
    if (isKnown(operation)) return;
    const { f, value } = operation.input;
    const target = f === "write" ? value : f === "cas" ? casPair(operation)[1] : undefined;
    if (f === "read" || !needed.has(valueKey(target))) positions.push(position);
  });
  return positions;
}

/** Unknown writes of values that no read returned and no cas, refused or not, started from. */
function blur(operations: readonly RegisterOperation[]): ReadonlyMap<number, RegisterOperation> {
  const mentioned = new Set<string | number>();
  const unknown: number[] = [];
  operations.forEach((operation, position) => {
    const { f } = operation.input;
    if (f === "cas") mentioned.add(valueKey(casPair(operation)[0]));
    else if (f === "write" && !isKnown(operation)) unknown.push(position);
    else if (f === "read" && !saysNothing(operation)) mentioned.add(valueKey(operation.output));
  });
  const blurred = new Map<number, RegisterOperation>();
  if (mentioned.has(valueKey(UNSEEN))) return blurred;
  for (const position of unknown) {
    const operation = operations[position]!;
    if (mentioned.has(valueKey(operation.input.value))) continue;
    blurred.set(position, { ...operation, input: { f: "write", value: UNSEEN } });
  }
  return blurred;
}
