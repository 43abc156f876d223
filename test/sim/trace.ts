// A running hash of everything that happens in a run, and its last lines in words. Two runs of one seed
// must agree on the hash; a difference means that something reached past the ports.

/** Lines kept for a report. */
const LINES_MAX = 20_000;

export class Trace {
  #low = 0x811c9dc5;
  #high = 0x01000193;
  #lines: string[] = [];
  readonly #keepLines: boolean;

  constructor(keepLines: boolean) {
    this.#keepLines = keepLines;
  }

  /** Takes in one line of what happened. */
  note(nowMs: number, who: string, what: string): void {
    this.#mix(nowMs * 1000);
    for (let i = 0; i < who.length; i++) this.#mix(who.charCodeAt(i));
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i));
    if (!this.#keepLines) return;
    this.#lines.push(`${nowMs.toFixed(3).padStart(10)}  ${who.padEnd(8)} ${what}`);
    if (this.#lines.length > LINES_MAX) this.#lines = this.#lines.slice(LINES_MAX / 2);
  }

  /** Takes in numbers that say where the run is. */
  mark(a: number, b: number): void {
    this.#mix(a * 1000);
    this.#mix(b);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get hash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.#high) + hex(this.#low);
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ (value | 0), 0x01000193);
    this.#high = Math.imul(this.#high + (this.#low >>> 15), 0x85ebca6b) ^ (this.#high >>> 13);
  }
}
