// When nemeses strike: one fault at a time in each layer, and every fault is healed, whatever happens.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { runNemeses } from "../../chaos/nemeses/schedule.ts";
import { fitting, MAIN_NEMESES, needsOf, nemesesNamed } from "../../chaos/nemeses/mod.ts";
import { seededRandom } from "../../chaos/random.ts";
import type { Fault, Layer, Nemesis, System } from "../../chaos/types.ts";

/** None of these nemeses looks at it. */
const SYSTEM = {} as System;

class Recorder {
  readonly active = new Map<string, Layer>();
  readonly overlaps = new Set<string>();
  strikes = 0;
  heals = 0;
  worst = 0;

  nemesis(name: string, layer: Layer, options: { fails?: boolean; bit?: boolean } = {}): Nemesis {
    return {
      name,
      summary: name,
      needs: [],
      layer,
      pace: { quietMs: [0, 5], faultMs: [0, 10] },
      strike: () => {
        this.strikes++;
        for (const other of this.active.values()) this.overlaps.add([layer, other].sort().join());
        const inLayer = [...this.active.values()].filter((other) => other === layer).length;
        this.worst = Math.max(this.worst, inLayer + 1);
        this.active.set(name, layer);
        return Promise.resolve({
          targets: ["n1"],
          detail: "done",
          verify: () =>
            options.fails
              ? Promise.reject(new Error("the bench failed"))
              : Promise.resolve({ bit: options.bit ?? true, detail: "felt" }),
          heal: () => {
            this.heals++;
            this.active.delete(name);
            return Promise.resolve();
          },
        });
      },
    };
  }
}

Deno.test("one fault at a time in a layer, layers beside each other, all healed at the end", async () => {
  const recorder = new Recorder();
  const faults: Fault[] = [];
  const returned = await runNemeses({
    nemeses: [
      recorder.nemesis("a", "nodes"),
      recorder.nemesis("b", "nodes", { bit: false }),
      recorder.nemesis("c", "links"),
    ],
    system: SYSTEM,
    random: seededRandom(1),
    stopped: () => recorder.strikes > 40,
    onFault: (fault, place) => faults[place] = fault,
  });
  assertEquals(recorder.active.size, 0);
  assertEquals(recorder.strikes, recorder.heals);
  assertEquals(recorder.worst, 1);
  assert(recorder.overlaps.has("links,nodes"));
  assertEquals(faults, [...returned]);
  for (const fault of faults) {
    assert(fault.untilMs >= fault.atMs && fault.untilMs < Infinity);
    assertEquals(fault.bit, fault.kind !== "b");
    assertEquals(fault.detail, "done; felt");
  }
  // Of two nemeses each has had its turn before one has a second.
  const turns = faults.filter(({ kind }) => kind !== "c").map(({ kind }) => kind);
  for (let i = 0; i + 1 < turns.length; i += 2) assert(turns[i] !== turns[i + 1]);
});

Deno.test("a bench that fails heals all the same, and says why", async () => {
  const recorder = new Recorder();
  await assertRejects(
    () =>
      runNemeses({
        nemeses: [recorder.nemesis("a", "nodes", { fails: true }), recorder.nemesis("b", "links")],
        system: SYSTEM,
        random: seededRandom(1),
        stopped: () => false,
      }),
    Error,
    "the bench failed",
  );
  assertEquals(recorder.active.size, 0);
  assertEquals(recorder.strikes, recorder.heals);
});

Deno.test("names, needs and abilities of nemeses", () => {
  assertEquals(nemesesNamed(["none"]), []);
  assertEquals(nemesesNamed(["all", "kill"]), MAIN_NEMESES);
  assertEquals(nemesesNamed(["kill", "partition-ring"]).map(({ name }) => name), [
    "kill",
    "partition-ring",
  ]);
  assertEquals(new Set(MAIN_NEMESES.map(({ name }) => name)).size, MAIN_NEMESES.length);
  assertEquals(needsOf(nemesesNamed(["kill"])), { proxy: false, faulty: false, spares: 0 });
  assertEquals(needsOf(nemesesNamed(["all"])), { proxy: true, faulty: true, spares: 1 });
  const { can, cannot } = fitting(nemesesNamed(["kill", "power-cut"]), new Set(["processes"]));
  assertEquals([can, cannot].map((list) => list.map(({ name }) => name)), [["kill"], [
    "power-cut",
  ]]);
});
