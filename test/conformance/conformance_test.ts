// Runs the conformance scripts within the test suite, one test step per script.

import { assert, assertEquals } from "@std/assert";
import { defaultDataFolder, hasData, runAll, runScript } from "./runner.ts";

Deno.test("the core conforms to every script", async (t) => {
  const folder = defaultDataFolder();
  if (!hasData(folder)) {
    console.log("skipped: needs ../shared/conformance");
    assert(Deno.env.get("PONTOON_TEST_REQUIRE") !== "1", `no conformance data in ${folder}`);
    return;
  }
  for (const { name, failure } of runAll(folder)) {
    await t.step(name, () => assertEquals(failure, null));
  }
});

Deno.test("runScript() names the first line that differs", () => {
  const failure = runScript("confchange", "simple\nv1\n----\nvoters=(2)\n");
  assert(failure !== null);
  assert(failure.includes("expected: voters=(2)"), failure);
  assert(failure.includes("actual:   voters=(1)"), failure);
});
