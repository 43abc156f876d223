// Known bugs of the partition map, of moves, of sleeping groups and of gossip.

import type { Mutant } from "../types.ts";

export const PARTITION_MUTANTS: readonly Mutant[] = [];
