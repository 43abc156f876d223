// Models against simpler ones that say the same: revisions enumerated instead of bounded, and laws of values.

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkZones } from "../search/zones.ts";
import { canonical, equalValues, valueKey } from "../models/values.ts";
import {
  casRegister,
  check,
  isKnown,
  type Json,
  kv,
  type KvOperation,
  kvTxn,
  type NondeterministicModel,
  type Operation,
  parseHistory,
  register,
} from "../mod.ts";
import { isLinearizable } from "./brute_force.ts";
import { randomFrom, randomHistory, type Shape, SHAPES, toText } from "./random_history.ts";

interface Concrete {
  readonly present: boolean;
  readonly value: Json;
  /** Of the last change, deletions included. */
  readonly revision: number;
  readonly mayExpire: boolean;
}

/** Above every revision that a generated history mentions, with room for every write of one. */
const REVISION_MAX = 16;

/** kv with each unknown revision guessed: all of them are tried. */
const concreteKv: NondeterministicModel<Concrete, KvOperation> = {
  name: "kv-concrete",
  init: () => ({ present: false, value: null, revision: 0, mayExpire: false }),
  hash: (state) => JSON.stringify(state),
  partition: (operation) => String(operation.input.key),
  steps(state, operation) {
    const starts = state.mayExpire
      ? [state, { ...state, present: false, mayExpire: false }]
      : [state];
    return starts.flatMap((start) => concreteSteps(start, operation));
  },
  describe: () => "",
  describeState: () => "",
};

function concreteSteps(state: Concrete, operation: KvOperation): Concrete[] {
  const { f, value, ifMatch, ifNoneMatch, ttl } = operation.input;
  const known = isKnown(operation);
  const output = known ? operation.output ?? {} : {};
  const { status, revision } = output;
  if (f === "get") {
    if (!known) return [state];
    if (status === 404) return state.present ? [] : [state];
    const fits = state.present && equalValues(state.value, output.value) &&
      (revision === undefined || revision === state.revision);
    return fits ? [state] : [];
  }
  const holds = (ifNoneMatch === undefined || !state.present) &&
    (ifMatch === undefined || (state.present && (ifMatch === "*" || ifMatch === state.revision)));
  if (status === 412) {
    const current = state.present ? state.revision : 0;
    return !holds && (revision === undefined || revision === current) ? [state] : [];
  }
  if (f === "delete" && status === 404) return state.present ? [] : [state];
  if (!holds) return [];
  if (f === "delete" && !state.present) return status === undefined ? [state] : [];
  if (f !== "delete" && status === 201 && state.present) return [];
  if (f !== "delete" && status === 200 && !state.present) return [];
  const next: Concrete[] = [];
  for (let guess = state.revision + 1; guess <= REVISION_MAX; guess++) {
    if (revision !== undefined && guess !== revision) continue;
    next.push(
      f === "delete"
        ? { present: false, value: null, revision: guess, mayExpire: false }
        : { present: true, value: value!, revision: guess, mayExpire: ttl !== undefined },
    );
  }
  return next;
}

