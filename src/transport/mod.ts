// Peer links over TCP.

export type { CallResult } from "./calls.ts";
export { readConfState, writeConfState } from "./raft_codec.ts";
export {
  type Peer,
  Transport,
  type TransportEnvironment,
  type TransportHandlers,
} from "./transport.ts";
