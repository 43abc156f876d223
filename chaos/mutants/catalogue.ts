// Every known bug of the catalogue.

import { CONFIGURATION_MUTANTS } from "./catalogue/configuration.ts";
import { DATA_MUTANTS } from "./catalogue/data.ts";
import { ELECTION_MUTANTS } from "./catalogue/election.ts";
import { LOG_MUTANTS } from "./catalogue/log.ts";
import { PARTITION_MUTANTS } from "./catalogue/partitions.ts";
import { READ_MUTANTS } from "./catalogue/reads.ts";
import { REPLICA_MUTANTS } from "./catalogue/replica.ts";
import { SNAPSHOT_MUTANTS } from "./catalogue/snapshot.ts";
import { STORAGE_MUTANTS } from "./catalogue/storage.ts";
import type { Mutant } from "./types.ts";

export const MUTANTS: readonly Mutant[] = [
  ...LOG_MUTANTS,
  ...ELECTION_MUTANTS,
  ...CONFIGURATION_MUTANTS,
  ...READ_MUTANTS,
  ...REPLICA_MUTANTS,
  ...SNAPSHOT_MUTANTS,
  ...STORAGE_MUTANTS,
  ...PARTITION_MUTANTS,
  ...DATA_MUTANTS,
];
