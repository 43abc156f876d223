// What backups read: GET /cluster/partitions/N/copy, a partition's frozen state as a stream of blocks, and
// GET /cluster/partitions/N/changes, what its history has behind a position. Owns the copies that this node
// keeps: how many, how long, and that a stream which broke off may be taken up again.

import {
  BlockType,
  copyBlocks,
  type CopySource,
  type CopyWish,
  encodeBlock,
  writeChanges,
} from "../backup/mod.ts";
import { BytesWriter } from "../base/codec.ts";
import type { PartitionId } from "../base/ids.ts";
import { CHANGES_SIZE_BYTES_MAX, PARTITION_COPIES_MAX } from "../base/limits.ts";
import type { Failure, NodeService, RequestOptions } from "../node/service.ts";
import type { Clock, Log, TimerHandle } from "../platform/ports.ts";
import { plainLength, type WatchPosition, WHOLE_REVISION } from "../store/mod.ts";
import type { WatchEvent } from "../store/types.ts";
import { backupPartitionOf } from "./backup_path.ts";
import { decodeBase64Url } from "./base64url.ts";
import { CopyStream } from "./copy_stream.ts";
import { NO_MAP } from "./key_range.ts";
import { failureResponse, problem, RequestError } from "./problem.ts";
import { forwardMode, RequestHeaders, timeoutMsOf } from "./request_headers.ts";
import { parseQuery, splitUrl } from "./request_key.ts";

export const BLOCKS_TYPE = "application/vnd.pontoon.blocks";
/** A copy that nobody takes anything of for so long is let go. */
const COPY_IDLE_MS_MAX = 60_000;
const SWEEP_MS = 5_000;

interface RoutesOptions {
  readonly service: NodeService;
  readonly clock: Clock;
  readonly log: Log;
  readonly requestTimeoutMs: number;
}

/** A frozen partition that is, or was a moment ago, on its way to a client. */
interface KeptCopy {
  readonly source: CopySource;
  stream: CopyStream | undefined;
  /** Since when no stream reads it, monotonic. */
  idleSinceMs: number;
}

export class BackupRoutes {
  readonly #options: RoutesOptions;
  readonly #copies = new Map<string, KeptCopy>();
  #count = 0;
  #timer: TimerHandle | undefined;
  #forgetStop: (() => void) | undefined;

  constructor(options: RoutesOptions) {
    this.#options = options;
  }

  // ------------------------------------------------------------------------------------------- copies

  /** Answers GET …/copy. Rejects with RequestError. */
  async copy(request: Request): Promise<Response> {
    if (request.method === "HEAD") return notHead();
    const { path, query } = splitUrl(request.url);
    const parameters = parseQuery(query, ["want", "copy", "after64"]);
    const options = this.#requestOptions(request);
    const partition = this.#partitionOf(path);
    if (typeof partition !== "number") return partition;
    const wish = wishOf(parameters);
    const name = parameters.get("copy");
    if (name === undefined && wish.after !== undefined) {
      throw new RequestError("invalid-parameter", "after64 goes on with a copy: name it");
    }
    const kept = name === undefined
      ? await this.#begin(partition, options)
      : this.#kept(name, partition);
    if (kept instanceof Response) return kept;
    return this.#answer(kept, wish);
  }

