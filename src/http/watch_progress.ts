// The text of progress events. Idle watchers of the same partitions stand at the same places and are told so
// at about the same time: what was made for one serves the next. Must never give a text for other positions.

import { type PartitionPosition, watchCursor } from "./positions.ts";
import { WHOLE_REVISION } from "../store/mod.ts";

/** One event of a stream. `id` is the cursor at which a client goes on behind it. */
export function eventText(event: string, id: string, data: string): string {
  return `event: ${event}\nid: ${id}\ndata: ${data}\n\n`;
}

/** Makes progress events and keeps the last one. */
export class ProgressTexts {
  #positions: readonly PartitionPosition[] = [];
  #text = "";

  /** The event that says that everything up to `positions` was sent or not watched. */
  of(positions: readonly PartitionPosition[]): string {
    if (this.#text === "" || !isSame(positions, this.#positions)) {
      // A copy: the caller's list moves on.
      this.#positions = [...positions];
      this.#text = progressText(positions);
    }
    return this.#text;
  }
}

function isSame(a: readonly PartitionPosition[], b: readonly PartitionPosition[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const { partition, position: { revision, subIndex } } = a[i];
    const { position: other, partition: otherPartition } = b[i];
    if (partition !== otherPartition || revision !== other.revision) return false;
    if (subIndex !== other.subIndex) return false;
  }
  return true;
}

function progressText(positions: readonly PartitionPosition[]): string {
  const applied = positions.map(({ partition, position: { revision, subIndex } }) =>
    `"${partition}":${subIndex === WHOLE_REVISION ? revision : revision - 1}`
  );
  return eventText("progress", watchCursor(positions), `{"applied":{${applied.join(",")}}}`);
}
