// Deno KV behind the clients' API: one process, one file, no replication. Arguments: HOST:PORT FILE. Ends with its
// standard input.

import { holds, keyApi, type Operation, type Result, type Store, StoreError } from "./key_api.ts";

type Entry = Deno.KvEntryMaybe<string>;

/** A versionstamp as a number: its counter is in the upper eight of ten bytes. */
function revisionOf(versionstamp: string): number {
  return Number(BigInt(`0x${versionstamp}`) >> 16n);
}

function found(entry: Entry): { text: string; revision: number } | undefined {
  if (entry.versionstamp === null) return undefined;
  return { text: entry.value, revision: revisionOf(entry.versionstamp) };
}

/** Tries of one transaction against others on the same keys. */
const TRIES_MAX = 50;
/** Keys that one getMany takes. */
const READ_MAX = 10;

/** Stands for the revision of a transaction that has not been committed yet. */
const OWN = -1;

/** A transaction that reads what it has written itself is told its own revision. */
function dated(result: Result, revision: number): Result {
  if (result.op !== "get" || result.found?.revision !== OWN) return result;
  return { op: "get", found: { ...result.found, revision } };
}

class KvStore implements Store {
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  transact: Store["transact"] = async (compares, then, otherwise) => {
    const names = [...compares, ...then, ...otherwise].map(({ key }) => key);
    const keys = [...new Set(names)].map((key) => [key]);
    for (let i = 0; i < TRIES_MAX; i++) {
      const entries = await this.#read(keys);
      const entryOf = new Map(entries.map((entry) => [String(entry.key[0]), entry as Entry]));
      const succeeded = compares.every((one) => holds(one, found(entryOf.get(one.key)!)));
      const operations = succeeded ? then : otherwise;
      const { results, atomic } = this.#apply(operations, entryOf);
      if (operations.every(({ op }) => op === "get")) {
        // One snapshot serves a getMany: nothing was written, nothing has to be checked. Several were one only if none
        // of the entries has changed since.
        if (keys.length > READ_MAX && !(await atomic.commit()).ok) continue;
        const revisions = results.map((one) => one.op === "get" ? one.found?.revision ?? 0 : 0);
        return { succeeded, revision: Math.max(0, ...revisions), results };
      }
      const committed = await atomic.commit();
      if (committed.ok) {
        const revision = revisionOf(committed.versionstamp);
        return { succeeded, revision, results: results.map((one) => dated(one, revision)) };
      }
    }
    throw new StoreError(`no success in ${TRIES_MAX} tries against other transactions`);
  };

  async #read(keys: readonly string[][]): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let at = 0; at < keys.length; at += READ_MAX) {
      entries.push(...await this.#kv.getMany<string[]>(keys.slice(at, at + READ_MAX)));
    }
    return entries;
  }

  #apply(operations: readonly Operation[], entryOf: ReadonlyMap<string, Entry>) {
    const atomic = this.#kv.atomic();
    for (const entry of entryOf.values()) atomic.check(entry);
    const present = new Map([...entryOf].map(([key, entry]) => [key, found(entry)]));
    const results = operations.map((operation): Result => {
      const before = present.get(operation.key);
      if (operation.op === "get") return { op: "get", found: before };
      if (operation.op === "delete") {
        atomic.delete([operation.key]);
        present.set(operation.key, undefined);
        return { op: "delete", deleted: before !== undefined };
      }
      atomic.set([operation.key], operation.text);
      present.set(operation.key, { text: operation.text, revision: OWN });
      return { op: "put", created: before === undefined };
    });
    return { results, atomic };
  }
}

const [http, file] = Deno.args as [string, string];
const [hostname, port] = http.split(":") as [string, string];
const store = new KvStore(await Deno.openKv(file));
Deno.serve({ hostname, port: Number(port), onListen: () => {} }, keyApi(store));
const buffer = new Uint8Array(64);
while (await Deno.stdin.read(buffer) !== null);
Deno.exit(0);
