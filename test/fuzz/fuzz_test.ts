// A short run of every surface that needs no process, and of a real node, from a seed that differs each time;
// and what was found once, which must not come back. `deno task fuzz` runs for longer.

import { assertEquals } from "@std/assert";
import { SeededRandom } from "../sim/random.ts";
import { givenSeed } from "../support/seed.ts";
import { record } from "./recording.ts";
import { inputOf, judge } from "./surface.ts";
import { surfacesOf } from "./surfaces.ts";

/** Of each surface; it has run for long enough after the time below, too. */
const CASES_MAX = 2000;
const MS_MAX = 500;
const CORPUS = new URL("corpus/", import.meta.url);

const seed = givenSeed() ?? Math.floor(Math.random() * 2 ** 31);
const surfaces = surfacesOf(await record());

for (const surface of surfaces) {
  Deno.test(`${surface.name}: whatever it is given, it ends in peace or in an error of its own`, async () => {
    const endMs = performance.now() + MS_MAX;
    for (let i = 0; i < CASES_MAX && performance.now() < endMs; i++) {
      const random = new SeededRandom(`${seed}/${surface.name}/${i}`);
      const finding = await judge(surface, inputOf(surface, random));
      if (finding === undefined) continue;
      throw new Error(`deno task fuzz --seed ${seed} --surface ${surface.name}: case ${i}`, {
        cause: finding.error,
      });
    }
  });
}

Deno.test("what was found before is not found again", async () => {
  for (const { name } of Deno.readDirSync(CORPUS)) {
    const surface = surfaces.find((one) => one.name === name.split("-")[0]);
    if (surface === undefined) continue;
    const finding = await judge(surface, Deno.readFileSync(new URL(name, CORPUS)));
    assertEquals(finding?.error, undefined, name);
  }
});
