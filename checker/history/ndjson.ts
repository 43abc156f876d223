// Reads NDJSON histories in chunks: one JSON event a line, or one whole operation a line (a line with a
// numeric "call"). Parses many lines per JSON.parse call, because that is what makes a million fast.

import { checkPlace, eventFrom } from "./events.ts";
import { OperationBuilder } from "./operations.ts";
import { type FailMeaning, HistoryError, type Json, type Operation } from "./types.ts";

const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const CARRIAGE_RETURN = 13;

/** Push text as it arrives, in any pieces; `end` returns the operations. */
export class NdjsonReader {
  readonly #builder: OperationBuilder;
  readonly #operations: Operation[] = [];
  readonly #fail: FailMeaning;
  #rest = "";
  #line = 1;
  #lastSequence = -Infinity;
  #sawOperation = false;
  #kind: "unknown" | "events" | "operations" = "unknown";

  constructor(fail: FailMeaning) {
    this.#fail = fail;
    this.#builder = new OperationBuilder(fail);
  }

  get isEmpty(): boolean {
    return this.#builder.isEmpty && !this.#sawOperation;
  }

  push(text: string): void {
    const end = text.lastIndexOf("\n");
    if (end < 0) {
      this.#rest += text;
      return;
    }
    const whole = this.#rest + text.slice(0, end);
    this.#rest = text.slice(end + 1);
    this.#lines(whole);
  }

  end(): Operation[] {
    if (this.#rest !== "") this.#lines(this.#rest);
    this.#rest = "";
    return this.#kind === "operations" ? this.#operations : this.#builder.end();
  }

  #lines(text: string): void {
    const values = parseTogether(text);
    if (values !== undefined) {
      for (const value of values) this.#value(value, this.#line++);
      return;
    }
    for (const line of text.split("\n")) {
      if (line.trim() !== "") this.#value(parseLine(line, this.#line), this.#line);
      this.#line++;
    }
  }

  #value(value: Json | undefined, line: number): void {
    const fields = value as Record<string, Json | undefined> | null | undefined;
    const kind = typeof fields === "object" && fields !== null && "call" in fields
      ? "operations"
      : "events";
    if (this.#kind === "unknown") this.#kind = kind;
    else if (this.#kind !== kind) {
      throw new HistoryError("a file holds either events or whole operations, not both", line);
    }
    if (kind === "events") {
      const event = eventFrom(value, line);
      const sequence = (event as { sequence?: unknown }).sequence;
      if (sequence !== undefined) this.#checkSequence(sequence, line);
      this.#builder.push(event);
    } else {
      this.#operation(fields as Record<string, Json | undefined>, line);
    }
  }

  #checkSequence(sequence: unknown, line: number): void {
    if (typeof sequence !== "number" || !(sequence > this.#lastSequence)) {
      throw new HistoryError(
        `"sequence" must grow from line to line: got ${
          JSON.stringify(sequence)
        } after ${this.#lastSequence}`,
        line,
      );
    }
    this.#lastSequence = sequence;
  }

  #operation(fields: Record<string, Json | undefined>, line: number): void {
    this.#sawOperation = true;
    const { process, call, input, type } = fields;
    const end = fields.return;
    if (typeof process !== "number" && typeof process !== "string") {
      throw new HistoryError('an operation needs a "process" (number or string)', line);
    }
    if (typeof call !== "number") throw new HistoryError('"call" must be a number', line);
    if (end !== undefined && end !== null && typeof end !== "number") {
      throw new HistoryError(
        '"return" must be a number, or null when the outcome is unknown',
        line,
      );
    }
    if (typeof end === "number" && end < call) {
      throw new HistoryError(`returns at ${end}, before its call at ${call}`, line);
    }
    if (input === undefined) throw new HistoryError('an operation needs an "input"', line);
    checkPlace(fields.applied, fields.partition, line);
    if (type !== undefined && type !== "ok" && type !== "fail" && type !== "info") {
      throw new HistoryError('"type" of an operation must be ok, fail or info', line);
    }
    if (type === "fail") {
      const f = (input as { f?: unknown } | null)?.f;
      if (this.#fail === "did-not-happen" || f !== "cas") return;
      fields.failed = true;
    }
    if (type === "info") fields.return = null;
    fields.line = line;
    this.#operations.push(fields as unknown as Operation);
  }
}

function parseLine(line: string, number: number): Json {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new HistoryError(`not JSON: ${(error as Error).message}`, number);
  }
}

/** The lines' values if every line is one JSON object by itself, else undefined. */
function parseTogether(text: string): Json[] | undefined {
  let count = 0;
  for (let from = 0; from <= text.length;) {
    const found = text.indexOf("\n", from);
    const end = found < 0 ? text.length : found;
    // Joining must not let two broken lines make a whole one: each must look whole by itself.
    const last = text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 2 : end - 1;
    if (text.charCodeAt(from) !== OPEN_BRACE || text.charCodeAt(last) !== CLOSE_BRACE) {
      return undefined;
    }
    count++;
    from = end + 1;
  }
  try {
    const values = JSON.parse(`[${text.replaceAll("\n", ",")}]`) as Json[];
    return values.length === count ? values : undefined;
  } catch {
    return undefined;
  }
}
