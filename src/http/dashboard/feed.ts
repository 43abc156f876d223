// The dashboard's event streams: one view a second for all of them, and at once when the node learns of a
// change. Owns the streams and what each has been sent; composes nothing while nobody looks.

import { utf8Bytes } from "../../base/bytes.ts";
import type { DashboardFrame, DashboardView } from "../../dashboard/view.ts";
import type { NodeService } from "../../node/service.ts";
import type { Clock, TimerHandle } from "../../platform/ports.ts";
import { composeView } from "./compose.ts";

const INTERVAL_MS = 1_000;
/** Changes come in showers, as when a node dies; what they lead to is sent no more often than this. */
const CHANGE_GAP_MS = 100;
/** A browser keeps one stream a tab. */
export const DASHBOARD_STREAMS_MAX = 32;
/** Who takes nothing for so long is let go. */
const STALLED_MS_MAX = 30_000;

type Source = Pick<NodeService, "cluster" | "figures" | "overview" | "onStopping">;

/** A view's parts as texts, so that it shows which of them changed. */
interface Composed {
  readonly view: DashboardView;
  readonly partitions: readonly string[];
  readonly happenings: string;
}

interface Stream {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** What the reader will have seen once it has taken everything. */
  sent: Composed | undefined;
  takenMs: number;
  /** A view was held back because the one before was not taken yet. */
  skipped: boolean;
}

function composed(view: DashboardView): Composed {
  return {
    view,
    partitions: view.partitions.map((row) => JSON.stringify(row)),
    happenings: JSON.stringify(view.happenings),
  };
}

/** The event that takes a reader from `before` to `now`. */
function frameText(now: Composed, before: Composed | undefined): string {
  const { happenings: _news, partitions: _rows, ...rest } = now.view;
  const head: Omit<DashboardFrame, "partitions" | "happenings"> = {
    ...rest,
    whole: before?.partitions.length !== now.partitions.length,
  };
  const rows = head.whole
    ? now.partitions
    : now.partitions.filter((text, i) => text !== before!.partitions[i]);
  const news = !head.whole && before?.happenings === now.happenings
    ? ""
    : `,"happenings":${now.happenings}`;
  const text = JSON.stringify(head).slice(0, -1);
  return `event: view\ndata: ${text},"partitions":[${rows.join(",")}]${news}}\n\n`;
}

export class DashboardFeed {
  readonly #source: Source;
  readonly #clock: Clock;
  readonly #streams = new Set<Stream>();
  #unfollow: (() => void) | undefined;
  #forgetStop: (() => void) | undefined;
  #timer: TimerHandle | undefined;
  #dueMs = Infinity;
  #composedMs = -Infinity;
  #stopped = false;

  constructor(source: Source, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** Streams that are open. */
  get count(): number {
    return this.#streams.size;
  }

  /** A new stream; undefined if there are as many as there may be, or the node stops. */
  open(): ReadableStream<Uint8Array> | undefined {
    if (this.#stopped || this.#streams.size >= DASHBOARD_STREAMS_MAX) return undefined;
    let stream: Stream | undefined;
    const readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        stream = {
          controller,
          sent: undefined,
          takenMs: this.#clock.monotonicMs(),
          skipped: false,
        };
        this.#streams.add(stream);
      },
      pull: () => {
        if (stream!.skipped) this.#schedule(this.#nextChangeMs());
      },
      cancel: () => this.#drop(stream!),
      // One event may wait; a slow reader skips views, and gets what changed since the last it took.
    }, { highWaterMark: 1 });
    this.#begin();
    this.#send(stream!, this.#compose());
    return readable;
  }

  #begin(): void {
    if (this.#unfollow !== undefined) return;
    this.#unfollow = this.#source.overview.follow(() => this.#schedule(this.#nextChangeMs()));
    this.#forgetStop = this.#source.onStopping(() => this.#stop());
    if (!this.#stopped) this.#schedule(this.#clock.monotonicMs() + INTERVAL_MS);
  }

  #nextChangeMs(): number {
    return Math.max(this.#clock.monotonicMs(), this.#composedMs + CHANGE_GAP_MS);
  }

  /** Sends at `atMs` unless that is to happen sooner anyway. */
  #schedule(atMs: number): void {
    if (atMs >= this.#dueMs) return;
    this.#timer?.cancel();
    this.#dueMs = atMs;
    const delayMs = Math.max(0, atMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(delayMs, () => this.#tick());
  }

  #tick(): void {
    this.#dueMs = Infinity;
    this.#timer = undefined;
    if (this.#streams.size === 0) return;
    const now = this.#compose();
    for (const stream of [...this.#streams]) this.#send(stream, now);
    if (this.#streams.size > 0) this.#schedule(this.#clock.monotonicMs() + INTERVAL_MS);
  }

  #compose(): Composed {
    const { overview } = this.#source;
    this.#composedMs = this.#clock.monotonicMs();
    return composed(composeView({
      cluster: this.#source.cluster(),
      figures: this.#source.figures(),
      reports: overview.reports(),
      happenings: overview.happenings(),
      nowMs: this.#clock.wallMs(),
    }));
  }

  #send(stream: Stream, now: Composed): void {
    const { controller } = stream;
    stream.skipped = (controller.desiredSize ?? 0) <= 0;
    if (stream.skipped) {
      if (this.#clock.monotonicMs() - stream.takenMs > STALLED_MS_MAX) {
        controller.error(new Error("the client takes nothing"));
        this.#drop(stream);
      }
      return;
    }
    stream.takenMs = this.#clock.monotonicMs();
    controller.enqueue(utf8Bytes(frameText(now, stream.sent)));
    stream.sent = now;
  }

  #drop(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#rest();
  }

  /** Nobody looks any more. */
  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dueMs = Infinity;
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#forgetStop?.();
    this.#forgetStop = undefined;
  }

  /** The page goes on trying; whoever reads a stream is told that this one is over. */
  #stop(): void {
    this.#stopped = true;
    const bye = utf8Bytes("event: bye\ndata: {}\n\n");
    for (const { controller } of this.#streams) {
      controller.enqueue(bye);
      controller.close();
    }
    this.#streams.clear();
    this.#rest();
  }
}
