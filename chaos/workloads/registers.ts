// Single keys, one request an operation: plain registers, compare-and-set by revision, and all of the key API.

import { kv, type KvInput } from "../../checker/mod.ts";
import type { Random } from "../types.ts";
import { kvCall } from "./kv_calls.ts";
import type { Call, Outcome, WorkloadDefinition, WorkloadRun, WorkloadSettings } from "./types.ts";

/** What a workload may ask of one key, given its last revision seen and a fresh value. */
type Choose = (
  dice: number,
  key: string,
  value: number,
  revision: number | undefined,
) => KvInput;

class KeyRun implements WorkloadRun {
  readonly model = kv();
  readonly before: readonly Call[] = [];
  readonly #keys: readonly string[];
  readonly #random: Random;
  readonly #choose: Choose;
  readonly #kindOf: (input: KvInput) => string;
  readonly #revisions = new Map<string, number>();
  #lastValue = 0;

  constructor(
    settings: WorkloadSettings,
    prefix: string,
    choose: Choose,
    kindOf: (input: KvInput) => string,
  ) {
    this.#keys = Array.from({ length: settings.keys }, (_, i) => `${prefix}${i}`);
    this.#random = settings.random;
    this.#choose = choose;
    this.#kindOf = kindOf;
  }

  next(): Call {
    const key = this.#keys[Math.floor(this.#random() * this.#keys.length)]!;
    const input = this.#choose(
      this.#random(),
      key,
      ++this.#lastValue,
      this.#revisions.get(key),
    );
    return kvCall(input, { kind: this.#kindOf(input) });
  }

  saw(call: Call, outcome: Outcome): void {
    if (outcome.type !== "ok") return;
    const { key } = call.input as unknown as KvInput;
    const { revision } = outcome.output as { revision?: number };
    if (revision !== undefined && revision > 0) this.#revisions.set(String(key), revision);
  }

  after(): readonly Call[] {
    return this.#keys.map((key) =>
      kvCall({ f: "get", key }, { kind: this.#kindOf({ f: "get", key }), attemptsMax: 50 })
    );
  }
}

export const register: WorkloadDefinition = {
  name: "register",
  summary: "reads and blind writes of single keys",
  needs: ["kv"],
  kinds: ["read", "write"],
  start: (settings) =>
    new KeyRun(
      settings,
      "r",
      (dice, key, value) => dice < 0.5 ? { f: "get", key } : { f: "put", key, value },
      ({ f }) => f === "get" ? "read" : "write",
    ),
};

export const casRegister: WorkloadDefinition = {
  name: "cas-register",
  summary: "reads, writes and compare-and-set by revision, on single keys",
  needs: ["kv", "conditions"],
  kinds: ["read", "write", "cas"],
  start: (settings) =>
    new KeyRun(
      settings,
      "c",
      (dice, key, value, revision) => {
        if (dice < 0.4) return { f: "get", key };
        if (dice < 0.75 && revision !== undefined) {
          return { f: "cas", key, value, ifMatch: revision };
        }
        return { f: "put", key, value };
      },
      ({ f }) => f === "get" ? "read" : f === "put" ? "write" : f,
    ),
};

export const kvWorkload: WorkloadDefinition = {
  name: "kv",
  summary: "everything that /key can do: get, put, delete, every condition",
  needs: ["kv", "conditions"],
  kinds: ["get", "put", "cas", "delete", "create"],
  start: (settings) =>
    new KeyRun(
      settings,
      "k",
      (dice, key, value, revision) => {
        if (dice < 0.35) return { f: "get", key };
        if (dice < 0.5 && revision !== undefined) {
          return { f: "cas", key, value, ifMatch: revision };
        }
        if (dice < 0.65) {
          return dice < 0.55 && revision !== undefined
            ? { f: "delete", key, ifMatch: revision }
            : { f: "delete", key };
        }
        if (dice < 0.8) return { f: "put", key, value, ifNoneMatch: "*" };
        if (dice < 0.85) return { f: "put", key, value, ifMatch: "*" };
        return { f: "put", key, value };
      },
      (input) => input.ifNoneMatch !== undefined ? "create" : input.f,
    ),
};
