// Appends to lists, exactly once under retries. The store has no append: a call reads the list and puts it back
// longer, if unchanged, and repeats that put under one idempotency key until it is decided. Were a repeated put
// taken for a lost race, or done twice, the element would stand in the list twice; the model sees it.

import { appendKv, type Json } from "../../checker/mod.ts";
import type { Random } from "../types.ts";
import { kvRequest, placeOf, undecided } from "./kv_calls.ts";
import type { Call, Outcome, WorkloadDefinition, WorkloadRun, WorkloadSettings } from "./types.ts";

/** A list of so many elements is left alone and a new one begun: values and states stay small. */
const ELEMENTS_MAX = 60;
/** Requests under one idempotency key. */
const ATTEMPTS_MAX = 5;
/** Lost races in one call. */
const ROUNDS_MAX = 6;

function get(key: string, attemptsMax = 1): Call {
  const request = kvRequest({ f: "get", key });
  return {
    kind: "get",
    input: { f: "get", key },
    async perform(session): Promise<Outcome> {
      const answer = await session.persist(request, session.id, attemptsMax);
      if (answer.kind !== "decided") return undecided(answer);
      const output = answer.status === 404 ? "" : answer.body.value as Json;
      return { type: "ok", output, ...placeOf(answer) };
    },
  };
}

function append(key: string, element: string): Call {
  return {
    kind: "append",
    input: { f: "append", key, value: element },
    async perform(session): Promise<Outcome> {
      for (let round = 0; round < ROUNDS_MAX; round++) {
        const before = await session.attempt(kvRequest({ f: "get", key }));
        if (before.kind !== "decided") return { type: "fail", error: before.error };
        const found = before.status === 200;
        const value = `${found ? before.body.value : ""}${element}`;
        const answer = await session.persist(
          kvRequest(
            found
              ? { f: "cas", key, value, ifMatch: before.body.revision as number }
              : { f: "put", key, value, ifNoneMatch: "*" },
          ),
          `${session.id}.${round}`,
          ATTEMPTS_MAX,
        );
        if (answer.kind !== "decided") return undecided(answer);
        // Under one key 412 is as final as 200: this round did nothing.
        if (answer.status !== 412) return { type: "ok", output: null, ...placeOf(answer) };
      }
      return { type: "fail", error: "lost every race" };
    },
  };
}

class AppendRun implements WorkloadRun {
  readonly model = appendKv();
  readonly before: readonly Call[] = [];
  readonly #random: Random;
  readonly #appends: number[];
  #lastElement = 0;

  constructor({ keys, random }: WorkloadSettings) {
    this.#random = random;
    this.#appends = new Array(keys).fill(0);
  }

  #key(list: number): string {
    return `a${list}.${Math.floor(this.#appends[list]! / ELEMENTS_MAX)}`;
  }

  next(): Call {
    const list = Math.floor(this.#random() * this.#appends.length);
    const key = this.#key(list);
    if (this.#random() < 0.35) return get(key);
    this.#appends[list]!++;
    return append(key, `${++this.#lastElement} `);
  }

  saw(): void {}

  after(): readonly Call[] {
    return this.#appends.flatMap((appends, list) =>
      Array.from(
        { length: 1 + Math.floor(appends / ELEMENTS_MAX) },
        (_, generation) => get(`a${list}.${generation}`, 50),
      )
    );
  }
}

export const appendWorkload: WorkloadDefinition = {
  name: "append",
  summary: "appends to lists under idempotency keys: exactly once, however often they are sent",
  needs: ["kv", "conditions", "idempotency"],
  kinds: ["get", "append"],
  start: (settings) => new AppendRun(settings),
};
