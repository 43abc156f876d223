// Mutants that no seed has been seen to kill yet: each is a hole in the bench, or a run that was too short to tell.
// The gate holds the list to the truth: a mutant is here or has a stored kill.

/** Why, by the mutant's name. */
export const OPEN: Readonly<Record<string, string>> = {
  "snapshot-installed-over-newer-state":
    "needs a replica that has compacted past an older snapshot on its way to it: 505 seeds had none",
  "replica-deleted-before-joint-left": "not tried for long enough",
  "key-resurrected-by-slow-leader": "375 seeds, 63,100 operations without a kill",
  "watch-gap-within-a-batch": "400 seeds, 67,433 operations without a kill",
};
