// The rules that correctness hangs on, a test per clause: outcomes of retried writes, logical expiry,
// watch history, range deletes.

import { assert, assertEquals } from "@std/assert";
import { utf8Bytes } from "../../src/base/bytes.ts";
import {
  HISTORY_BYTES_MAX,
  HISTORY_EVENTS_MAX,
  IDEMPOTENCY_BYTES_MAX,
  IDEMPOTENCY_OUTCOMES_MAX,
  IDEMPOTENCY_RETENTION_MS,
  IDEMPOTENCY_SESSIONS_MAX,
  TXN_RANGE_KEYS_MAX,
} from "../../src/base/limits.ts";
import { Dedupe } from "../../src/store/dedupe.ts";
import type { Command, CommandResult, Idempotency, WatchEvent } from "../../src/store/mod.ts";
import { bareKey, Driver, imageOf, inSession, loaded, put, type PutExtra } from "./support.ts";

// --------------------------------------------------------------------- sessions and keys (16, 17)

Deno.test("16: an outcome at or below acknowledged-through is dropped when that is applied", () => {
  const driver = new Driver();
  driver.apply(put("a", "1"), 0, inSession(1, 1));
  driver.apply(put("a", "2"), 0, inSession(1, 2));
  assertEquals(driver.store.freeze().dedupe.outcomeCount, 2);
  driver.apply(put("a", "3"), 0, inSession(1, 3, 2));
  assertEquals(driver.store.freeze().dedupe.outcomeCount, 1);
});

Deno.test("16: a sequence at or below acknowledged-through is stale, and never executed", () => {
  const driver = new Driver();
  driver.apply(put("a", "1"), 0, inSession(1, 5, 4));
  for (const sequence of [1, 4]) {
    const { result, replayed } = driver.apply(put("a", "2"), 0, inSession(1, sequence));
    assertEquals([result.kind, replayed], ["idempotency-stale", false]);
  }
  assertEquals(driver.apply(put("a", "2"), 0, inSession(1, 6, 6)).result.kind, "idempotency-stale");
  assertEquals(driver.store.get("a")?.value, "1");
});

Deno.test("16: acknowledged-through never runs back", () => {
  const driver = new Driver();
  driver.apply(put("a", "1"), 0, inSession(1, 5, 4));
  driver.apply(put("a", "2"), 0, inSession(1, 6, 1));
  assertEquals(driver.apply(put("a", "3"), 0, inSession(1, 3)).result.kind, "idempotency-stale");
});

Deno.test("16: sessions are apart from each other, and from bare keys", () => {
  const driver = new Driver();
  driver.apply(put("a", "1"), 0, inSession(1, 1));
  assertEquals(driver.apply(put("a", "2"), 0, inSession(2, 1)).replayed, false);
  const bare = bareKey("00000000000000000000000000000001");
  assertEquals(driver.apply(put("a", "3"), 0, bare).replayed, false);
  assertEquals(driver.apply(put("a", "1"), 0, inSession(1, 1)).replayed, true);
});

Deno.test("16: a bare key is kept for five minutes of partition time, from its first use", () => {
  const driver = new Driver();
  driver.apply(put("a"), 1000, bareKey("k"));
  assertEquals(driver.apply(put("a"), 100_000, bareKey("k")).replayed, true);
  assertEquals(driver.apply(put("a"), 300_999, bareKey("k")).replayed, true);
  assertEquals(driver.apply(put("a"), 301_000, bareKey("k")).replayed, false);
  assertEquals(driver.apply(put("a"), 301_001, bareKey("k")).appliedIndex, 4);
});

