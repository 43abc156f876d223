// Mutants that no seed has been seen to kill yet: each is a hole in the bench, or a run that was too short to tell.
// The gate holds the list to the truth: a mutant is here or has a stored kill.

/** Why, by the mutant's name. */
export const OPEN: Readonly<Record<string, string>> = {};
