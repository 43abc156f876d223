// The search for a linearization of one partition: Wing and Gong's, with Lowe's cache of configurations,
// on integers. Runs in slices, so that many partitions can take turns; knows no time.
//
// Sources: Wing & Gong 1993; Lowe, "Testing for linearizability" 2017 (cache, linked list of calls and
// returns); Horn & Kroening 2015 (bitset). What is added here, each exact:
//
// - Observers (operations that never change a state) are taken as soon as they fit. In any linearization
//   that has one later it can move to the front: it fits here and changes nothing.
// - Operations of unknown outcome are tried only when the known ones are, once those that would change
//   nothing are left out. Equal ones are used in the order of their calls: they can be exchanged.
// - An optional operation must be followed by one that fares differently for it, or it was needless.
// - A configuration is covered by one that used fewer optional operations: whatever completes the former
//   completes the latter.
// - A configuration in which some pending operation is hopeless (the model says so) is given up.

import { Configurations, type PagePool } from "./configurations.ts";
import type { Problem } from "./problem.ts";
import { IMPOSSIBLE, StateTable } from "./states.ts";

export type SearchOutcome = "linearizable" | "illegal" | "steps-exhausted" | "memory-exhausted";

const FORCED = 0;
const CHOSEN = 1;
const CHOSEN_LAST = 2;
const CANDIDATES_FIRST = 256;
/** How often memory is looked at, in steps. */
const MEMORY_CHECK_STEPS = 1024;

export class Search {
  readonly problem: Problem;
  readonly states: StateTable;
  readonly #configurations: Configurations;

  // The list of calls and returns still to be placed.
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  // Which operations are placed.
  readonly #known: Int32Array;
  readonly #optional: Int32Array;
  readonly #zobrist: Int32Array;
  #knownHash = 0;
  #knownDone = 0;

  // Optional operations grouped by class; per group how many are used.
  readonly #groups: Int32Array[];
  readonly #groupOf: Int32Array;
  readonly #groupUsed: Int32Array;

  // The path: what was placed, from which state, how, and the candidates it was chosen from.
  readonly #pathOperation: Int32Array;
  readonly #pathState: Int32Array;
  readonly #pathKind: Uint8Array;
  readonly #pathCursor: Int32Array;
  readonly #pathStart: Int32Array;
  #depth = 0;
  #state: number;

  // Candidates of the present configuration: [start, end) of a stack.
  #candidates = new Int32Array(CANDIDATES_FIRST);
  #start = 0;
  #cursor = 0;
  #end = 0;
  #withOptional = false;

  // The longest path so far, in known operations. Up to #bestShared it equals the present path.
  readonly #best: Int32Array;
  #bestDepth = 0;
  #bestKnown = 0;
  #bestShared = 0;

  #deadline = 0;
  #furthestDeadline = 0;
  #phase: "arriving" | "choosing" | "linearizable" | "illegal" = "arriving";
  #steps = 0;

  /** States in which the operation `blocked` was tried and impossible. */
  readonly refusedIn = new Set<number>();
  #watched = -1;

  constructor(problem: Problem, pool: PagePool) {
    this.problem = problem;
    const { knownCount, operations } = problem;
    const optionalCount = operations.length - knownCount;
    this.states = new StateTable(problem.model, problem.classes);
    this.#state = this.states.intern(problem.model.init());
    this.#known = new Int32Array((knownCount + 31) >>> 5);
    this.#optional = new Int32Array((optionalCount + 31) >>> 5);
    this.#configurations = new Configurations(pool, this.#optional.length);
    this.#zobrist = Int32Array.from({ length: knownCount }, (_, i) => scramble(i + 1));
    const count = problem.entries.length;
    this.#next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : 0));
    this.#previous = Int32Array.from({ length: count }, (_, i) => (i > 0 ? i - 1 : count - 1));
    const groupByClass = new Map<number, number>();
    const groups: number[][] = [];
    this.#groupOf = new Int32Array(optionalCount);
    for (let i = knownCount; i < operations.length; i++) {
      const operationClass = problem.classOf[i]!;
      let group = groupByClass.get(operationClass);
      if (group === undefined) {
        group = groups.length;
        groupByClass.set(operationClass, group);
        groups.push([]);
      }
      groups[group]!.push(i);
      this.#groupOf[i - knownCount] = group;
    }
    this.#groups = groups.map((members) => Int32Array.from(members));
    this.#groupUsed = new Int32Array(groups.length);
    this.#pathOperation = new Int32Array(operations.length);
    this.#pathState = new Int32Array(operations.length);
    this.#pathKind = new Uint8Array(operations.length);
    this.#pathCursor = new Int32Array(operations.length);
    this.#pathStart = new Int32Array(operations.length);
    this.#best = new Int32Array(operations.length);
  }

