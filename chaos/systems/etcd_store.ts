// A node of etcd as a store behind the clients' API, by way of its JSON gateway. What etcd leaves undecided stays
// undecided; nothing is sent twice.

import { type Compare, type Operation, type Result, type Store, StoreError } from "./key_api.ts";

interface EtcdHeader {
  readonly revision: string;
}

/** One answer to one operation; etcd leaves out what is zero, false or empty. */
interface EtcdResponse {
  readonly response_range?: { readonly kvs?: readonly { value?: string; mod_revision: string }[] };
  readonly response_put?: { readonly prev_kv?: unknown };
  readonly response_delete_range?: { readonly deleted?: string };
}

interface EtcdTxn {
  readonly header: EtcdHeader;
  readonly succeeded?: boolean;
  readonly responses?: readonly EtcdResponse[];
}

const REQUEST_TIMEOUT_MS = 5000;
/** On a pooled connection that is reset, fetch would send a write again by itself. */
const CLIENT = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
/** Words of etcd's that say that a request has not been proposed. All other failures leave it open. */
const REFUSED = /no leader|too many requests|duplicate key|invalid|not capable/;
const RESULTS = { "=": "EQUAL", "!=": "NOT_EQUAL", "<": "LESS", ">": "GREATER" } as const;

function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

function compareOf(compare: Compare): unknown {
  const key = base64(compare.key);
  if ("exists" in compare) {
    const result = compare.exists ? "GREATER" : "EQUAL";
    return { key, target: "CREATE", result, create_revision: "0" };
  }
  // Of an absent key every comparison of values is false in etcd, this one too; for the bench's clients it is true.
  if ("text" in compare && compare.op === "!=") {
    throw new StoreError("etcd can't ask whether a value is absent or another");
  }
  const result = RESULTS[compare.op];
  return "revision" in compare
    ? { key, target: "MOD", result, mod_revision: String(compare.revision) }
    : { key, target: "VALUE", result, value: base64(compare.text) };
}

function requestOf(operation: Operation): unknown {
  const key = base64(operation.key);
  if (operation.op === "get") return { request_range: { key } };
  if (operation.op === "delete") return { request_delete_range: { key } };
  return { request_put: { key, value: base64(operation.text), prev_kv: true } };
}

function resultOf({ op }: Operation, response: EtcdResponse): Result {
  if (op === "put") return { op, created: response.response_put?.prev_kv === undefined };
  if (op === "delete") return { op, deleted: response.response_delete_range?.deleted === "1" };
  const found = response.response_range?.kvs?.[0];
  if (found === undefined) return { op, found: undefined };
  const text = new TextDecoder().decode(Uint8Array.fromBase64(found.value ?? ""));
  return { op, found: { text, revision: Number(found.mod_revision) } };
}

/** Whether an operation left something else than it found. */
function changes(result: Result): boolean {
  return result.op === "put" || (result.op === "delete" && result.deleted);
}

/** The node of etcd at `target`, HOST:PORT. */
export function etcdStore(target: string): Store {
  return {
    async transact(compares, then, otherwise) {
      const response = await fetch(`http://${target}/v3/kv/txn`, {
        method: "POST",
        body: JSON.stringify({
          compare: compares.map(compareOf),
          success: then.map(requestOf),
          failure: otherwise.map(requestOf),
        }),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        client: CLIENT,
      });
      const body = await response.json();
      if (!response.ok) {
        const words = String(body.error ?? body.message ?? response.status);
        throw REFUSED.test(words) ? new StoreError(words) : new Error(words);
      }
      const { header, succeeded = false, responses = [] }: EtcdTxn = body;
      const done = succeeded ? then : otherwise;
      const results = done.map((operation, i) => resultOf(operation, responses[i] ?? {}));
      // Of a transaction that changed nothing the header holds the revision of the write before it.
      return results.some(changes)
        ? { succeeded, revision: Number(header.revision), results }
        : { succeeded, results };
    },
  };
}
