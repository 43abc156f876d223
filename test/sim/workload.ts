// What clients ask for: operations drawn by a seed's mix, as HTTP requests and in the checker's terms. Owns
// the translation between the two; sends nothing.

import type { KvInput, KvOutput, TxnInput, TxnOutput } from "../../checker/mod.ts";
import type { TxnCompare, TxnStep, TxnStepResult } from "../../checker/mod.ts";
import { ACCOUNTS, type Teller } from "./bank.ts";
import type { SeededRandom } from "./random.ts";
import type { SimOptions, WorkloadMix } from "./schedule.ts";

/** Which history an operation belongs to, and so which model judges it. */
export type HistoryName = "kv" | "txn";

/** One call, whatever the number of attempts. */
export interface PlannedCall {
  readonly history: HistoryName;
  readonly input: KvInput | TxnInput;
  readonly isRead: boolean;
  /** Time to live that a put or a touch asks for, milliseconds. */
  readonly ttlMs: number | undefined;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** A decided answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Keys of one partition, for transactions. */
const TXN_KEYS = ["{t}a", "{t}b", "{t}c"];
const EXPIRING_KEYS = 2;

export class Workload {
  readonly #random: SeededRandom;
  readonly #options: SimOptions;
  readonly #kinds: readonly (readonly [keyof WorkloadMix, number])[];
  #values = 0;

  constructor(random: SeededRandom, options: SimOptions) {
    this.#random = random;
    this.#options = options;
    this.#kinds = Object.entries(options.mix) as [keyof WorkloadMix, number][];
  }

