// What makes a run good, bad or worthless: gates, the workloads' own judges, and how they come together.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gatesOf } from "../../chaos/gates.ts";
import { judge, judgeInThread } from "../../chaos/judge.ts";
import { outcomeOf } from "../../chaos/outcome.ts";
import { seededRandom } from "../../chaos/random.ts";
import type { Fault } from "../../chaos/types.ts";
import { workloadNamed } from "../../chaos/workloads/mod.ts";
import { pageFlaw } from "../../chaos/workloads/scan.ts";
import type { Evidence, Outcome, RecordedCall, WorkloadRun } from "../../chaos/workloads/types.ts";

function runOf(workload: string): WorkloadRun {
  return workloadNamed(workload).start({
    keys: 2,
    nodes: () => [],
    random: seededRandom(1),
    promisesApplied: true,
    hasIdempotency: true,
    now: () => 0,
  });
}

/** Calls one after the other; `atMs` and `doneMs` from `times`. */
function callsOf(
  steps: readonly (readonly [kind: string, input: unknown, outcome: Outcome])[],
  times: readonly (readonly [atMs: number, doneMs: number])[] = [],
): RecordedCall[] {
  return steps.map(([kind, input, outcome], i) => ({
    process: 0,
    client: 0,
    node: "n1",
    kind,
    input: input as RecordedCall["input"],
    call: 2 * i,
    return: 2 * i + 1,
    atMs: times[i]?.[0] ?? i,
    doneMs: times[i]?.[1] ?? i + 0.5,
    outcome,
    attempts: 1,
  }));
}

async function verdictOf(
  run: WorkloadRun,
  evidence: Evidence,
  promisesApplied: boolean,
): Promise<string | undefined> {
  return (await judge(run, evidence, promisesApplied)).verdict?.verdict;
}

const ok = (output: unknown, more: object = {}): Outcome =>
  ({ type: "ok", output, ...more }) as Outcome;

const KILL: Fault = {
  kind: "kill",
  targets: ["n1"],
  atMs: 10,
  untilMs: 20,
  bit: false,
  detail: "",
};

Deno.test("a run without enough successes of some kind, or whose fault never bit, proves nothing", async () => {
  const calls = callsOf([["read", { f: "get", key: "a" }, ok({ status: 404 })]]);
  const coverage = {
    calls,
    kinds: ["read", "write"],
    faults: [KILL],
    nemeses: ["kill"],
    elections: 1,
    snapshotsSent: 0,
    expect: ["leader-change", "snapshot-sent"] as const,
  };
  const gates = gatesOf(coverage);
  assertEquals(gates.map(({ passed }) => passed), [false, false, false, false, false]);
  const judgement = await judge(runOf("register"), { calls, faults: [], elections: [] }, false);
  assertEquals(judgement.verdict?.verdict, "linearizable");
  const outcome = outcomeOf(judgement, gates, false, undefined);
  assertEquals(outcome.valid, "unknown");
  assertStringIncludes(outcome.reason, "not shown");
});

Deno.test("a run that is interrupted says so, whatever failed while everything was being ended", async () => {
  const calls = callsOf([["read", { f: "get", key: "a" }, ok({ status: 404 })]]);
  const judgement = await judge(runOf("register"), { calls, faults: [], elections: [] }, false);
  assertEquals(outcomeOf(judgement, [], true, "broken pipe"), {
    valid: "unknown",
    reason: "it was interrupted",
  });
});

Deno.test("a violation stands whatever else went wrong", async () => {
  const calls = callsOf([
    ["write", { f: "put", key: "a", value: 1 }, ok({ status: 201, revision: 3 })],
    ["read", { f: "get", key: "a" }, ok({ status: 404 })],
  ]);
  const judgement = await judge(runOf("register"), { calls, faults: [], elections: [] }, false);
  assertEquals(outcomeOf(judgement, [], true, "the disk was full").valid, false);
});

Deno.test("an order by applied position that is no linearization is a violation, if the system promises it", async () => {
  const calls = callsOf([
    ["write", { f: "put", key: "a", value: 1 }, ok({ status: 201 }, { applied: 9 })],
    ["write", { f: "put", key: "a", value: 2 }, ok({ status: 200 }, { applied: 8 })],
  ]);
  assertEquals(
    await verdictOf(runOf("register"), { calls, faults: [], elections: [] }, false),
    "linearizable",
  );
  assertEquals(
    await verdictOf(runOf("register"), { calls, faults: [], elections: [] }, true),
    "illegal",
  );
});

Deno.test("append: an element that stands in a list twice is a violation", async () => {
  const calls = callsOf([
    ["append", { f: "append", key: "a", value: "1 " }, ok(null)],
    ["get", { f: "get", key: "a" }, ok("1 1 ")],
  ]);
  assertEquals(
    await verdictOf(runOf("append"), { calls, faults: [], elections: [] }, false),
    "illegal",
  );
});

Deno.test("bank: a reader who sees money appear is told so in words", () => {
  const results = [90, 120, 100, 100, 100].map((value, i) => ({
    found: true,
    value,
    revision: i + 1,
  }));
  const calls = callsOf([
    ["read", { f: "txn", group: "bank0", then: [] }, ok({ succeeded: true, results })],
  ]);
  const flaws = runOf("bank").flaws!({ calls, faults: [], elections: [] });
  assertEquals(flaws.map(({ message }) => message), [
    "the accounts of bank0 held 510 together instead of 500",
  ]);
});

