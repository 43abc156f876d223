import { assertEquals, assertStringIncludes } from "@std/assert";
import type { KvInput, KvOutput } from "../../checker/mod.ts";
import type { RecordedCall } from "./clients.ts";
import { judge } from "./judge.ts";
import { findReaderFlaw, type Sights } from "./judge_readers.ts";
import type { SeenPage, SeenStale } from "./readers.ts";
import type { ToldSession } from "./watchers.ts";

const CALM = { wallSetBack: false, lastElectionMs: 0 };
const PARTITION = 1;

/** Decided writes one after the other, each for 10 ms, at revisions of its own. */
function writes(...steps: readonly [revision: number, input: KvInput][]): RecordedCall[] {
  return steps.map(([revision, input], i) => ({
    history: "kv",
    callMs: 100 * i,
    returnMs: 100 * i + 10,
    ttlMs: undefined,
    answeredBy: PARTITION,
    operation: {
      process: i,
      call: 10 * i,
      return: 10 * i + 1,
      input,
      output: { status: 201, revision } satisfies KvOutput,
      applied: revision,
    },
  }));
}

const put = (key: string, value: string): KvInput => ({ f: "put", key, value });
const TWO_KEYS = writes([5, put("k0", "a")], [6, put("k1", "b")]);

function seen(sights: Partial<Sights>): Sights {
  return { pages: [], stale: [], watchers: [], ...sights };
}

const PAGE: SeenPage = {
  call: 100,
  return: 101,
  reverse: false,
  limit: 3,
  behind: undefined,
  records: [{ key: "k0", value: "a", revision: 5 }, { key: "k1", value: "b", revision: 6 }],
  isLast: true,
  applied: { [PARTITION]: 6 },
};

Deno.test("judge() finds a key that a scan leaves out", () => {
  assertEquals(judge(TWO_KEYS, CALM, seen({ pages: [PAGE] })).failure, undefined);
  const short = { ...PAGE, records: PAGE.records.slice(0, 1) };
  const { failure } = judge(TWO_KEYS, CALM, seen({ pages: [short] }));
  assertEquals(failure?.invariant, "linearizable");
  // A page that ends before the key says nothing of it.
  const first = { ...short, isLast: false };
  assertEquals(judge(TWO_KEYS, CALM, seen({ pages: [first] })).failure, undefined);
});

Deno.test("findReaderFlaw() finds a key that a scan gives twice or out of order", () => {
  const flawOf = (page: SeenPage) => findReaderFlaw(seen({ pages: [page] }), TWO_KEYS)?.message;
  assertEquals(flawOf(PAGE), undefined);
  assertStringIncludes(flawOf({ ...PAGE, behind: "k0" }) ?? "", "gives k0 after k0, upwards");
  assertStringIncludes(flawOf({ ...PAGE, reverse: true }) ?? "", "gives k1 after k0, downwards");
  assertStringIncludes(flawOf({ ...PAGE, limit: 1 }) ?? "", "a page of 1 holds 2");
});

const READ: SeenStale = {
  call: 100,
  return: 101,
  callMs: 300,
  key: "k0",
  partition: PARTITION,
  record: { key: "k0", value: "a", revision: 5 },
  status: 200,
  index: 5,
  fromLeader: false,
  ageMs: 200,
  maxStalenessMs: 250,
  minApplied: undefined,
};

Deno.test("findReaderFlaw() finds stale reads that break their promise", () => {
  const flawOf = (read: SeenStale) => findReaderFlaw(seen({ stale: [read] }), TWO_KEYS)?.invariant;
  // Revision 6 was acknowledged at 110 ms: 190 ms before the read.
  assertEquals(flawOf(READ), undefined);
  assertEquals(flawOf({ ...READ, ageMs: 100 }), "no older than promised");
  assertEquals(flawOf({ ...READ, maxStalenessMs: 150 }), "no older than promised");
  assertEquals(flawOf({ ...READ, minApplied: 6 }), "sessions never run backwards");
  assertEquals(flawOf({ ...READ, record: undefined }), "a stale read is a state that was");
  const other = { key: "k0", value: "c", revision: 5 };
  assertEquals(flawOf({ ...READ, record: other }), "a stale read is a state that was");
});

Deno.test("findReaderFlaw() finds changes that a watch leaves out or tells twice", () => {
  const event = (key: string, value: string, revision: number) =>
    ({ kind: "put", key, value, revision, subIndex: 0 }) as const;
  const flawOf = (...sessions: ToldSession[]) => {
    const watcher = { prefix: "k", sessions: new Map([[PARTITION, sessions]]) };
    return findReaderFlaw(seen({ watchers: [watcher] }), TWO_KEYS)?.message;
  };
  const [first, second] = [event("k0", "a", 5), event("k1", "b", 6)];
  const after = { revision: 4, subIndex: Infinity };
  assertEquals(flawOf({ connection: 1, after, events: [first, second] }), undefined);
  assertStringIncludes(flawOf({ connection: 1, after, events: [second] }) ?? "", "gap");
  const again = flawOf(
    { connection: 1, after, events: [first] },
    { connection: 2, events: [first, second] },
  );
  assertStringIncludes(again ?? "", "repeated");
});
