import { assert, assertEquals } from "@std/assert";
import { drawSchedule, type SimSchedule } from "./schedule.ts";
import { shrink } from "./shrink.ts";

/** Fails as long as a crash of a low node is followed by a reset, and there is something to do. */
function breaks({ faults, options }: SimSchedule): Promise<string | undefined> {
  const crash = faults.findIndex(({ kind }) => kind === "crash");
  const reset = faults.findLastIndex(({ kind }) => kind === "reset");
  const failing = crash !== -1 && crash < reset && (options.operationsMax ?? 1000) >= 7 &&
    options.mix.put > 0;
  return Promise.resolve(failing ? "it" : undefined);
}

Deno.test("shrink() keeps what a failure needs and drops the rest", async () => {
  const drawn = drawSchedule(5, { nodes: 5, spares: 0, partitions: 3, lostNode: 2 });
  const schedule: SimSchedule = {
    ...drawn,
    faults: [
      ...drawn.faults,
      { atMs: 40, kind: "crash", node: 1, downMs: 1000 },
      { atMs: 50, kind: "pause", node: 1, durationMs: 50 },
      { atMs: 60, kind: "reset", from: 0, to: 2 },
      { atMs: 70, kind: "partition", left: [4], durationMs: 60 },
    ],
  };
  const sizes: number[] = [];
  const small = await shrink(schedule, "it", {
    runsMax: 10_000,
    stopped: () => false,
    run: breaks,
    onProgress: ({ faults }) => sizes.push(faults.length),
  });
  assertEquals(small.faults.map(({ kind }) => kind), ["crash", "reset"]);
  const { nodes, partitions, lostNode, clients, keys, operationsMax, safetyMs, mix } =
    small.options;
  assertEquals({ nodes, partitions, lostNode, clients, keys }, {
    nodes: 3,
    partitions: 1,
    lostNode: -1,
    clients: 1,
    keys: 1,
  });
  assert(operationsMax !== undefined && operationsMax >= 7 && operationsMax < 14);
  assert(safetyMs < 200, `still ${safetyMs} ms`);
  assertEquals(Object.entries(mix).filter(([, weight]) => weight > 0).map(([kind]) => kind), [
    "put",
  ]);
  assert(sizes.every((size, i) => i === 0 || size <= sizes[i - 1]), "it only gets smaller");
});

Deno.test("shrink() stops when it is told to, and returns what it has", async () => {
  const schedule = drawSchedule(5);
  let runs = 0;
  const same = await shrink(schedule, "it", {
    runsMax: 10,
    stopped: () => false,
    run: () => Promise.resolve(++runs > 0 ? undefined : "it"),
  });
  assertEquals(same, schedule);
  assertEquals(runs, 10);
});
