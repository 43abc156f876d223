// Random small histories of every model: run against the model itself so that about half are linearizable,
// then maybe damaged. Reproducible from one seed.

import { isKnown, type Json, type Operation } from "../history/types.ts";
import { type AnyModel, type AnyNondeterministicModel, deterministic } from "../models/model.ts";
import { modelNamed } from "../models/registry.ts";

/** A generator of numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A JSON value in whose type a union's optional fields may be undefined. */
type Loose = unknown;

export interface Shape {
  readonly model: AnyModel | AnyNondeterministicModel;
  readonly input: (random: () => number) => Loose;
  /** A response that may or may not fit, for a given input. */
  readonly output: (input: Json, random: () => number) => Json;
  readonly failed?: (input: Json, output: Json) => boolean;
}

const pick = <T>(random: () => number, items: readonly T[]): T =>
  items[Math.floor(random() * items.length)]!;

interface Fields {
  f: string;
  key?: string;
  value?: Json;
  ifMatch?: number | "*";
  ifNoneMatch?: true;
  if?: unknown[];
  then?: { kind: string; key: string }[];
  else?: { kind: string; key: string }[];
}

const fields = (input: Json) => input as unknown as Fields;
const values = [0, 1, 2];
const letters = ["a", "b"];

function kvInput(random: () => number): Json {
  const key = pick(random, letters);
  const f = pick(random, ["get", "get", "put", "put", "delete", "cas"]);
  if (f === "get") return { f, key };
  const condition: Record<string, Json> = f === "cas"
    ? { ifMatch: 1 + Math.floor(random() * 4) }
    : random() < 0.2
    ? { ifNoneMatch: true }
    : random() < 0.1
    ? { ifMatch: "*" }
    : {};
  if (f === "delete") {
    delete condition.ifNoneMatch;
    return { f, key, ...condition };
  }
  const ttl: Record<string, Json> = random() < 0.1 ? { ttl: 1 } : {};
  return { f, key, value: pick(random, values), ...condition, ...ttl };
}

function kvOutput(input: Json, random: () => number): Json {
  const { f, ifMatch, ifNoneMatch } = fields(input);
  const hidden = random() < 0.3;
  const revision: Record<string, Json> = hidden ? {} : { revision: 1 + Math.floor(random() * 5) };
  if ((ifMatch !== undefined || ifNoneMatch !== undefined) && random() < 0.4) {
    return { status: 412, ...(hidden ? {} : { revision: Math.floor(random() * 5) }) };
  }
  if (f === "get") {
    return random() < 0.3
      ? { status: 404 }
      : { status: 200, value: pick(random, values), ...revision };
  }
  if (f === "delete") return random() < 0.4 ? { status: 404 } : { status: 200, ...revision };
  return random() < 0.2 ? { ...revision } : { status: pick(random, [200, 201]), ...revision };
}

function txnSteps(random: () => number): Loose[] {
  return Array.from({ length: Math.floor(random() * 3) }, () => {
    const kind = pick(random, ["get", "put", "delete"]);
    const key = pick(random, letters);
    return kind === "put" ? { kind, key, value: pick(random, values) } : { kind, key };
  });
}

function txnInput(random: () => number): Loose {
  if (random() < 0.4) return kvInput(random);
  const key = pick(random, letters);
  const operator = pick(random, ["=", "!=", "<", ">"]);
  const compare: Json = pick<Json>(random, [
    { target: "exists", key, exists: random() < 0.5 },
    { target: "revision", key, operator, revision: Math.floor(random() * 4) },
    { target: "value", key, operator, value: pick(random, values) },
  ]);
  return {
    f: "txn",
    if: random() < 0.7 ? [compare] : [],
    then: txnSteps(random),
    else: txnSteps(random),
  };
}

function txnOutput(input: Json, random: () => number): Json {
  if (fields(input).f !== "txn") return kvOutput(input, random);
  const succeeded = (fields(input).if!.length === 0) || random() < 0.5;
  const output: Record<string, Json> = random() < 0.8 ? { succeeded } : {};
  if (random() < 0.6) output.revision = 1 + Math.floor(random() * 5);
  if (output.succeeded !== undefined && random() < 0.7) {
    const branch = fields(input)[succeeded ? "then" : "else"]!;
    output.results = branch.map(({ kind }): Json =>
      kind === "get"
        ? (random() < 0.4 ? { found: false } : { found: true, value: pick(random, values) })
        : kind === "put"
        ? { created: random() < 0.5 }
        : { deleted: random() < 0.5 }
    );
  }
  return output;
}

function multiInput(random: () => number): Json {
  const accesses = Array.from({ length: 1 + Math.floor(random() * 2) }, () => {
    const name = pick(random, ["x", "y"]);
    return random() < 0.5 ? ["read", name, null] : ["write", name, pick(random, values)];
  });
  return { f: "txn", value: accesses };
}

