// The checker: splits a history into partitions, decides each by the cheapest method that is exact for it,
// gives the hard ones turns, and proves the verdict. Synchronous; time comes in through `clock`.

import { HistoryError, isKnown, type Operation, type PartitionKey } from "./history/types.ts";
import { validateOperations } from "./history/operations.ts";
import {
  type AnyModel,
  type AnyNondeterministicModel,
  deterministic,
  placed,
} from "./models/model.ts";
import { PagePool } from "./search/configurations.ts";
import { findIndependent } from "./search/independence.ts";
import { layOut } from "./search/problem.ts";
import { Search } from "./search/search.ts";
import { findWitness } from "./search/witness.ts";
import { checkZones } from "./search/zones.ts";
import { explain } from "./verdict/explain.ts";
import type {
  Counterexample,
  Method,
  PartitionVerdict,
  Verdict,
  VerdictKind,
} from "./verdict/types.ts";

export interface Progress {
  readonly partitionsDone: number;
  readonly partitionCount: number;
  readonly steps: number;
}

export interface CheckOptions {
  /** After it the verdict is `unknown`. Default: none. */
  readonly timeoutMs?: number;
  /** What all searches together may hold, in bytes, estimated. Default 1 GiB. */
  readonly memoryBytes?: number;
  /** What all searches together may try, in transitions. Default: none. A limit that needs no clock. */
  readonly stepsMax?: number;
  /** Milliseconds from any origin. Default: performance.now. */
  readonly clock?: () => number;
  /** Fast paths to leave out (for comparing them). */
  readonly without?: readonly ("zones" | "witness" | "independence")[];
  /**
   * Make the counterexample small: `bounded` (default) within a few times the search's own cost, `full`
   * until nothing more can be taken away; `none` leaves the part at which the search was stuck.
   */
  readonly minimize?: "none" | "bounded" | "full";
  /** Decide every partition even after one is illegal. Default false. */
  readonly exhaustive?: boolean;
  /** Accept a history without operations (it is linearizable). Default false: it is an error. */
  readonly allowEmpty?: boolean;
  /** Leave partitions that a first slice does not decide to the caller: they come out `unknown`. */
  readonly easyOnly?: boolean;
  /** Called now and then. */
  readonly onProgress?: (progress: Progress) => void;
}

const MEMORY_BYTES_DEFAULT = 1024 ** 3;
const STEPS_FIRST_SLICE = 20_000;
const STEPS_SLICE_MAX = 1_000_000;
/** Steps between looks at the clock. */
const STEPS_CLOCK = 50_000;
const MINIMIZE_STEPS_MIN = 2_000_000;
const MINIMIZE_STEPS_FACTOR = 4;

/**
 * Judges a history of operations.
 *
 * @param history operations in any order; positions in the verdict count in this array.
 * @returns linearizable, illegal or unknown, with proof or reason.
 * @throws HistoryError when the history is empty, ill-formed, or holds what the model can't judge.
 */
export function check(
  history: readonly Operation[],
  model: AnyModel | AnyNondeterministicModel,
  options: CheckOptions = {},
): Verdict {
  return new Checker(history, deterministic(model), options).run();
}

interface Part {
  readonly key: PartitionKey;
  readonly ids: Int32Array;
  search?: Search;
  steps: number;
  verdict: VerdictKind | undefined;
  method: Method;
  order: Int32Array;
  reason?: string;
  /** Positions among the partition's operations that conflict (zones). */
  conflict?: readonly number[];
}

/** The reason of a partition that `easyOnly` set aside. */
export const EASY_ONLY_REASON = "set aside: a first slice of search did not decide it";

const NO_ORDER = new Int32Array(0);

class Checker {
  readonly #history: readonly Operation[];
  readonly #model: AnyModel;
  readonly #options: CheckOptions;
  readonly #clock: () => number;
  readonly #startedAt: number;
  readonly #pool = new PagePool();
  #steps = 0;
  #done = 0;
  #partCount = 0;

  constructor(history: readonly Operation[], model: AnyModel, options: CheckOptions) {
    validate(history, model, options.allowEmpty === true);
    this.#history = placed(history, model);
    this.#model = model;
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#startedAt = this.#clock();
  }

