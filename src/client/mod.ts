// The SDK of Pontoon: `connect` and what it gives. Uses `fetch` and nothing else of its surroundings, so
// that it runs in Deno, in Node and in a browser.

export type { Admin, ClusterView } from "./admin.ts";
export { connect, Kv } from "./client.ts";
export { type ClientErrorCode, type Outcome, PontoonError } from "./error.ts";
export { type Key, keyBytes } from "./key.ts";
export { type Json, type Value } from "./value.ts";
export {
  type AtomicCheck,
  type AtomicCommit,
  type AtomicConflict,
  AtomicOperation,
} from "./atomic.ts";
export { isPresent } from "./records.ts";
export type { Compare, TxnDocument, TxnOperation, TxnOperationResult, TxnResult } from "./txn.ts";
export type * from "./types.ts";
