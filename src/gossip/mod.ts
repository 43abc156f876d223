// Membership gossip: start reading at gossip.ts.

export { decodeEnvelope, encodeEnvelope, GOSSIP_DATAGRAM } from "./codec.ts";
export { Gossip, type GossipOptions } from "./gossip.ts";
export {
  type Envelope,
  type LoadFigures,
  type MemberNews,
  type News,
  NO_LOAD,
  PROBE_INTERVAL_MS,
  type Status,
  STATUSES,
} from "./types.ts";
