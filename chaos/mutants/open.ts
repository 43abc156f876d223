// Mutants that no seed has been seen to kill yet: each is a hole in the bench, or a run that was too short to tell.
// The gate holds the list to the truth: a mutant is here or has a stored kill.

/** Why, by the mutant's name. */
export const OPEN: Readonly<Record<string, string>> = {
  "prior-term-commit-by-count": "not tried for long enough",
  "truncation-on-a-matching-prefix": "not tried for long enough",
  "stale-append-acknowledgement-accepted": "not tried for long enough",
  "duplicate-vote-counted": "not tried for long enough",
  "answer-overtakes-the-log": "not tried for long enough",
  "leads-before-its-own-vote-is-durable": "not tried for long enough",
  "pending-change-forgotten-at-election": "not tried for long enough",
  "second-change-proposed-before-the-first-is-applied": "not tried for long enough",
  "campaigns-before-its-state-is-whole": "not tried for long enough",
  "joint-commit-by-the-new-majority-alone": "not tried for long enough",
  "joint-vote-by-the-new-majority-alone": "not tried for long enough",
  "read-index-without-quorum": "not tried for long enough",
  "read-index-answer-matched-to-a-retried-request": "not tried for long enough",
  "read-joins-a-round-already-sent": "not tried for long enough",
  "unconfirmed-reads-outlive-leadership": "not tried for long enough",
  "waiter-keyed-by-index-alone": "not tried for long enough",
  "snapshot-installed-over-newer-state": "not tried for long enough",
  "non-atomic-restore": "not tried for long enough",
  "gap-between-log-and-snapshot": "not tried for long enough",
  "snapshot-loaded-after-its-entries": "not tried for long enough",
  "no-directory-fsync": "not tried for long enough",
  "torn-tail-accepted": "not tried for long enough",
  "torn-batch-taken-in-part": "not tried for long enough",
  "failed-sync-taken-for-success": "not tried for long enough",
};
