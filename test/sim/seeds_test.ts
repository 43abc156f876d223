// Schedules that once found a bug in the product, kept as JSON so that they stay the same when what is
// drawn for a seed changes. Each file is named after what went wrong.

import { assertEquals } from "@std/assert";
import { runSchedule } from "./run.ts";

const FOLDER = new URL("seeds/", import.meta.url);

for (const { name } of [...Deno.readDirSync(FOLDER)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  Deno.test(`stays mended: ${name}`, async () => {
    const result = await runSchedule(JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER))));
    assertEquals(result.failure, undefined);
  });
}
