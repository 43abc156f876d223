import { assert, assertEquals } from "@std/assert";
import { TransitEstimate } from "../../src/transport/transit.ts";

Deno.test("TransitEstimate tells a late frame without a common clock", () => {
  const offsetMs = 123_456_789;
  for (const delayMs of [700, 4_000]) {
    const transit = new TransitEstimate();
    for (let sentMs = 0; sentMs < 5_000; sentMs += 100) {
      const passageMs = 1 + (sentMs % 300) / 100;
      const lateness = transit.latenessMs(sentMs, offsetMs + sentMs + passageMs);
      assert(lateness >= 0 && lateness < 3);
    }
    assertEquals(transit.latenessMs(5_000, offsetMs + 5_001 + delayMs), delayMs);
  }
});

Deno.test("TransitEstimate stays small when the clocks go at different speeds", () => {
  for (const rate of [0.5, 0.9, 1.1, 2]) {
    const transit = new TransitEstimate();
    for (let sentMs = 0; sentMs < 60_000; sentMs += 100) {
      assert(transit.latenessMs(sentMs, sentMs * rate + 1) < 2_100, `rate ${rate}`);
    }
  }
});