  run(): Verdict {
    const parts = this.#split();
    this.#partCount = parts.length;
    const hard = this.#firstRound(parts);
    if (!this.#options.easyOnly) this.#takeTurns(hard);
    return this.#conclude(parts);
  }

  #split(): Part[] {
    const independent = this.#options.without?.includes("independence") !== true;
    const partition = this.#model.partition ??
      (independent ? findIndependent(this.#model, this.#history) : undefined);
    if (partition === undefined) {
      return this.#history.length === 0
        ? []
        : [newPart(0, Int32Array.from(this.#history, (_, i) => i))];
    }
    const byKey = new Map<PartitionKey, number[]>();
    for (let i = 0; i < this.#history.length; i++) {
      const key = partition.call(this.#model, this.#history[i]!);
      const ids = byKey.get(key);
      if (ids === undefined) byKey.set(key, [i]);
      else ids.push(i);
    }
    return [...byKey].map(([key, ids]) => newPart(key, Int32Array.from(ids)))
      .sort((a, b) => a.ids.length - b.ids.length);
  }

  /** Fast paths and a first slice of search for each, small ones first. Returns the undecided. */
  #firstRound(parts: readonly Part[]): Part[] {
    const hard: Part[] = [];
    let clockAt = 0;
    for (const part of parts) {
      const operations = this.#operationsOf(part);
      if (this.#tryZones(part, operations) || this.#tryWitness(part, operations)) {
        this.#settle(part);
      } else {
        part.method = "search";
        part.search = new Search(layOut(this.#model, operations, part.ids), this.#pool);
        this.#slice(part, STEPS_FIRST_SLICE, this.#memoryLeft(hard));
        if (part.verdict === undefined) hard.push(part);
      }
      if (part.verdict === "illegal" && !this.#options.exhaustive) return [];
      clockAt += operations.length;
      if (clockAt >= STEPS_CLOCK) {
        clockAt = 0;
        this.#report();
        if (this.#isOver()) return [];
      }
    }
    return hard;
  }

  #takeTurns(hard: Part[]): void {
    let left = hard;
    for (let slice = STEPS_FIRST_SLICE; left.length > 0;) {
      slice = Math.min(slice * 4, STEPS_SLICE_MAX);
      for (const part of left) {
        for (let spent = 0; spent < slice && part.verdict === undefined; spent += STEPS_CLOCK) {
          if (this.#isOver()) return;
          this.#slice(part, STEPS_CLOCK, this.#memoryLeft(left.filter((other) => other !== part)));
          this.#report();
        }
        if (part.verdict === "illegal" && !this.#options.exhaustive) return;
      }
      left = left.filter((part) => part.verdict === undefined);
    }
  }

  #slice(part: Part, steps: number, memoryBytes: number): void {
    const search = part.search!;
    const before = search.steps;
    const outcome = search.run(Math.min(steps, this.#stepsLeft()), memoryBytes);
    this.#steps += search.steps - before;
    part.steps = search.steps;
    if (outcome === "steps-exhausted") return;
    if (outcome === "memory-exhausted") {
      part.verdict = "unknown";
      part.reason = `memory: the search holds ${megabytes(search.sizeBytes)} of ` +
        `${megabytes(this.#memoryBytes())} MB and is not done`;
    } else part.verdict = outcome;
    part.order = search.order();
    search.release();
    this.#settle(part);
  }

  #settle(part: Part): void {
    this.#done++;
    // A finished search is kept only where the explanation starts from it.
    if (part.verdict === "linearizable") delete part.search;
  }

  #tryZones(part: Part, operations: readonly Operation[]): boolean {
    if (this.#options.without?.includes("zones")) return false;
    const result = checkZones(this.#model, operations);
    if (result.kind === "inapplicable") return false;
    part.method = "zones";
    part.verdict = result.kind;
    if (result.kind === "linearizable") part.order = toIds(part, result.order);
    else part.conflict = result.conflict;
    return true;
  }

  #tryWitness(part: Part, operations: readonly Operation[]): boolean {
    if (this.#options.without?.includes("witness")) return false;
    const order = findWitness(this.#model, operations);
    if (order === undefined) return false;
    part.method = "witness";
    part.verdict = "linearizable";
    part.order = toIds(part, order);
    return true;
  }

  #conclude(parts: readonly Part[]): Verdict {
    const illegal = parts.find((part) => part.verdict === "illegal");
    const undecided = parts.filter((part) =>
      part.verdict === undefined || part.verdict === "unknown"
    );
    const verdict = illegal !== undefined
      ? "illegal"
      : undecided.length > 0
      ? "unknown"
      : "linearizable";
    const stopped = illegal !== undefined ? "another partition is illegal" : this.#overReason();
    for (const part of undecided) {
      part.reason ??= stopped;
      if (part.search !== undefined && part.verdict === undefined) {
        part.order = part.search.order();
        part.search.release();
      }
    }
    const counterexample = illegal === undefined ? undefined : this.#explain(illegal);
    const reason = verdict === "unknown"
      ? `${undecided.length} of ${parts.length} partition${
        parts.length === 1 ? "" : "s"
      } undecided: ` +
        undecided[0]!.reason
      : undefined;
    return {
      verdict,
      model: this.#model.name,
      operationCount: this.#history.length,
      unknownOutcomeCount: this.#history.reduce(
        (n, operation) => n + (isKnown(operation) ? 0 : 1),
        0,
      ),
      partitions: parts.map(summary),
      ...(counterexample === undefined ? {} : { counterexample }),
      ...(reason === undefined ? {} : { reason }),
      steps: this.#steps,
      elapsedMs: this.#clock() - this.#startedAt,
    };
  }

  #explain(part: Part): Counterexample {
    const ids = part.conflict === undefined
      ? [...part.ids]
      : part.conflict.map((position) => part.ids[position]!);
    const operations = ids.map((id) => this.#history[id]!);
    const blocked = part.search === undefined
      ? undefined
      : part.search.problem.operations[part.search.blocked];
    const full = this.#options.minimize === "full";
    return explain(this.#model, { operations, ids }, {
      partition: part.key,
      guess: blocked?.return ?? NaN,
      minimize: this.#options.minimize !== "none",
      search: part.search,
      budget: {
        stepsLeft: full
          ? Infinity
          : Math.max(MINIMIZE_STEPS_MIN, part.steps * MINIMIZE_STEPS_FACTOR),
        sizeBytesMax: this.#memoryBytes(),
        expired: () => this.#timeIsUp(),
      },
    });
  }

  #operationsOf(part: Part): readonly Operation[] {
    if (part.ids.length === this.#history.length) return this.#history;
    const operations: Operation[] = new Array(part.ids.length);
    for (let i = 0; i < part.ids.length; i++) operations[i] = this.#history[part.ids[i]!]!;
    return operations;
  }

  #memoryBytes(): number {
    return this.#options.memoryBytes ?? MEMORY_BYTES_DEFAULT;
  }

  #memoryLeft(paused: readonly Part[]): number {
    let left = this.#memoryBytes();
    for (const part of paused) if (part.verdict === undefined) left -= part.search?.sizeBytes ?? 0;
    return Math.max(left, 0);
  }

  #stepsLeft(): number {
    return (this.#options.stepsMax ?? Infinity) - this.#steps;
  }

  #timeIsUp(): boolean {
    const { timeoutMs } = this.#options;
    return timeoutMs !== undefined && this.#clock() - this.#startedAt >= timeoutMs;
  }

  #isOver(): boolean {
    return this.#stepsLeft() <= 0 || this.#timeIsUp();
  }

  #overReason(): string {
    if (this.#options.easyOnly && !this.#isOver()) return EASY_ONLY_REASON;
    return this.#stepsLeft() <= 0
      ? `steps: ${this.#options.stepsMax} were tried without a decision`
      : `time: ${this.#options.timeoutMs} ms passed without a decision`;
  }

  #report(): void {
    this.#options.onProgress?.({
      partitionsDone: this.#done,
      partitionCount: this.#partCount,
      steps: this.#steps,
    });
  }
}

function newPart(key: PartitionKey, ids: Int32Array): Part {
  return { key, ids, steps: 0, verdict: undefined, method: "none", order: NO_ORDER };
}

function toIds(part: Part, order: Int32Array): Int32Array {
  return order.map((position) => part.ids[position]!);
}

function summary(part: Part): PartitionVerdict {
  return {
    key: part.key,
    verdict: part.verdict ?? "unknown",
    method: part.method,
    operationCount: part.ids.length,
    order: part.order,
    steps: part.steps,
    configurationCount: part.search?.configurationCount ?? 0,
    ...(part.reason === undefined ? {} : { reason: part.reason }),
  };
}

function megabytes(sizeBytes: number): number {
  return Math.round(sizeBytes / 1e6);
}

function validate(history: readonly Operation[], model: AnyModel, allowEmpty: boolean): void {
  if (history.length === 0 && !allowEmpty) {
    throw new HistoryError("the history is empty: it holds no operation");
  }
  validateOperations(history);
  if (model.validate === undefined) return;
  for (let i = 0; i < history.length; i++) {
    const wrong = model.validate(history[i]!);
    if (wrong === undefined) continue;
    const { line } = history[i]!;
    throw new HistoryError(line === undefined ? `operation ${i}: ${wrong}` : wrong, line);
  }
}
