// The state machine of a data partition.

export * from "./types.ts";
export {
  decodeEnvelope,
  encodeEnvelope,
  FINGERPRINT_SIZE_BYTES,
  stampEnvelope,
} from "./envelope.ts";
export { imageChunks, ImageLoader } from "./image.ts";
export { stateHash, stateHashSteps } from "./state_hash.ts";
export { type HistoryBounds, type WatchPosition, WHOLE_REVISION } from "./history.ts";
export { type Page, pageAfter, type PageQuery } from "./page.ts";
export {
  type CommandValue,
  commandValueLength,
  compressedBytes,
  plainLength,
  plainValue,
  readStoredValue,
  storedLength,
  type StoredValue,
  writeStoredValue,
} from "./value.ts";
export { Store, type StoreState } from "./store.ts";
