// Peer links over TCP.

export type { CallResult } from "./calls.ts";
export {
  type Peer,
  Transport,
  type TransportEnvironment,
  type TransportHandlers,
} from "./transport.ts";
