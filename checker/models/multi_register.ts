// Several registers, read and written together in one step. State: a map of name to value.
// Input: {f: "txn", value: [["read", k, null], ["write", k, v], …]}; output: the same list with the values
// that the reads saw. Knossos' multi-register.

import { isKnown, type Json, type Operation } from "../history/types.ts";
import type { Model } from "./model.ts";
import { canonical, equalValues, fieldsOf, show, valueKey } from "./values.ts";

/** A read's value left out of the response says nothing about it. */
type Access = readonly [kind: string, name: Json, value?: Json];

export interface MultiRegisterInput {
  readonly f: string;
  readonly value: readonly Access[];
}

export type MultiRegisterOperation = Operation<MultiRegisterInput, readonly Access[]>;

type State = ReadonlyMap<string | number, Json>;

const READS: ReadonlySet<string> = new Set(["read", "r"]);
const WRITES: ReadonlySet<string> = new Set(["write", "w"]);

/** Registers absent from `init` start as null. */
export function multiRegister(
  init: Readonly<Record<string, Json>> = {},
): Model<State, MultiRegisterOperation> {
  const initial: State = new Map(
    Object.entries(init).map(([name, value]) => [valueKey(name), value]),
  );
  const observes = (operation: MultiRegisterOperation) =>
    operation.input.value.every(([kind]) => READS.has(kind));
  return {
    name: "multi-register",
    init: () => initial,
    hash: (state) =>
      [...state].map(([name, value]) => `${name}=${canonical(value)}`).sort().join("\u0001"),
    step(state, operation) {
      const seen = isKnown(operation) ? operation.output ?? undefined : undefined;
      let next: Map<string | number, Json> | undefined;
      for (let i = 0; i < operation.input.value.length; i++) {
        const [kind, name, value] = operation.input.value[i]!;
        const key = valueKey(name);
        if (WRITES.has(kind)) {
          next ??= new Map(state);
          next.set(key, value ?? null);
        } else if (seen !== undefined) {
          const value = seen[i]![2];
          if (value !== undefined && !equalValues((next ?? state).get(key) ?? null, value)) {
            return undefined;
          }
        }
      }
      return next ?? state;
    },
    observes,
    irrelevant: (operations) =>
      operations.flatMap((operation, i) => !isKnown(operation) && observes(operation) ? [i] : []),
    validate(operation) {
      const value = fieldsOf(operation.input)?.value;
      const wrong = badAccesses(value);
      if (wrong !== undefined) return wrong;
      const output = operation.output as Json | undefined;
      if (!isKnown(operation) || output === undefined || output === null) return undefined;
      if (
        badAccesses(output) !== undefined || (output as Json[]).length !== (value as Json[]).length
      ) {
        return `the response must list the same accesses as the request: got ${show(output)}`;
      }
      return undefined;
    },
    describe(operation) {
      const seen = isKnown(operation) ? operation.output ?? operation.input.value : undefined;
      const parts = operation.input.value.map(([kind, name, value], i) =>
        WRITES.has(kind)
          ? `write(${show(name)}, ${show(value)})`
          : `read(${show(name)}) -> ${seen === undefined ? "?" : show(seen[i]![2])}`
      );
      return parts.join(" + ") + (seen === undefined ? " -> ?" : "");
    },
    describeState: (state) =>
      `{${
        [...state].map(([name, value]) => `${String(name).replace(/^"/, "")}: ${show(value)}`).join(
          ", ",
        )
      }}`,
  };
}

function badAccesses(value: Json | undefined): string | undefined {
  if (!Array.isArray(value)) return `the value must be a list of accesses: got ${show(value)}`;
  for (const access of value) {
    if (
      !Array.isArray(access) || access.length < 2 || typeof access[0] !== "string" ||
      !(READS.has(access[0]) || WRITES.has(access[0]))
    ) {
      return `an access must be ["read", name, value] or ["write", name, value]: got ${
        show(access)
      }`;
    }
  }
  return undefined;
}
