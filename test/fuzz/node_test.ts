// A moment of noise at a real node's two ports and over a peer's link, while another client writes and reads.

import { SeededRandom } from "../sim/random.ts";
import { testSeed } from "../support/seed.ts";
import { nodeSurfaces } from "./node_surface.ts";
import { record } from "./recording.ts";
import { inputOf, judge } from "./surface.ts";

const CASES = 150;

Deno.test("noise at a node's ports and links hurts nobody", async () => {
  const seed = testSeed();
  const surfaces = nodeSurfaces(await record());
  try {
    for (const surface of surfaces) {
      // Each such datagram costs the link, which takes its time to come back.
      const cases = surface.name === "peerdatagrams" ? 10 : CASES;
      for (let i = 0; i < cases; i++) {
        const random = new SeededRandom(`${seed}/${surface.name}/${i}`);
        const finding = await judge(surface, inputOf(surface, random));
        if (finding !== undefined) {
          throw new Error(`seed ${seed}, ${surface.name}, case ${i}`, { cause: finding.error });
        }
      }
    }
  } finally {
    for (const surface of surfaces) await surface.close?.();
  }
});
