import { assertEquals, assertStringIncludes } from "@std/assert";
import type { KvInput, KvOutput } from "../../checker/mod.ts";
import type { RecordedCall } from "./clients.ts";
import { findExpiryFlaw, judge } from "./judge.ts";

const CALM = { wallSetBack: false, lastElectionMs: 0 };

/** Calls one after the other, each from its time on for 10 ms. */
function calls(
  ...steps: readonly [atMs: number, input: KvInput, output: KvOutput | null, ttlMs?: number][]
): RecordedCall[] {
  return steps.map(([callMs, input, output, ttlMs], i) => ({
    history: "kv",
    callMs,
    returnMs: output === null ? undefined : callMs + 10,
    ttlMs,
    answeredBy: undefined,
    operation: {
      process: i,
      call: 2 * i,
      return: output === null ? undefined : 2 * i + 1,
      input,
      output,
      ...(output === null ? {} : { applied: i + 1 }),
    },
  }));
}

const put = (value: string): KvInput => ({ f: "put", key: "x0", value, ttl: 1 });
const get: KvInput = { f: "get", key: "x0" };

Deno.test("judge() finds a value that nobody is known to have written", () => {
  const history = calls(
    [0, { f: "put", key: "k0", value: "v1" }, { status: 201, revision: 1 }],
    [100, { f: "get", key: "k0" }, { status: 200, value: "v2", revision: 2 }],
  );
  assertEquals(judge(history, CALM).failure?.invariant, "linearizable");
  // Of an unknown write it may be the value.
  const unknown = calls([50, { f: "put", key: "k0", value: "v2" }, null]);
  const explained = [...history, {
    ...unknown[0],
    operation: { ...unknown[0].operation, call: 1 },
  }];
  assertEquals(judge(explained, CALM).failure, undefined);
});

Deno.test("judge() finds an order of applied positions that is not one of the answers", () => {
  const [first, second] = calls(
    [0, { f: "put", key: "k0", value: "v1" }, { status: 201, revision: 1 }],
    [100, { f: "get", key: "k0" }, { status: 200, value: "v1", revision: 1 }],
  );
  const swapped = [
    { ...first, operation: { ...first.operation, applied: 9 } },
    { ...second, operation: { ...second.operation, applied: 3 } },
  ];
  assertEquals(judge([first, second], CALM).failure, undefined);
  assertEquals(judge(swapped, CALM).failure?.invariant, "linearizable");
});

Deno.test("findExpiryFlaw() finds keys that vanish early, unless a clock was set back", () => {
  const early = calls(
    [0, put("v1"), { status: 201, revision: 1 }, 5000],
    [1000, get, { status: 404 }],
  );
  assertStringIncludes(findExpiryFlaw(early, CALM) ?? "", "gone 1010 ms after a put for 5000 ms");
  assertEquals(findExpiryFlaw(early, { ...CALM, wallSetBack: true }), undefined);
  const due = calls(
    [0, put("v1"), { status: 201, revision: 1 }, 5000],
    [6000, get, { status: 404 }],
  );
  assertEquals(findExpiryFlaw(due, CALM), undefined);
  const doubtful = calls(
    [0, put("v1"), { status: 201, revision: 1 }, 5000],
    [100, { f: "delete", key: "x0" }, null],
    [1000, get, { status: 404 }],
  );
  assertEquals(findExpiryFlaw(doubtful, CALM), undefined);
});

Deno.test("findExpiryFlaw() finds keys that outlive their time while a leader is in place", () => {
  const late = calls(
    [0, put("v1"), { status: 201, revision: 1 }, 1000],
    [3000, get, { status: 200, value: "v1", revision: 1 }],
  );
  assertStringIncludes(findExpiryFlaw(late, CALM) ?? "", "still there");
  assertEquals(findExpiryFlaw(late, { ...CALM, lastElectionMs: 2500 }), undefined);
});
