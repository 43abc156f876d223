// Random logs, applied by the real state machine and by the naive model of model.ts; and replicas of the
// same log, some of which went through an image on the way.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Command, Idempotency, WatchEvent } from "../../src/store/mod.ts";
import { Model } from "./model.ts";
import { anyCommand, Driver, inSession, testSeed } from "./support.ts";

// Few keys, revisions and instants, so that they meet.
const key = fc.constantFrom("a", "b", "c", "d", "\x00", "\xff", "ab", "b\x80");
const command = anyCommand({
  key,
  value: fc.nat(3).map((n) => new Uint8Array(n).fill(n)),
  contentType: fc.constantFrom("t", "u"),
  revision: fc.nat(30),
  ttlMs: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(200_000)),
});

const fingerprint = fc.integer({ min: 1, max: 2 });
const idempotency = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record<Idempotency & { kind: "key" }>({
      kind: fc.constant("key" as const),
      key: fc.constantFrom("k", "l", "m"),
      fingerprint: fingerprint.map((n) => new Uint8Array(16).fill(n)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 6 }), fc.nat(5), fingerprint)
      .map(([session, sequence, behind, print]) =>
        inSession(session, sequence, Math.max(0, sequence - behind), print)
      ),
  },
);

interface Step {
  readonly command: Command;
  readonly idempotency: Idempotency | undefined;
  readonly elapsedMs: number;
  readonly reload: boolean;
  readonly start: string;
  readonly end: string | undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  command,
  idempotency,
  elapsedMs: fc.oneof(
    { weight: 10, arbitrary: fc.nat(5) },
    { weight: 1, arbitrary: fc.constantFrom(100_000, 299_999, 300_000, 900_000) },
    { weight: 1, arbitrary: fc.constant(-50) }, // a leader's clock behind the state's
  ),
  reload: fc.nat(9).map((n) => n === 0),
  start: fc.oneof(fc.constant(""), key),
  end: fc.option(key, { nil: undefined }),
});
const steps = fc.array(step, { maxLength: 80, size: "max" });

function plain(events: readonly WatchEvent[] | undefined): unknown {
  return JSON.parse(JSON.stringify(events ?? "gone"));
}

Deno.test("Store answers every log as the naive model does", () => {
  const counts: Record<string, number> = {};
  const property = fc.property(steps, (log) => {
    const driver = new Driver();
    const model = new Model();
    let timeMs = 0;
    for (const { command, idempotency, elapsedMs, start, end } of log) {
      timeMs = Math.max(0, timeMs + elapsedMs);
      const applied = driver.apply(command, timeMs, idempotency);
      const expected = model.apply(driver.index, command, timeMs, idempotency);
      assertEquals(applied, expected);
      const label = applied.replayed ? "replayed" : applied.result.kind;
      counts[label] = (counts[label] ?? 0) + 1;

      const scanned = model.scan(start, end);
      assertEquals([...driver.store.scan(start, end)], scanned);
      assertEquals([...driver.store.scan(start, end, true)], scanned.reverse());
      assertEquals(driver.store.get(start), model.live(start));
      assertEquals(driver.store.nextExpiryMs(), model.nextExpiryMs());
      assertEquals(driver.store.timeMs, model.timeMs);
      assertEquals(driver.store.size, model.records.size);
    }
    const events = driver.store.eventsAfter({ revision: 0, subIndex: 0 }, 1e6);
    assertEquals(plain(events), plain(model.events));
  });
  fc.assert(property, { seed: testSeed(), numRuns: 150 });
  // The generators must reach every outcome, or the comparison shows less than it seems to.
  for (
    const label of [
      "put",
      "deleted",
      "touched",
      "not-found",
      "condition-failed",
      "txn",
      "expired",
      "replayed",
      "idempotency-stale",
      "idempotency-key-reused",
    ]
  ) assert(counts[label] > 0, `no ${label} among ${JSON.stringify(counts)}`);
});

Deno.test("Store reaches the same state with images taken and loaded on the way", () => {
  const property = fc.property(steps, (log) => {
    const straight = new Driver();
    const reloaded = new Driver();
    let timeMs = 0;
    for (const { command, idempotency, elapsedMs, reload } of log) {
      timeMs = Math.max(0, timeMs + elapsedMs);
      const applied = straight.apply(command, timeMs, idempotency);
      assertEquals(reloaded.apply(command, timeMs, idempotency), applied);
      if (!reload) continue;
      reloaded.reload();
      assertEquals(reloaded.hash(), straight.hash());
    }
    assertEquals(reloaded.hash(), straight.hash());
  });
  fc.assert(property, { seed: testSeed(), numRuns: 100 });
});

Deno.test("Store.freeze() is not touched by what is applied afterwards", () => {
  const property = fc.property(steps, steps, (before, after) => {
    const driver = new Driver();
    const run = (log: Step[]) => {
      for (const one of log) driver.apply(one.command, driver.timeMs, one.idempotency);
    };
    run(before);
    const scan = driver.store.scan("", undefined);
    const records = [...driver.store.scan("", undefined)];
    const frozen = driver.store.freeze();
    const twin = new Driver();
    for (const one of before) twin.apply(one.command, twin.timeMs, one.idempotency);
    run(after);
    assertEquals([...scan], records);
    driver.store.replace(frozen);
    assertEquals(driver.hash(), twin.hash());
  });
  fc.assert(property, { seed: testSeed(), numRuns: 50 });
});
