// The contract between a model and the checker. A model is a handful of pure functions over an immutable
// state; everything optional here makes checking faster or its words plainer, never different.

import type { Json, Operation, PartitionKey } from "../history/types.ts";

/** What the zone check needs to know of an operation (Gibbons and Korach; see search/zones.ts). */
export type RegisterAccess =
  | { readonly kind: "write"; readonly value: Json }
  | { readonly kind: "read"; readonly value: Json };

interface ModelBase<State, Op extends Operation> {
  readonly name: string;
  /** The state before the first operation. */
  init(): State;
  /**
   * A string or number that two states share only if they are equal, or may share if `equal` is given.
   */
  hash(state: State): string | number;
  /** Needed only if `hash` may collide. */
  equal?(a: State, b: State): boolean;
  /**
   * Splits the history: operations with different keys must not affect one another (Herlihy and Wing's
   * locality, Horn and Kroening's P-compositionality). Without it everything is one partition.
   */
  partition?(operation: Op): PartitionKey;
  /**
   * Tells operations what only the whole history does, so that `partition` finds it in each: same operations, same
   * places. Called once, before anything else; calling it again on what it gave changes nothing.
   */
  place?(history: readonly Op[]): readonly Op[];
  /**
   * For models without `partition`: the parts of the state that `step` looks at or changes for this operation,
   * and no others, whatever the state. Lets the checker find independent partitions by itself. Don't
   * write it by hand: `overCells` gives a model that can't but keep to it.
   */
  cells?(operation: Op): readonly (string | number)[];
  /**
   * True only if the operation leaves every state as it is (in a state where it is possible at all): a
   * read, a failed compare-and-set. Lets the search take it as soon as it fits.
   */
  observes?(operation: Op): boolean;
  /**
   * True only if the operation is impossible in this state and in every state that can follow it.
   */
  hopeless?(state: State, operation: Op): boolean;
  /**
   * True only if every sequence of operations possible from `special` is possible from `general`, and in
   * each pair of states so reached the one covers the other again.
   */
  covers?(general: State, special: State): boolean;
  /**
   * Which operations of unknown outcome no completed response can depend on: if the history is
   * linearizable with some of them, it must be so without any of them. Gets one partition's operations;
   * returns positions in that array.
   */
  irrelevant?(operations: readonly Op[]): readonly number[];
  /**
   * Replacements for operations of unknown outcome, by position, that no completed response can tell from
   * what they replace: so that many become equal, and equal ones are tried once. An unknown write of a
   * value that nobody read may as well have written any other such value.
   */
  blur?(operations: readonly Op[]): ReadonlyMap<number, Op>;
  /**
   * The operation as plain register access, if its response reveals nothing else; `initialValue` must be
   * given too. Every operation of a partition must be one for the zone check to apply.
   */
  access?(operation: Op): RegisterAccess | undefined;
  readonly initialValue?: Json;
  /** True if `step` looks at more than input, response and outcome: at who called. */
  readonly usesProcess?: boolean;
  /** A guess of the operation's place among its partition's; tried first, trusted never. */
  order?(operation: Op): number | undefined;
  /**
   * What an operation is about, for minimizing: removing every operation about one token (and whatever
   * shares another token with one of them, and so on) must keep a linearizable history linearizable.
   * `undefined`: the operation is about everything.
   */
  tokens?(operation: Op): readonly (string | number)[] | undefined;
  /**
   * True only if the operation is possible in every state and leads from all to the same one: a plain write.
   * Lets minimizing forget what came before it.
   */
  resets?(operation: Op): boolean;
  /** Says what is wrong with an operation this model can't judge, or nothing. */
  validate?(operation: Op): string | undefined;
  /** One line, for people: `put("a", 1) -> 201 @7`. */
  describe(operation: Op): string;
  describeState(state: State): string;
}

/** A model with one next state at most. */
export interface Model<State = unknown, Op extends Operation = Operation>
  extends ModelBase<State, Op> {
  /**
   * The state after the operation took effect with the response it got, or `undefined` if this response
   * is impossible in `state`. With an unknown outcome (`isKnown(operation)` is false) any response goes.
   * Must not change `state`, nor return `undefined` as a state.
   */
  step(state: State, operation: Op): State | undefined;
}

/** A model where one operation can lead to several states, none meaning that it is impossible. */
export interface NondeterministicModel<State = unknown, Op extends Operation = Operation>
  extends ModelBase<State, Op> {
  steps(state: State, operation: Op): readonly State[];
}

// Models are stored and passed without their type parameters: an operation's shape is `validate`'s matter. TypeScript
// can't say "of some State and Op": with `unknown`, no model would be one, for `step` takes its own kinds only.
// deno-lint-ignore no-explicit-any
type Some = any;
export type AnyModel = Model<Some, Some>;
export type AnyNondeterministicModel = NondeterministicModel<Some, Some>;

/**
 * The deterministic model over sets of states (the power-set construction), so that one search serves
 * both kinds. An observer stays one: it only ever narrows the set.
 */
export function determinize(model: AnyNondeterministicModel): AnyModel {
  const key = (state: unknown) => JSON.stringify(model.hash(state));
  const sameState = model.equal?.bind(model);
  const normalize = (states: readonly unknown[]): readonly unknown[] => {
    const seen = new Map<string, unknown[]>();
    for (const state of states) {
      const bucket = seen.get(key(state));
      if (bucket === undefined) seen.set(key(state), [state]);
      else if (sameState !== undefined && !bucket.some((other) => sameState(other, state))) {
        bucket.push(state);
      }
    }
    return [...seen.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, bucket]) => bucket);
  };
  const { steps: _steps, init: _init, hash: _hash, equal: _equal, hopeless, covers, ...rest } =
    bound(model);
  return {
    ...rest,
    name: model.name,
    init: () => [model.init()],
    step: (states: readonly unknown[], operation: Operation) => {
      const next = normalize(states.flatMap((state) => model.steps(state, operation)));
      return next.length === 0 ? undefined : next;
    },
    hash: (states: readonly unknown[]) => states.map(key).join("\u0001"),
    ...(sameState === undefined ? {} : {
      equal: (a: readonly unknown[], b: readonly unknown[]) =>
        a.length === b.length && a.every((state) => b.some((other) => sameState(state, other))),
    }),
    ...(hopeless === undefined ? {} : {
      hopeless: (states: readonly unknown[], operation: Operation) =>
        states.every((state) => hopeless(state, operation)),
    }),
    ...(covers === undefined ? {} : {
      covers: (general: readonly unknown[], special: readonly unknown[]) =>
        special.every((state) => general.some((other) => covers(other, state))),
    }),
    describe: (operation: Operation) => model.describe(operation),
    describeState: (states: readonly unknown[]) =>
      states.map((state) => model.describeState(state)).join(" or "),
  };
}

/** The model's members with `this` bound, so that they can be spread. */
function bound<T extends object>(model: T): T {
  const result: Record<string, unknown> = {};
  for (
    let level: object | null = model;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name === "constructor" || name in result) continue;
      const value = (model as Record<string, unknown>)[name];
      result[name] = typeof value === "function" ? value.bind(model) : value;
    }
  }
  return result as T;
}

/** Either kind as the search wants it. */
export function deterministic(model: AnyModel | AnyNondeterministicModel): AnyModel {
  return "steps" in model ? determinize(model) : model;
}

/** The history as `model` wants to see it. */
export function placed(
  history: readonly Operation[],
  model: AnyModel | AnyNondeterministicModel,
): readonly Operation[] {
  return model.place?.(history) ?? history;
}
