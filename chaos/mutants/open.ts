// Mutants that no seed has been seen to kill yet: each is a hole in the bench, or a run that was too short to tell.
// The gate holds the list to the truth: a mutant is here or has a stored kill.

/** Why, by the mutant's name. */
export const OPEN: Readonly<Record<string, string>> = {
  "snapshot-installed-over-newer-state":
    "needs a replica that has compacted past an older snapshot on its way to it: 218 seeds had none",
  "replica-deleted-before-joint-left": "not tried for long enough",
  "replica-id-reused-after-wipe": "not tried for long enough",
  "move-resumed-twice": "not tried for long enough",
  "removal-recorded-in-the-joint-configuration": "not tried for long enough",
  "quiesced-group-with-dead-leader": "not tried for long enough",
  "gossip-overrules-meta": "not tried for long enough",
  "message-for-another-replica-taken": "not tried for long enough",
  "suspect-replica-never-replaced": "not tried for long enough",
  "expiry-by-local-clock": "not tried for long enough",
  "key-resurrected-by-slow-leader": "not tried for long enough",
  "watch-gap-within-a-batch": "not tried for long enough",
  "watch-events-lost-at-a-change-of-source": "not tried for long enough",
  "scan-repeats-a-key-on-resume": "not tried for long enough",
  "stale-read-older-than-promised": "not tried for long enough",
};
