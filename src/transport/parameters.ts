// Bounds and times of the peer links, each with its reason; their relations are asserted at the end.
// What is shared with other parts (frame and queue sizes) comes from src/base/limits.ts.

import { assert } from "../base/assert.ts";
import {
  PEER_FRAME_SIZE_BYTES_MAX,
  PEER_QUEUE_BYTES_MAX,
  SNAPSHOT_CHUNK_BYTES,
} from "../base/limits.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Versions of everything that crosses a peer link, from the oldest that is spoken to the newest. */
export interface ProtocolVersions {
  readonly oldest: number;
  readonly newest: number;
}

/** What this program speaks. Two nodes link by a version that both do, or are refused by name. */
export const PEER_PROTOCOL_VERSIONS: ProtocolVersions = { oldest: 1, newest: 1 };

/** Longest wait for TCP to connect. A live peer on a live network answers within milliseconds. */
export const DIAL_TIMEOUT_MS = 1_000;
/** Longest wait for the whole handshake, on either side. */
export const HANDSHAKE_TIMEOUT_MS = 1_000;
/** First pause after a failed or broken link; doubles up to the longest. */
export const BACKOFF_MS_MIN = 20;
/** Longest pause: a peer that comes back is dialled within this time. */
export const BACKOFF_MS_MAX = 1_000;
/** Pause after a refusal, which only an operator or a bootstrap can mend. */
export const REFUSED_BACKOFF_MS = 1_000;
/** A link that lived this long counts as good: the next pause is the shortest again. */
export const LINK_SETTLED_MS = 2_000;

/** How often the dialler of a link pings. */
export const KEEPALIVE_INTERVAL_MS = 200;
/** Silence after which a link counts as broken: a blackhole is noticed within one second. */
export const KEEPALIVE_SILENCE_MS = 800;
/** A keepalive timer this late says that the node itself did not run: peers' silence means nothing then. */
export const KEEPALIVE_STALL_MS = 300;
/** How often deadlines of requests on their way are looked at. */
export const REQUEST_SWEEP_MS = 20;

/** Frames before the peer has proved that it knows the secret are small. */
export const HANDSHAKE_FRAME_BYTES_MAX = 1 * KiB;
/** Accepted connections that are still shaking hands; beyond it new ones are closed at once. */
export const INBOUND_HANDSHAKES_MAX = 64;
/** Accepted links; beyond it new ones are closed at once. A cluster has at most hundreds of nodes. */
export const INBOUND_LINKS_MAX = 1_024;
/** Request or reply of one control call. */
export const CALL_SIZE_BYTES_MAX = 4 * MiB;
/** Requests of one peer that run at a time; beyond it they are refused. */
export const INBOUND_REQUESTS_MAX = 10_000;

/** A buffer of waiting frames this full takes no further frame: the next one opens another. */
export const SEGMENT_BYTES = 256 * KiB;
/** Emptied buffers kept for reuse by each link. */
export const SPARE_SEGMENTS_MAX = 2;
/** Raft messages gathered in one frame; a larger message has a frame of its own. */
export const RAFT_FRAME_BYTES = 128 * KiB;
/** Datagram bytes that may wait for one peer: snapshots must not delay Raft messages by much. */
export const DATAGRAM_QUEUE_BYTES_MAX = 2 * MiB;
/** Size of the buffer that a link reads into. */
export const RECEIVE_BUFFER_BYTES = 256 * KiB;
/** Larger payloads get a buffer of their own, so that they are never moved. */
export const LARGE_PAYLOAD_BYTES = 64 * KiB;

assert(
  KEEPALIVE_SILENCE_MS + KEEPALIVE_INTERVAL_MS <= 1_000,
  "a blackhole must be noticed within a second",
);
assert(KEEPALIVE_SILENCE_MS >= 3 * KEEPALIVE_INTERVAL_MS, "one late pong must not break a link");
assert(
  KEEPALIVE_SILENCE_MS > 2 * KEEPALIVE_INTERVAL_MS + KEEPALIVE_STALL_MS,
  "a pause too short to be noticed must not look like a silent peer",
);
assert(
  PEER_PROTOCOL_VERSIONS.oldest <= PEER_PROTOCOL_VERSIONS.newest,
  "a node must speak some version",
);
assert(BACKOFF_MS_MIN < BACKOFF_MS_MAX, "back-off must grow");
assert(RECEIVE_BUFFER_BYTES >= 2 * LARGE_PAYLOAD_BYTES, "a small frame must fit the buffer");
assert(DATAGRAM_QUEUE_BYTES_MAX < PEER_QUEUE_BYTES_MAX, "snapshots may not fill a queue");
assert(DATAGRAM_QUEUE_BYTES_MAX >= 4 * SNAPSHOT_CHUNK_BYTES, "a window of chunks must fit");
assert(CALL_SIZE_BYTES_MAX < PEER_FRAME_SIZE_BYTES_MAX, "a call must fit a frame");
