// Takes a client operation to the leader of its partition: here, or one hop away (RULES 13, 15). It must
// never send a write twice unless the write can't act twice, and never call an outcome known that isn't.

import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import type { PageQuery } from "../store/page.ts";
import type { CallResult } from "../transport/mod.ts";
import { type DataPartition, failure } from "./data_partition.ts";
import {
  decodeReadAnswer,
  decodeWriteAnswer,
  encodeReadRequest,
  encodeWriteRequest,
} from "./forward.ts";
import { decodePageAnswer, encodePageRequest } from "./page_codec.ts";
import type { Failure, PageAnswer, ReadAnswer, RequestOptions, WriteAnswer } from "./service.ts";

/** Where the leader of a partition is, as this node knows it. */
export type Route =
  | { readonly kind: "local"; readonly partition: DataPartition }
  | { readonly kind: "remote"; readonly nodeId: NodeId; readonly http: string | undefined }
  | { readonly kind: "unknown" };

/** What the router needs of the node. */
export interface RouterHost {
  readonly clock: Clock;
  route(partition: PartitionId): Route;
  /** Resolves when the route may have changed, at the latest at `deadlineMs`. */
  routeChange(partition: PartitionId, deadlineMs: number): Promise<void>;
  request(to: NodeId, body: Uint8Array, budgetMs: number): Promise<CallResult>;
  /** A peer said who leads, or that it does not itself. */
  noteLeader(partition: PartitionId, nodeId: NodeId | undefined): void;
  epoch(): number;
  stopping(): boolean;
}

/** Pause before an operation that had no effect is tried again. */
const RETRY_PAUSE_MS = 15;
/** Taken off what is left when a request is passed on, so that its answer comes before our deadline. */
const FORWARD_MARGIN_MS = 50;

/** How one kind of operation is run here, and how it travels. */
interface Operation<Answer> {
  readonly partition: PartitionId;
  local(partition: DataPartition, deadlineMs: number): Promise<Answer | Failure>;
  encode(): Uint8Array;
  decode(bytes: Uint8Array): Answer | Failure;
  /** Whether it may be sent again after a sending whose fate is unknown. */
  readonly repeatable: boolean;
  /** Whether an unknown fate matters to the client (writes), or nothing can have happened (reads). */
  readonly changes: boolean;
}

export class Router {
  readonly #host: RouterHost;

  constructor(host: RouterHost) {
    this.#host = host;
  }

  /** `envelope`: encoded, its time not set. `repeatable`: it carries an idempotency key. */
  write(
    partition: PartitionId,
    envelope: Uint8Array,
    repeatable: boolean,
    options: RequestOptions,
  ): Promise<WriteAnswer | Failure> {
    const operation: Operation<WriteAnswer> = {
      partition,
      repeatable,
      changes: true,
      // A proposal keeps the bytes it was given, so a second attempt needs its own.
      local: (data, deadlineMs) =>
        new Promise((settle) =>
          data.write(repeatable ? envelope.slice() : envelope, deadlineMs, settle)
        ),
      encode: () => encodeWriteRequest(partition, envelope),
      decode: decodeWriteAnswer,
    };
    return this.#run(operation, options);
  }

  read(
    partition: PartitionId,
    key: string,
    options: RequestOptions,
  ): Promise<ReadAnswer | Failure> {
    const operation: Operation<ReadAnswer> = {
      partition,
      repeatable: true,
      changes: false,
      local: (data, deadlineMs) => new Promise((settle) => data.read(key, deadlineMs, settle)),
      encode: () => encodeReadRequest(partition, key),
      decode: decodeReadAnswer,
    };
    return this.#run(operation, options);
  }

  page(
    partition: PartitionId,
    query: PageQuery,
    options: RequestOptions,
  ): Promise<PageAnswer | Failure> {
    const operation: Operation<PageAnswer> = {
      partition,
      repeatable: true,
      changes: false,
      local: (data, deadlineMs) => new Promise((settle) => data.page(query, deadlineMs, settle)),
      encode: () => encodePageRequest(partition, query),
      decode: decodePageAnswer,
    };
    return this.#run(operation, options);
  }

  #run<Answer extends { ok: true }>(
    operation: Operation<Answer>,
    options: RequestOptions,
  ): Promise<Answer | Failure> {
    const deadlineMs = this.#host.clock.monotonicMs() + options.timeoutMs;
    const route = this.#host.route(operation.partition);
    if (route.kind !== "local") return this.#retry(operation, options, deadlineMs);
    // The common case costs one promise and no loop.
    return operation.local(route.partition, deadlineMs).then((answer) =>
      !answer.ok && answer.code === "not-leader"
        ? this.#retry(operation, options, deadlineMs)
        : answer
    );
  }

  async #retry<Answer extends { ok: true }>(
    operation: Operation<Answer>,
    options: RequestOptions,
    deadlineMs: number,
  ): Promise<Answer | Failure> {
    /** Set once an attempt may have had an effect: no later refusal can unsay that. */
    let unknown: Failure | undefined;
    for (;;) {
      const leftMs = deadlineMs - this.#host.clock.monotonicMs();
      if (this.#host.stopping()) {
        return unknown ?? failure("stopping", "none", "this node is stopping");
      }
      if (leftMs <= 0) {
        return unknown ?? failure(
          "no-leader",
          "none",
          "no leader of the key's partition could be reached in time; nothing was sent",
        );
      }
      const route = this.#host.route(operation.partition);
      let answer: Answer | Failure | undefined;
      if (route.kind === "local") answer = await operation.local(route.partition, deadlineMs);
      else if (route.kind === "remote") {
        if (options.forward !== "forward") return this.#misdirected(route.http);
        answer = await this.#remote(operation, route.nodeId, leftMs);
        if (answer !== undefined && !answer.ok && answer.code === "not-leader") {
          this.#host.noteLeader(operation.partition, answer.leaderNodeId);
        }
      }
      if (answer !== undefined) {
        if (answer.ok) return answer;
        if (answer.outcome === "unknown") {
          if (!operation.repeatable) return answer;
          unknown = answer;
        } else if (answer.code !== "not-leader") return unknown ?? answer;
      }
      const pauseUntilMs = Math.min(
        deadlineMs,
        this.#host.clock.monotonicMs() + (route.kind === "unknown" ? Infinity : RETRY_PAUSE_MS),
      );
      await this.#host.routeChange(operation.partition, pauseUntilMs);
    }
  }

  async #remote<Answer extends { ok: true }>(
    operation: Operation<Answer>,
    nodeId: NodeId,
    leftMs: number,
  ): Promise<Answer | Failure | undefined> {
    const budgetMs = Math.max(1, leftMs - Math.min(FORWARD_MARGIN_MS, leftMs / 10));
    const result = await this.#host.request(nodeId, operation.encode(), budgetMs);
    switch (result.kind) {
      case "answered":
        return operation.decode(result.body);
      case "not-sent":
        return undefined;
      case "unknown":
        return operation.changes ? failure("timeout", "unknown", result.reason) : undefined;
    }
  }

  #misdirected(http: string | undefined): Failure {
    return {
      ok: false,
      code: "not-leader",
      outcome: "none",
      detail: "another node leads the key's partition",
      leaderHttp: http,
      epoch: this.#host.epoch(),
    };
  }
}
