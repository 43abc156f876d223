// Random misfortune: requests and answers lost, refusals, changes of leader, nodes down. Whatever happens,
// what the SDK says is true: a write that it calls done was done once, one that it calls not done was not.

import { assert, assertEquals } from "@std/assert";
import { PontoonError } from "../../src/client/mod.ts";
import { FakeCluster, type Fate, problemAnswer } from "./fake_cluster.ts";
import { testSeed } from "../support/seed.ts";

const SEEDS = 6;
const WORKERS = 8;
const WRITES = 12;

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Half of all requests meet with something. */
function misfortune(cluster: FakeCluster, random: () => number): Fate {
  const dice = random();
  if (dice < 0.08) cluster.leader = Math.floor(random() * 3);
  if (dice < 0.12) {
    cluster.down.clear();
    if (random() < 0.5) cluster.down.add((cluster.leader + 1) % 3);
  }
  if (dice < 0.2) return "before";
  if (dice < 0.35) return "after";
  if (dice < 0.4) return problemAnswer(503, "no-leader");
  if (dice < 0.45) return problemAnswer(503, "unavailable");
  if (dice < 0.5) return problemAnswer(504, "timeout", { outcome: "unknown" });
  return undefined;
}

Deno.test("what the SDK says of a write is true, whatever happens to its requests", async () => {
  const first = testSeed();
  const outcomes = { done: 0, none: 0, unknown: 0 };
  for (let seed = first; seed < first + SEEDS; seed++) {
    const random = randomFrom(seed);
    const cluster = new FakeCluster();
    // Short, so that some calls meet their deadline.
    await using kv = await cluster.connect({ timeoutMs: 150, attemptTimeoutMs: 50 });
    cluster.fate = () => misfortune(cluster, random);
    const said = new Map<string, keyof typeof outcomes>();
    await Promise.all(Array.from({ length: WORKERS }, async (_, worker) => {
      for (let i = 0; i < WRITES; i++) {
        const key = `k${worker}-${i}`;
        try {
          const result = i % 2 === 0
            ? await kv.set(key, i, { ifRevision: 0 })
            : await kv.atomic().check({ key, revision: 0 }).set(key, i).commit();
          // Done a second time, it would meet what it did the first time.
          assertEquals(result.ok, true, `seed ${seed}: ${key} was done twice`);
          said.set(key, "done");
        } catch (error) {
          if (!(error instanceof PontoonError)) throw error;
          said.set(key, error.outcome);
        }
      }
    }));
    cluster.fate = () => undefined;
    cluster.down.clear();
    for (const [key, outcome] of said) {
      outcomes[outcome]++;
      const { revision } = await kv.get(key, { timeoutMs: 5000 });
      if (outcome === "done") assert(revision > 0, `seed ${seed}: ${key} is lost`);
      if (outcome === "none") assertEquals(revision, 0, `seed ${seed}: ${key} was done after all`);
    }
  }
  assert(outcomes.done > SEEDS * WORKERS, JSON.stringify(outcomes));
});
