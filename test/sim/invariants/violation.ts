// What an invariant says when it does not hold.

/** A broken property, by the name that reports use. */
export class Violation extends Error {
  override name = "Violation";
  readonly invariant: string;
  /** What was seen, without the property's name. */
  readonly detail: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
    this.detail = detail;
  }
}
