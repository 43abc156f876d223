// Known bugs of the data model: conditions, transactions, expiry, scans, watches, sessions.

import type { Mutant } from "../types.ts";

export const DATA_MUTANTS: readonly Mutant[] = [];
