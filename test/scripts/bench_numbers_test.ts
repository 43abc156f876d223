import { assertEquals } from "@std/assert";
import { parseNumbers } from "../../scripts/bench/support/numbers.ts";

Deno.test("parseNumbers() takes whole numbers in their places, and nothing else", () => {
  const defaults = ["5", "1,64"];
  assertEquals(parseNumbers([], defaults), [[5], [1, 64]]);
  assertEquals(parseNumbers(["2"], defaults), [[2], [1, 64]]);
  assertEquals(parseNumbers(["2", "8"], defaults), [[2], [8]]);
  for (const wrong of [["--rounds"], ["0"], ["1.5"], ["1", "2", "3"], ["1", "2,"], ["-1"], [""]]) {
    assertEquals(parseNumbers(wrong, defaults), undefined, wrong.join(" "));
  }
});
