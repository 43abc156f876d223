// What a campaign says of a failing seed can be typed as it stands.

import { assertEquals } from "@std/assert";
import { replayLine } from "./campaign.ts";

Deno.test("replayLine() names what was fixed by its flags", () => {
  assertEquals(replayLine(7, {}), "deno task sim --seed 7");
  assertEquals(
    replayLine(7, { nodes: 5, partitions: 1, rate: 50 }),
    "deno task sim --seed 7 --nodes 5 --partitions 1 --rate 50",
  );
});
