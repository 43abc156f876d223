// Applied positions order each key by itself, while a process moves from key to key: binding calls to
// positions may overlap a process's calls on different keys, which is no fault of the history.

import { assertEquals } from "@std/assert";
import { checkApplied, kv, type Operation } from "../mod.ts";

/** Small and seeded: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Puts of several processes over several keys, each taking effect at some moment within its call. */
function history(seed: number): Operation[] {
  const random = randomFrom(seed);
  const drawn: { process: number; call: number; effect: number; end: number; key: string }[] = [];
  for (let process = 0; process < 4; process++) {
    let now = random();
    for (let i = 0; i < 8; i++) {
      const call = now;
      const effect = call + random() * 3;
      const end = effect + random() * 3;
      drawn.push({ process, call, effect, end, key: random() < 0.5 ? "a" : "b" });
      now = end + random() * 0.1;
    }
  }
  const revisions = new Map<string, number>();
  const operations: Operation[] = [];
  for (const { process, call, end, key } of drawn.toSorted((x, y) => x.effect - y.effect)) {
    const revision = (revisions.get(key) ?? 0) + 1;
    revisions.set(key, revision);
    operations.push({
      process,
      call,
      return: end,
      input: { f: "put", key, value: `${process}-${call}` },
      output: { status: revision === 1 ? 201 : 200, revision },
      applied: revision,
      partition: key,
    });
  }
  return operations;
}

Deno.test("checkApplied() takes processes that move from key to key", () => {
  for (let seed = 1; seed <= 200; seed++) {
    assertEquals(checkApplied(history(seed), kv()).verdict, "linearizable", `seed ${seed}`);
  }
});
