// Progress events: the same text for the same places, and never for others.

import { assert, assertEquals } from "@std/assert";
import { type PartitionPosition, readWatchCursor } from "../../src/http/positions.ts";
import { ProgressTexts } from "../../src/http/watch_progress.ts";
import { WHOLE_REVISION } from "../../src/store/mod.ts";

function at(partition: number, revision: number, subIndex = WHOLE_REVISION): PartitionPosition {
  return { partition, position: { revision, subIndex } };
}

Deno.test("a progress event names each partition's place and is a cursor behind it", () => {
  const positions = [at(1, 7), at(4, 9, 2)];
  const text = new ProgressTexts().of(positions);
  const [, id, data] = /^event: progress\nid: (.+)\ndata: (.+)\n\n$/.exec(text)!;
  assertEquals(readWatchCursor(id), positions);
  assertEquals(JSON.parse(data), { applied: { 1: 7, 4: 8 } });
});

Deno.test("what one watcher was told is no other's place, nor an earlier one of its own", () => {
  const texts = new ProgressTexts();
  const positions = [at(1, 7), at(2, 5)];
  const first = texts.of(positions);
  assertEquals(texts.of([at(1, 7), at(2, 5)]), first);
  const others = [
    [at(1, 7)],
    [at(1, 7), at(3, 5)],
    [at(1, 8), at(2, 5)],
    [at(1, 7), at(2, 5, 0)],
    [at(1, 7), at(2, 5), at(3, 0)],
  ];
  for (const other of others) assert(texts.of(other) !== first);
  positions[1] = at(2, 6);
  const moved = texts.of(positions);
  assertEquals(moved, new ProgressTexts().of(positions));
  positions[1] = at(2, 7);
  assertEquals(texts.of(positions), new ProgressTexts().of(positions));
});
