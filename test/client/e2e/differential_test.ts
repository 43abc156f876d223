// The SDK on a cluster and Deno KV, the baseline, agree on random sequences of get, set, delete, check and
// list. Keys share a hash tag, so that one atomic operation may span them, as in Deno KV.

import { assertEquals } from "@std/assert";
import { connect, type Kv } from "../../../src/client/mod.ts";
import { TestCluster } from "../../../scripts/bench/support/cluster.ts";
import { testSeed } from "../../support/seed.ts";

const ROUNDS = 12;
const STEPS = 60;
const KEYS = 8;

/** Mulberry32. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * below);
  };
}

/** What both must be able to do; results in a form that compares. */
interface Subject {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<void>;
  /** Remembers what `key` is now, for a later check. */
  remember(key: string): Promise<void>;
  /** Checks what was remembered of `checked`, then sets and deletes. Whether it was done. */
  commit(
    checked: readonly string[],
    set: readonly [string, unknown][],
    deleted: readonly string[],
  ): Promise<boolean>;
  list(prefix: string, reverse: boolean, limit: number): Promise<unknown[]>;
}

function onCluster(kv: Kv, tag: string): Subject {
  const full = (key: string) => `{${tag}}${key}`;
  const remembered = new Map<string, { key: string; revision: number }>();
  return {
    async get(key) {
      const { value, revision } = await kv.get(full(key));
      return [revision > 0, value];
    },
    async set(key, value) {
      await kv.set(full(key), value);
    },
    async delete(key) {
      await kv.delete(full(key));
    },
    async remember(key) {
      const { revision } = await kv.get(full(key));
      remembered.set(key, { key: full(key), revision });
    },
    async commit(checked, set, deleted) {
      const operation = kv.atomic();
      for (const key of checked) operation.check(remembered.get(key)!);
      for (const [key, value] of set) operation.set(full(key), value);
      for (const key of deleted) operation.delete(full(key));
      return (await operation.commit()).ok;
    },
    async list(prefix, reverse, limit) {
      const found: unknown[] = [];
      const list = kv.list({ prefix: full(prefix) }, { reverse, limit, pageSize: 3 });
      for await (const { key, value } of list) {
        found.push([(key as string).slice(full("").length), value]);
      }
      return found;
    },
  };
}

function onDeno(kv: Deno.Kv): Subject {
  const remembered = new Map<string, { key: string[]; versionstamp: string | null }>();
  return {
    async get(key) {
      const { value, versionstamp } = await kv.get([key[0], key]);
      return [versionstamp !== null, value];
    },
    async set(key, value) {
      await kv.set([key[0], key], value);
    },
    async delete(key) {
      await kv.delete([key[0], key]);
    },
    async remember(key) {
      const { versionstamp } = await kv.get([key[0], key]);
      remembered.set(key, { key: [key[0], key], versionstamp });
    },
    async commit(checked, set, deleted) {
      const operation = kv.atomic();
      for (const key of checked) operation.check(remembered.get(key)!);
      for (const [key, value] of set) operation.set([key[0], key], value);
      for (const key of deleted) operation.delete([key[0], key]);
      return (await operation.commit()).ok;
    },
    async list(prefix, reverse, limit) {
      const found: unknown[] = [];
      for await (const { key, value } of kv.list({ prefix: [prefix] }, { reverse, limit })) {
        found.push([key[1], value]);
      }
      return found;
    },
  };
}

/** One step at both; the results must be equal. */
async function step(below: (n: number) => number, both: readonly Subject[]): Promise<string> {
  const key = () => `${"ab"[below(2)]}${below(KEYS)}`;
  const value = () =>
    [
      `text ${below(99)}`,
      below(1e9),
      { n: below(9), list: [null, true] },
      new Uint8Array([below(256), 0]),
    ][
      below(4)
    ];
  const run = async (what: string, call: (subject: Subject) => Promise<unknown>) => {
    const [ours, theirs] = await Promise.all(both.map(call));
    assertEquals(ours, theirs, what);
    return what;
  };
  const kind = below(12);
  if (kind < 3) {
    const [k, v] = [key(), value()];
    return await run(`set ${k}`, (subject) => subject.set(k, v));
  }
  if (kind < 4) {
    const k = key();
    return await run(`delete ${k}`, (subject) => subject.delete(k));
  }
  if (kind < 6) {
    const k = key();
    return await run(`get ${k}`, (subject) => subject.get(k));
  }
  if (kind < 9) {
    const checked = [...new Set([key(), key()])];
    const set: [string, unknown][] = [[key(), value()], [key(), value()]];
    const deleted = below(2) === 0 ? [key()] : [];
    // Deno KV leaves open what wins if one key is both set and deleted.
    const distinct = new Map(set.filter(([k]) => !deleted.includes(k)));
    for (const k of checked) await run(`remember ${k}`, (subject) => subject.remember(k));
    const between = below(3) === 0 ? checked[0] : undefined;
    if (between !== undefined) await run(`set ${between}`, (subject) => subject.set(between, 1));
    return await run(
      `commit checking ${checked}`,
      (subject) => subject.commit(checked, [...distinct], deleted),
    );
  }
  const [prefix, reverse, limit] = ["ab"[below(2)], below(2) === 0, 1 + below(10)];
  return await run(
    `list ${prefix} ${reverse} ${limit}`,
    (subject) => subject.list(prefix, reverse, limit),
  );
}

Deno.test("the SDK on a cluster agrees with Deno KV on random sequences", async () => {
  const seed = testSeed();
  await using cluster = TestCluster.start({ nodes: 3, flags: ["--partitions", "4"] });
  await cluster.ready();
  await using kv = await connect(cluster.nodes.map(({ http }) => http));
  for (let round = 0; round < ROUNDS; round++) {
    const below = randomFrom(seed + round);
    using baseline = await Deno.openKv(":memory:");
    const both = [onCluster(kv, `t${round}`), onDeno(baseline)];
    const steps: string[] = [];
    try {
      for (let i = 0; i < STEPS; i++) steps.push(await step(below, both));
    } catch (error) {
      console.error(`PONTOON_TEST_SEED=${seed}, round ${round}, after: ${steps.join("; ")}`);
      throw error;
    }
  }
});
