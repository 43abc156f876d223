/// <reference lib="dom" />
// Keeps the view current: reads the node's stream, begins again when it breaks, and tells who draws. Holds what has
// to be remembered between views: histories, rates, how fast moves go.

import { type DashboardFrame, type DashboardView, viewAfter } from "../view.ts";
import { ApiError, errorText, events } from "./client.ts";
import { WorkHistory } from "./work_history.ts";

/** `refused`: not without (another) token. `lost`: the node does not answer; tried again and again. */
export type Connection = "connecting" | "live" | "lost" | "refused";

const EVENTS_PATH = "/dashboard/events";
const RETRY_MS = 700;
/** The node sends something every second. */
const SILENCE_MS_MAX = 6_000;
/** Weight of the newest rate in what is shown. */
const SMOOTHING = 0.4;
const RATE_GAP_MS = 950;

interface Progress {
  readonly atMs: number;
  readonly left: number;
  /** Bytes or entries a second. */
  readonly perSecond?: number;
}

export class Live {
  view: DashboardView | undefined;
  connection: Connection = "connecting";
  /** Why it is not live. */
  reason = "";
  /** Local time of the last view. */
  seenMs = 0;
  readonly history = new WorkHistory();
  readonly #listeners = new Set<() => void>();
  /** Entries a second by partition, smoothed. */
  readonly loads = new Map<number, number>();
  #commits = new Map<number, number>();
  #commitsMs = 0;
  readonly #moves = new Map<string, Progress>();
  #attempt: AbortController | undefined;

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Connects, now or again, as after another token was given. */
  restart(): void {
    this.#attempt?.abort();
    const attempt = this.#attempt = new AbortController();
    this.#run(attempt);
  }

  async #run(attempt: AbortController): Promise<void> {
    while (!attempt.signal.aborted) {
      await this.#follow(attempt.signal);
      if (attempt.signal.aborted || this.connection === "refused") return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const stream = new AbortController();
    const stop = () => stream.abort();
    signal.addEventListener("abort", stop);
    let silence = setTimeout(stop, SILENCE_MS_MAX);
    try {
      for await (const { event, data } of events(EVENTS_PATH, stream.signal)) {
        clearTimeout(silence);
        silence = setTimeout(stop, SILENCE_MS_MAX);
        if (event === "view") this.#take(JSON.parse(data));
        else break;
      }
      this.#lost("the node ended the stream");
    } catch (error) {
      if (signal.aborted) return;
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      if (refused) this.#become("refused", errorText(error));
      else this.#lost(stream.signal.aborted ? "the node says nothing" : errorText(error));
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", stop);
      stream.abort();
    }
  }

  #lost(reason: string): void {
    this.#become("lost", reason);
  }

  #become(connection: Connection, reason: string): void {
    this.connection = connection;
    this.reason = reason;
    for (const listener of this.#listeners) listener();
  }

  #take(frame: DashboardFrame): void {
    const view = viewAfter(this.view, frame);
    this.view = view;
    this.seenMs = Date.now();
    this.history.push(view);
    this.#measureLoads(view);
    this.#measureMoves(view);
    this.#become("live", "");
  }

  #measureLoads({ atMs, partitions }: DashboardView): void {
    const spanMs = atMs - this.#commitsMs;
    if (spanMs >= 0 && spanMs < RATE_GAP_MS) return;
    for (const { partition, commitIndex } of partitions) {
      if (commitIndex === undefined) continue;
      const before = this.#commits.get(partition);
      this.#commits.set(partition, commitIndex);
      if (before === undefined || spanMs <= 0) continue;
      const perSecond = 1000 * Math.max(0, commitIndex - before) / spanMs;
      const smooth = this.loads.get(partition) ?? perSecond;
      this.loads.set(partition, smooth + SMOOTHING * (perSecond - smooth));
    }
    this.#commitsMs = atMs;
  }

  #measureMoves({ atMs, moves }: DashboardView): void {
    const present = new Set<string>();
    for (const { partition, beganEpoch, sentBytes, sizeBytes, behind } of moves) {
      const isBytes = sizeBytes !== undefined && sentBytes !== undefined;
      const left = isBytes ? sizeBytes - sentBytes : behind;
      const key = `${partition} ${beganEpoch} ${isBytes}`;
      present.add(key);
      if (left === undefined) continue;
      const before = this.#moves.get(key);
      if (before !== undefined && atMs - before.atMs < RATE_GAP_MS) continue;
      let perSecond = before?.perSecond;
      if (before !== undefined && left < before.left) {
        const now = 1000 * (before.left - left) / (atMs - before.atMs);
        perSecond = perSecond === undefined ? now : perSecond + SMOOTHING * (now - perSecond);
      }
      this.#moves.set(key, { atMs, left, perSecond });
    }
    for (const key of this.#moves.keys()) if (!present.has(key)) this.#moves.delete(key);
  }

  /** How long what is being sent for a move takes at the present pace; undefined if that is not known yet. */
  moveLeftMs(partition: number, beganEpoch: number, isBytes: boolean): number | undefined {
    const known = this.#moves.get(`${partition} ${beganEpoch} ${isBytes}`);
    if (known?.perSecond === undefined || known.perSecond <= 0) return undefined;
    return 1000 * known.left / known.perSecond;
  }
}
