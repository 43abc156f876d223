// Where a partition's events come from: this node's own replica where it has a whole one, else any other
// that can be reached, by asking it to wait. Whoever is asked, a position names the same place, so nothing
// is lost or doubled when the source changes.

import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import type { WatchPosition } from "../store/mod.ts";
import type { CallResult } from "../transport/mod.ts";
import { failure } from "./data_partition.ts";
import { readable } from "./forward.ts";
import type { HostedData } from "./group.ts";
import type { EventsAnswer, Failure, PendingEvents } from "./service.ts";
import { decodeEventsAnswer, encodeEventsRequest } from "./watch_codec.ts";
import { type EventBatch, type EventQuery, isBehind, type Waiter } from "./watch_hub.ts";

/** What sources need of the node. */
export interface WatchSourceHost {
  readonly clock: Clock;
  hosted(partition: PartitionId): HostedData | undefined;
  /** Some other node that holds a replica of `partition` and can be reached. */
  replicaElsewhere(partition: PartitionId): NodeId | undefined;
  request(to: NodeId, body: Uint8Array, budgetMs: number): Promise<CallResult>;
  /** Resolves when the sources may have changed, at the latest at `deadlineMs`. */
  change(deadlineMs: number): Promise<void>;
}

/** How long another node is asked to wait for the first event. */
const REMOTE_WAIT_MS = 10_000;
/** What its answer may take beyond that. */
const REMOTE_GRACE_MS = 2_000;
/** Between two attempts while no replica can be reached. */
const RETRY_MS = 200;

const GONE: Failure = failure(
  "history-gone",
  "none",
  "changes behind this position are no longer kept",
);
const NO_REPLICA: Failure = failure(
  "no-leader",
  "none",
  "no replica of the partition can be reached",
);

/** Events behind a position, from one replica. Owns a wait in that replica's hub. */
export class LocalEvents implements PendingEvents {
  readonly result: Promise<EventsAnswer | Failure>;
  readonly #hosted: HostedData;
  readonly #query: EventQuery;
  #waiter: Waiter | undefined;
  #settle: (answer: EventsAnswer | Failure) => void = () => {};

  constructor(hosted: HostedData, query: EventQuery) {
    this.#hosted = hosted;
    this.#query = query;
    this.result = new Promise((settle) => {
      this.#settle = settle;
      this.#read(query.position, true);
    });
  }

  #read(position: WatchPosition, mayWait: boolean): void {
    const { data } = this.#hosted;
    if (!data.replica.serving) return this.#settle(NO_REPLICA);
    const batch = data.hub.read({ ...this.#query, position });
    if (batch === undefined) this.#settle(GONE);
    else if (mayWait && batch.complete && batch.events.length === 0) this.#wait();
    else this.#answer(batch);
  }

  #wait(): void {
    this.#waiter = {
      filter: this.#query.filter,
      // Within apply: the state is read once the whole turn's entries are in.
      wake: (from) => {
        this.#waiter = undefined;
        const { position } = this.#query;
        // A replica that is behind where its watcher was elsewhere applies what that has seen already.
        const isNew = from !== undefined && isBehind(from, position);
        Promise.resolve().then(() => this.#read(isNew ? from : position, from !== undefined));
      },
    };
    this.#hosted.data.hub.wait(this.#waiter);
  }

  #answer({ events, position }: EventBatch): void {
    const { store, replica } = this.#hosted.data;
    this.#settle({
      ok: true,
      partition: replica.group,
      timeMs: store.timeMs,
      events,
      position,
    });
  }

  /** While waiting, everything that was applied is either not wanted or wakes the waiter. */
  seen(): WatchPosition | undefined {
    if (this.#waiter === undefined) return undefined;
    const head = this.#hosted.data.hub.head();
    return head.revision > this.#query.position.revision ? head : undefined;
  }

  /** Ends the wait with nothing but how far it has seen. */
  nudge(): void {
    if (this.#waiter === undefined) return;
    const position = this.seen() ?? this.#query.position;
    this.cancel();
    this.#answer({ events: [], position, complete: true });
  }

  cancel(): void {
    if (this.#waiter === undefined) return;
    this.#hosted.data.hub.cancel(this.#waiter);
    this.#waiter = undefined;
  }
}

/** Events from another node. A wait there ends by itself. */
class RemoteEvents implements PendingEvents {
  readonly result: Promise<EventsAnswer | Failure>;

  constructor(host: WatchSourceHost, partition: PartitionId, query: EventQuery, waitMs: number) {
    this.result = RemoteEvents.#ask(host, partition, query, waitMs);
  }

  static async #ask(
    host: WatchSourceHost,
    partition: PartitionId,
    query: EventQuery,
    waitMs: number,
  ): Promise<EventsAnswer | Failure> {
    const node = host.replicaElsewhere(partition);
    if (node !== undefined) {
      const body = encodeEventsRequest(partition, { ...query, waitMs });
      const result = await host.request(node, body, waitMs + REMOTE_GRACE_MS);
      if (result.kind === "answered") {
        const answer = readable(decodeEventsAnswer, result.body);
        if (answer?.ok || answer?.code === "history-gone") return answer;
      }
    }
    await host.change(host.clock.monotonicMs() + RETRY_MS);
    return NO_REPLICA;
  }

  seen(): undefined {}

  cancel(): void {}
}

/** Whether a replica keeps up: one that is still being built would hold its watchers back. */
export function isWhole({ replica }: HostedData): boolean {
  return replica.serving && replica.configuration.confState.voters.includes(replica.id);
}

/** Events of `partition` behind a position; `waits`: for the first one, if there is none yet. */
export function eventsFrom(
  host: WatchSourceHost,
  partition: PartitionId,
  query: EventQuery,
  waits: boolean,
): PendingEvents {
  const hosted = host.hosted(partition);
  if (hosted === undefined || !isWhole(hosted)) {
    return new RemoteEvents(host, partition, query, waits ? REMOTE_WAIT_MS : 0);
  }
  const pending = new LocalEvents(hosted, query);
  if (!waits) pending.nudge();
  return pending;
}

/** Answers another node: waits `waitMs` at most. */
export async function eventsForPeer(
  hosted: HostedData,
  query: EventQuery,
  waitMs: number,
  clock: Clock,
): Promise<EventsAnswer | Failure> {
  const pending = new LocalEvents(hosted, query);
  const timer = clock.setTimer(waitMs, () => pending.nudge());
  const answer = await pending.result;
  timer.cancel();
  return answer;
}
