// Sets kept as keys of one group: an element is a key. Adding and removing are plain requests whose status says
// whether the set changed; reading the set is a transaction over all possible elements. An element is added once and
// removed once at most, and a set that has had all of them makes room for a new one: so a history with many unknown
// outcomes stays one that can be judged.

import { type CollectionModel, setsByName } from "./set_model.ts";
import { kvCall } from "./kv_calls.ts";
import { txnRequest } from "./txn_calls.ts";
import { placeOf, undecided } from "./kv_calls.ts";
import type { Random } from "../types.ts";
import type { Call, WorkloadDefinition, WorkloadRun, WorkloadSettings } from "./types.ts";

/** A read names every element, and a transaction may have 128 operations. */
const ELEMENTS = 16;
const LOOKS_MAX = 24;

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

/** One set, while it lasts. */
interface Life {
  readonly name: string;
  added: number;
  readonly removable: number[];
  /** Calls that look only, before it makes room. */
  looksLeft: number;
}

class SetRun implements WorkloadRun {
  readonly model: CollectionModel = setsByName();
  readonly before: readonly Call[] = [];
  readonly #lives: Life[];
  readonly #random: Random;
  readonly #names: string[] = [];

  constructor({ keys, random }: WorkloadSettings) {
    this.#random = random;
    this.#lives = Array.from({ length: keys }, () => this.#begin());
  }

  #begin(): Life {
    const name = `set${this.#names.length}`;
    this.#names.push(name);
    return { name, added: 0, removable: [], looksLeft: LOOKS_MAX };
  }

  #draw(count: number): number {
    return Math.floor(this.#random() * count);
  }

  next(): Call {
    const at = this.#draw(this.#lives.length);
    const life = this.#lives[at]!;
    const dice = this.#random();
    if (dice < 0.3 && life.added < ELEMENTS) {
      life.removable.push(life.added);
      return change("add", life.name, life.added++);
    }
    if (dice < 0.5 && life.removable.length > 0) {
      const [element] = life.removable.splice(this.#draw(life.removable.length), 1);
      return change("remove", life.name, element!);
    }
    if (--life.looksLeft < 0 && life.added === ELEMENTS) this.#lives[at] = this.#begin();
    return dice < 0.7 ? contains(life.name, this.#draw(ELEMENTS)) : read(life.name, 1);
  }

  saw(): void {}

  after(): readonly Call[] {
    return this.#names.map((set) => read(set, 50));
  }
}

export const setWorkload: WorkloadDefinition = {
  name: "set",
  summary: "adds, removals and whole reads of sets, an element a key of one group",
  needs: ["kv", "txn"],
  kinds: ["add", "remove", "contains", "read"],
  start: (settings) => new SetRun(settings),
};