Deno.test("16: a session is kept for five minutes of partition time after its last use", () => {
  const driver = new Driver();
  driver.apply(put("a"), 0, inSession(1, 1));
  driver.apply(put("a"), 299_999, inSession(1, 2));
  assertEquals(driver.apply(put("a"), 599_998, inSession(1, 1)).replayed, true);
  const later = 599_998 + IDEMPOTENCY_RETENTION_MS;
  driver.advance(later - 1);
  assertEquals(driver.store.freeze().dedupe.sessionCount, 1);
  driver.advance(later);
  assertEquals(driver.store.freeze().dedupe.sessionCount, 0);
  assertEquals(driver.store.freeze().dedupe.outcomeCount, 0);
});

const anyResult: CommandResult = { kind: "put", created: true, revision: 1 };

function admits(dedupe: Dedupe, idempotency: Idempotency, timeMs: number): string {
  const { kind } = dedupe.begin(idempotency, timeMs);
  if (kind === "new") dedupe.remember(idempotency, 1, anyResult, timeMs);
  return kind;
}

Deno.test("16: a table full of live outcomes refuses, forgets none, and takes again later", () => {
  const dedupe = new Dedupe();
  for (let i = 0; i < IDEMPOTENCY_OUTCOMES_MAX; i++) admits(dedupe, bareKey(`k${i}`), 0);
  assertEquals(dedupe.outcomeCount, IDEMPOTENCY_OUTCOMES_MAX);
  assertEquals(admits(dedupe, bareKey("one too many"), 0), "idempotency-table-full");
  assertEquals(admits(dedupe, inSession(1, 1), 0), "idempotency-table-full");
  assertEquals(admits(dedupe, bareKey("k0"), 299_999), "replay");
  assertEquals(admits(dedupe, bareKey("one too many"), 300_000), "new");
  assertEquals(dedupe.outcomeCount < IDEMPOTENCY_OUTCOMES_MAX, true);
  assertEquals(admits(dedupe, bareKey("k199999", 2), 300_000), "new"); // past, though not purged yet
});

Deno.test("16: the table is bounded in bytes", () => {
  const dedupe = new Dedupe();
  const results = Array.from({ length: 128 }, () => ({ kind: "get" as const, revision: 0 }));
  const large: CommandResult = { kind: "txn", succeeded: true, revision: 1, results };
  let count = 0;
  while (dedupe.begin(bareKey(`k${count}`), 0).kind === "new") {
    dedupe.remember(bareKey(`k${count++}`), 1, large, 0);
  }
  assert(dedupe.sizeBytes >= IDEMPOTENCY_BYTES_MAX && count < IDEMPOTENCY_OUTCOMES_MAX);
  assert(dedupe.sizeBytes < IDEMPOTENCY_BYTES_MAX + 8192);
});

Deno.test("16: sessions are bounded in count, and idle ones make room", () => {
  const dedupe = new Dedupe();
  for (let i = 0; i < IDEMPOTENCY_SESSIONS_MAX; i++) admits(dedupe, inSession(i, 1), i);
  const next = inSession(IDEMPOTENCY_SESSIONS_MAX, 1);
  assertEquals(admits(dedupe, next, IDEMPOTENCY_SESSIONS_MAX), "idempotency-table-full");
  assertEquals(dedupe.sessionCount, IDEMPOTENCY_SESSIONS_MAX);
  assertEquals(admits(dedupe, next, IDEMPOTENCY_RETENTION_MS), "new");
});

Deno.test("16: an idle session is past, too, before its purge has come", () => {
  const dedupe = new Dedupe();
  admits(dedupe, inSession(1, 1), 0);
  admits(dedupe, inSession(1, 3, 2), 0);
  assertEquals(admits(dedupe, inSession(1, 1), IDEMPOTENCY_RETENTION_MS - 1), "idempotency-stale");
  const later = 2 * IDEMPOTENCY_RETENTION_MS - 1;
  assertEquals(admits(dedupe, inSession(1, 3), later), "new");
  assertEquals(admits(dedupe, inSession(1, 1), later), "new");
  dedupe.purge(later);
  assertEquals([dedupe.sessionCount, dedupe.outcomeCount, dedupe.purgeCount], [1, 2, 1]);
});

