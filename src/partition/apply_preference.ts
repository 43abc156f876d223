// Where a partition's leader should be, as an operator asks for it. Pure. A wish, never a condition: a zone
// without a voter of the partition changes nothing.

import { type LogIndex, META_PARTITION } from "../base/ids.ts";
import { withEntry } from "./apply_members.ts";
import type { PreferZone } from "./commands.ts";
import type { ClusterMap } from "./map.ts";
import { changed, type Outcome, refused, UNCHANGED } from "./result.ts";

export function preferZone(map: ClusterMap, epoch: LogIndex, command: PreferZone): Outcome {
  const { partition, zone } = command;
  const entry = map.partitions[partition];
  if (entry === undefined || partition === META_PARTITION) {
    return refused("unknown-partition", `there is no data partition ${partition}`);
  }
  if (entry.preferredZone === zone) return UNCHANGED;
  const { preferredZone: _, ...rest } = entry;
  const wanted = zone === undefined ? rest : { ...rest, preferredZone: zone };
  return changed({ ...map, epoch, partitions: withEntry(map, wanted) });
}
