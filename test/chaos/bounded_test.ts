// Every part of a run comes to its end.

import { assertRejects } from "@std/assert";
import { bounded } from "../../chaos/bounded.ts";

Deno.test("bounded() ends with its part, whatever that comes to", async () => {
  await bounded(undefined, "nothing", () => false);
  await bounded(Promise.resolve(1), "a part", () => false);
  await assertRejects(
    () => bounded(Promise.reject(new Error("broken")), "a part", () => false),
    Error,
    "broken",
  );
});

Deno.test("bounded() names a part that goes on after it should have stopped", async () => {
  await assertRejects(
    () => bounded(new Promise(() => {}), "the clients", () => true, 1),
    Error,
    "the clients did not end within 0.001 s",
  );
});
