// A known bug as a small replacement in a copy of the tree: the product carries no bug switches.

export interface Mutant {
  readonly name: string;
  /** The property it breaks. */
  readonly breaks: string;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly target: string;
  readonly replacement: string;
}
