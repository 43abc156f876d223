// Peer links: what the rest of the house may use of them. Re-exports only.

export type { CallReply } from "./control_call.ts";
export type {
  Caller,
  DialOverride,
  LinkDirection,
  TransportHandlers,
  TransportPlatform,
} from "./environment.ts";
export { SNAPSHOT_QUEUE_BYTES_MAX } from "./parameters.ts";
export type { ForwardResult } from "./requests.ts";
export { type Peer, type PeerStatus, Transport, type TransportOptions } from "./transport.ts";
