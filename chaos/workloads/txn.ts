// Random transactions over a few keys of a group: comparisons of every kind, both branches, later steps seeing
// earlier ones; mixed with single requests on the same keys.

import type { Json, KvInput, TxnCompare, TxnStep } from "../../checker/mod.ts";
import type { Random } from "../types.ts";
import { kvCall } from "./kv_calls.ts";
import { kvTxnByGroup, txnCall } from "./txn_calls.ts";
import type { Call, Outcome, WorkloadDefinition, WorkloadRun, WorkloadSettings } from "./types.ts";

const KEYS = 4;
/** After so many calls a group makes room for a new one: histories full of unknown outcomes stay ones that can be judged. */
const CALLS_MAX = 60;

class TxnRun implements WorkloadRun {
  readonly model = kvTxnByGroup();
  readonly before: readonly Call[] = [];
  readonly #groups: { readonly name: string; calls: number }[];
  readonly #names: string[] = [];
  readonly #random: Random;
  readonly #persists: boolean;
  readonly #revisions = new Map<string, number>();
  readonly #values = new Map<string, number>();
  /** All have as many digits: the store compares bytes, the model numbers. */
  #lastValue = 1_000_000;

  constructor({ keys, random, hasIdempotency }: WorkloadSettings) {
    this.#persists = hasIdempotency;
    this.#groups = Array.from({ length: keys }, () => this.#begin());
    this.#random = random;
  }

  #begin(): { readonly name: string; calls: number } {
    const name = `txn${this.#names.length}`;
    this.#names.push(name);
    return { name, calls: 0 };
  }

  /** The group of the next call. */
  #group(): string {
    const at = this.#draw(this.#groups.length);
    if (++this.#groups[at]!.calls > CALLS_MAX) this.#groups[at] = this.#begin();
    return this.#groups[at]!.name;
  }

  #draw(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #key(group: string): string {
    return `{${group}}k${this.#draw(KEYS)}`;
  }

  #compare(group: string): TxnCompare {
    const key = this.#key(group);
    const revision = this.#revisions.get(key) ?? 0;
    const operator = (["=", "=", "!=", "<", ">"] as const)[this.#draw(5)]!;
    switch (this.#draw(3)) {
      case 0:
        return { target: "exists", key, exists: this.#random() < 0.7 };
      case 1:
        return { target: "value", key, operator, value: this.#values.get(key) ?? 0 };
      default:
        return { target: "revision", key, operator, revision };
    }
  }

  #step(group: string): TxnStep {
    const key = this.#key(group);
    const dice = this.#random();
    if (dice < 0.4) return { kind: "get", key };
    return dice < 0.85 ? { kind: "put", key, value: ++this.#lastValue } : { kind: "delete", key };
  }

  #steps(group: string, max: number): TxnStep[] {
    return Array.from({ length: 1 + this.#draw(max) }, () => this.#step(group));
  }

  next(): Call {
    const group = this.#group();
    const dice = this.#random();
    if (dice < 0.3) return this.#single(group);
    if (dice < 0.45) {
      const then = Array.from({ length: KEYS }, (_, i) => ({
        kind: "get",
        key: `{${group}}k${i}`,
      } as const));
      return txnCall("read-all", { f: "txn", group, then }, false);
    }
    return txnCall("txn", {
      f: "txn",
      group,
      if: Array.from({ length: this.#draw(3) }, () => this.#compare(group)),
      then: this.#steps(group, 3),
      else: this.#steps(group, 2),
    }, this.#persists && this.#random() < 0.5);
  }

  #single(group: string): Call {
    const key = this.#key(group);
    const value = ++this.#lastValue;
    const dice = this.#random();
    const input: KvInput = dice < 0.5
      ? { f: "get", key }
      : dice < 0.85
      ? { f: "put", key, value }
      : { f: "delete", key };
    const call = kvCall(input);
    return { ...call, kind: dice < 0.5 ? "get" : "put", input: { ...call.input as object, group } };
  }

  saw(call: Call, outcome: Outcome): void {
    if (outcome.type !== "ok") return;
    const { key, value } = call.input as { key?: string; value?: Json };
    const { revision } = outcome.output as { revision?: number };
    if (key === undefined || revision === undefined || revision === 0) return;
    this.#revisions.set(key, revision);
    if (typeof value === "number") this.#values.set(key, value);
  }

  after(): readonly Call[] {
    return this.#names.map((group) => {
      const then = Array.from({ length: KEYS }, (_, i) => ({
        kind: "get",
        key: `{${group}}k${i}`,
      } as const));
      return txnCall("read-all", { f: "txn", group, then }, true);
    });
  }
}

export const txnWorkload: WorkloadDefinition = {
  name: "txn",
  summary: "random transactions and single requests over the keys of a group",
  needs: ["kv", "txn"],
  kinds: ["txn", "read-all", "get", "put"],
  start: (settings) => new TxnRun(settings),
};
