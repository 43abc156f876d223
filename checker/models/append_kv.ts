// A key-value store of strings with append. Every key starts as "". Partitioned by key.
// `get` -> the string; `put` replaces it; `append` adds to its end. Porcupine's key-value model.

import { isKnown, type Json, type Operation } from "../history/types.ts";
import { overCells } from "./cells.ts";
import type { Model } from "./model.ts";
import { badFunction, show } from "./values.ts";

export interface AppendKvInput {
  readonly f: "get" | "put" | "append";
  readonly key: string | number;
  readonly value?: Json;
}

export type AppendKvOperation = Operation<AppendKvInput, string>;

/** Keys are independent, so one key's string is the state. */
export function appendKv(init = ""): Model<string, AppendKvOperation> {
  return {
    name: "append-kv",
    init: () => init,
    hash: (state) => state,
    partition: (operation) => operation.input.key,
    step,
    observes: (operation) => operation.input.f === "get",
    irrelevant,
    resets: (operation) => operation.input.f === "put",
    validate,
    describe,
    describeState: show,
  };
}

/** The same store as one state, without declaring that keys are independent: for comparing checkers. */
export function appendKvWhole(init = ""): Model<unknown, AppendKvOperation> {
  return overCells<string, AppendKvOperation>({
    name: "append-kv-whole",
    cells: (operation) => [operation.input.key],
    initial: () => init,
    step([value], operation) {
      const after = step(value!, operation);
      return after === undefined ? undefined : [after];
    },
    hash: (value) => value,
    observes: (operation) => operation.input.f === "get",
    validate,
    describe,
    describeValue: show,
  }) as Model<unknown, AppendKvOperation>;
}

function step(state: string, operation: AppendKvOperation): string | undefined {
  const { f, value } = operation.input;
  if (f === "put") return value as string;
  if (f === "append") return state + (value as string);
  return !isKnown(operation) || operation.output === state ? state : undefined;
}

/**
 * An unknown append whose text no completed get contains can go: until the next put every get would
 * have to contain it. An unknown put likewise, as appends only add around its text.
 */
function irrelevant(operations: readonly AppendKvOperation[]): readonly number[] {
  const read = new Set<string>();
  for (const operation of operations) {
    if (isKnown(operation) && operation.input.f === "get") read.add(operation.output as string);
  }
  const positions: number[] = [];
  operations.forEach((operation, position) => {
    if (isKnown(operation)) return;
    const { f, value } = operation.input;
    let needed = false;
    if (f !== "get") {
      for (const text of read) {
        if (text.includes(value as string)) {
          needed = true;
          break;
        }
      }
    }
    if (!needed) positions.push(position);
  });
  return positions;
}

function validate(operation: AppendKvOperation): string | undefined {
  const wrong = badFunction(operation.input, ["get", "put", "append"]);
  if (wrong !== undefined) return wrong;
  const { f, key, value } = operation.input;
  if (typeof key !== "string" && typeof key !== "number") return "the operation needs a key";
  if (f !== "get" && typeof value !== "string") return `${f} needs a string: got ${show(value)}`;
  if (f === "get" && isKnown(operation) && typeof operation.output !== "string") {
    return `a get must return a string: got ${show(operation.output)}`;
  }
  return undefined;
}

function describe(operation: AppendKvOperation): string {
  const { f, key, value } = operation.input;
  const known = isKnown(operation);
  if (f === "get") return `get(${show(key)}) -> ${known ? show(operation.output) : "?"}`;
  return `${f}(${show(key)}, ${show(value)})${known ? "" : " -> ?"}`;
}
