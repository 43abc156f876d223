// Turning a replica's pending output into local work orders (asynchronous storage writes) or into the
// steps that follow an advance. Builds messages only; what was handed out is RawNode's book-keeping.

import type { Raft } from "./raft.ts";
import {
  type Entry,
  type HardState,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  MessageType,
  newMessage,
  type Snapshot,
} from "./types.ts";

/**
 * The order to make `entries`, `hardState` and `snapshot` durable, with all that may be said only
 * afterwards as its responses; null if there is nothing to write and nothing to say.
 */
export function storageAppend(
  raft: Raft,
  entries: readonly Entry[],
  hardState: HardState | null,
  snapshot: Snapshot | null,
): Message | null {
  const nothing = entries.length === 0 && hardState === null && snapshot === null;
  if (nothing && raft.messagesAfterAppend.length === 0) return null;
  const order = newMessage(MessageType.StorageAppend, LOCAL_APPEND_THREAD, raft.id);
  order.entries = entries;
  order.snapshot = snapshot;
  if (hardState !== null) {
    order.term = hardState.term;
    order.vote = hardState.vote;
    order.commit = hardState.commit;
  }
  // Our own acknowledgements come before the note that the entries are stable: while they are
  // counted the terms of the entries are still at hand in the unstable log.
  const done = storageAppendResponse(raft, snapshot);
  order.responses = done === null ? raft.messagesAfterAppend : [...raft.messagesAfterAppend, done];
  return order;
}

/**
 * What tells us that everything unstable now is durable; null if nothing is.
 *
 * It carries our term, and is ignored if that has changed on its return, as the entries may have been
 * replaced with that write still under way (ABA). Therefore it is attached whenever there are unstable
 * entries, not just with those being written by this order: after a change of term, which always
 * orders a write, one comes that counts.
 */
export function storageAppendResponse(raft: Raft, snapshot: Snapshot | null): Message | null {
  const { log } = raft;
  if (log.unstable.length === 0 && snapshot === null) return null;
  const done = newMessage(MessageType.StorageAppendResponse, raft.id, LOCAL_APPEND_THREAD);
  done.term = raft.term;
  done.snapshot = snapshot;
  if (log.unstable.length > 0) {
    done.index = log.lastIndex();
    done.logTerm = log.lastTerm();
  }
  return done;
}

/** The order to apply committed entries. It and its response carry no term: they hold in any. */
export function storageApply(raft: Raft, entries: readonly Entry[]): Message {
  const order = newMessage(MessageType.StorageApply, LOCAL_APPLY_THREAD, raft.id);
  order.entries = entries;
  order.responses = [storageApplyResponse(raft, entries)];
  return order;
}

/** What tells us that the entries were applied. */
export function storageApplyResponse(raft: Raft, entries: readonly Entry[]): Message {
  const done = newMessage(MessageType.StorageApplyResponse, raft.id, LOCAL_APPLY_THREAD);
  done.entries = entries;
  return done;
}
