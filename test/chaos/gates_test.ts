// A node that ends by itself: for its disk's sake it may, for anything else the run must not pass as good.

import { assertEquals } from "@std/assert";
import { gatesOf } from "../../chaos/gates.ts";
import type { NodeEnd } from "../../chaos/types.ts";

function endGate(reasons: readonly string[]) {
  const ends = reasons.map((reason): NodeEnd => ({ node: "n1", atMs: 0, code: 70, reason }));
  const gates = gatesOf({
    calls: [],
    kinds: [],
    faults: [],
    ends,
    nemeses: [],
    elections: 0,
    snapshotsSent: 0,
    expect: [],
  });
  return gates.find(({ name }) => name.startsWith("no node ended by itself"));
}

Deno.test("an end that no fault explains fails its gate", () => {
  const injected = '{"level":"error","message":"fatal: Cannot sync the log: error (injected)"}';
  const full = "pontoon: Cannot write wal/new.tmp: no space left on device (quota)";
  const broken = '{"level":"error","message":"fatal: assertion failed: commit runs back"}';
  assertEquals(endGate([]), undefined);
  assertEquals(endGate([injected, full])?.passed, true);
  const gate = endGate([injected, broken]);
  assertEquals(gate?.passed, false);
  assertEquals(gate?.detail.startsWith("1 did: n1, exit code 70"), true);
});
