// Damage that a node finds is a violation unless the bench did it: the others may hold every write, so that no client
// could tell.

import { assertEquals } from "@std/assert";
import {
  brokenInvariants,
  damagesFiles,
  snapshotsSent,
  unexplainedDamage,
} from "../../chaos/node_logs.ts";
import type { Fault } from "../../chaos/types.ts";

const DAMAGED =
  '{"level":"error","message":"acknowledged data is damaged","node":"n1","damage":{"reason":"segments are missing"}}';
const STARTED = '{"level":"info","message":"node started","node":"n1"}';

function fault(kind: string, ...targets: string[]): Fault {
  return { kind, targets, atMs: 0, untilMs: 1, bit: true, detail: "" };
}

Deno.test("unexplainedDamage() is what a node lost that no damage was done to", () => {
  const logs = new Map([["n2", STARTED], ["n1", `${STARTED}\n${DAMAGED}\n`]]);
  assertEquals(unexplainedDamage(new Map([["n2", STARTED]]), []), []);
  assertEquals(unexplainedDamage(logs, [fault("power-cut", "n1")]), [{
    message:
      "n1 has lost what it had acknowledged, and nobody had damaged its files: segments are missing",
    calls: [],
  }]);
  assertEquals(unexplainedDamage(logs, [fault("damage", "n2")]).length, 1);
  assertEquals(unexplainedDamage(logs, [fault("damage", "n2", "n1")]), []);
  assertEquals(unexplainedDamage(logs, [fault("damage-flip", "n1")]), []);
});

Deno.test("unexplainedDamage() reads a line that was cut off by the end of its node", () => {
  const [flaw] = unexplainedDamage(new Map([["n1", DAMAGED.slice(0, -20)]]), []);
  assertEquals(flaw?.message.endsWith("the line breaks off"), true);
});

Deno.test("damagesFiles() holds for the nemeses that damage, and for all of them together", () => {
  const names = ["all", "damage", "damage-flip", "power-cut", "kill"];
  assertEquals(names.filter(damagesFiles), ["all", "damage", "damage-flip"]);
});

Deno.test("snapshotsSent() counts over all nodes", () => {
  const sent = '{"level":"info","message":"snapshot sent","to":"n2"}';
  assertEquals(snapshotsSent(new Map([["n1", `${sent}\n${sent}\n`], ["n2", sent]])), 3);
});

Deno.test("brokenInvariants() is told once for each node, with how often", () => {
  const fatal =
    '{"level":"error","message":"fatal: peer link failed","error":"InvariantError: cannot commit 349: the log ends at 271\\n    at assert"}';
  assertEquals(brokenInvariants(new Map([["n1", STARTED]])), []);
  assertEquals(
    brokenInvariants(new Map([["n2", fatal], ["n1", `${fatal}\n${STARTED}\n${fatal}\n`]])).map(
      ({ message }) => message,
    ),
    [
      "n1 found an invariant broken: cannot commit 349: the log ends at 271 (the first of 2 times)",
      "n2 found an invariant broken: cannot commit 349: the log ends at 271",
    ],
  );
});
