// States as integers: each distinct state and each distinct operation gets a number, and each transition
// between them is computed once. What the search handles is then integers only.

import { isKnown, type Operation } from "../history/types.ts";
import type { AnyModel } from "../models/model.ts";

/** The transition does not exist: the response is impossible in that state. */
export const IMPOSSIBLE = -1;

const EMPTY = -2;
const TRANSITIONS_CAPACITY_FIRST = 64;
/** What one interned state is assumed to cost beyond its hash's text, in bytes. */
const STATE_SIZE_BYTES = 200;

export class StateTable {
  readonly #model: AnyModel;
  readonly #states: unknown[] = [];
  readonly #byHash = new Map<string | number, number | number[]>();
  readonly #classes: readonly Operation[];
  /** Open addressing over (state, class): three integers a slot. */
  #slots: Int32Array;
  #mask: number;
  #used = 0;
  #sizeBytes = 0;

  /** `classes[i]` stands for all operations of class i. */
  constructor(model: AnyModel, classes: readonly Operation[]) {
    this.#model = model;
    this.#classes = classes;
    this.#mask = TRANSITIONS_CAPACITY_FIRST - 1;
    this.#slots = new Int32Array(TRANSITIONS_CAPACITY_FIRST * 3).fill(EMPTY);
  }

  /** Estimate. */
  get sizeBytes(): number {
    return this.#sizeBytes + this.#slots.byteLength;
  }

  get count(): number {
    return this.#states.length;
  }

  state(id: number): unknown {
    return this.#states[id];
  }

  intern(state: unknown): number {
    const hash = this.#model.hash(state);
    const found = this.#byHash.get(hash);
    const equal = this.#model.equal;
    if (found !== undefined) {
      if (equal === undefined) return found as number;
      for (const id of found as number[]) {
        if (equal.call(this.#model, this.#states[id], state)) return id;
      }
    }
    const id = this.#states.length;
    this.#states.push(state);
    this.#sizeBytes += STATE_SIZE_BYTES + (typeof hash === "string" ? 2 * hash.length : 0);
    if (equal === undefined) this.#byHash.set(hash, id);
    else if (found === undefined) this.#byHash.set(hash, [id]);
    else (found as number[]).push(id);
    return id;
  }

  /** Whether the first state is the second, or the model says that it admits whatever the second does. */
  covers(general: number, special: number): boolean {
    return general === special ||
      (this.#model.covers?.(this.#states[general], this.#states[special]) ?? false);
  }

  /** The state after an operation of `operationClass`, or {@linkcode IMPOSSIBLE}. */
  step(stateId: number, operationClass: number): number {
    let slot = mix(stateId, operationClass) & this.#mask;
    const slots = this.#slots;
    for (;;) {
      const at = slot * 3;
      const held = slots[at]!;
      if (held === EMPTY) break;
      if (held === stateId && slots[at + 1] === operationClass) return slots[at + 2]!;
      slot = (slot + 1) & this.#mask;
    }
    const next = this.#model.step(this.#states[stateId], this.#classes[operationClass]!);
    const id = next === undefined ? IMPOSSIBLE : this.intern(next);
    this.#insert(stateId, operationClass, id);
    return id;
  }

  #insert(stateId: number, operationClass: number, next: number): void {
    if (++this.#used * 4 > (this.#mask + 1) * 3) this.#grow();
    place(this.#slots, this.#mask, stateId, operationClass, next);
  }

  #grow(): void {
    const old = this.#slots;
    const capacity = (this.#mask + 1) * 2;
    this.#mask = capacity - 1;
    this.#slots = new Int32Array(capacity * 3).fill(EMPTY);
    for (let at = 0; at < old.length; at += 3) {
      if (old[at] !== EMPTY) place(this.#slots, this.#mask, old[at]!, old[at + 1]!, old[at + 2]!);
    }
  }
}

function place(
  slots: Int32Array,
  mask: number,
  state: number,
  operationClass: number,
  next: number,
) {
  let slot = mix(state, operationClass) & mask;
  while (slots[slot * 3] !== EMPTY) slot = (slot + 1) & mask;
  slots[slot * 3] = state;
  slots[slot * 3 + 1] = operationClass;
  slots[slot * 3 + 2] = next;
}

function mix(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 12)) >>> 0;
}

/**
 * Groups operations that a model can't tell apart: same input, response and outcome kind (and
 * process, where it counts).
 * Returns each operation's class and one operation of each class.
 */
export function classify(
  model: AnyModel,
  operations: readonly Operation[],
): { classOf: Int32Array; classes: Operation[] } {
  const classOf = new Int32Array(operations.length);
  const classes: Operation[] = [];
  const byKey = new Map<string, number>();
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]!;
    const key = model.usesProcess === true
      ? `${JSON.stringify(operation.process)}${classKey(operation)}`
      : classKey(operation);
    let id = byKey.get(key);
    if (id === undefined) {
      id = classes.length;
      classes.push(operation);
      byKey.set(key, id);
    }
    classOf[i] = id;
  }
  return { classOf, classes };
}

function classKey(operation: Operation): string {
  const input = JSON.stringify(operation.input);
  if (!isKnown(operation)) return input;
  return `${operation.failed === true ? "!" : "="}${
    JSON.stringify(operation.output)
  }\u0001${input}`;
}
