// Models over named cells that need not declare a partition: an operation says which cells it is about, and
// its step is given those and no others. So operations that share no cell, not even through others,
// can't affect one another, and the checker may take them apart (search/independence.ts).

import type { Operation } from "../history/types.ts";
import type { Model } from "./model.ts";

export type CellName = string | number;

export interface CellsSpec<Value, Op extends Operation> {
  readonly name: string;
  /** Every cell whose value the operation may read or change, without repeats. */
  cells(operation: Op): readonly CellName[];
  initial(cell: CellName): Value;
  /**
   * The values of exactly the operation's cells, in the order of `cells`, after it; undefined if its response
   * is impossible. Must not change `values`.
   */
  step(values: readonly Value[], operation: Op): readonly Value[] | undefined;
  /** Identifies a value. */
  hash(value: Value): string | number;
  observes?(operation: Op): boolean;
  validate?(operation: Op): string | undefined;
  describe(operation: Op): string;
  describeValue(value: Value): string;
}

/** Per cell, in order of first appearance, the number of its value; cells beyond the end hold 0: initial. */
type State = readonly number[];

const EMPTY: State = [];
/** A cell's initial value, whatever it is. */
const INITIAL = 0;

/**
 * The model. It numbers the values it meets and keeps them: use one instance for one history.
 */
export function overCells<Value, Op extends Operation>(
  spec: CellsSpec<Value, Op>,
): Model<State, Op> {
  const cellIndex = new Map<CellName, number>();
  const cellNames: CellName[] = [];
  const values: Value[] = [];
  const valueIds = new Map<string | number, number>();
  const cellsOf = new WeakMap<Op, readonly number[]>();
  const idOf = (value: Value): number => {
    const hash = spec.hash(value);
    let id = valueIds.get(hash);
    if (id === undefined) {
      values.push(value);
      valueIds.set(hash, id = values.length);
    }
    return id;
  };
  const indicesOf = (operation: Op): readonly number[] => {
    let indices = cellsOf.get(operation);
    if (indices === undefined) {
      indices = spec.cells(operation).map((cell) => {
        let index = cellIndex.get(cell);
        if (index === undefined) {
          cellIndex.set(cell, index = cellNames.length);
          cellNames.push(cell);
        }
        return index;
      });
      cellsOf.set(operation, indices);
    }
    return indices;
  };
  const valueAt = (state: State, index: number): Value => {
    const id = state[index] ?? INITIAL;
    return id === INITIAL ? spec.initial(cellNames[index]!) : values[id - 1]!;
  };
  return {
    name: spec.name,
    init: () => EMPTY,
    step(state, operation) {
      const indices = indicesOf(operation);
      const before = indices.map((index) => valueAt(state, index));
      const after = spec.step(before, operation);
      if (after === undefined) return undefined;
      let next: number[] | undefined;
      for (let i = 0; i < indices.length; i++) {
        if (after[i] === before[i]) continue;
        const index = indices[i]!;
        const initial = spec.hash(spec.initial(cellNames[index]!)) === spec.hash(after[i]!);
        const id = initial ? INITIAL : idOf(after[i]!);
        if (id === (state[index] ?? INITIAL)) continue;
        next ??= [...state];
        while (next.length <= index) next.push(INITIAL);
        next[index] = id;
      }
      return next ?? state;
    },
    hash(state) {
      let hash = 0;
      for (let i = 0; i < state.length; i++) {
        // Trailing initial values must not count: they may be absent.
        if (state[i] === INITIAL) continue;
        let part = Math.imul(state[i]! + Math.imul(i + 1, 0x27d4eb2f), 0x9e3779b1);
        part = Math.imul(part ^ (part >>> 15), 0x85ebca6b);
        hash = (hash + (part ^ (part >>> 13))) | 0;
      }
      return hash;
    },
    equal(a, b) {
      const length = Math.max(a.length, b.length);
      for (let i = 0; i < length; i++) if ((a[i] ?? INITIAL) !== (b[i] ?? INITIAL)) return false;
      return true;
    },
    cells: (operation) => spec.cells(operation),
    ...(spec.observes === undefined
      ? {}
      : { observes: (operation: Op) => spec.observes!(operation) }),
    ...(spec.validate === undefined
      ? {}
      : { validate: (operation: Op) => spec.validate!(operation) }),
    describe: (operation) => spec.describe(operation),
    describeState(state) {
      const cells = cellNames.map((name, index) => ({ name, index }))
        .filter(({ index }) => (state[index] ?? INITIAL) !== INITIAL)
        .map(({ name, index }) => `${name}: ${spec.describeValue(valueAt(state, index))}`);
      return `{${cells.sort().join(", ")}}`;
    },
  };
}
