// Schedules that are kept as JSON, so that they stay the same when what is drawn for a seed changes: those that
// once found a bug in the product, and those that once made the simulator cry wolf. Each file is named after
// what it was.

import { assertEquals } from "@std/assert";
import { runSchedule } from "./run.ts";

function testAll(folder: string, title: string): void {
  const url = new URL(`${folder}/`, import.meta.url);
  const names = [...Deno.readDirSync(url)].map(({ name }) => name).sort();
  for (const name of names) {
    Deno.test(`${title}: ${name}`, async () => {
      const result = await runSchedule(JSON.parse(Deno.readTextFileSync(new URL(name, url))));
      assertEquals(result.failure, undefined);
    });
  }
}

testAll("seeds", "stays mended");
testAll("false_alarms", "is no failure");
