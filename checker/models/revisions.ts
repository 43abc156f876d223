// The revisions of one partition while some are not known. Every change takes a revision above all earlier
// ones; a change of unknown outcome takes one nobody saw, a symbol. Symbols form a chain in the order of
// their changes, with bounds that are kept consistent, so that seeing one narrows the others.

/** An exact revision (>= 0), or the symbol `-(position + 1)` in the chain. */
export type RevisionRef = number;

/** *Invariant:* lowest <= highest, neither is in `not`; along the chain both grow strictly. */
interface Symbol {
  lowest: number;
  highest: number;
  not: readonly number[];
}

export type Comparison = "=" | "!=" | "<" | ">";

const NEGATED: Readonly<Record<Comparison, (revision: number) => [Comparison, number]>> = {
  "=": (revision) => ["!=", revision],
  "!=": (revision) => ["=", revision],
  "<": (revision) => [">", revision - 1],
  ">": (revision) => ["<", revision + 1],
};

/** Mutable while a step is being computed; clone before going two ways. */
export class Revisions {
  /** Newest revision that is certain, below every symbol to come. */
  #last: number;
  #symbols: Symbol[];

  constructor(last = 0, symbols: readonly Symbol[] = []) {
    this.#last = last;
    this.#symbols = symbols.map((symbol) => ({ ...symbol }));
  }

  clone(): Revisions {
    return new Revisions(this.#last, this.#symbols);
  }

  /** Takes a known revision for a change. False if it is not above the earlier ones. */
  take(revision: number): boolean {
    if (revision <= this.#last) return false;
    const newest = this.#symbols.at(-1);
    if (newest !== undefined) newest.highest = Math.min(newest.highest, revision - 1);
    this.#last = revision;
    return this.#settle();
  }

  /** Takes a revision nobody knows. */
  takeUnknown(): RevisionRef {
    const newest = this.#symbols.at(-1);
    const lowest = Math.max(this.#last, newest?.lowest ?? 0) + 1;
    this.#symbols.push({ lowest, highest: Infinity, not: [] });
    return -this.#symbols.length;
  }

  /** Makes `ref comparison revision` hold. False if it can't. */
  require(ref: RevisionRef, comparison: Comparison, revision: number): boolean {
    if (ref >= 0) return holds(ref, comparison, revision);
    const symbol = this.#symbols[-ref - 1]!;
    if (comparison === "=" || comparison === "<") {
      symbol.highest = Math.min(symbol.highest, comparison === "=" ? revision : revision - 1);
    }
    if (comparison === "=" || comparison === ">") {
      symbol.lowest = Math.max(symbol.lowest, comparison === "=" ? revision : revision + 1);
    }
    if (comparison === "!=") symbol.not = [...symbol.not, revision];
    return this.#settle();
  }

  /** Makes `ref comparison revision` not hold. False if it must. */
  refute(ref: RevisionRef, comparison: Comparison, revision: number): boolean {
    const [negated, bound] = NEGATED[comparison](revision);
    return this.require(ref, negated, bound);
  }

  /** Narrows every symbol to what its neighbours leave. False if one has nothing left. */
  #settle(): boolean {
    const symbols = this.#symbols;
    for (let i = 0; i < symbols.length; i++) {
      const symbol = symbols[i]!;
      if (i > 0) symbol.lowest = Math.max(symbol.lowest, symbols[i - 1]!.lowest + 1);
      while (symbol.not.includes(symbol.lowest)) symbol.lowest++;
    }
    for (let i = symbols.length - 1; i >= 0; i--) {
      const symbol = symbols[i]!;
      if (i < symbols.length - 1) {
        symbol.highest = Math.min(symbol.highest, symbols[i + 1]!.highest - 1);
      }
      while (symbol.not.includes(symbol.highest)) symbol.highest--;
      if (symbol.lowest > symbol.highest) return false;
      symbol.not = symbol.not.filter((revision) =>
        revision > symbol.lowest && revision < symbol.highest
      );
    }
    return true;
  }

  /**
   * Drops what no longer matters, and returns how the remaining references are to be read: symbols that
   * have one value left become exact, those nobody refers to go unless one before them is referred to.
   */
  compact(referenced: ReadonlySet<RevisionRef>): (ref: RevisionRef) => RevisionRef {
    const refs = this.#symbols.map((symbol) =>
      symbol.lowest === symbol.highest ? symbol.lowest : undefined
    );
    const kept: Symbol[] = [];
    this.#symbols.forEach((symbol, i) => {
      if (refs[i] !== undefined) this.#last = Math.max(this.#last, symbol.lowest);
      else if (kept.length > 0 || referenced.has(-(i + 1))) {
        kept.push(symbol);
        refs[i] = -kept.length;
      } else this.#last = Math.max(this.#last, Math.min(symbol.lowest, symbol.highest));
    });
    this.#symbols = kept;
    return (ref) => (ref >= 0 ? ref : refs[-ref - 1]!);
  }

  hash(): string {
    return `${this.#last};${
      this.#symbols.map(({ lowest, highest, not }) =>
        `${lowest}-${highest}${not.length === 0 ? "" : `!${[...not].sort((a, b) => a - b)}`}`
      ).join(",")
    }`;
  }

  describe(ref: RevisionRef): string {
    if (ref >= 0) return `@${ref}`;
    const { lowest, highest } = this.#symbols[-ref - 1]!;
    return highest === Infinity ? `@${lowest} or later` : `@${lowest} to ${highest}`;
  }
}

function holds(a: number, comparison: Comparison, b: number): boolean {
  switch (comparison) {
    case "=":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    default:
      return a > b;
  }
}
