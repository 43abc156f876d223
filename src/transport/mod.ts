// Peer links over TCP: what the rest of the house may use of them. Re-exports only.

export type {
  Caller,
  LinkDirection,
  TransportEnvironment,
  TransportHandlers,
} from "./environment.ts";
export { HandshakeError } from "./handshake.ts";
export type { ProtocolVersions } from "./parameters.ts";
export type { CallResult } from "./requests.ts";
export { type Peer, type PeerStatus, Transport } from "./transport.ts";
