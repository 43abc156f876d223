// Every bound of the store in one place: unit in the name, reason beside it, relations asserted at the
// end. A component takes its bound from here; none is written down twice.

import { assert } from "./assert.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Keys are bytes; longer ones would not fit a URL that proxies accept (percent-encoding triples). */
export const KEY_SIZE_BYTES_MAX = 4096;
/** Default bound of one value; a node may be started with another, up to the hard bound below. */
export const VALUE_SIZE_BYTES_MAX_DEFAULT = 1 * MiB;
/** Values from this length on are compressed by default: below it the calls cost more than is saved. */
export const COMPRESSION_THRESHOLD_BYTES = 16 * KiB;
/** No configuration goes beyond this: a value must fit one log batch and one peer frame. */
export const VALUE_SIZE_BYTES_MAX_HARD = 8 * MiB;
/** Content types are stored with each value. */
export const CONTENT_TYPE_SIZE_BYTES_MAX = 255;
/** An idempotency key is kept in replicated state. */
export const IDEMPOTENCY_KEY_SIZE_BYTES_MAX = 255;
/** Operations in one transaction, and in each of its branches. */
export const TXN_OPERATIONS_MAX = 128;
/** Plain bytes of one transaction's request. */
export const TXN_SIZE_BYTES_MAX = 8 * MiB;
/** Plain bytes that applying one transaction may have to decompress: 30 ms or so. */
export const TXN_DECOMPRESSED_BYTES_MAX = 16 * MiB;
/** Keys one transaction's range operations may touch; beyond it the transaction fails as a whole. */
export const TXN_RANGE_KEYS_MAX = 10_000;

/** Watch events a partition keeps: a watcher that reconnects within seconds finds its place. */
export const HISTORY_EVENTS_MAX = 65_536;
/** Bytes those events may hold. */
export const HISTORY_BYTES_MAX = 16 * MiB;

/** How long an idle session or a bare Idempotency-Key is remembered, in partition time. */
export const IDEMPOTENCY_RETENTION_MS = 300_000;
/** Client sessions a partition remembers. */
export const IDEMPOTENCY_SESSIONS_MAX = 20_000;
/** Outcomes a partition remembers; full of live ones means 429. */
export const IDEMPOTENCY_OUTCOMES_MAX = 200_000;
/** Bytes those outcomes may hold. */
export const IDEMPOTENCY_BYTES_MAX = 64 * MiB;
/** Expired keys that one entry removes at most: about 2 ms of apply. */
export const EXPIRE_BATCH_KEYS = 1_000;

/** Largest encoded Raft entry: one value or transaction and its envelope. */
export const ENTRY_SIZE_BYTES_MAX = 9 * MiB;
/** Entry bytes one AppendEntries carries, unless a single entry is larger. */
export const APPEND_SIZE_BYTES_MAX = 1 * MiB;
/** AppendEntries in flight to one follower. */
export const APPEND_INFLIGHT_MAX = 64;
/** Entry bytes in flight to one follower. */
export const APPEND_INFLIGHT_BYTES_MAX = 16 * MiB;
/** Entry bytes a leader holds that are not committed; beyond it proposals are refused (503). */
export const UNCOMMITTED_SIZE_BYTES_MAX = 64 * MiB;
/** Entry bytes handed to apply at once, so that a long catch-up does not stall the event loop. */
export const COMMITTED_SIZE_PER_READY_BYTES_MAX = 4 * MiB;

/** Largest frame on a peer link. Must hold an AppendEntries of one largest entry. */
export const PEER_FRAME_SIZE_BYTES_MAX = 16 * MiB;
/** Bytes waiting to be written to one peer; beyond it Raft messages are dropped, others refused. */
export const PEER_QUEUE_BYTES_MAX = 32 * MiB;
/** Snapshot bytes carried by one peer frame. */
export const SNAPSHOT_CHUNK_BYTES = 256 * KiB;

/** Size of a preallocated log segment. */
export const WAL_SEGMENT_SIZE_BYTES = 64 * MiB;
/** Length of the whole log at which groups that keep old segments are made to take snapshots. */
export const LOG_SIZE_BYTES_MAX = 4 * WAL_SEGMENT_SIZE_BYTES;
/** Bytes one sync batch may gather. */
export const WAL_BATCH_SIZE_BYTES_MAX = 32 * MiB;

/** Longest time to live: about a century, far below where milliseconds lose their integers. */
export const TTL_MS_MAX = 100 * 366 * 24 * 3600 * 1000;
/** Longest that a client may ask a node to wait for an outcome. */
export const REQUEST_TIMEOUT_MS_MAX = 60_000;
/** Longest staleness that a read may allow. */
export const STALENESS_MS_MAX = 3_600_000;
/** Body of an administrative request. */
export const ADMIN_BODY_SIZE_BYTES_MAX = 64 * KiB;
/** Request bodies up to this length are taken in one piece, longer ones chunk by chunk. */
export const BODY_WHOLE_SIZE_BYTES_MAX = 64 * KiB;