Deno.test("16: what is past its retention goes in bounded steps", () => {
  const dedupe = new Dedupe();
  for (let i = 0; i < 1000; i++) admits(dedupe, bareKey(`k${i}`), 0);
  dedupe.purge(IDEMPOTENCY_RETENTION_MS);
  const first = dedupe.outcomeCount;
  assert(first > 0 && first < 1000, `${first} are left`);
  for (let i = 0; i < 1000; i++) dedupe.purge(IDEMPOTENCY_RETENTION_MS);
  assertEquals([dedupe.outcomeCount, dedupe.sizeBytes], [0, 0]);
});

Deno.test("17: an equal request replays the first status and revision, and is not executed", () => {
  const driver = new Driver();
  const first = driver.apply(put("a", "1"), 0, bareKey("k"));
  driver.put("a", "2");
  const again = driver.apply(put("a", "1"), 0, bareKey("k"));
  assertEquals(again, { result: first.result, appliedIndex: 1, replayed: true });
  assertEquals(again.result, { kind: "put", created: true, revision: 1 });
  assertEquals(driver.store.get("a")?.value, "2");
  assertEquals(driver.lastEvents(), []);
});

Deno.test("17: another request under the same key or sequence is refused, the first one kept", () => {
  const driver = new Driver();
  for (
    const [mine, other] of [
      [bareKey("k", 1), bareKey("k", 2)],
      [inSession(1, 1, 0, 1), inSession(1, 1, 0, 2)],
    ]
  ) {
    driver.apply(put("a", "1"), 0, mine);
    const refused = driver.apply(put("a", "2"), 0, other);
    assertEquals([refused.result.kind, refused.replayed], ["idempotency-key-reused", false]);
    assertEquals(driver.store.get("a")?.value, "1");
    assertEquals(driver.apply(put("a", "1"), 0, mine).replayed, true);
  }
});

Deno.test("17: a failed condition, an absent key and a failed transaction are outcomes", () => {
  const driver = new Driver();
  driver.put("a", "1");
  const commands: Command[] = [
    put("a", "2", { condition: { kind: "absent" } }),
    { kind: "delete", key: "b" },
    {
      kind: "txn",
      compares: [{ target: "exists", key: "b", exists: true }],
      then: [],
      else: [{ kind: "get", key: "a" }],
    },
  ];
  const firsts = commands.map((command, i) => driver.apply(command, 0, bareKey(`k${i}`)));
  driver.apply({ kind: "delete", key: "a" });
  driver.put("b");
  commands.forEach((command, i) => {
    const again = driver.apply(command, 0, bareKey(`k${i}`));
    assertEquals([again.replayed, again.appliedIndex], [true, firsts[i].appliedIndex]);
    assertEquals(again.result.kind, firsts[i].result.kind);
  });
});

Deno.test("17: a replayed transaction returns revisions, not values", () => {
  const driver = new Driver();
  driver.put("a", "secret");
  const command: Command = {
    kind: "txn",
    compares: [],
    then: [{ kind: "get", key: "a" }, { kind: "delete", key: "a" }],
    else: [],
  };
  driver.apply(command, 0, bareKey("k"));
  const again = driver.apply(command, 0, bareKey("k"));
  assertEquals(again.result.kind === "txn" && again.result.results, [
    { kind: "get", revision: 1 },
    { kind: "delete", deleted: true, revision: 2 },
  ]);
});

Deno.test("17: the table is in snapshots and in the state hash", () => {
  const plain = new Driver();
  const keyed = new Driver();
  plain.apply(put("a", "1"), 0);
  keyed.apply(put("a", "1"), 0, bareKey("k"));
  assert(plain.hash() !== keyed.hash());
  const sessions = new Driver();
  sessions.apply(put("a", "1"), 0, inSession(1, 1));
  const acknowledged = new Driver();
  acknowledged.apply(put("a", "1"), 0, inSession(1, 1));
  assertEquals(acknowledged.hash(), sessions.hash());
  acknowledged.apply({ kind: "time" }, 0, inSession(1, 2, 2));
  sessions.apply({ kind: "time" }, 0);
  assert(acknowledged.hash() !== sessions.hash());
  keyed.reload();
  assertEquals(keyed.apply(put("a", "1"), 0, bareKey("k")).replayed, true);
});

