// Turns a stream of events into operations, and checks operations that were given directly.
// Never guesses: whatever does not pair up is an error that names its line.

import {
  type FailMeaning,
  HistoryError,
  type HistoryEvent,
  type Json,
  type Operation,
  type ProcessId,
} from "./types.ts";

interface OpenOperation {
  process: ProcessId;
  call: number;
  return: number | undefined;
  input: Json;
  output: Json | undefined;
  failed?: boolean;
  applied?: number;
  partition?: string | number;
  line?: number;
}

/** Jepsen's name for the process that breaks things. Its events are not operations. */
const NEMESIS = "nemesis";

/** Pairs invocations with completions. Feed it events in record order, then call `end` once. */
export class OperationBuilder {
  readonly #fail: FailMeaning;
  readonly #open = new Map<ProcessId, number>();
  readonly #operations: OpenOperation[] = [];
  /** Indices of operations that failed and say nothing. */
  readonly #dropped: number[] = [];
  #sequence = 0;
  #isEmpty = true;

  /** True until the first event, be it the nemesis'. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  constructor(fail: FailMeaning) {
    this.#fail = fail;
  }

  push(event: HistoryEvent): void {
    const { process, type, line } = event;
    this.#isEmpty = false;
    if (process === NEMESIS) return;
    const sequence = this.#sequence++;
    const open = this.#open.get(process);
    if (type === "invoke") {
      if (open !== undefined) {
        const since = this.#operations[open]!.line;
        throw new HistoryError(
          `process ${process} invokes while its call${
            since ? ` of line ${since}` : ""
          } is still open`,
          line,
        );
      }
      this.#open.set(process, this.#operations.length);
      const operation: OpenOperation = {
        process,
        call: sequence,
        return: undefined,
        input: inputOf(event),
        output: undefined,
      };
      if (event.partition !== undefined) operation.partition = event.partition;
      if (line !== undefined) operation.line = line;
      this.#operations.push(operation);
      return;
    }
    if (open === undefined) {
      throw new HistoryError(
        `process ${process} has no open call to complete with "${type}"`,
        line,
      );
    }
    this.#open.delete(process);
    const operation = this.#operations[open]!;
    this.#checkSame(operation, event);
    if (type === "info") return;
    if (type === "fail") {
      if (this.#fail === "did-not-happen" || functionOf(operation.input) !== "cas") {
        this.#dropped.push(open);
        return;
      }
      operation.failed = true;
    }
    operation.return = sequence;
    operation.output = event.output !== undefined ? event.output : event.value;
    if (event.applied !== undefined) operation.applied = event.applied;
    if (event.partition !== undefined) operation.partition = event.partition;
  }

  /** The operations, in order of their calls. Calls still open have an unknown outcome. */
  end(): Operation[] {
    if (this.#dropped.length === 0) return this.#operations;
    const dropped = new Set(this.#dropped);
    return this.#operations.filter((_, index) => !dropped.has(index));
  }

  #checkSame(operation: OpenOperation, event: HistoryEvent): void {
    const f = functionOf(operation.input);
    if (event.f !== undefined && f !== undefined && event.f !== f) {
      throw new HistoryError(
        `process ${event.process} completes "${event.f}", but its open call is "${f}"`,
        event.line,
      );
    }
  }
}

function inputOf(event: HistoryEvent): Json {
  if (event.input !== undefined) return event.input;
  const input: Record<string, Json> = {};
  if (event.f !== undefined) input.f = event.f;
  if (event.key !== undefined) input.key = event.key;
  if (event.value !== undefined) input.value = event.value;
  return input;
}

function functionOf(input: unknown): string | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  const f = (input as { f?: unknown }).f;
  return typeof f === "string" ? f : undefined;
}

/** Events to operations in one call. */
export function operationsFrom(
  events: Iterable<HistoryEvent>,
  options: { readonly fail?: FailMeaning } = {},
): Operation[] {
  const builder = new OperationBuilder(options.fail ?? "did-not-happen");
  for (const event of events) builder.push(event);
  return builder.end();
}

/**
 * Checks operations that did not come from events: finite positions, no return before its call, no
 * process with two calls open at once.
 *
 * @throws HistoryError
 */
export function validateOperations(operations: readonly Operation[]): void {
  const lastOf = new Map<ProcessId, Operation>();
  let sorted = true;
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]!;
    const end = operation.return;
    if (!Number.isFinite(operation.call)) {
      throw new HistoryError(`operation ${i} has no finite call position`, operation.line);
    }
    if (end !== undefined && end !== null && !(end >= operation.call && end < Infinity)) {
      throw new HistoryError(
        `operation ${i} of process ${operation.process} returns at ${end}, before its call at ${operation.call}`,
        operation.line,
      );
    }
    if (i > 0 && operations[i - 1]!.call > operation.call) sorted = false;
  }
  const inOrder = sorted ? operations : [...operations].sort((a, b) => a.call - b.call);
  for (const operation of inOrder) {
    const before = lastOf.get(operation.process);
    // An operation of unknown outcome ends its process' wait: only known ones can overlap.
    if (before !== undefined && before.return! > operation.call) {
      throw new HistoryError(
        `process ${operation.process} calls at ${operation.call} while its call at ${before.call} is still open`,
        operation.line,
      );
    }
    if (operation.return !== undefined && operation.return !== null) {
      lastOf.set(operation.process, operation);
    }
  }
}