const seed = Number(Deno.env.get("PONTOON_TEST_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const OPTIONS = { minimize: "none" } as const;

Deno.test("kv() agrees with the model that tries every revision", () => {
  const random = randomFrom(seed);
  for (let i = 0; i < 3000; i++) {
    const history = randomHistory(SHAPES.kv!, random, 6);
    const expected = check(history, concreteKv, OPTIONS).verdict;
    const message = `PONTOON_TEST_SEED=${seed}, history ${i}:\n${toText(history)}`;
    assertEquals(check(history, kv(), OPTIONS).verdict, expected, message);
  }
});

/** What check() says of calls on one key, one after the other. */
function verdictOf(...steps: [KvOperation["input"], KvOperation["output"]][]): boolean | string {
  const history = steps.map(([input, output], i): KvOperation => ({
    process: 0,
    call: 2 * i,
    return: 2 * i + 1,
    input,
    output,
  }));
  return check(history, kv(), OPTIONS).verdict;
}

Deno.test("kv() takes a touch for a change of the revision, and of whether the key may vanish", () => {
  const key = "a";
  const put = (ttl?: number): [KvOperation["input"], KvOperation["output"]] => [
    { f: "put", key, value: 1, ...(ttl === undefined ? {} : { ttl }) },
    { status: 201, revision: 3 },
  ];
  const touch = (ttl: number | null): [KvOperation["input"], KvOperation["output"]] => [
    { f: "touch", key, ttl },
    { status: 200, revision: 5 },
  ];
  const get: KvOperation["input"] = { f: "get", key };
  const valid = verdictOf(put(), [get, { status: 200, value: 1, revision: 3 }]);
  const seen = (value: number, revision: number) => ({ status: 200, value, revision });
  assertEquals(verdictOf(put(), touch(9), [get, seen(1, 5)]), valid);
  assertEquals(verdictOf(put(), touch(9), [get, { status: 404 }]), valid);
  assertEquals(verdictOf(put(9), touch(null), [get, seen(1, 5)]), valid);
  assertEquals(verdictOf([{ f: "touch", key, ttl: 9 }, { status: 404 }], put()), valid);
  const broken = [
    verdictOf(put(), touch(9), [get, seen(1, 3)]),
    verdictOf(put(), touch(9), [get, seen(2, 5)]),
    verdictOf(put(9), touch(null), [get, { status: 404 }]),
    verdictOf(put(), touch(null), [get, { status: 404 }]),
    verdictOf(put(), [{ f: "touch", key, ttl: 9 }, { status: 404 }]),
    verdictOf(put(), [{ f: "touch", key, ttl: 9 }, { status: 200, revision: 2 }]),
    verdictOf(touch(9)),
  ];
  assertEquals(broken.includes(valid), false, `${broken}`);
});

Deno.test("kvTxn() agrees with kv() where there is one key and no transaction", () => {
  const random = randomFrom(seed + 1);
  const oneKey: Shape = {
    ...SHAPES.kv!,
    input: (draw) => ({ ...SHAPES.kv!.input(draw) as object, key: "a" }),
  };
  for (let i = 0; i < 3000; i++) {
    const history = randomHistory(oneKey, random, 7);
    const message = `PONTOON_TEST_SEED=${seed}, history ${i}:\n${toText(history)}`;
    assertEquals(
      check(history, kvTxn(), OPTIONS).verdict,
      check(history, kv(), OPTIONS).verdict,
      message,
    );
  }
});

Deno.test("kvTxn() takes no revision for a transaction that changes nothing and tells none", () => {
  const put = (key: string, revision: number) => ({
    input: { f: "put", key, value: 1 },
    output: { status: 201, revision },
  });
  const idle = {
    input: { f: "txn", then: [{ kind: "get", key: "a" }, { kind: "delete", key: "b" }] },
    output: { succeeded: true, results: [{ found: true }, { deleted: false }] },
  };
  const busy = {
    input: { f: "txn", then: [{ kind: "delete", key: "a" }] },
    output: { succeeded: true, results: [{ deleted: true }] },
  };
  const verdictOf = (steps: readonly object[]) =>
    check(
      steps.map((step, i) => ({
        process: 0,
        call: 2 * i,
        return: 2 * i + 1,
        ...step,
      })) as unknown as Operation[],
      kvTxn(),
      OPTIONS,
    ).verdict;
  assertEquals(verdictOf([put("a", 5), idle, put("b", 6)]), "linearizable");
  assertEquals(verdictOf([put("a", 5), busy, put("b", 6)]), "illegal");
  assertEquals(verdictOf([put("a", 5), busy, put("b", 7)]), "linearizable");
});

Deno.test("equalValues() is equality of JSON, whatever the order of fields", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
    const same = canonical(a as Json) === canonical(b as Json);
    assertEquals(equalValues(a as Json, b as Json), same);
    assertEquals(valueKey(a as Json) === valueKey(b as Json), same);
    assertEquals(equalValues(a as Json, JSON.parse(JSON.stringify(a))), true);
  }));
  assertEquals(equalValues({ a: 1, b: 2 }, { b: 2, a: 1 }), true);
  assertEquals(equalValues("1", 1), false);
  assertEquals(equalValues(null, "null"), false);
});

/** Operations of one register as fast-check draws and shrinks them: an interval each, on its own process. */
const registerHistories = fc.array(
  fc.record({
    call: fc.integer({ min: 0, max: 12 }),
    length: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
    access: fc.oneof(
      fc.record({ f: fc.constant("read" as const), value: fc.integer({ min: 0, max: 4 }) }),
      fc.record({ f: fc.constant("write" as const), value: fc.integer({ min: 0, max: 4 }) }),
      fc.record({
        f: fc.constant("cas" as const),
        value: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
      }),
    ),
  }),
  { minLength: 1, maxLength: 8 },
).map((drawn) =>
  drawn.map(({ call, length, access }, process): Operation => ({
    process,
    call,
    return: length === undefined ? undefined : call + length,
    input: access.f === "read" ? { f: "read" } : access,
    ...(access.f === "read" ? { output: access.value } : {}),
  }))
);

Deno.test("check() agrees with brute force on shrinkable histories, ties in the record included", () => {
  fc.assert(
    fc.property(registerHistories, (history) => {
      const expected = isLinearizable(history, casRegister(0)) ? "linearizable" : "illegal";
      assertEquals(check(history, casRegister(0), OPTIONS).verdict, expected);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("checkZones() applies only to plain, distinct accesses", () => {
  const write = (process: number, value: number): Operation => ({
    process,
    call: process,
    return: 10 + process,
    input: { f: "write", value },
  });
  assertEquals(checkZones(register(0), [write(1, 1), write(2, 2)]).kind, "linearizable");
  assertEquals(checkZones(register(0), [write(1, 1), write(2, 1)]).kind, "inapplicable");
  assertEquals(checkZones(register(0), [write(1, 0)]).kind, "inapplicable");
  const cas: Operation = { process: 3, call: 3, return: 4, input: { f: "cas", value: [0, 1] } };
  assertEquals(checkZones(casRegister(0), [cas]).kind, "inapplicable");
});

Deno.test("a history written as NDJSON reads back the same", () => {
  const random = randomFrom(seed + 2);
  for (const shape of Object.values(SHAPES)) {
    const history = randomHistory(shape, random, 10);
    const text = history.map((operation) => JSON.stringify(operation)).join("\n");
    const { operations } = parseHistory(text);
    assertEquals(
      operations.map(({ line: _line, ...operation }) => operation),
      JSON.parse(JSON.stringify(history)),
    );
  }
});
