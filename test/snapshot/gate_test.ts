// A bounded number of jobs at a time, first come first served, whatever becomes of them.

import { assertEquals, assertRejects } from "@std/assert";
import { Gate } from "../../src/snapshot/gate.ts";

Deno.test("Gate runs so many jobs at a time, in order, and a failed one makes room", async () => {
  const gate = new Gate(2);
  const began: number[] = [];
  const ends: PromiseWithResolvers<number>[] = [];
  const results = [0, 1, 2, 3].map((i) =>
    gate.run(() => {
      began.push(i);
      ends[i] = Promise.withResolvers<number>();
      return ends[i].promise;
    })
  );
  assertEquals([began, gate.waiting], [[0, 1], 2]);
  ends[1].reject(new Error("broken"));
  await assertRejects(() => results[1], "broken");
  assertEquals([began, gate.waiting], [[0, 1, 2], 1]);
  ends[0].resolve(10);
  assertEquals(await results[0], 10);
  assertEquals([began, gate.waiting], [[0, 1, 2, 3], 0]);
  ends[2].resolve(12);
  ends[3].resolve(13);
  assertEquals(await Promise.all([results[2], results[3]]), [12, 13]);
  assertEquals(await gate.run(() => Promise.resolve(14)), 14);
});
