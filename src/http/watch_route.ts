// GET /watch: checks what is asked for, finds where to begin, and keeps the node's event streams: how many
// there may be, their ticks and their end.

import type { PartitionId } from "../base/ids.ts";
import { WATCHES_MAX } from "../base/limits.ts";
import type { Failure, NodeService, RequestOptions } from "../node/service.ts";
import type { Clock, Log, TimerHandle } from "../platform/ports.ts";
import { type PageQuery, WHOLE_REVISION } from "../store/mod.ts";
import type { WatchFilter } from "../store/types.ts";
import { bytesParameter, NO_MAP, partitionsOfPrefix } from "./key_range.ts";
import { type PartitionPosition, readWatchCursor } from "./positions.ts";
import { failureResponse, problem, RequestError } from "./problem.ts";
import { forwardMode, RequestHeaders, timeoutMsOf } from "./request_headers.ts";
import { checkedLength, parseQuery, splitUrl } from "./request_key.ts";
import { ProgressTexts } from "./watch_progress.ts";
import { HISTORY_GONE_REMEDY, WatchSession } from "./watch_session.ts";

export const WATCH_PATH = "/watch";
export const EVENTS_TYPE = "text/event-stream";
const PARAMETERS = ["prefix", "prefix64", "key", "key64", "after"];
const TICK_MS = 1_000;

/** Reads nothing but the place at which a linearizable read stands. */
const LOOK: PageQuery = {
  start: "",
  end: undefined,
  reverse: false,
  want: "count",
  limit: 0,
  sizeBytesMax: 0,
};

export interface WatchRouteOptions {
  readonly service: NodeService;
  readonly clock: Clock;
  readonly log: Log;
  readonly requestTimeoutMs: number;
}

function filterOf(parameters: ReadonlyMap<string, string>): WatchFilter {
  const prefix = bytesParameter(parameters, "prefix");
  const key = bytesParameter(parameters, "key");
  if ((prefix === undefined) === (key === undefined)) {
    throw new RequestError(
      "invalid-parameter",
      "Exactly one of prefix and key is needed; an empty prefix stands for everything",
    );
  }
  return prefix === undefined
    ? { kind: "key", key: checkedLength(key!) }
    : { kind: "prefix", prefix };
}

/** The cursor's places of `partitions`; those of others don't matter. Throws RequestError. */
function cursorPositions(text: string, partitions: readonly PartitionId[]): PartitionPosition[] {
  const places = new Map(readWatchCursor(text)?.map((place) => [place.partition, place]));
  return partitions.map((partition) => {
    const place = places.get(partition);
    if (place === undefined) {
      throw new RequestError(
        "invalid-cursor",
        places.size === 0
          ? "The cursor is none that GET /watch or GET /keys gave"
          : "The cursor is of a narrower watch or scan: it says nothing of some of these keys",
      );
    }
    return place;
  });
}

export class WatchRoute {
  readonly #options: WatchRouteOptions;
  readonly #progressTexts = new ProgressTexts();
  readonly #sessions = new Set<WatchSession>();
  #timer: TimerHandle | undefined;
  /** Takes back the wish to hear of the node's end. */
  #forgetStop: (() => void) | undefined;

  constructor(options: WatchRouteOptions) {
    this.#options = options;
  }

  /** Event streams that are open. */
  get count(): number {
    return this.#sessions.size;
  }

  /** Answers GET /watch. Rejects with RequestError. */
  async handle(request: Request): Promise<Response> {
    if (request.method === "HEAD") {
      return problem("method-not-allowed", "HEAD is not possible here", {
        headers: { allow: "GET" },
      });
    }
    const { service, requestTimeoutMs } = this.#options;
    const headers = new RequestHeaders(request.headers);
    const parameters = parseQuery(splitUrl(request.url).query, PARAMETERS);
    const filter = filterOf(parameters);
    const after = request.headers.get("last-event-id") ?? parameters.get("after");
    forwardMode(headers.forward); // of many partitions: it is served where it was asked for
    const timeoutMs = timeoutMsOf(headers.timeoutMs, requestTimeoutMs);
    const partitions = filter.kind === "key"
      ? service.dataPartitions().length === 0 ? [] : [service.partitionOf(filter.key)]
      : partitionsOfPrefix(service, filter.prefix);
    if (partitions.length === 0) return failureResponse(NO_MAP, WATCH_PATH, false);
    const wanted = after === undefined || after === ""
      ? undefined
      : cursorPositions(after, partitions);
    const options: RequestOptions = { forward: "forward", timeoutMs };
    const start = await this.#startOf(partitions, wanted, filter, options);
    if (!Array.isArray(start)) return this.#refusal(start);
    if (this.#sessions.size >= WATCHES_MAX) {
      return problem("overloaded", "This node has as many event streams as it may");
    }
    return new Response(this.#open(filter, start).stream, {
      headers: {
        "content-type": EVENTS_TYPE,
        // Left alone, the server would compress the stream, and hold events back.
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
      },
    });
  }

  #refusal(failure: Failure): Response {
    return failure.code === "history-gone"
      ? problem(failure.code, failure.detail, { members: { remedy: HISTORY_GONE_REMEDY } })
      : failureResponse(failure, WATCH_PATH, false);
  }

  /**
   * Where to begin: behind what is committed now, or where the cursor says, if that is still there.
   * Throws RequestError for a cursor from another future.
   */
  async #startOf(
    partitions: readonly PartitionId[],
    wanted: readonly PartitionPosition[] | undefined,
    filter: WatchFilter,
    options: RequestOptions,
  ): Promise<PartitionPosition[] | Failure> {
    const { service } = this.#options;
    const places = await Promise.all(partitions.map(async (partition, i) => {
      const look = await service.scanPage(partition, LOOK, undefined, options);
      if (!look.ok) return look;
      const revision: number = look.appliedIndex; // a revision is the log index of the change
      if (wanted === undefined) {
        return { partition, position: { revision, subIndex: WHOLE_REVISION } };
      }
      const { position } = wanted[i];
      if (position.revision > revision) {
        throw new RequestError(
          "invalid-cursor",
          `The cursor is ahead of partition ${partition}: it is not of this cluster's data`,
        );
      }
      const kept = await service.events(partition, position, filter, false).result;
      return kept.ok ? wanted[i] : kept;
    }));
    const failure = places.find((place): place is Failure => "ok" in place);
    return failure ?? (places as PartitionPosition[]);
  }

  #open(filter: WatchFilter, positions: readonly PartitionPosition[]): WatchSession {
    const { service, clock, log } = this.#options;
    const session = new WatchSession(
      {
        service,
        log,
        progressTexts: this.#progressTexts,
        nowMs: () => clock.monotonicMs(),
        ended: (ended) => this.#ended(ended),
      },
      filter,
      positions,
    );
    this.#sessions.add(session);
    this.#forgetStop ??= service.onStopping(() => {
      for (const open of [...this.#sessions]) open.bye("this node is stopping");
    });
    if (this.#timer === undefined) this.#scheduleTick();
    session.start();
    return session;
  }

  #scheduleTick(): void {
    this.#timer = this.#options.clock.setTimer(TICK_MS, () => {
      this.#timer = undefined;
      for (const session of [...this.#sessions]) session.tick();
      if (this.#sessions.size > 0) this.#scheduleTick();
    });
  }

  #ended(session: WatchSession): void {
    this.#sessions.delete(session);
    if (this.#sessions.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#forgetStop?.();
    this.#forgetStop = undefined;
  }
}
