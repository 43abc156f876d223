// One event stream: reads every watched partition on behind its position and hands the client what comes,
// in order within each partition, as fast as it takes it. Owns positions and cursors; it must never tell a
// client to go on behind an event that it was not sent.

import { utf8Bytes } from "../base/bytes.ts";
import type { PartitionId } from "../base/ids.ts";
import { WATCH_QUEUE_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { Failure, NodeService, PendingEvents } from "../node/service.ts";
import type { Log } from "../platform/ports.ts";
import { plainValue } from "../store/mod.ts";
import type { WatchEvent, WatchFilter } from "../store/types.ts";
import { type PartitionPosition, watchCursor } from "./positions.ts";
import { type AnyProblemCode, failureProblem, problemDocument } from "./problem.ts";
import { eventText, type ProgressTexts } from "./watch_progress.ts";
import { keyMember, oneLine, valueMembers } from "./value_format.ts";

/** A partition without any replica to read from for so long ends the stream: another node may know one. */
const SOURCELESS_MS_MAX = 10_000;
/** A client that takes nothing for so long, though there is something, is cut off. */
const STALLED_MS_MAX = 30_000;
/**
 * Between two progress events while nothing else is sent: against proxies that drop silent connections, after
 * 30 s and more (WHATWG HTML §9.2.7), and so that a client can tell a lost one.
 */
export const PROGRESS_INTERVAL_MS = 20_000;

export const HISTORY_GONE_REMEDY =
  "Scan with GET /keys, then watch from the watchCursor of its first page";

/** What a session needs of its owner. */
export interface SessionHost {
  readonly service: Pick<NodeService, "events">;
  readonly log: Log;
  /** Shared by all sessions. */
  readonly progressTexts: ProgressTexts;
  nowMs(): number;
  /** The session is over. */
  ended(session: WatchSession): void;
}

function eventJson(partition: PartitionId, event: WatchEvent, timeMs: number): string {
  const { kind, key, revision, value = "", contentType = "", createRevision, expiresAtMs } = event;
  const head = `{"partition":${partition},${keyMember(key)}`;
  if (kind !== "put") return `${head},"revision":${revision}}`;
  const ttl = expiresAtMs === undefined ? "" : `,"ttlMs":${Math.max(0, expiresAtMs - timeMs)}`;
  return oneLine(
    `${head},${valueMembers(plainValue(value), contentType)},"contentType":${
      JSON.stringify(contentType)
    }` +
      `,"revision":${revision},"createRevision":${createRevision}${ttl}}`,
  );
}

export class WatchSession {
  readonly #host: SessionHost;
  readonly #filter: WatchFilter;
  /** Ascending by partition; each as far as what is queued goes. */
  readonly #positions: PartitionPosition[];
  readonly #pending: (PendingEvents | undefined)[];
  readonly #sourcelessSinceMs: (number | undefined)[];
  readonly stream: ReadableStream<Uint8Array>;
  /** Text for the client, oldest first. */
  #queue = "";
  #queuedSinceMs = 0;
  #lastSentMs: number;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** A read of the client that waits for text. */
  #taker: { controller: ReadableStreamDefaultController<Uint8Array>; done(): void } | undefined;
  /** Readers that wait for the queue to empty. */
  #room: (() => void)[] = [];
  /** The last text is queued. */
  #ending = false;
  #over = false;

  /** `positions` ascend by partition. */
  constructor(host: SessionHost, filter: WatchFilter, positions: readonly PartitionPosition[]) {
    this.#host = host;
    this.#filter = filter;
    this.#positions = [...positions];
    this.#pending = new Array(positions.length);
    this.#sourcelessSinceMs = new Array(positions.length);
    this.#lastSentMs = host.nowMs();
    // No queue of the stream's own: what is taken is on its way to the socket.
    this.stream = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#end(),
    }, { highWaterMark: 0 });
  }

  /** Begins. The first event says where. */
  start(): void {
    this.#sendProgress();
    this.#positions.forEach((_, index) => {
      this.#follow(index).catch((error) => {
        this.#host.log.log("error", "event stream failed", { error: String(error) });
        this.#fail(problemDocument("internal", "The node failed to read on; its log says more"));
      });
    });
  }

  /** Call about once a second. */
  tick(): void {
    const nowMs = this.#host.nowMs();
    if (this.#queue !== "" && nowMs - this.#queuedSinceMs > STALLED_MS_MAX) {
      // Who does not take the reason either is let go without it.
      if (this.#ending) return this.#abandon();
      return this.cut("watch-too-slow", `Nothing was taken for ${STALLED_MS_MAX} ms`);
    }
    if (this.#queue === "" && nowMs - this.#lastSentMs >= PROGRESS_INTERVAL_MS) this.#progress();
  }

  /** The node stops: the client goes on elsewhere, where it was. */
  bye(reason: string): void {
    this.#finish("bye", JSON.stringify({ reason }));
  }

  /** Ends the stream with a problem after which the client may go on behind its last event. */
  cut(code: AnyProblemCode, detail: string): void {
    this.#fail(problemDocument(code, detail));
  }

  // ---------------------------------------------------------------------------------------- reading

  async #follow(index: number): Promise<void> {
    while (!this.#ending) {
      if (this.#queue.length >= WATCH_QUEUE_SIZE_BYTES_MAX) {
        await new Promise<void>((resolve) => this.#room.push(resolve));
        continue;
      }
      const { partition, position } = this.#positions[index];
      const pending = this.#host.service.events(partition, position, this.#filter, true);
      this.#pending[index] = pending;
      const answer = await pending.result;
      this.#pending[index] = undefined;
      if (this.#ending) return;
      if (!answer.ok) {
        this.#sourceless(index, answer);
        continue;
      }
      this.#sourcelessSinceMs[index] = undefined;
      for (const event of answer.events) {
        const { revision, subIndex } = event;
        this.#positions[index] = { partition, position: { revision, subIndex } };
        this.#send(event.kind, eventJson(partition, event, answer.timeMs));
      }
      this.#positions[index] = { partition, position: answer.position };
    }
  }

  #sourceless(index: number, failure: Failure): void {
    if (failure.code === "history-gone") {
      return this.#fail({ ...failureProblem(failure), remedy: HISTORY_GONE_REMEDY });
    }
    const nowMs = this.#host.nowMs();
    const sinceMs = this.#sourcelessSinceMs[index] ??= nowMs;
    if (nowMs - sinceMs > SOURCELESS_MS_MAX) this.#fail(failureProblem(failure));
  }

  // ---------------------------------------------------------------------------------------- sending

  /** Tells how far everything was seen, so that a quiet watcher's place does not grow old. */
  #progress(): void {
    this.#pending.forEach((pending, index) => {
      const position = pending?.seen();
      if (position === undefined) return;
      this.#positions[index] = { partition: this.#positions[index].partition, position };
    });
    this.#sendProgress();
  }

  #sendProgress(): void {
    if (!this.#ending) this.#put(this.#host.progressTexts.of(this.#positions));
  }

  #fail(document: Record<string, unknown>): void {
    this.#finish("error", JSON.stringify(document));
  }

  /** Queues an event whose id is the present positions. */
  #send(event: string, data: string): void {
    if (!this.#ending) this.#put(eventText(event, watchCursor(this.#positions), data));
  }

  #put(text: string): void {
    const nowMs = this.#host.nowMs();
    if (this.#queue === "") this.#queuedSinceMs = nowMs;
    this.#lastSentMs = nowMs;
    this.#queue += text;
    this.#flush();
  }

  #finish(event: string, data: string): void {
    if (this.#ending) return;
    this.#send(event, data);
    this.#queuedSinceMs = this.#host.nowMs();
    this.#ending = true;
    this.#flush();
    this.#release();
  }

  #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> | void {
    if (this.#queue !== "" || this.#ending) return this.#hand(controller);
    return new Promise((done) => this.#taker = { controller, done });
  }

  /** At the end of the turn, so that what came in together goes out together. */
  #flush(): void {
    const taker = this.#taker;
    if (taker === undefined) return;
    this.#taker = undefined;
    Promise.resolve().then(() => {
      this.#hand(taker.controller);
      taker.done();
    });
  }

  #hand(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#over) return;
    if (this.#queue !== "") {
      const bytes = utf8Bytes(this.#queue);
      this.#queue = "";
      controller.enqueue(bytes);
      for (const proceed of this.#room.splice(0)) proceed();
    }
    // A client that has gone is noticed inside `enqueue`: then the stream is cancelled, and over, by now.
    if (this.#over || !this.#ending) return;
    controller.close();
    this.#end();
  }

  // ----------------------------------------------------------------------------------------- ending

  /** Lets go of everything but what is still to be taken. */
  #release(): void {
    for (const pending of this.#pending) pending?.cancel();
    for (const proceed of this.#room.splice(0)) proceed();
  }

  #abandon(): void {
    this.#controller?.error(new Error("the client takes nothing"));
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#ending = true;
    this.#queue = "";
    this.#release();
    this.#host.ended(this);
  }
}
