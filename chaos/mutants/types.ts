// A known bug as a small replacement in a copy of the tree: the product carries no bug switches.

import type { SimSchedule } from "../../test/sim/schedule.ts";
import type { ThemeName } from "../../test/sim/themes.ts";

export interface Mutant {
  /** In kebab-case; names the bug, not the cure. */
  readonly name: string;
  /** The property it breaks. */
  readonly breaks: string;
  /** Where the bug, or the rule against it, is known from. */
  readonly seenIn?: string;
  /** Path from the repository's root. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly target: string;
  /** Type-checks in the target's place. */
  readonly replacement: string;
  /** Seeds of this theme are tried first. */
  readonly theme?: ThemeName;
  /** What the simulator can't stand in for. Such a mutant has a recipe instead of a kill. */
  readonly needs?: "real processes";
  /** A command that should show the bug on real processes too, in a copy of the tree that has it. */
  readonly recipe?: string;
}

/** How the simulator found a mutant; enough to find it again. */
export interface Kill {
  /** The invariant, or the checker's verdict, that was broken. */
  readonly by: string;
  readonly seed: number;
  /** Seeds that were run until then, this one included. */
  readonly seeds: number;
  /** Of the smallest schedule found that fails in the same way. */
  readonly events: number;
  readonly simulatedMs: number;
  readonly schedule: SimSchedule;
}

/** By the mutant's name. */
export type Kills = Readonly<Record<string, Kill>>;
