// What a check answers, with its proof. Operations are named by their position in the checked history.

import type { PartitionKey } from "../history/types.ts";

export type VerdictKind = "linearizable" | "illegal" | "unknown";

/** How a partition was decided. */
export type Method =
  /** Gibbons and Korach's zones (search/zones.ts). */
  | "zones"
  /** The order of applied positions, verified (search/witness.ts). */
  | "witness"
  /** Wing, Gong and Lowe (search/search.ts). */
  | "search"
  /** Not at all. */
  | "none";

export interface PartitionVerdict {
  readonly key: PartitionKey;
  readonly verdict: VerdictKind;
  readonly method: Method;
  readonly operationCount: number;
  /**
   * `linearizable`: the proof, an order that respects the record and fits the model. Operations of unknown
   * outcome appear in it only if they took effect. Else the longest part of one that was found.
   */
  readonly order: Int32Array;
  /** Transitions the search tried. */
  readonly steps: number;
  readonly configurationCount: number;
  /** Why it is unknown. */
  readonly reason?: string;
}

/** A part of the history that can't be linearized, and why. */
export interface Counterexample {
  readonly partition: PartitionKey;
  /**
   * The sub-history, in order of calls. It is illegal by itself, and nothing that was left out can mend that:
   * only what keeps a linearizable history linearizable was taken away (see verdict/minimize.ts).
   */
  readonly operations: readonly number[];
  /** Members of `operations` whose response came later than the part shown: there they count as open. */
  readonly open: readonly number[];
  /** The operation that can't be placed. */
  readonly blocked: number;
  /** Nothing more can be taken away. False when a limit ended the attempt. */
  readonly minimal: boolean;
  /** The sub-history was found illegal again by a search without any of the shortcuts. */
  readonly verified: boolean;
  /** The longest part of the sub-history that has a linearization, in its order. */
  readonly prefix: readonly number[];
  /** Descriptions of the states in which the blocked operation would have had to take effect. */
  readonly states: readonly string[];
  /** All of it in words, a paragraph. */
  readonly explanation: string;
}

export interface Verdict {
  readonly verdict: VerdictKind;
  readonly model: string;
  readonly operationCount: number;
  readonly unknownOutcomeCount: number;
  readonly partitions: readonly PartitionVerdict[];
  /** Present iff illegal. */
  readonly counterexample?: Counterexample;
  /** Present iff unknown. */
  readonly reason?: string;
  readonly steps: number;
  readonly elapsedMs: number;
}
