// What a replica drives: one group's deterministic state machine. Types only.

import type { LogIndex, Term } from "../base/ids.ts";

/** A frozen copy of a machine's state, cheap to take, read lazily while the machine goes on. */
export interface MachineImage {
  /** Encoded state in order; every call starts from the beginning and yields the same bytes. */
  chunks(): Iterator<Uint8Array>;
}

/** Builds a machine's state from an image's chunks. */
export interface MachineLoader {
  /** Takes the next chunk. Throws on bytes that no machine wrote. */
  push(chunk: Uint8Array): void;
  /** Ends the image and replaces the machine's state. Throws if the image is incomplete. */
  finish(): void;
}

/**
 * A replicated state machine.
 *
 * *Contract:* `apply` is called once for every committed normal entry with data, in index order; its
 * effects depend on nothing but the state and its arguments. It never throws: malformed bytes in a
 * committed entry are a broken invariant.
 */
export interface StateMachine<Result = unknown> {
  apply(index: LogIndex, term: Term, data: Uint8Array): Result;
  image(): MachineImage;
  beginLoad(): MachineLoader;
  /** Equal at equal applied index on every replica. */
  stateHash(): string;
}
