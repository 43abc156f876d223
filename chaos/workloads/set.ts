// Sets kept as keys of one group: an element is a key. Adding and removing are plain requests whose status says
// whether the set changed; reading the set is a transaction over all possible elements.

import { type CollectionModel, setsByName } from "./set_model.ts";
import { kvCall } from "./kv_calls.ts";
import { txnRequest } from "./txn_calls.ts";
import { placeOf, undecided } from "./kv_calls.ts";
import type { Random } from "../types.ts";
import type { Call, WorkloadDefinition, WorkloadRun, WorkloadSettings } from "./types.ts";

/** A read names every element, and a transaction may have 128 operations. */
const ELEMENTS = 24;

function keyOf(set: string, element: number): string {
  return `{${set}}e${element}`;
}

function change(f: "add" | "remove", set: string, value: number): Call {
  const key = keyOf(set, value);
  const request = kvCall(f === "add" ? { f: "put", key, value } : { f: "delete", key });
  return {
    kind: f,
    input: { f, set, value },
    async perform(session) {
      const outcome = await request.perform(session);
      if (outcome.type !== "ok") return outcome;
      const { status } = outcome.output as { status: number };
      return { ...outcome, output: f === "add" ? status === 201 : status === 200 };
    },
  };
}

function contains(set: string, value: number): Call {
  const request = kvCall({ f: "get", key: keyOf(set, value) });
  return {
    kind: "contains",
    input: { f: "contains", set, value },
    async perform(session) {
      const outcome = await request.perform(session);
      if (outcome.type !== "ok") return outcome;
      return { ...outcome, output: (outcome.output as { status: number }).status === 200 };
    },
  };
}

function read(set: string, attemptsMax: number): Call {
  const request = txnRequest({
    f: "txn",
    then: Array.from({ length: ELEMENTS }, (_, i) => ({ kind: "get", key: keyOf(set, i) })),
  });
  return {
    kind: "read",
    input: { f: "read", set },
    async perform(session) {
      const answer = await session.persist(request, session.id, attemptsMax);
      if (answer.kind !== "decided") return undecided(answer);
      const results = answer.body.results as readonly { revision: number }[];
      return {
        type: "ok",
        output: results.flatMap(({ revision }, element) => revision > 0 ? [element] : []),
        ...placeOf(answer),
      };
    },
  };
}

class SetRun implements WorkloadRun {
  readonly model: CollectionModel = setsByName();
  readonly before: readonly Call[] = [];
  readonly #sets: readonly string[];
  readonly #random: Random;

  constructor({ keys, random }: WorkloadSettings) {
    this.#sets = Array.from({ length: keys }, (_, i) => `set${i}`);
    this.#random = random;
  }

  next(): Call {
    const set = this.#sets[Math.floor(this.#random() * this.#sets.length)]!;
    const element = Math.floor(this.#random() * ELEMENTS);
    const dice = this.#random();
    if (dice < 0.25) return read(set, 1);
    if (dice < 0.4) return contains(set, element);
    return change(dice < 0.75 ? "add" : "remove", set, element);
  }

  saw(): void {}

  after(): readonly Call[] {
    return this.#sets.map((set) => read(set, 50));
  }
}

export const setWorkload: WorkloadDefinition = {
  name: "set",
  summary: "adds, removals and whole reads of sets, an element a key of one group",
  needs: ["kv", "txn"],
  kinds: ["add", "remove", "contains", "read"],
  start: (settings) => new SetRun(settings),
};
