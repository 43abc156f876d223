// Operations of unknown outcome belong to a partition too, though no answer named it.

import { assertEquals, assertThrows } from "@std/assert";
import { check, checkApplied, HistoryError, kvTxn, type Operation } from "../mod.ts";

interface Told {
  readonly partition?: number;
  readonly output?: Operation["output"];
}

/** Calls one after the other; without an output the outcome is unknown. */
function historyOf(...calls: readonly (readonly [input: unknown, told: Told])[]): Operation[] {
  return calls.map(([input, { partition, output }], i) => ({
    process: i,
    call: 2 * i,
    return: output === undefined ? undefined : 2 * i + 1,
    input: input as Operation["input"],
    output: output ?? null,
    ...(partition === undefined ? {} : { partition }),
  }));
}

const put = (key: string, value: number) => ({ f: "put", key, value });
const get = (key: string) => ({ f: "get", key });
const txn = (...keys: string[]) => ({
  f: "txn",
  then: keys.map((key) => ({ kind: "put", key, value: 7 })),
});
const found = (value: number, revision: number) => ({ output: { status: 200, value, revision } });

Deno.test("a write of unknown outcome explains what is read in its key's partition", () => {
  const history = historyOf(
    [put("a", 1), { partition: 3, output: { status: 201, revision: 1 } }],
    [put("a", 2), {}],
    [get("a"), { partition: 3, ...found(2, 2) }],
  );
  assertEquals(check(history, kvTxn()).verdict, "linearizable");
  assertEquals(checkApplied(history, kvTxn()).verdict, "linearizable");
});

Deno.test("a transaction of unknown outcome ties its keys to one partition", () => {
  const history = historyOf(
    [put("a", 1), { partition: 3, output: { status: 201, revision: 1 } }],
    [txn("a", "b"), {}],
    [put("b", 9), {}],
    [get("b"), found(9, 3)],
    [get("b"), { partition: 3, ...found(9, 3) }],
  );
  const verdict = check(history, kvTxn());
  assertEquals(verdict.verdict, "linearizable");
  assertEquals(verdict.partitions.length, 1);
});

Deno.test("keys that no answer placed are apart from the others, whose revisions are not theirs", () => {
  const history = historyOf(
    [put("a", 1), { partition: 3, output: { status: 201, revision: 5 } }],
    [put("z", 1), {}],
    [get("z"), found(1, 2)],
  );
  const verdict = check(history, kvTxn());
  assertEquals(verdict.verdict, "linearizable");
  assertEquals(verdict.partitions.length, 2);
});

Deno.test("where it can't be told to which partition an operation belongs, the history is refused", () => {
  const range = { f: "txn", then: [{ kind: "deleteRange", start: "a", end: "b" }] };
  const placed = [put("a", 1), { partition: 3, output: { status: 201, revision: 1 } }] as const;
  assertThrows(
    () => check(historyOf(placed, [range, {}]), kvTxn()),
    HistoryError,
    "it names no key",
  );
  const elsewhere = [put("a", 2), { partition: 4, output: { status: 200, revision: 1 } }] as const;
  assertThrows(
    () => check(historyOf(placed, elsewhere, [put("a", 3), {}]), kvTxn()),
    HistoryError,
    "two partitions",
  );
  // Nothing has to be told where every operation says it, or none.
  assertEquals(check(historyOf([range, {}], [put("a", 1), {}]), kvTxn()).verdict, "linearizable");
});
