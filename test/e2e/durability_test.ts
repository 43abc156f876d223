// All nodes killed at once under load, restarted, and every answer held against what is there. The
// benchmark runs more rounds of the same program.

import { assertEquals } from "@std/assert";

Deno.test("acknowledged writes survive the death of all nodes at once", async () => {
  const script = new URL("../../scripts/bench/durability.ts", import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", decodeURIComponent(script.pathname), "3"],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
});