Deno.test("ttl: gone too early is a flaw; still there late is one only in quiet times", () => {
  const lease = [
    "lease",
    { f: "put", key: "t", value: 1, ttl: 1000 },
    ok({ status: 201 }),
  ] as const;
  const gone = ["read", { f: "get", key: "t" }, ok({ status: 404 })] as const;
  const there = ["read", { f: "get", key: "t" }, ok({ status: 200, value: 1 })] as const;
  const flaws = (
    step: typeof gone | typeof there,
    atMs: number,
    faults: readonly Fault[] = [],
    electedMs: readonly number[] = [],
  ) =>
    runOf("ttl").flaws!({
      calls: callsOf([lease, step], [[2100, 2110], [2000 + atMs, 2005 + atMs]]),
      faults,
      elections: electedMs.map((atMs, i) => ({ atMs, partition: `${i}`, term: 2, leader: "n1" })),
    }).length;
  assertEquals(flaws(gone, 1000), 1);
  assertEquals(flaws(gone, 1200), 0);
  const clock = (kind: string, ...targets: string[]): Fault => ({
    ...KILL,
    kind,
    targets,
    atMs: 20,
    untilMs: 80,
  });
  assertEquals(flaws(gone, 1000, [clock("clock-jump", "n1")]), 1);
  assertEquals(flaws(gone, 1000, [clock("clock-drift", "n1")]), 0);
  assertEquals(flaws(gone, 1000, [clock("clock-drift", "n1")], [60]), 0);
  // Seen in time, but perhaps held while the clock still lied; in one partition of two.
  assertEquals(flaws(gone, 1000, [clock("clock-drift", "n1")], [90]), 0);
  assertEquals(flaws(gone, 1000, [clock("clock-drift", "n1")], [1500, 60]), 0);
  assertEquals(flaws(gone, 1000, [clock("clock-drift", "n1")], [1500, 1600]), 1);
  assertEquals(flaws(gone, 500, [clock("clock-jump", "n1"), clock("clock-strobe", "n2")]), 0);
  // What a leader elected by late votes had lost, the next one makes good.
  const stall: Fault = { ...KILL, kind: "stall", atMs: 20, untilMs: 80 };
  assertEquals(flaws(gone, 1000, [stall], [60]), 1);
  assertEquals(flaws(gone, 1000, [stall], [60, 2600]), 1);
  const twice = (beforeMs: number) =>
    runOf("ttl").flaws!({
      calls: callsOf([lease, gone], [[2100, 2110], [3000, 3005]]),
      faults: [stall],
      elections: [beforeMs, 2600].map((atMs, i) => ({
        atMs,
        partition: "1",
        term: 2 + i,
        leader: "n1",
      })),
    }).length;
  assertEquals([twice(10), twice(60), twice(2090)], [1, 0, 0]);
  assertEquals(flaws(there, 1050), 0);
  assertEquals(flaws(there, 2500), 1);
  assertEquals(flaws(there, 2500, [{ ...KILL, atMs: 2500, untilMs: 2900 }]), 0);
});

Deno.test("scan: a page is taken apart into reads of every key that it covers", async () => {
  const run = runOf("scan");
  const page = (behind: string | null, keys: readonly string[], cursor: string | null) =>
    [
      "page",
      { f: "scan", reverse: false, behind, cursor: null },
      ok({
        keys: keys.map((key) => ({ key, value: 1, revision: 5 })),
        cursor,
        positions: { 1: 5 },
      }),
    ] as const;
  const put = (key: string) =>
    [
      "put",
      { f: "put", key, value: 1 },
      ok({ status: 201, revision: 5 }, { partition: "1", applied: 5 }),
    ] as const;
  const whole = callsOf([put("scan-3"), page(null, ["scan-3"], null)]);
  const reads = run.operations!(whole).filter(({ input }) => (input as { f: string }).f === "get");
  // Two keys make eight that are scanned.
  assertEquals(reads.length, 8);
  assert(reads.every(({ applied, partition }) => partition === undefined || applied === 5));
  assertEquals(
    await verdictOf(run, { calls: whole, faults: [], elections: [] }, false),
    "linearizable",
  );
  // A key that is there throughout and that no page shows.
  const missed = callsOf(
    [put("scan-3"), page(null, ["scan-1", "scan-2"], "c"), page("scan-2", [], null)]
      .concat([put("scan-1"), put("scan-2")]),
  );
  assertEquals(
    await verdictOf(run, { calls: missed, faults: [], elections: [] }, false),
    "illegal",
  );
});

Deno.test("scan: a page out of order or beyond its limit is wrong by itself", () => {
  const input = { f: "scan", reverse: false, behind: "scan-2", cursor: null } as const;
  const output = (...keys: string[]) => ({
    keys: keys.map((key) => ({ key, value: 1, revision: 1 })),
    cursor: null,
    positions: {},
  });
  assertEquals(pageFlaw(input, output("scan-3", "scan-4")), undefined);
  assert(pageFlaw(input, output("scan-2")) !== undefined);
  assert(pageFlaw(input, output("scan-4", "scan-3")) !== undefined);
  assert(pageFlaw(input, output("other")) !== undefined);
  assertEquals(
    pageFlaw({ ...input, reverse: true, behind: null }, output("scan-4", "scan-3")),
    undefined,
  );
});

Deno.test("the checker in a thread of its own finds the same, and what breaks it is told", async () => {
  const calls = callsOf([
    ["write", { f: "put", key: "a", value: 1 }, ok({ status: 201, revision: 3 })],
    ["read", { f: "get", key: "a" }, ok({ status: 404 })],
  ]);
  const evidence = { calls, faults: [], elections: [] };
  const here = await judge(runOf("register"), evidence, false);
  const there = await judgeInThread(runOf("register"), evidence, false, "register", () => false);
  const { counterexample } = there.verdict!;
  assertEquals(counterexample, here.verdict!.counterexample);
  const failed = await judgeInThread(runOf("register"), evidence, false, "no such", () => false);
  assertStringIncludes(failed.problem ?? "", "the checker's thread failed");
});