  /** Transitions tried so far. */
  get steps(): number {
    return this.#steps;
  }

  get configurationCount(): number {
    return this.#configurations.count;
  }

  /** Estimate of what this search holds, in bytes. */
  get sizeBytes(): number {
    return this.#configurations.sizeBytes + this.states.sizeBytes + this.#candidates.byteLength +
      this.problem.operations.length * 80;
  }

  /** Goes on until decided, or for about `stepsMax` transitions, or beyond `sizeBytesMax`. */
  run(stepsMax: number, sizeBytesMax: number): SearchOutcome {
    const until = this.#steps + stepsMax;
    let nextCheck = this.#steps + MEMORY_CHECK_STEPS;
    for (;;) {
      const phase = this.#phase;
      if (phase === "arriving") this.#arrive();
      else if (phase === "choosing") this.#choose();
      else return phase;
      if (this.#steps >= nextCheck) {
        if (this.sizeBytes > sizeBytesMax) return "memory-exhausted";
        nextCheck = this.#steps + MEMORY_CHECK_STEPS;
      }
      if (this.#steps >= until && (this.#phase === "arriving" || this.#phase === "choosing")) {
        return "steps-exhausted";
      }
    }
  }

  /** After `linearizable`: the operations' ids in order. Else the longest order found so far. */
  order(): Int32Array {
    const { ids } = this.problem;
    if (this.#phase === "linearizable") {
      return Int32Array.from(this.#pathOperation.subarray(0, this.#depth), (i) => ids[i]!);
    }
    this.#remember();
    return Int32Array.from(this.#best.subarray(0, this.#bestDepth), (i) => ids[i]!);
  }

  /**
   * After `illegal`: the operation (a position in the problem) before whose return no path could pass.
   * Unless hopelessness was seen ahead of it, the history up to that return is the shortest illegal one.
   */
  get blocked(): number {
    return -this.problem.entries[this.#furthestDeadline]! - 1;
  }

  /** Gives big memory back. Only `order` and `states` may be used afterwards. */
  release(): void {
    this.#configurations.release();
  }

  /** A new configuration: take what is free, see whether it is done, known or hopeless. */
  #arrive(): void {
    const { entries, observes, classOf } = this.problem;
    const state = this.#state;
    // An observer that does not fit here fits only after another operation: it is no candidate, but the
    // optional operations are judged by whether they help it.
    const keepsUnfit = this.#groups.length > 0;
    this.#start = this.#end;
    let entry = this.#next[0]!;
    for (; entry !== 0; entry = this.#next[entry]!) {
      const operation = entries[entry]!;
      if (operation < 0) break;
      if (observes[operation] === 1) {
        this.#steps++;
        const next = this.states.step(state, classOf[operation]!);
        if (next === state) {
          this.#placeKnown(operation, FORCED);
          continue;
        }
        if (next === IMPOSSIBLE && !keepsUnfit) continue;
      }
      this.#pushCandidate(operation);
    }
    if (this.#next[0] === 0) {
      this.#phase = "linearizable";
      return;
    }
    this.#deadline = entry;
    if (entry > this.#furthestDeadline) this.#advance(entry);
    this.#phase = "choosing";
    this.#cursor = this.#start;
    this.#withOptional = false;
    if (entry === this.#furthestDeadline) this.#watch();
    if (this.#isHopeless() || !this.#isNew(entry)) {
      this.#end = this.#start;
      this.#withOptional = true;
      return;
    }
    this.#sortCandidates();
  }

  /** Whether some pending operation that could go next never can, from here on. */
  #isHopeless(): boolean {
    const { model, entries, operations } = this.problem;
    if (model.hopeless === undefined) return false;
    const state = this.states.state(this.#state);
    for (let e = this.#next[0]!; e !== this.#deadline; e = this.#next[e]!) {
      const operation = entries[e]!;
      if (!model.hopeless(state, operations[operation]!)) continue;
      if (operation === this.#watched) this.refusedIn.add(this.#state);
      return true;
    }
    return false;
  }

  /** Notes the state if the operation to pass next is impossible in it. */
  #watch(): void {
    const operationClass = this.problem.classOf[this.#watched]!;
    if (this.states.step(this.#state, operationClass) === IMPOSSIBLE) {
      this.refusedIn.add(this.#state);
    }
  }

  /** A path got further than any before: watch the operation that it must pass next. */
  #advance(deadline: number): void {
    this.#furthestDeadline = deadline;
    this.refusedIn.clear();
    this.#watched = this.blocked;
  }

  #isNew(deadline: number): boolean {
    const { entries, callsBefore } = this.problem;
    const first = entries[this.#next[0]!]!;
    const from = first >>> 5;
    const to = ((callsBefore[deadline]! - 1) >>> 5) + 1;
    const hash = scramble(this.#knownHash ^ Math.imul(this.#state + 1, 0x9e3779b1));
    return this.#configurations.add(hash, this.#state, this.#known, from, to, this.#optional);
  }

  #pushCandidate(operation: number): void {
    if (this.#end === this.#candidates.length) {
      const larger = new Int32Array(this.#end * 2);
      larger.set(this.#candidates);
      this.#candidates = larger;
    }
    this.#candidates[this.#end++] = operation;
  }

  /** By the model's guess; those without one keep their place in front. */
  #sortCandidates(): void {
    const { priority } = this.problem;
    if (priority === undefined) return;
    const list = this.#candidates;
    for (let i = this.#start + 1; i < this.#end; i++) {
      const operation = list[i]!;
      const rank = priority[operation]!;
      let at = i;
      while (at > this.#start && priority[list[at - 1]!]! > rank) {
        list[at] = list[at - 1]!;
        at--;
      }
      list[at] = operation;
    }
  }

  /** Tries the next candidate; without one, goes back. */
  #choose(): void {
    const { classOf, knownCount } = this.problem;
    while (this.#cursor < this.#end) {
      const operation = this.#candidates[this.#cursor++]!;
      this.#steps++;
      const next = this.states.step(this.#state, classOf[operation]!);
      if (next === IMPOSSIBLE) continue;
      if (this.#isNeedless(operation, next)) continue;
      const kind = this.#withOptional ? CHOSEN_LAST : CHOSEN;
      if (operation < knownCount) this.#placeKnown(operation, kind);
      else if (next === this.#state) continue;
      else this.#placeOptional(operation, kind);
      this.#state = next;
      this.#phase = "arriving";
      return;
    }
    if (!this.#withOptional) this.#addOptional();
    else this.#back();
  }

  /**
   * True if the last operation placed was optional and this one leads to the same state without it: then
   * the path without it, which is tried too, does no worse.
   */
  #isNeedless(operation: number, next: number): boolean {
    if (this.#depth === 0) return false;
    const last = this.#depth - 1;
    if (this.#pathOperation[last]! < this.problem.knownCount) return false;
    const without = this.states.step(this.#pathState[last]!, this.problem.classOf[operation]!);
    return without !== IMPOSSIBLE && this.states.covers(without, next);
  }

  /** Candidates of unknown outcome: first those after which some pending operation fares better. */
  #addOptional(): void {
    const { availableAfter, knownCount, classOf } = this.problem;
    this.#withOptional = true;
    const knownEnd = this.#end;
    const later: number[] = [];
    for (let group = 0; group < this.#groups.length; group++) {
      const operation = this.#groups[group]![this.#groupUsed[group]!];
      if (operation === undefined) continue;
      if (availableAfter[operation - knownCount]! >= this.#deadline) continue;
      this.#steps++;
      const next = this.states.step(this.#state, classOf[operation]!);
      if (next === IMPOSSIBLE || next === this.#state) continue;
      if (this.#helps(next, knownEnd)) this.#pushCandidate(operation);
      else later.push(operation);
    }
    // With nothing pending that it helps, an optional operation can only help another optional one.
    if (this.#groups.length > 1 || (this.#groups[0]?.length ?? 0) > 1) {
      for (const operation of later) this.#pushCandidate(operation);
    }
  }

  /** Whether some known candidate, in [#start, knownEnd), gets from `next` to where it could not before. */
  #helps(next: number, knownEnd: number): boolean {
    const { classOf } = this.problem;
    for (let i = this.#start; i < knownEnd; i++) {
      const operationClass = classOf[this.#candidates[i]!]!;
      this.#steps++;
      const after = this.states.step(next, operationClass);
      if (after === IMPOSSIBLE) continue;
      const before = this.states.step(this.#state, operationClass);
      if (before === IMPOSSIBLE || !this.states.covers(before, after)) return true;
    }
    return false;
  }

  #back(): void {
    if (this.#knownDone > this.#bestKnown) this.#remember();
    const { knownCount, entries } = this.problem;
    for (;;) {
      if (this.#depth === 0) {
        this.#phase = "illegal";
        return;
      }
      const at = --this.#depth;
      const operation = this.#pathOperation[at]!;
      if (operation < knownCount) this.#unplaceKnown(operation);
      else this.#unplaceOptional(operation);
      if (this.#pathKind[at] === FORCED) continue;
      this.#state = this.#pathState[at]!;
      this.#withOptional = this.#pathKind[at] === CHOSEN_LAST;
      this.#end = this.#start;
      this.#start = this.#pathStart[at]!;
      this.#cursor = this.#pathCursor[at]!;
      break;
    }
    if (this.#depth < this.#bestShared) this.#bestShared = this.#depth;
    let entry = this.#next[0]!;
    while (entries[entry]! >= 0) entry = this.#next[entry]!;
    this.#deadline = entry;
  }

  #push(operation: number, kind: number): void {
    const at = this.#depth++;
    this.#pathOperation[at] = operation;
    this.#pathState[at] = this.#state;
    this.#pathKind[at] = kind;
    this.#pathStart[at] = this.#start;
    this.#pathCursor[at] = this.#cursor;
  }

  #placeKnown(operation: number, kind: number): void {
    this.#push(operation, kind);
    this.#known[operation >>> 5]! |= 1 << (operation & 31);
    this.#knownHash ^= this.#zobrist[operation]!;
    this.#knownDone++;
    // The return first: the call's own link must still lead on when a walk stands on it.
    this.#lift(this.problem.returnEntry[operation]!);
    this.#lift(this.problem.callEntry[operation]!);
  }

  #unplaceKnown(operation: number): void {
    this.#known[operation >>> 5]! &= ~(1 << (operation & 31));
    this.#knownHash ^= this.#zobrist[operation]!;
    this.#knownDone--;
    this.#unlift(this.problem.callEntry[operation]!);
    this.#unlift(this.problem.returnEntry[operation]!);
  }

  #placeOptional(operation: number, kind: number): void {
    this.#push(operation, kind);
    const index = operation - this.problem.knownCount;
    this.#optional[index >>> 5]! |= 1 << (index & 31);
    this.#groupUsed[this.#groupOf[index]!]!++;
  }

  #unplaceOptional(operation: number): void {
    const index = operation - this.problem.knownCount;
    this.#optional[index >>> 5]! &= ~(1 << (index & 31));
    this.#groupUsed[this.#groupOf[index]!]!--;
  }

  #lift(entry: number): void {
    const previous = this.#previous[entry]!;
    const next = this.#next[entry]!;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #unlift(entry: number): void {
    this.#next[this.#previous[entry]!] = entry;
    this.#previous[this.#next[entry]!] = entry;
  }

  /** Keeps the present path as the longest. Copies only where it differs from the one kept. */
  #remember(): void {
    if (this.#knownDone <= this.#bestKnown) return;
    for (let i = this.#bestShared; i < this.#depth; i++) this.#best[i] = this.#pathOperation[i]!;
    this.#bestShared = this.#depth;
    this.#bestDepth = this.#depth;
    this.#bestKnown = this.#knownDone;
  }
}

/** A bijection that spreads small numbers over 32 bits. */
function scramble(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return h ^ (h >>> 16);
}
