// Every known bug of the catalogue.

import { CORE_MUTANTS } from "./catalogue/core.ts";
import { DATA_MUTANTS } from "./catalogue/data.ts";
import { PARTITION_MUTANTS } from "./catalogue/partitions.ts";
import type { Mutant } from "./types.ts";

export const MUTANTS: readonly Mutant[] = [
  ...CORE_MUTANTS,
  ...PARTITION_MUTANTS,
  ...DATA_MUTANTS,
];
