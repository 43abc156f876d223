// The node's write-ahead log. Start reading at wal.ts; format.ts has the byte layouts.

export * from "./types.ts";
export { Wal, type WalOptions } from "./wal.ts";
export { WAL_FORMAT_VERSION } from "./format.ts";