// ------------------------------------------------------------------------------------ expiry (19)

Deno.test("18: partition time never runs back, whatever a leader writes", () => {
  const driver = new Driver();
  driver.put("a", "1", { ttlMs: 100 }, 1000);
  driver.advance(1100);
  assertEquals(driver.store.get("a"), undefined);
  driver.put("b", "1", { ttlMs: 100 }, 500);
  assertEquals(driver.store.timeMs, 1100);
  assertEquals(driver.store.get("a"), undefined);
  assertEquals(driver.store.get("b")?.expiresAtMs, 1200);
});

Deno.test("19: reads, conditions, compares and scans treat expiry <= partition time as absent", () => {
  const driver = new Driver();
  driver.put("a", "1", { ttlMs: 100 }, 1000);
  driver.put("b", "1", {}, 1099);
  const exists = { target: "exists", key: "a", exists: true } as const;
  const succeeded = () => {
    const txn = driver.apply({ kind: "txn", compares: [exists], then: [], else: [] });
    return txn.result.kind === "txn" && txn.result.succeeded;
  };
  assertEquals(succeeded(), true);
  assertEquals([...driver.store.scan("", undefined)].length, 2);
  driver.advance(1100);
  assertEquals(succeeded(), false);
  assertEquals(driver.store.get("a"), undefined);
  assertEquals([...driver.store.scan("", undefined)].map((record) => record.key), ["b"]);
  const range = driver.apply({
    kind: "txn",
    compares: [],
    then: [{ kind: "get", key: "a" }, { kind: "deleteRange", start: "a", end: "c" }],
    else: [],
  });
  assertEquals(range.result.kind === "txn" && range.result.results, [
    { kind: "get", revision: 0 },
    { kind: "deleteRange", deletedCount: 1 },
  ]);
  const condition = { kind: "present" } as const;
  const failed = { kind: "condition-failed", revision: 0 } as const;
  assertEquals(driver.put("a", "2", { condition }).result, failed);
  assertEquals(driver.apply({ kind: "delete", key: "a" }).result, { kind: "not-found" });
});

Deno.test("19: a write to an unreaped key emits its expire first, in the same entry", () => {
  const driver = new Driver();
  const expiring = () => driver.put("a", "1", { ttlMs: 10 }, driver.timeMs + 10);
  expiring();
  const created = driver.put("a", "2", {}, driver.timeMs + 10);
  assertEquals(created.result, { kind: "put", created: true, revision: 2 });
  assertEquals(driver.lastEvents(), ["expire a", "put a"]);
  assertEquals(driver.store.get("a")?.createRevision, 2);
  expiring();
  driver.apply({ kind: "delete", key: "a" }, driver.timeMs + 10);
  assertEquals(driver.lastEvents(), ["expire a"]);
  expiring();
  const value = utf8Bytes("3");
  const then = [{ kind: "put" as const, key: "a", value, contentType: "t" }];
  driver.apply({ kind: "txn", compares: [], then, else: [] }, driver.timeMs + 10);
  assertEquals(driver.lastEvents(), ["expire a", "put a"]);
});

Deno.test("19: a put without ttl clears it, one with ttl counts from its own apply", () => {
  const driver = new Driver();
  driver.put("a", "1", { ttlMs: 100 }, 1000);
  driver.put("a", "2", { ttlMs: 100 }, 1050);
  assertEquals(driver.store.get("a")?.expiresAtMs, 1150);
  assertEquals(driver.store.nextExpiryMs(), 1150);
  driver.put("a", "3", {}, 1060);
  assertEquals(driver.store.get("a")?.expiresAtMs, undefined);
  assertEquals(driver.store.nextExpiryMs(), undefined);
  driver.advance(1_000_000);
  assertEquals(driver.store.get("a")?.value, "3");
});

