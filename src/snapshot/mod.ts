// Snapshot files and their transfer. Start reading at store.ts; format.ts has the byte layout.

export { Gate } from "./gate.ts";
export * from "./types.ts";
export { SnapshotStore, type SnapshotStoreOptions } from "./store.ts";
export { type ReceiverOptions, SnapshotReceiver } from "./receiver.ts";
export {
  DEFAULT_SEND_LIMITS,
  type SenderOptions,
  type SendOutcome,
  SnapshotSender,
} from "./sender.ts";
export type { SendLimits, ToReceiver, ToSender, TransferMessage } from "./transfer.ts";
export { decodeTransferMessage, encodeTransferMessage } from "./transfer_codec.ts";
