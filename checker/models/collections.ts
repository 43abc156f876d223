// Three small data types: a set, a mutex, a first-in-first-out queue.

import { isKnown, type Json, type Operation, type ProcessId } from "../history/types.ts";
import type { Model } from "./model.ts";
import { badFunction, canonical, equalValues, show, valueKey } from "./values.ts";

export interface CollectionInput {
  readonly f: string;
  readonly value?: Json;
}

export type CollectionOperation = Operation<CollectionInput, Json>;

/** A boolean response constrains, anything else (the echoed value of Jepsen histories) does not. */
function says(operation: CollectionOperation): boolean | undefined {
  return isKnown(operation) && typeof operation.output === "boolean" ? operation.output : undefined;
}

/**
 * `add` v and `remove` v (a boolean response tells whether it changed the set), `contains` v -> boolean,
 * `read` -> the elements in any order. State: the elements' canonical texts, sorted.
 */
export function set(init: readonly Json[] = []): Model<readonly string[], CollectionOperation> {
  const initial = sortedElements(init);
  const observes = (operation: CollectionOperation) =>
    operation.input.f === "read" || operation.input.f === "contains" ||
    says(operation) === false;
  return {
    name: "set",
    init: () => initial,
    hash: (state) => state.join("\u0001"),
    step(state, operation) {
      const { f, value } = operation.input;
      if (f === "read") {
        if (!isKnown(operation)) return state;
        const seen = sortedElements(operation.output as readonly Json[]);
        return seen.length === state.length && seen.every((element, i) => element === state[i])
          ? state
          : undefined;
      }
      const element = canonical(value);
      const present = state.includes(element);
      const answer = says(operation);
      if (f === "contains") return answer === undefined || answer === present ? state : undefined;
      const changes = f === "add" ? !present : present;
      if (answer !== undefined && answer !== changes) return undefined;
      if (!changes) return state;
      return f === "add" ? [...state, element].sort() : state.filter((other) => other !== element);
    },
    observes,
    irrelevant: irrelevantAdds,
    validate(operation) {
      const wrong = badFunction(operation.input, ["add", "remove", "contains", "read"]);
      if (wrong !== undefined) return wrong;
      const { f, value } = operation.input;
      if (f === "read") {
        return isKnown(operation) && !Array.isArray(operation.output)
          ? `a read must return the list of elements: got ${show(operation.output)}`
          : undefined;
      }
      return value === undefined ? `${f} needs a value` : undefined;
    },
    describe,
    describeState: (state) => `{${state.join(", ")}}`,
  };
}

/**
 * An unknown add can go if no completed read saw its element and no response tells whether it was there:
 * with the element in the set, every read up to its removal would be impossible.
 */
function irrelevantAdds(operations: readonly CollectionOperation[]): readonly number[] {
  const needed = new Set<string>();
  for (const operation of operations) {
    if (!isKnown(operation)) continue;
    if (operation.input.f === "read") {
      for (const element of operation.output as readonly Json[]) needed.add(canonical(element));
    } else if (says(operation) !== undefined) needed.add(canonical(operation.input.value));
  }
  return operations.flatMap((operation, position) =>
    !isKnown(operation) && operation.input.f === "add" &&
      !needed.has(canonical(operation.input.value))
      ? [position]
      : []
  );
}

function sortedElements(elements: readonly Json[]): readonly string[] {
  return [...new Set(elements.map(canonical))].sort();
}

/**
 * `acquire` and `release`. State: the holder, or null. Only the holder can release, unless `anyone` may
 * (a semaphore of one).
 */
export function mutex(
  options: { readonly anyone?: boolean } = {},
): Model<ProcessId | null, CollectionOperation> {
  return {
    name: "mutex",
    usesProcess: true,
    init: () => null,
    hash: (state) => (typeof state === "number" ? state : state === null ? "free" : `"${state}`),
    step(state, operation) {
      // An answer "false" (or a failed cas-like try) says that it was not possible.
      const refused = says(operation) === false || operation.failed === true;
      const possible = operation.input.f === "acquire"
        ? state === null
        : state !== null && (options.anyone === true || state === operation.process);
      if (refused) return possible ? undefined : state;
      if (!possible) return undefined;
      return operation.input.f === "acquire" ? operation.process : null;
    },
    observes: (operation) =>
      isKnown(operation) && (says(operation) === false || operation.failed === true),
    validate: (operation) => badFunction(operation.input, ["acquire", "release"]),
    describe(operation) {
      const answer = isKnown(operation)
        ? (says(operation) === false ? " -> refused" : "")
        : " -> ?";
      return `${operation.input.f} by ${operation.process}${answer}`;
    },
    describeState: (state) => (state === null ? "free" : `held by ${state}`),
  };
}

/**
 * `enqueue` v, `dequeue` -> the oldest element, or null when empty (so null is no element). State: the
 * elements, oldest first.
 */
export function fifoQueue(init: readonly Json[] = []): Model<readonly Json[], CollectionOperation> {
  const empties = (operation: CollectionOperation) =>
    operation.input.f === "dequeue" && isKnown(operation) &&
    (operation.output === null || operation.output === undefined);
  const initial = new Set(init.map(valueKey));
  return {
    name: "fifo-queue",
    init: () => init,
    hash: (state) => canonical(state),
    step(state, operation) {
      const { f, value } = operation.input;
      if (f === "enqueue") return [...state, value ?? null];
      if (empties(operation)) return state.length === 0 ? state : undefined;
      if (state.length === 0) return undefined;
      if (isKnown(operation) && !equalValues(state[0], operation.output)) return undefined;
      return state.slice(1);
    },
    observes: empties,
    irrelevant(operations) {
      // An element nobody is known to have got only stands in the way of those behind it. If an unknown
      // dequeue took it, that one can go with it.
      const got = new Set(
        operations.filter((operation) => isKnown(operation) && operation.input.f === "dequeue")
          .map((operation) => valueKey(operation.output)),
      );
      return operations.flatMap((operation, position) =>
        !isKnown(operation) && operation.input.f === "enqueue" &&
          !got.has(valueKey(operation.input.value))
          ? [position]
          : []
      );
    },
    tokens(operation) {
      const { f, value } = operation.input;
      // An unknown dequeue may have taken anything; an initial element can't be removed.
      if (f === "dequeue" && !isKnown(operation)) return undefined;
      if (empties(operation)) return [];
      const token = valueKey(f === "enqueue" ? value : operation.output);
      return initial.has(token) ? undefined : [token];
    },
    validate(operation) {
      const wrong = badFunction(operation.input, ["enqueue", "dequeue"]);
      if (wrong !== undefined) return wrong;
      const { f, value } = operation.input;
      return f === "enqueue" && (value === undefined || value === null)
        ? "enqueue needs a value other than null"
        : undefined;
    },
    describe,
    describeState: (state) => `[${state.map(show).join(", ")}]`,
  };
}

function describe(operation: CollectionOperation): string {
  const { f, value } = operation.input;
  const argument = value === undefined || value === null ? "" : `(${show(value)})`;
  if (!isKnown(operation)) return `${f}${argument} -> ?`;
  const { output } = operation;
  const echoed = f === "add" || f === "remove" || f === "enqueue";
  if (echoed && typeof output !== "boolean") return `${f}${argument}`;
  return `${f}${f === "dequeue" || f === "read" ? "" : argument} -> ${
    output === null || output === undefined ? "empty" : show(output)
  }`;
}
