// The consensus core: what the rest of the house may use of it. Re-exports only.

export * from "./conf_change.ts";
export { Changer, ConfChangeError } from "./changer.ts";
export { type RaftConfig, type ReadOnlyMode } from "./config.ts";
export { MemoryStorage } from "./memory_storage.ts";
export { type ProposeResult, RawNode } from "./node.ts";
export { ProgressState } from "./progress.ts";
export { entriesSizeBytes, entrySizeBytes } from "./size.ts";
export { type ProgressStatus, type Status } from "./status.ts";
export { type Storage, UNKNOWN_TERM } from "./storage.ts";
export { type Config } from "./tracker.ts";
export * from "./types.ts";
