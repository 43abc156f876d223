// Checks that a parsed value is an event or an operation of a history, and says what is wrong if not.

import { type EventType, HistoryError, type HistoryEvent, type Json } from "./types.ts";

const EVENT_TYPES: ReadonlySet<string> = new Set(["invoke", "ok", "fail", "info"]);

/** @throws HistoryError naming `line` when `value` is not an event. */
export function eventFrom(value: Json | undefined, line: number): HistoryEvent {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HistoryError("an event must be a map", line);
  }
  const fields = value as Record<string, Json | undefined>;
  const { process, type, f, applied, partition } = fields;
  if (typeof process !== "number" && typeof process !== "string") {
    throw new HistoryError(
      process === undefined
        ? 'an event needs a "process"'
        : '"process" must be a number or a string',
      line,
    );
  }
  if (typeof type !== "string" || !EVENT_TYPES.has(type)) {
    throw new HistoryError(
      `"type" must be invoke, ok, fail or info: got ${JSON.stringify(type) ?? "none"}`,
      line,
    );
  }
  if (f !== undefined && typeof f !== "string") throw new HistoryError('"f" must be a name', line);
  if (type === "invoke" && f === undefined && fields.input === undefined) {
    throw new HistoryError('an invocation needs an "f" or an "input"', line);
  }
  checkPlace(applied, partition, line);
  // The parsed object is the event: copying two million of them would cost as much as parsing them.
  const event = fields as unknown as { type: EventType; line: number };
  event.line = line;
  return event as HistoryEvent;
}

/** Checks the two optional fields that place an operation in the system's own log. */
export function checkPlace(applied: unknown, partition: unknown, line: number): void {
  if (applied !== undefined && !(typeof applied === "number" && Number.isFinite(applied))) {
    throw new HistoryError('"applied" must be a number', line);
  }
  if (
    partition !== undefined && typeof partition !== "number" && typeof partition !== "string"
  ) {
    throw new HistoryError('"partition" must be a number or a string', line);
  }
}
