// A program on the SDK while its cluster is restarted node by node, and then loses a node for good: nobody
// sees an error, every increment counts once, and the history is linearizable.

import { assert, assertEquals } from "@std/assert";
import { check, kv as kvModel, type Operation } from "../../../checker/mod.ts";
import type { KvInput, KvOutput } from "../../../checker/mod.ts";
import { connect, type Kv, PontoonError } from "../../../src/client/mod.ts";
import { TestCluster, until } from "../../../scripts/bench/support/cluster.ts";

const WORKERS = 64;
const REGISTERS = 24;
const COUNTERS = 8;
const PAUSE_MS = 40;
const EXIT_TIMEOUT_MS = 30_000;
/** Replicas move one after the other. */
const MOVE_TIMEOUT_MS = 60_000;

/** What the workers did, in the order in which this one process saw it. */
class Recorder {
  readonly operations: Operation[] = [];
  #sequence = 0;

  async record<T>(
    process: number,
    input: KvInput,
    call: () => Promise<T>,
    output: (result: T) => KvOutput,
  ): Promise<T> {
    const called = this.#sequence++;
    const result = await call();
    const returned = this.#sequence++;
    this.operations.push({
      process,
      call: called,
      return: returned,
      input,
      output: output(result),
    });
    return result;
  }
}

type Written = Awaited<ReturnType<Kv["set"]>>;

function writtenOutput(result: Written): KvOutput {
  const { revision } = result;
  return { status: !result.ok ? 412 : result.created ? 201 : 200, revision } as KvOutput;
}

function read(kv: Kv, recorder: Recorder, process: number, key: string) {
  return recorder.record(
    process,
    { f: "get", key },
    () => kv.get<number>(key),
    ({ value, revision }) =>
      (revision === 0 ? { status: 404 } : { status: 200, value, revision }) as KvOutput,
  );
}

/** One worker; returns how many increments it made. */
async function work(
  kv: Kv,
  recorder: Recorder,
  process: number,
  stopped: () => boolean,
): Promise<number[]> {
  const increments = new Array<number>(COUNTERS).fill(0);
  for (let round = 0; !stopped(); round++) {
    const key = `r${(process * 7 + round) % REGISTERS}`;
    const value = process * 1_000_000 + round;
    if (round % 3 === 0) await read(kv, recorder, process, key);
    else if (round % 3 === 1) {
      const input = { f: "put", key, value } as const;
      await recorder.record(process, input, () => kv.set(key, value), writtenOutput);
    } else {
      const counter = (process + round) % COUNTERS;
      const name = `c${counter}`;
      const { value, revision } = await read(kv, recorder, process, name);
      const next = (value ?? 0) + 1;
      const input = revision === 0
        ? { f: "put", key: name, value: next, ifNoneMatch: "*" } as const
        : { f: "cas", key: name, value: next, ifMatch: revision } as const;
      const set = () => kv.set(name, next, { ifRevision: revision });
      const result = await recorder.record(process, input, set, writtenOutput);
      if (result.ok) increments[counter]++;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return increments;
}

Deno.test("64 workers see no error through a rolling restart and the loss of a node", async () => {
  await using cluster = TestCluster.start({ nodes: 3, flags: ["--partitions", "4"] });
  await cluster.ready();
  // One seed: the others are found by the map.
  await using kv = await connect(cluster.nodes[0].http);
  const recorder = new Recorder();
  let stopped = false;
  const workers = Promise.all(
    Array.from(
      { length: WORKERS },
      (_, i) =>
        work(kv, recorder, i, () => stopped).catch((error) => {
          stopped = true;
          throw error;
        }),
    ),
  );
  const program = (async () => {
    try {
      for (const node of cluster.nodes) {
        const { process } = node;
        cluster.signal(node, "SIGTERM");
        const exit = setTimeout(() => cluster.signal(node, "SIGKILL"), EXIT_TIMEOUT_MS);
        await process!.status;
        clearTimeout(exit);
        cluster.spawn(node);
        await cluster.ready();
      }
      await cluster.kill(await cluster.leader(1));
      const count = recorder.operations.length;
      await until(
        "the workers go on without the lost node",
        20_000,
        () => recorder.operations.length > count + 20 * WORKERS,
      );
    } finally {
      stopped = true;
    }
  })();
  const [increments] = await Promise.all([workers, program]);
  for (let counter = 0; counter < COUNTERS; counter++) {
    const counted = increments.reduce((sum, own) => sum + own[counter], 0);
    const { value } = await read(kv, recorder, WORKERS, `c${counter}`);
    assert(counted > 0);
    assertEquals(value, counted, `c${counter}`);
  }
  recorder.operations.sort((a, b) => a.call - b.call);
  const verdict = check(recorder.operations, kvModel(), { timeoutMs: 60_000 });
  assertEquals(verdict.verdict, "linearizable", JSON.stringify(verdict).slice(0, 2000));
});

Deno.test("a client goes on while its cluster grows, and loses the node it was connected to", async () => {
  await using cluster = TestCluster.start({ nodes: 3, flags: ["--partitions", "2"] });
  await cluster.ready();
  const [seed, stays] = cluster.nodes;
  await using kv = await connect(seed.http);
  let stopped = false;
  const increments = new Array<number>(8).fill(0);
  const workers = Promise.all(increments.map(async (_, i) => {
    const key = `c${i}`;
    while (!stopped) {
      const { value, revision } = await kv.get<number>(key);
      const result = await kv.set(key, (value ?? 0) + 1, { ifRevision: revision });
      assert(result.ok, "somebody else has written the worker's own counter");
      increments[i]++;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  })).finally(() => stopped = true);
  const program = (async () => {
    try {
      cluster.join("n4", stays);
      const names = async () => {
        const response = await fetch(`http://${stays.http}/cluster`);
        const { members } = await response.json() as { members: { name: string }[] };
        return members.map(({ name }) => name);
      };
      await until("n4 is a member", EXIT_TIMEOUT_MS, async () => (await names()).includes("n4"));
      // Refused until the new node is known to be well: it is to take over.
      await until(
        "the removal is accepted",
        MOVE_TIMEOUT_MS,
        () =>
          kv.admin.remove(seed.name).then(() => true, (error) => {
            if (error instanceof PontoonError && error.code === "conflict") return false;
            throw error;
          }),
      );
      await until("the seed is gone", MOVE_TIMEOUT_MS, async () => !(await names()).includes("n1"));
      await cluster.kill(seed);
      const before = increments.reduce((sum, own) => sum + own);
      await until(
        "the workers go on without the seed",
        EXIT_TIMEOUT_MS,
        () => stopped || increments.reduce((sum, own) => sum + own) > before + 80,
      );
      await until(
        "the client knows the members as they are",
        EXIT_TIMEOUT_MS,
        () => stopped || kv.members.map(({ name }) => name).sort().join() === "n2,n3,n4",
      );
    } finally {
      stopped = true;
    }
  })();
  await Promise.all([workers, program]);
  for (let i = 0; i < increments.length; i++) {
    assertEquals((await kv.get<number>(`c${i}`)).value, increments[i]);
  }
});
