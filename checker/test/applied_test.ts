import { assertEquals, assertStringIncludes } from "@std/assert";
import { check, checkApplied, kv, type Operation } from "../mod.ts";

const put = (
  process: number,
  call: number,
  end: number | undefined,
  value: number,
  applied?: number,
): Operation => ({
  process,
  call,
  return: end,
  input: { f: "put", key: "k", value },
  output: {},
  ...(applied === undefined ? {} : { applied }),
});

const get = (
  process: number,
  call: number,
  end: number,
  value: number,
  applied: number,
): Operation => ({
  process,
  call,
  return: end,
  input: { f: "get", key: "k" },
  output: { status: 200, value },
  applied,
});

Deno.test("checkApplied() accepts an order that is a linearization", () => {
  const history = [
    put(1, 0, 9, 1, 4),
    put(2, 1, 8, 2, 5),
    get(3, 10, 11, 2, 5),
    get(3, 12, 13, 2, 5),
  ];
  assertEquals(checkApplied(history, kv()).verdict, "linearizable");
});

Deno.test("checkApplied() refuses an order that is none, though another would do", () => {
  const history = [put(1, 0, 9, 1, 4), put(2, 1, 8, 2, 5), get(3, 10, 11, 1, 5)];
  assertEquals(check(history, kv()).verdict, "linearizable");
  const { verdict, counterexample } = checkApplied(history, kv());
  assertEquals(verdict, "illegal");
  assertStringIncludes(counterexample!.explanation, "not a linearization, though another is");
});

Deno.test("checkApplied() refuses positions that contradict the record", () => {
  const history = [put(1, 0, 1, 1, 7), put(2, 2, 3, 2, 6)];
  assertEquals(check(history, kv()).verdict, "linearizable");
  assertStringIncludes(
    checkApplied(history, kv()).counterexample!.explanation,
    "applied at 7, after 6",
  );
});

Deno.test("checkApplied() puts in what is unknown where it is needed", () => {
  const history = [
    put(1, 0, 1, 1, 4),
    put(2, 2, undefined, 2),
    get(3, 3, 4, 2, 6),
    get(4, 3, 5, 1, 4),
  ];
  assertEquals(checkApplied(history, kv()).verdict, "linearizable");
  const early = [put(1, 0, 1, 1, 4), get(3, 2, 3, 2, 6), put(2, 4, undefined, 2)];
  assertEquals(checkApplied(early, kv()).verdict, "illegal");
});