  #kept(name: string, partition: PartitionId): KeptCopy | Response {
    const kept = this.#copies.get(name);
    if (kept?.source.partition === partition) return kept;
    return problem("history-gone", "This node does not keep that copy any more: begin anew");
  }

  async #begin(partition: PartitionId, options: RequestOptions): Promise<KeptCopy | Response> {
    const { service, clock } = this.#options;
    if (!this.#hasRoom()) {
      return problem("overloaded", "This node is making as many copies as it may");
    }
    const frozen = await service.freezePartition(partition, options);
    if (!frozen.ok) return failureResponse(frozen, "", false);
    // Others may have come in the meantime.
    if (!this.#hasRoom()) {
      return problem("overloaded", "This node is making as many copies as it may");
    }
    const { nodeId, appliedIndex, state } = frozen;
    // Not given twice by any start of this node, so that no old name finds another copy.
    const copy = `${Math.floor(clock.wallMs()).toString(36)}-${appliedIndex}-${++this.#count}`;
    const kept: KeptCopy = {
      source: { partition, nodeId, copy, applied: appliedIndex, state },
      stream: undefined,
      idleSinceMs: clock.monotonicMs(),
    };
    this.#copies.set(copy, kept);
    this.#watch();
    return kept;
  }

  /** Makes room if there is none, by the copy that has been idle for longest. */
  #hasRoom(): boolean {
    if (this.#copies.size < PARTITION_COPIES_MAX) return true;
    const [oldest] = [...this.#copies.values()].filter(({ stream }) => stream === undefined)
      .sort((a, b) => a.idleSinceMs - b.idleSinceMs);
    return oldest !== undefined && this.#copies.delete(oldest.source.copy);
  }

  #answer(kept: KeptCopy, wish: CopyWish): Response {
    const { clock, log } = this.#options;
    const { source } = kept;
    // Whoever asks again has lost the connection, whether or not this side has noticed.
    kept.stream?.cut("the copy is read by another request");
    const stream: CopyStream = new CopyStream(clock, log, copyBlocks(source, wish), () => {
      if (kept.stream !== stream) return;
      kept.stream = undefined;
      kept.idleSinceMs = clock.monotonicMs();
    });
    kept.stream = stream;
    return blocksResponse(stream.stream, source.partition, source.applied);
  }

  /** Looks after the copies for as long as there are any. */
  #watch(): void {
    const { clock, service } = this.#options;
    if (this.#timer !== undefined) return;
    this.#forgetStop = service.onStopping(() => this.#drop("this node is stopping"));
    const sweep = () => {
      const nowMs = clock.monotonicMs();
      for (const [name, { stream, idleSinceMs }] of this.#copies) {
        const sinceMs = stream?.takenMs ?? idleSinceMs;
        if (nowMs - sinceMs < COPY_IDLE_MS_MAX) continue;
        stream?.cut("nothing was taken of the copy for too long");
        this.#copies.delete(name);
      }
      if (this.#copies.size > 0) this.#timer = clock.setTimer(SWEEP_MS, sweep);
      else this.#rest();
    };
    this.#timer = clock.setTimer(SWEEP_MS, sweep);
  }

  #drop(reason: string): void {
    for (const { stream } of this.#copies.values()) stream?.cut(reason);
    this.#copies.clear();
    this.#rest();
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#forgetStop?.();
    this.#forgetStop = undefined;
  }

  // ------------------------------------------------------------------------------------------ changes

  /** Answers GET …/changes. Rejects with RequestError. */
  async changes(request: Request): Promise<Response> {
    if (request.method === "HEAD") return notHead();
    const { path, query } = splitUrl(request.url);
    const parameters = parseQuery(query, ["after"]);
    this.#requestOptions(request);
    const partition = this.#partitionOf(path);
    if (typeof partition !== "number") return partition;
    const from = positionOf(parameters.get("after"));
    const events: WatchEvent[] = [];
    let to = from;
    let timeMs = 0;
    for (let sizeBytes = 0; sizeBytes < CHANGES_SIZE_BYTES_MAX;) {
      const batch = await this.#options.service
        .events(partition, to, { kind: "prefix", prefix: "" }, false).result;
      if (!batch.ok) {
        if (events.length > 0) break;
        return failureResponse(batch, "", false);
      }
      to = batch.position;
      timeMs = batch.timeMs;
      for (const { key, value = "" } of batch.events) sizeBytes += key.length + plainLength(value);
      events.push(...batch.events);
      if (batch.events.length === 0) break;
    }
    const writer = new BytesWriter(64 * 1024);
    writeChanges(writer, { from, to, timeMs, wallMs: 0, events });
    const payload = writer.take();
    const block = { type: BlockType.Changes, partition, run: 0, sequence: 0, payload };
    return blocksResponse(encodeBlock(block), partition);
  }

  // ---------------------------------------------------------------------------------------- requests

  #requestOptions(request: Request): RequestOptions {
    const headers = new RequestHeaders(request.headers);
    forwardMode(headers.forward); // a copy is made where it is asked for
    const timeoutMs = timeoutMsOf(headers.timeoutMs, this.#options.requestTimeoutMs);
    return { forward: "forward", timeoutMs };
  }

  #partitionOf(path: string): PartitionId | Response {
    const partition = backupPartitionOf(path);
    const known = this.#options.service.dataPartitions();
    if (known.length === 0) return failureResponse(NO_MAP, "", false);
    if (partition !== undefined && known.includes(partition)) return partition;
    const failure: Failure = {
      ok: false,
      code: "unknown-partition",
      outcome: "none",
      detail: `There is no data partition ${partition}`,
    };
    return failureResponse(failure, "", false);
  }
}

function notHead(): Response {
  return problem("method-not-allowed", "HEAD is not possible here", { headers: { allow: "GET" } });
}

function wishOf(parameters: ReadonlyMap<string, string>): CopyWish {
  const want = parameters.get("want") ?? "records";
  if (want !== "records" && want !== "hash") {
    throw new RequestError("invalid-parameter", `want=${want}: it takes records or hash`);
  }
  const after64 = parameters.get("after64");
  if (after64 === undefined) return { want };
  const after = decodeBase64Url(after64);
  if (after === undefined) {
    throw new RequestError("invalid-parameter", "after64 is no base64url");
  }
  return { want, after };
}

function positionOf(text: string | undefined): WatchPosition {
  const found = /^(\d{1,16})(?:\.(\d{1,10}))?$/.exec(text ?? "");
  const revision = Number(found?.[1]);
  const subIndex = found?.[2] === undefined ? WHOLE_REVISION : Number(found[2]);
  if (found !== null && Number.isSafeInteger(revision) && subIndex <= WHOLE_REVISION) {
    return { revision, subIndex };
  }
  throw new RequestError(
    "invalid-parameter",
    "after takes a revision, or a revision and a place within it: 1200 or 1200.3",
  );
}

function blocksResponse(body: BodyInit, partition: PartitionId, applied?: number): Response {
  const headers: Record<string, string> = {
    "content-type": BLOCKS_TYPE,
    // Left alone, the server might compress the blocks, and hold them back.
    "cache-control": "no-store, no-transform",
    "pontoon-partition": String(partition),
  };
  if (applied !== undefined) headers["pontoon-applied"] = String(applied);
  return new Response(body, { headers });
}
