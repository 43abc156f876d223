// When a batch goes, and how long it is held back at most.

import { assertEquals } from "@std/assert";
import { BatchFill, HOLD_MS_MAX } from "../../src/replica/batch_fill.ts";

/** A fill whose last batch had `size`. */
function after(size: number): BatchFill {
  const fill = new BatchFill();
  fill.taken(size);
  return fill;
}

Deno.test("a single client's proposals go at once", () => {
  const fill = new BatchFill();
  for (let i = 0; i < 3; i++) {
    assertEquals(fill.judge(1, 0, i), "go");
    fill.taken(1);
  }
});

Deno.test("a batch of half of those who are about goes at once", () => {
  assertEquals(after(32).judge(32, 32, 0), "go");
  assertEquals(after(10).judge(40, 10, 0), "go");
});

Deno.test("a small batch behind a large one is held until that one commits", () => {
  const fill = after(42);
  assertEquals(fill.judge(7, 42, 0), "hold");
  assertEquals(fill.judge(7, 42, HOLD_MS_MAX / 2), "hold");
  assertEquals(fill.judge(25, 42, HOLD_MS_MAX / 2), "go");
});

Deno.test("nothing is held for a commit that does not come", () => {
  const fill = after(42);
  assertEquals(fill.judge(7, 42, 5), "hold");
  assertEquals(fill.judge(8, 42, 5 + HOLD_MS_MAX), "go");
});

Deno.test("a batch that still grows is looked at again, one that does not goes", () => {
  const fill = after(42);
  for (let queued = 1; queued < 22; queued++) assertEquals(fill.judge(queued, 0, 0), "look");
  assertEquals(fill.judge(22, 0, 0), "go");
  fill.taken(22);
  assertEquals(fill.judge(2, 0, 0), "look");
  for (let looks = 0; looks < 3; looks++) assertEquals(fill.judge(2, 0, 0), "look");
  assertEquals(fill.judge(2, 0, 0), "go");
});

Deno.test("when the other clients are gone the last one waits once only", () => {
  const fill = after(64);
  assertEquals([0, 1, 2, 3, 4].map(() => fill.judge(1, 0, 0)).at(-1), "go");
  fill.taken(1);
  assertEquals(fill.judge(1, 0, 0), "go");
});