Deno.test("19: keys due at once are reaped in bounded batches, oldest first, each with its event", () => {
  const driver = new Driver();
  const count = 20_000;
  const limit = 1000;
  for (let i = 0; i < count; i++) driver.put(`k${i}`, "v", { ttlMs: 1 + (i * 7919) % count }, 0);
  driver.advance(count);
  assertEquals(driver.store.size, count);
  assertEquals([...driver.store.scan("", undefined)], []);
  let last = 0;
  for (let left = count; left > 0; left -= limit) {
    const { result } = driver.apply({ kind: "expire", limit });
    assertEquals(result, { kind: "expired", count: limit });
    const events = driver.store.eventsAfter({ revision: driver.index - 1, subIndex: 1e9 }, 1e6)!;
    assertEquals(events.length, limit);
    for (const { key, kind } of events) {
      const due = 1 + (Number(key.slice(1)) * 7919) % count;
      assert(kind === "expire" && due > last, "due times ascend");
      last = due;
    }
  }
  assertEquals(driver.apply({ kind: "expire", limit }).result, { kind: "expired", count: 0 });
  assertEquals([driver.store.size, driver.store.nextExpiryMs()], [0, undefined]);
});

Deno.test("19: a key is not reaped before its time, nor twice", () => {
  const driver = new Driver();
  driver.put("a", "1", { ttlMs: 100 }, 1000);
  assertEquals(driver.apply({ kind: "expire", limit: 10 }, 1099).result, {
    kind: "expired",
    count: 0,
  });
  driver.apply({ kind: "expire", limit: 10 }, 1100);
  assertEquals(driver.lastEvents(), ["expire a"]);
  driver.put("a", "2");
  assertEquals(driver.lastEvents(), ["put a"]);
});

Deno.test("19: the longest ttl still makes an expiry that snapshots carry", () => {
  const driver = new Driver();
  driver.put("a", "1", { ttlMs: Number.MAX_SAFE_INTEGER }, 1_000_000);
  const hash = driver.hash();
  driver.reload();
  assertEquals(driver.hash(), hash);
  assertEquals(driver.store.get("a")?.expiresAtMs, Number.MAX_SAFE_INTEGER);
});

// ------------------------------------------------------------------------------------- watch (22)

Deno.test("22: positions are (revision, sub-index), and no event after one is left out", () => {
  const driver = new Driver();
  for (let i = 0; i < 50; i++) {
    const operations = Array.from({ length: i % 4 }, (_, j) => ({
      kind: "put" as const,
      key: `${i}/${j}`,
      value: utf8Bytes(""),
      contentType: "t",
    }));
    driver.apply({ kind: "txn", compares: [], then: operations, else: [] });
  }
  const all = driver.store.eventsAfter({ revision: 0, subIndex: 0 }, 1e6)!;
  assertEquals(all.length, 73);
  all.forEach((position, i) => {
    assertEquals(driver.store.eventsAfter(position, 1e6), all.slice(i + 1));
    assertEquals(driver.store.eventsAfter(position, 2), all.slice(i + 1, i + 3));
  });
  const between = { revision: all[10].revision, subIndex: 1e9 };
  const next = all.findIndex((event) => event.revision > between.revision);
  assertEquals(driver.store.eventsAfter(between, 1e6), all.slice(next));
});