/** Every built-in model with inputs and plausible outputs. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  "register": {
    model: modelNamed({ name: "register", init: 0 }),
    input: (random) => random() < 0.5 ? { f: "read" } : { f: "write", value: pick(random, values) },
    output: (input, random) => fields(input).f === "read" ? pick(random, values) : null,
  },
  "register-distinct": {
    model: modelNamed({ name: "register", init: 0 }),
    input: (random) =>
      random() < 0.55 ? { f: "read" } : { f: "write", value: 1 + Math.floor(random() * 1e6) },
    output: (_input, random) => pick(random, values),
  },
  "cas-register": {
    model: modelNamed({ name: "cas-register", init: 0 }),
    input: (random) =>
      pick<Json>(random, [
        { f: "read" },
        { f: "write", value: pick(random, values) },
        { f: "cas", value: [pick(random, values), pick(random, values)] },
      ]),
    output: (input, random) =>
      fields(input).f === "read"
        ? pick(random, values)
        : fields(input).f === "cas"
        ? random() < 0.6
        : null,
    failed: (input, output) => fields(input).f === "cas" && output === false,
  },
  "multi-register": {
    model: modelNamed({ name: "multi-register", init: { x: 0, y: 0 } }),
    input: multiInput,
    output: (input, random) =>
      (fields(input).value as Json[][]).map((
        [kind, name, value],
      ) => [kind!, name!, kind === "read" ? pick(random, values) : value!]),
  },
  "append-kv": {
    model: modelNamed({ name: "append-kv" }),
    input: (random) => {
      const f = pick(random, ["get", "append", "put"]);
      const key = pick(random, letters);
      return f === "get" ? { f, key } : { f, key, value: pick(random, ["p", "q"]) };
    },
    output: (input, random) =>
      fields(input).f === "get" ? pick(random, ["", "p", "q", "pq", "qp", "pp"]) : null,
  },
  "kv": { model: modelNamed({ name: "kv" }), input: kvInput, output: kvOutput },
  "kv-txn": { model: modelNamed({ name: "kv-txn" }), input: txnInput, output: txnOutput },
  "set": {
    model: modelNamed({ name: "set" }),
    input: (random) => {
      const f = pick(random, ["add", "remove", "contains", "read"]);
      return f === "read" ? { f } : { f, value: pick(random, values) };
    },
    output: (input, random) =>
      fields(input).f === "read"
        ? values.filter(() => random() < 0.4)
        : fields(input).f === "contains" || random() < 0.5
        ? random() < 0.5
        : null,
  },
  "mutex": {
    model: modelNamed({ name: "mutex" }),
    input: (random) => ({ f: pick(random, ["acquire", "release"]) }),
    output: (_input, random) => (random() < 0.25 ? false : null),
  },
  "fifo-queue": {
    model: modelNamed({ name: "fifo-queue" }),
    input: (random) =>
      random() < 0.5 ? { f: "enqueue", value: pick(random, values) } : { f: "dequeue" },
    output: (input, random) =>
      fields(input).f === "dequeue" ? pick<Json>(random, [null, 0, 1, 2]) : null,
  },
};

/**
 * A history of up to `countMax` operations by up to four processes. Responses are mostly ones that fit when
 * the operation takes effect at a moment in its interval; some are random, so that both verdicts occur.
 */
export function randomHistory(
  shape: Shape,
  random: () => number,
  countMax: number,
): Operation[] {
  const model = deterministic(shape.model);
  const count = 1 + Math.floor(random() * countMax);
  const processCount = 1 + Math.floor(random() * 4);
  const wild = random() < 0.5 ? 0 : 0.15;
  const unknownShare = random() < 0.5 ? 0.05 : 0.3;
  const withApplied = random() < 0.5;
  const states = new Map<unknown, unknown>();
  const operations: Record<string, unknown>[] = [];
  const open:
    ({ operation: Record<string, unknown>; output?: Json; applied: boolean } | undefined)[] = Array
      .from({ length: processCount }, () => undefined);
  const names = Array.from({ length: processCount }, (_, i) => i);
  let clock = 0;
  let position = 0;
  while (operations.length < count || open.some((slot) => slot !== undefined)) {
    const at = Math.floor(random() * processCount);
    const slot = open[at];
    if (slot === undefined) {
      if (operations.length >= count) continue;
      const input = shape.input(random);
      const operation: Record<string, unknown> = { process: names[at], call: clock++, input };
      operations.push(operation);
      open[at] = { operation, applied: false };
    } else if (!slot.applied) {
      slot.applied = true;
      if (random() < unknownShare / 2) continue;
      slot.output = takeEffect(model, states, shape, slot.operation, random, wild);
      if (withApplied) slot.operation.applied = ++position;
    } else {
      open[at] = undefined;
      if (slot.output === undefined || random() < unknownShare) {
        delete slot.operation.applied;
        names[at]! += processCount;
        continue;
      }
      slot.operation.return = clock++;
      slot.operation.output = slot.output;
      if (shape.failed?.(slot.operation.input as Json, slot.output)) slot.operation.failed = true;
    }
  }
  return operations as unknown as Operation[];
}

/** Draws responses until one fits the present state, then moves it on. */
function takeEffect(
  model: AnyModel,
  states: Map<unknown, unknown>,
  shape: Shape,
  operation: Record<string, unknown>,
  random: () => number,
  wild: number,
): Json {
  const key = model.partition?.(operation as unknown as Operation) ?? 0;
  const state = states.has(key) ? states.get(key) : model.init();
  const input = operation.input as Json;
  for (let tries = 0; tries < 30; tries++) {
    const output = shape.output(input, random);
    if (random() < wild) return output;
    const failed = shape.failed?.(input, output) ?? false;
    const next = model.step(
      state,
      { ...operation, return: Infinity, output, failed } as unknown as Operation,
    );
    if (next === undefined) continue;
    states.set(key, next);
    return output;
  }
  return shape.output(input, random);
}

/** For messages: the history as it can be pasted into a test. */
export function toText(operations: readonly Operation[]): string {
  return operations.map((operation) => JSON.stringify({ ...operation, known: isKnown(operation) }))
    .join("\n");
}