/** Requests waiting for an outcome on one node; beyond it 503 `overloaded`, before acceptance. */
export const REQUESTS_IN_FLIGHT_MAX = 20_000;
/** Encoded commands of one group waiting for the end of a turn. */
export const PROPOSAL_QUEUE_BYTES_MAX = 32 * MiB;
/** Records one page of a scan looks at: a few ms of the event loop. */
export const SCAN_EXAMINED_MAX = 20_000;
/** Records in one JSON answer of a scan. */
export const SCAN_LIMIT_MAX = 10_000;
/** Keys and values in one JSON answer of a scan; it ends early, with a cursor, beyond it. */
export const SCAN_ANSWER_SIZE_BYTES_MAX = 16 * MiB;
/** Keys and values of all the pages that one scan holds, shared by its partitions. */
export const SCAN_PAGES_SIZE_BYTES_MAX = 4 * MiB;
/** One partition's page, whatever its share. */
export const SCAN_PAGE_SIZE_BYTES_MAX = 512 * KiB;
export const SCAN_PAGE_SIZE_BYTES_MIN = 16 * KiB;
/** Changes one read of the watch history looks at: about a ms of the event loop. */
export const WATCH_EXAMINED_MAX = 8_192;
/** Events, and bytes of their keys and values, that one such read gives. */
export const WATCH_BATCH_EVENTS_MAX = 512;
export const WATCH_BATCH_SIZE_BYTES_MAX = 256 * KiB;
/** Text that waits for one watcher's connection; beyond it the history is not read on for it. */
export const WATCH_QUEUE_SIZE_BYTES_MAX = 256 * KiB;
/** Event streams of one node, 60 to 80 KB each; beyond it 503 `overloaded`. */
export const WATCHES_MAX = 20_000;
/** Copies of partitions that a node keeps for backups at a time; each holds what was replaced since. */
export const PARTITION_COPIES_MAX = 4;
/** Changes of a partition in one answer. */
export const CHANGES_SIZE_BYTES_MAX = 1 * MiB;
/** Independent operations in one batch request. */
export const BATCH_OPERATIONS_MAX = 1000;
/** Body of one batch request. */
export const BATCH_BODY_SIZE_BYTES_MAX = 16 * MiB;

/** Log bytes of one group after which its next snapshot is taken: about a second of replay. */
export const SNAPSHOT_LOG_BYTES = 32 * MiB;
/** Entries that all groups of a node together keep in memory for followers that are a little late. */
export const LOG_WINDOW_BYTES_MAX = 16 * MiB;
/** What one group may keep however many there are: a follower that misses a moment needs no snapshot. */
export const LOG_WINDOW_BYTES_MIN = 512 * KiB;
/**
 * So many times its window a group may keep while a follower is sent a snapshot: a group that alone is written to at
 * 12 MB/s, about 40,000 small writes a second, leaves it 20 seconds.
 */
export const LOG_HELPING_WINDOWS_MAX = 16;

/** Free disk space below which writes are refused. */
export const DISK_FREE_BYTES_MIN = 256 * MiB;
/** So many times that much is needed to take writes again: one purge more or less must not flip it each second. */
export const DISK_ROOM_MARGIN = 1.25;
/** With less a node is made nobody's leader: it refuses writes, or would soon. */
export const LEADER_DISK_FREE_BYTES_MIN = DISK_ROOM_MARGIN * DISK_FREE_BYTES_MIN;

assert(TXN_SIZE_BYTES_MAX >= VALUE_SIZE_BYTES_MAX_HARD, "a transaction must carry one value");
assert(
  TXN_DECOMPRESSED_BYTES_MAX >= TXN_SIZE_BYTES_MAX + VALUE_SIZE_BYTES_MAX_HARD,
  "a transaction must be able to compare whatever it carries, and one value by order",
);
assert(
  ENTRY_SIZE_BYTES_MAX >= TXN_SIZE_BYTES_MAX + 64 * KiB,
  "an entry must carry one transaction and its envelope",
);
assert(
  PEER_FRAME_SIZE_BYTES_MAX >= ENTRY_SIZE_BYTES_MAX + 64 * KiB,
  "a peer frame must carry one entry",
);
assert(
  PEER_FRAME_SIZE_BYTES_MAX >= WATCH_BATCH_SIZE_BYTES_MAX + VALUE_SIZE_BYTES_MAX_HARD + 4 * MiB,
  "a peer frame must carry the events of one read",
);
assert(
  PEER_FRAME_SIZE_BYTES_MAX >= SCAN_PAGE_SIZE_BYTES_MAX + VALUE_SIZE_BYTES_MAX_HARD + 4 * MiB,
  "a peer frame must carry a page of the shortest records, and the one value that ends a page",
);
assert(PEER_QUEUE_BYTES_MAX >= 2 * PEER_FRAME_SIZE_BYTES_MAX, "a queue must take two frames");
assert(WAL_BATCH_SIZE_BYTES_MAX >= ENTRY_SIZE_BYTES_MAX + 64 * KiB, "a batch must take one entry");
assert(
  WAL_SEGMENT_SIZE_BYTES >= WAL_BATCH_SIZE_BYTES_MAX + 64 * KiB,
  "a segment must take one batch",
);