/** Checks that each kept position resumes without a gap, and each dropped one is told so. */
function assertNoGap(driver: Driver, everything: readonly WatchEvent[]): void {
  const { history } = driver.store.freeze();
  const kept = driver.store.eventsAfter(history.floor, 1e9)!;
  assertEquals(kept.length, history.count);
  assertEquals(kept, everything.slice(everything.length - kept.length));
  const dropped = everything.length - kept.length;
  for (const i of [dropped - 1, dropped, dropped + 300, everything.length - 1]) {
    const resumed = driver.store.eventsAfter(everything[i], 1e9);
    assertEquals(resumed?.length, everything.length - i - 1);
  }
  for (const i of [0, dropped - 2]) {
    assertEquals(driver.store.eventsAfter(everything[i], 1e9), undefined);
  }
}

Deno.test("22: the history is bounded in events, without a gap, and the same from an image", () => {
  const driver = new Driver();
  const everything: WatchEvent[] = [];
  driver.store.listen((event) => everything.push(event));
  for (let i = 0; i < HISTORY_EVENTS_MAX + 777; i++) driver.put(`k${i % 100}`, "");
  assertEquals(driver.store.freeze().history.count, HISTORY_EVENTS_MAX);
  assertNoGap(driver, everything);
  const hash = driver.hash();
  driver.reload();
  assertEquals(driver.hash(), hash);
  assertNoGap(driver, everything);
});

Deno.test("22: the history is bounded in bytes, and keeps the newest event whatever its size", () => {
  const driver = new Driver();
  const value = "v".repeat(1 << 20);
  const everything: WatchEvent[] = [];
  driver.store.listen((event) => everything.push(event));
  for (let i = 0; i < 1000; i++) driver.put("small", String(i));
  for (let i = 0; i < 40; i++) driver.put("a", value);
  const { history } = driver.store.freeze();
  assert(history.sizeBytes <= HISTORY_BYTES_MAX);
  assertEquals(history.count, 15);
  const chunks = imageOf(driver.store);
  assertEquals(loaded(chunks).freeze().history.sizeBytes, history.sizeBytes);
  assertEquals(
    driver.store.eventsAfter(everything.at(-16)!, 100)?.map((event) => event.revision),
    everything.slice(-15).map((event) => event.revision),
  );
  assertEquals(driver.store.eventsAfter(everything.at(-17)!, 100), undefined);
});

Deno.test("22: a watch goes on over a snapshot taken on another replica", () => {
  const driver = new Driver();
  for (let i = 0; i < 10; i++) driver.put(`k${i}`, "v", { ttlMs: 5 } as PutExtra, i);
  const position = { revision: 4, subIndex: 0 };
  const before = driver.store.eventsAfter(position, 100);
  driver.reload();
  assertEquals(driver.store.eventsAfter(position, 100), before);
});

// -------------------------------------------------------------------------------------- range (23)

Deno.test("23: over the range limit the whole transaction fails when applied, and nothing is done", () => {
  const driver = new Driver();
  for (let i = 0; i <= TXN_RANGE_KEYS_MAX; i++) driver.put(`{t}${i}`);
  driver.put("{t}x", "expiring", { ttlMs: 1 });
  driver.advance(1);
  const sizeBefore = driver.store.size;
  const clear: Command = {
    kind: "txn",
    compares: [],
    then: [{ kind: "delete", key: "{t}0" }, { kind: "deleteRange", start: "{t}", end: "{t}~" }],
    else: [],
  };
  assertEquals(driver.apply(clear).result, { kind: "range-too-large" });
  assertEquals([driver.store.size, driver.lastEvents()], [sizeBefore, []]);
  driver.apply({ kind: "delete", key: "{t}1" });
  const { result } = driver.apply(clear);
  assert(result.kind === "txn");
  // An expired key neither counts against the limit nor is it deleted: the reaper's event is due.
  assertEquals(result.results[1], { kind: "deleteRange", deletedCount: TXN_RANGE_KEYS_MAX - 1 });
  assertEquals(driver.store.size, 1);
  driver.apply({ kind: "expire", limit: 10 });
  assertEquals(driver.lastEvents(), ["expire {t}x"]);
});
