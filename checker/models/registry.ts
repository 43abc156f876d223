// The built-in models by name, as the command line and workers know them.

import type { Json } from "../history/types.ts";
import { appendKv, appendKvWhole } from "./append_kv.ts";
import { fifoQueue, mutex, set } from "./collections.ts";
import { kv } from "./kv.ts";
import { kvTxn } from "./kv_txn.ts";
import type { AnyModel, AnyNondeterministicModel } from "./model.ts";
import { multiRegister } from "./multi_register.ts";
import { casRegister, register } from "./register.ts";
import { fieldsOf, show } from "./values.ts";

/** A model by name with its initial value: what a worker can be told in a message. */
export interface ModelReference {
  readonly name: string;
  readonly init?: Json;
}

type Factory = (init: Json | undefined) => AnyModel | AnyNondeterministicModel;

const FACTORIES: Readonly<Record<string, Factory>> = {
  "register": (init) => register(init ?? null),
  "cas-register": (init) => casRegister(init ?? null),
  "multi-register": (init) => multiRegister(mapOf("multi-register", init)),
  "append-kv": (init) => appendKv(textOf("append-kv", init)),
  "append-kv-whole": (init) => appendKvWhole(textOf("append-kv-whole", init)),
  "kv": (init) => kv(init ?? null),
  "kv-txn": (init) => kvTxn(init ?? null),
  "set": (init) => set(listOf("set", init)),
  "mutex": () => mutex(),
  "semaphore": () => mutex({ anyone: true }),
  "fifo-queue": (init) => fifoQueue(listOf("fifo-queue", init)),
};

export const MODEL_NAMES: readonly string[] = Object.keys(FACTORIES);

/** @throws TypeError when there is no such model, or it can't start from `init`. */
export function modelNamed(reference: ModelReference): AnyModel | AnyNondeterministicModel {
  const factory = FACTORIES[reference.name];
  if (factory === undefined) {
    throw new TypeError(`no model "${reference.name}": choose one of ${MODEL_NAMES.join(", ")}`);
  }
  return factory(reference.init);
}

/**
 * Reads `cas-register`, `cas-register(init=0)`, `multi-register(init={x:0,y:0})`: names in the value may
 * go without quotes.
 */
export function parseModelReference(text: string): ModelReference {
  const match = /^\s*([\w-]+)\s*(?:\(\s*init\s*=([\s\S]*)\))?\s*$/.exec(text);
  if (match === null) throw new TypeError(`not a model: ${JSON.stringify(text)}`);
  const [, name, init] = match;
  return init === undefined ? { name: name! } : { name: name!, init: parseLooseJson(init) };
}

/** JSON in which names (object keys and plain words) may go without quotes. */
export function parseLooseJson(text: string): Json {
  const quoted = text.replace(
    /"(?:[^"\\]|\\.)*"|[A-Za-z_][\w-]*/g,
    (word) =>
      word.startsWith('"') || ["true", "false", "null"].includes(word)
        ? word
        : word === "nil"
        ? "null"
        : JSON.stringify(word),
  );
  try {
    return JSON.parse(quoted);
  } catch {
    throw new TypeError(`not a JSON value: ${text}`);
  }
}

function mapOf(name: string, init: Json | undefined): Record<string, Json> {
  if (init === undefined || init === null) return {};
  const fields = fieldsOf(init);
  if (fields === undefined) throw new TypeError(`${name} starts from a map: got ${show(init)}`);
  return fields as Record<string, Json>;
}

function listOf(name: string, init: Json | undefined): readonly Json[] {
  if (init === undefined || init === null) return [];
  if (!Array.isArray(init)) throw new TypeError(`${name} starts from a list: got ${show(init)}`);
  return init;
}

function textOf(name: string, init: Json | undefined): string {
  if (init === undefined || init === null) return "";
  if (typeof init !== "string") {
    throw new TypeError(`${name} starts from a string: got ${show(init)}`);
  }
  return init;
}
