// Takes a client operation to the leader of its partition: here, or one hop away (RULES 13, 15). It must
// never send a write twice unless the write can't act twice, and never call an outcome known that isn't.

import type { NodeId, PartitionId } from "../base/ids.ts";
import { REQUESTS_IN_FLIGHT_MAX } from "../base/limits.ts";
import type { Clock } from "../platform/ports.ts";
import type { PageQuery } from "../store/page.ts";
import type { CallResult } from "../transport/mod.ts";
import { type DataPartition, failure, unreadable } from "./data_partition.ts";
import {
  decodeReadAnswer,
  decodeWriteAnswer,
  encodeReadRequest,
  encodeWriteRequest,
  readable,
} from "./forward.ts";
import { decodePageAnswer, encodePageRequest } from "./page_codec.ts";
import type { Failure, PageAnswer, ReadAnswer, RequestOptions, WriteAnswer } from "./service.ts";

/** Where the leader of a partition is, as this node knows it. */
export type Route =
  | { readonly kind: "local"; readonly partition: DataPartition }
  /** `http`: where clients reach it; undefined if it is only thought to know the leader. */
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
  /** Whether the map that this node has names it no more. */
  removed(): boolean;
}

/** Pause before an operation that had no effect is tried again. */
const RETRY_PAUSE_MS = 15;
/** Taken off what is left when a request is passed on, so that its answer comes before our deadline. */
const FORWARD_MARGIN_MS = 50;

/** How one kind of operation is run here, and how it travels. */
interface Operation<Answer> {
  readonly partition: PartitionId;
  /** `settle` runs once. */
  local(
    partition: DataPartition,
    deadlineMs: number,
    settle: (answer: Answer | Failure) => void,
  ): void;
  encode(): Uint8Array;
  decode(bytes: Uint8Array): Answer | Failure;
  /** Whether it may be sent again after a sending whose fate is unknown. */
  readonly repeatable: boolean;
  /** Whether an unknown fate matters to the client (writes), or nothing can have happened (reads). */
  readonly changes: boolean;
}

class WriteOperation implements Operation<WriteAnswer> {
  readonly changes = true;

  constructor(
    readonly partition: PartitionId,
    readonly envelope: Uint8Array,
    readonly repeatable: boolean,
  ) {}

  local(
    data: DataPartition,
    deadlineMs: number,
    settle: (answer: WriteAnswer | Failure) => void,
  ): void {
    // A proposal keeps the bytes it was given, so a second attempt needs its own.
    data.write(this.repeatable ? this.envelope.slice() : this.envelope, deadlineMs, settle);
  }

  encode(): Uint8Array {
    return encodeWriteRequest(this.partition, this.envelope);
  }

  decode(bytes: Uint8Array): WriteAnswer | Failure {
    return decodeWriteAnswer(bytes);
  }
}

class ReadOperation implements Operation<ReadAnswer> {
  readonly changes = false;
  readonly repeatable = true;

  constructor(readonly partition: PartitionId, readonly key: string) {}

  local(
    data: DataPartition,
    deadlineMs: number,
    settle: (answer: ReadAnswer | Failure) => void,
  ): void {
    data.read(this.key, deadlineMs, settle);
  }

  encode(): Uint8Array {
    return encodeReadRequest(this.partition, this.key);
  }

  decode(bytes: Uint8Array): ReadAnswer | Failure {
    return decodeReadAnswer(bytes);
  }
}

class PageOperation implements Operation<PageAnswer> {
  readonly changes = false;
  readonly repeatable = true;

  constructor(readonly partition: PartitionId, readonly query: PageQuery) {}

  local(
    data: DataPartition,
    deadlineMs: number,
    settle: (answer: PageAnswer | Failure) => void,
  ): void {
    data.page(this.query, deadlineMs, settle);
  }

  encode(): Uint8Array {
    return encodePageRequest(this.partition, this.query);
  }

  decode(bytes: Uint8Array): PageAnswer | Failure {
    return decodePageAnswer(bytes);
  }
}

export class Router {
  readonly #host: RouterHost;
  #inFlight = 0;

  /** Requests that wait for their outcome. */
  get inFlight(): number {
    return this.#inFlight;
  }

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
    return this.#run(new WriteOperation(partition, envelope, repeatable), options);
  }

  read(
    partition: PartitionId,
    key: string,
    options: RequestOptions,
  ): Promise<ReadAnswer | Failure> {
    return this.#run(new ReadOperation(partition, key), options);
  }

  page(
    partition: PartitionId,
    query: PageQuery,
    options: RequestOptions,
  ): Promise<PageAnswer | Failure> {
    return this.#run(new PageOperation(partition, query), options);
  }

  #run<Answer extends { ok: true }>(
    operation: Operation<Answer>,
    options: RequestOptions,
  ): Promise<Answer | Failure> {
    if (this.#inFlight >= REQUESTS_IN_FLIGHT_MAX) {
      return Promise.resolve(failure("overloaded", "none", "this node has too much in flight"));
    }
    this.#inFlight++;
    const deadlineMs = this.#host.clock.monotonicMs() + options.timeoutMs;
    const route = this.#host.route(operation.partition);
    if (route.kind !== "local") return this.#search(operation, options, deadlineMs);
    // The common case costs one promise and no loop.
    return new Promise((resolve) => {
      operation.local(route.partition, deadlineMs, (answer) => {
        if (!answer.ok && answer.code === "not-leader") {
          return resolve(this.#search(operation, options, deadlineMs));
        }
        this.#inFlight--;
        resolve(answer);
      });
    });
  }

  /** Ends what `#run` began where the leader is not here, or not any more. */
  #search<Answer extends { ok: true }>(
    operation: Operation<Answer>,
    options: RequestOptions,
    deadlineMs: number,
  ): Promise<Answer | Failure> {
    return this.#retry(operation, options, deadlineMs).finally(() => this.#inFlight--);
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
      // Who was removed may still reach others, but no answer comes back: they have no links with it.
      if (this.#host.removed()) {
        return unknown ?? failure("no-leader", "none", "this node was removed from the cluster");
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
      if (route.kind === "local") {
        const { partition } = route;
        answer = await new Promise((settle) => operation.local(partition, deadlineMs, settle));
      } else if (route.kind === "remote") {
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
        return readable((bytes) => operation.decode(bytes), result.body) ??
          (operation.changes ? unreadable() : undefined);
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