  /** The next call of a client that has seen `revisions` of keys. */
  draw(revisions: ReadonlyMap<string, number>, teller: Teller): PlannedCall {
    const kind = this.#kind();
    if (kind === "bank") return txnCall(teller.next(this.#random));
    if (kind === "txn") return this.#drawTransactional(revisions);
    if (kind === "ttl") return this.#drawExpiring();
    const key = `k${this.#random.int(this.#options.keys)}`;
    return this.#single("kv", kind, key, revisions);
  }

  /** Keys that any call may have written, for the reads that end a run. */
  allKeys(): { readonly history: HistoryName; readonly key: string }[] {
    const keys = Array.from({ length: this.#options.keys }, (_, i) => `k${i}`);
    if (this.#options.mix.ttl > 0) {
      keys.push(...Array.from({ length: this.#expiringKeys }, (_, i) => `x${i}`));
    }
    const all = keys.map((key) => ({ history: "kv" as HistoryName, key }));
    if (this.#options.mix.txn > 0) {
      all.push(...TXN_KEYS.map((key) => ({ history: "txn" as HistoryName, key })));
    }
    if ((this.#options.mix.bank ?? 0) > 0) {
      all.push(...ACCOUNTS.map((key) => ({ history: "txn" as HistoryName, key })));
    }
    return all;
  }

  get #expiringKeys(): number {
    return this.#options.expiringKeys ?? EXPIRING_KEYS;
  }

  #kind(): keyof WorkloadMix {
    const total = this.#kinds.reduce((sum, [, weight]) => sum + weight, 0);
    let dice = this.#random.float() * total;
    for (const [kind, weight] of this.#kinds) {
      dice -= weight;
      if (dice < 0) return kind;
    }
    return "get";
  }

  #single(
    history: HistoryName,
    kind: Exclude<keyof WorkloadMix, "txn" | "ttl" | "bank">,
    key: string,
    revisions: ReadonlyMap<string, number>,
  ): PlannedCall {
    if (kind === "get") return readCall(history, key);
    if (kind === "delete") {
      const seen = revisions.get(key);
      if (seen === undefined || this.#random.chance(0.5)) {
        return keyCall(history, { f: "delete", key });
      }
      return keyCall(history, { f: "delete", key, ifMatch: seen });
    }
    const value = `v${++this.#values}`;
    if (kind === "put") return keyCall(history, { f: "put", key, value });
    if (kind === "putIfAbsent") return keyCall(history, { f: "put", key, value, ifNoneMatch: "*" });
    return keyCall(history, { f: "cas", key, value, ifMatch: revisions.get(key) ?? 1 });
  }

  #drawExpiring(): PlannedCall {
    const key = `x${this.#random.int(this.#expiringKeys)}`;
    const dice = this.#random.float();
    if (dice < 0.5) return readCall("kv", key);
    const touches = this.#options.touchChance !== undefined &&
      this.#random.chance(this.#options.touchChance);
    const value = `v${++this.#values}`;
    if (dice < 0.6) {
      if (touches) return keyCall("kv", { f: "touch", key, ttl: null });
      return keyCall("kv", { f: "put", key, value });
    }
    const ttlMs = 200 + this.#random.int(this.#random.chance(0.5) ? 800 : 3000);
    if (touches) return keyCall("kv", { f: "touch", key, ttl: ttlMs }, ttlMs);
    return keyCall("kv", { f: "put", key, value, ttl: ttlMs }, ttlMs);
  }

  #drawTransactional(revisions: ReadonlyMap<string, number>): PlannedCall {
    const random = this.#random;
    const kind = random.pick(["get", "put", "cas", "delete", "txn", "txn", "txn"] as const);
    const key = random.pick(TXN_KEYS);
    if (kind !== "txn") return this.#single("txn", kind, key, revisions);
    const seen = revisions.get(key);
    const compare: TxnCompare = seen !== undefined && random.chance(0.6)
      ? {
        target: "revision",
        key,
        operator: random.pick(["=", "!=", "<"] as const),
        revision: seen,
      }
      : { target: "exists", key, exists: random.chance(0.5) };
    const steps = (count: number) =>
      Array.from({ length: count }, (): TxnStep => {
        const step = random.pick(["get", "put", "put", "delete"] as const);
        const on = random.pick(TXN_KEYS);
        if (step === "put") return { kind: step, key: on, value: `v${++this.#values}` };
        return { kind: step, key: on };
      });
    return txnCall({
      f: "txn",
      if: random.chance(0.7) ? [compare] : [],
      then: steps(1 + random.int(3)),
      else: random.chance(0.5) ? steps(1) : [],
    });
  }
}

function txnCall(input: TxnInput): PlannedCall {
  const body = JSON.stringify({
    if: input.if?.map(compareBody),
    then: input.then?.map(stepBody),
    else: input.else?.map(stepBody),
  });
  return {
    history: "txn",
    input,
    isRead: false,
    ttlMs: undefined,
    method: "POST",
    path: "/txn",
    headers: { "content-type": "application/json", "content-length": String(body.length) },
    body,
  };
}

function compareBody(compare: TxnCompare): unknown {
  if (compare.target === "revision") {
    return { key: compare.key, op: compare.operator, revision: compare.revision };
  }
  return compare.target === "exists" ? { key: compare.key, exists: compare.exists } : compare;
}

function stepBody(step: TxnStep): unknown {
  const { kind, ...rest } = step;
  return { op: kind, ...rest };
}

const METHODS: Readonly<Record<KvInput["f"], string>> = {
  get: "GET",
  put: "PUT",
  cas: "PUT",
  delete: "DELETE",
  touch: "POST",
};

/** A linearizable read. */
export function readCall(history: HistoryName, key: string): PlannedCall {
  return keyCall(history, { f: "get", key });
}

function keyCall(history: HistoryName, input: KvInput, ttlMs?: number): PlannedCall {
  const headers: Record<string, string> = {};
  if (input.ifMatch !== undefined) headers["if-match"] = `"${input.ifMatch}"`;
  if (input.ifNoneMatch !== undefined) headers["if-none-match"] = "*";
  let body: string | undefined;
  if (input.f === "put" || input.f === "cas") {
    body = String(input.value);
    headers["content-type"] = "text/plain; charset=utf-8";
    headers["content-length"] = String(body.length);
  }
  let suffix = "";
  if (input.f === "touch") {
    suffix = "/ttl";
    body = JSON.stringify({ ttl: ttlMs === undefined ? null : ttlMs / 1000 });
    headers["content-type"] = "application/json";
    headers["content-length"] = String(body.length);
  } else if (ttlMs !== undefined) suffix = `?ttl=${ttlMs / 1000}`;
  return {
    history,
    input,
    isRead: input.f === "get",
    ttlMs,
    method: METHODS[input.f],
    path: `/key/${encodeURIComponent(String(input.key))}${suffix}`,
    headers,
    body,
  };
}

/** What an answer says in the checker's terms, or in words what is wrong with it. */
export function outputOf(call: PlannedCall, answer: Answer): KvOutput | TxnOutput | string {
  const { status, headers, body } = answer;
  if (call.input.f === "txn") return status === 200 ? txnOutput(body) : `txn: ${status}: ${body}`;
  const allowed = call.isRead ? [200, 404] : [200, 201, 404, 412];
  if (!allowed.includes(status)) return `${call.input.f} was answered ${status}: ${body}`;
  if (status === 404) return { status };
  const { revision, value } = JSON.parse(body);
  if (status === 412) return typeof revision === "number" ? { status, revision } : { status };
  const etag = headers.get("etag");
  if (etag !== null && etag !== `"${revision}"`) return `etag ${etag} and body ${body} differ`;
  return call.isRead ? { status, value, revision } : { status, revision };
}

interface StepAnswer {
  readonly op: string;
  readonly revision?: number;
  readonly record?: { readonly value: string } | null;
  readonly created?: boolean;
  readonly deleted?: boolean;
}

function txnOutput(body: string): TxnOutput {
  const { succeeded, revision, results } = JSON.parse(body);
  const stepResult = (step: StepAnswer): TxnStepResult => {
    if (step.op === "put") return { created: step.created };
    if (step.op === "delete") return { deleted: step.deleted };
    // A replay tells no values.
    if (step.record === undefined) return { revision: step.revision };
    if (step.record === null) return { found: false };
    return { found: true, value: step.record.value, revision: step.revision };
  };
  return { succeeded, revision, results: (results as StepAnswer[]).map(stepResult) };
}
