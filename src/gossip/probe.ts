// One round's probe of one member: direct, then through helpers, then over (SWIM §3.1). Keeps the times
// and counts of it; what a result means is gossip.ts's business.

import type { NodeId } from "../base/ids.ts";

export class Probe {
  readonly target: NodeId;
  readonly sequence: number;
  readonly #indirectAtMs: number;
  readonly #endAtMs: number;
  #asked = false;
  #helperCount = 0;
  #nackCount = 0;

  constructor(target: NodeId, sequence: number, indirectAtMs: number, endAtMs: number) {
    this.target = target;
    this.sequence = sequence;
    this.#indirectAtMs = indirectAtMs;
    this.#endAtMs = endAtMs;
  }

  /** Helpers that were asked. */
  get helperCount(): number {
    return this.#helperCount;
  }

  /** Those of them that said that they could not reach the target either. */
  get nackCount(): number {
    return this.#nackCount;
  }

  isIndirectDue(nowMs: number): boolean {
    return !this.#asked && nowMs >= this.#indirectAtMs;
  }

  askedHelpers(count: number): void {
    this.#asked = true;
    this.#helperCount = count;
  }

  nacked(): void {
    this.#nackCount = Math.min(this.#nackCount + 1, this.#helperCount);
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.#endAtMs;
  }
}
