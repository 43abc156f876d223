// Assertions for invariants. A broken invariant is a bug: the process ends and a restart replays the
// log. Never use these for conditions that an operator, a client or a peer can bring about.

/** Thrown when an invariant does not hold. The process must not go on after one. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Throws {@linkcode InvariantError} unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Marks code that the type system shows can't be reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}
