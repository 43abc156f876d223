// A call: as many attempts, at as many nodes, as it takes to get a decided answer within the deadline. Owns
// the policy of retries. Writes go under the client's session or a key, so that no retry acts twice; what a
// call says of its outcome covers all of its attempts (RULES 14).

import type { Alarms } from "./alarms.ts";
import { attempt } from "./attempt.ts";
import { attemptEvent } from "./attempt_event.ts";
import { type Call, type CallRequest, isWrite } from "./call.ts";
import { PontoonError } from "./error.ts";
import { hedge, type NodeAnswer } from "./hedge.ts";
import type { Limiter } from "./limiter.ts";
import type { MapKeeper } from "./map_keeper.ts";
import type { NodePool, PooledNode } from "./node_pool.ts";
import { type Routing, UNKNOWN_PARTITION } from "./routing.ts";
import type { Session, Ticket } from "./session.ts";
import type { CallOptions, Hooks } from "./types.ts";
import { type Answer, type Verdict, verdictOf } from "./verdict.ts";

export interface CallerParts {
  readonly alarms: Alarms;
  readonly fetch: typeof fetch;
  readonly hooks: Hooks;
  readonly keeper: MapKeeper;
  readonly limiter: Limiter;
  readonly pool: NodePool;
  readonly routing: Routing;
  readonly session: Session;
}

export interface CallerOptions {
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly hedgeAfterMs: number | undefined;
}

/** Far below the time that a session's outcomes are remembered (RULES 16): no retry comes after it. */
export const TIMEOUT_MS_MAX = 240_000;
/** What the cluster lets a client ask for. */
const NODE_TIMEOUT_MS_MAX = 60_000;
/** How much longer than the node we wait: its own verdict says more than our silence. */
const GRACE_MS = 150;
const BACKOFF_MS_MIN = 10;
const BACKOFF_MS_MAX = 1000;
/** Refusals in a row that name a leader and are followed at once. */
const HOPS_MAX = 3;
/** A node's faults that are tried again: a fault that repeats is a bug, not an outage. */
const FAULTS_MAX = 2;

const NO_OPTIONS: CallOptions = {};
const NO_NODES: ReadonlySet<PooledNode> = new Set();

export class Caller {
  readonly #parts: CallerParts;
  readonly #options: CallerOptions;
  /** Highest index seen of each partition: no stale read may show less. */
  readonly #applied = new Map<number, number>();
  #closed = false;

  constructor(parts: CallerParts, options: CallerOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Refuses further calls; resolves when those under way have ended. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#parts.limiter.whenIdle();
  }

  /** A decided answer: 2xx, 404 about the key, or 412. Throws PontoonError. */
  async call(request: CallRequest, options: CallOptions = NO_OPTIONS): Promise<Answer> {
    const { limiter, keeper, hooks } = this.#parts;
    const startedMs = performance.now();
    const deadlineMs = startedMs + checkedTimeoutMs(options.timeoutMs ?? this.#options.timeoutMs);
    const { signal } = options;
    const call: Call = {
      request,
      deadlineMs,
      signal,
      nowMs: startedMs,
      tried: NO_NODES,
      ticket: undefined,
      attempts: 0,
      unknown: false,
      hops: 0,
      faults: 0,
      timeouts: 0,
      lastError: undefined,
    };
    let error: PontoonError | undefined;
    if (this.#closed) throw closedError();
    keeper.touch(startedMs);
    let entered = limiter.tryEnter();
    if (!entered) {
      entered = await limiter.wait(deadlineMs, signal);
      call.nowMs = performance.now();
    }
    try {
      if (!entered) throw this.#givenUp(call);
      if (request.kind === "session") {
        const partition = request.partition ?? UNKNOWN_PARTITION;
        call.ticket = request.ticket ?? this.#parts.session.tryOpen(partition) ??
          await this.#waitForTicket(call, partition);
      }
      return await this.#attempts(call);
    } catch (cause) {
      if (!(cause instanceof PontoonError)) throw cause;
      error = cause;
      throw cause;
    } finally {
      if (call.ticket !== undefined && request.ticket === undefined) this.release(call.ticket);
      if (entered) limiter.leave();
      if (hooks.onCall !== undefined) {
        const { method, route } = request;
        const durationMs = performance.now() - startedMs;
        hooks.onCall({ method, route, attempts: call.attempts, durationMs, error });
      }
    }
  }

  /**
   * A place in the session for `count` writes to a partition, to be given to calls and released when none
   * will follow; undefined if the window did not move before the deadline.
   */
  async reserve(
    partition: number,
    count: number,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<Ticket | undefined> {
    const { session } = this.#parts;
    for (;;) {
      const ticket = session.tryOpen(partition, count);
      if (ticket !== undefined || performance.now() >= deadlineMs || signal?.aborted) return ticket;
      await session.whenMoved(partition, deadlineMs);
    }
  }

  /** The writes under the ticket are over: their outcomes are known, or given up for good. */
  release(ticket: Ticket): void {
    this.#parts.session.close(ticket);
  }

  async #waitForTicket(call: Call, partition: number): Promise<Ticket> {
    const { session } = this.#parts;
    for (;;) {
      if (call.nowMs >= call.deadlineMs || call.signal?.aborted) throw this.#givenUp(call);
      await session.whenMoved(partition, call.deadlineMs);
      call.nowMs = performance.now();
      const ticket = session.tryOpen(partition);
      if (ticket !== undefined) return ticket;
    }
  }

  async #attempts(call: Call): Promise<Answer> {
    const { signal, request } = call;
    for (;;) {
      const { nowMs } = call;
      if (call.deadlineMs - nowMs < 1 || signal?.aborted) throw this.#givenUp(call);
      let waitMs: number;
      const target = this.#choose(call, nowMs);
      try {
        const { node, answer } = target.hedged.length === 0
          ? {
            node: target.node,
            answer: await this.#attempt(call, target.node, target.forward, signal, nowMs),
          }
          : await this.#hedgedAttempt(call, [target.node, ...target.hedged]);
        const verdict = request.judge?.(answer) ?? verdictOf(answer, isWrite(request));
        if (verdict.kind === "decided") {
          this.#noteHeaders(request, answer);
          return answer;
        }
        waitMs = this.#learn(call, node, verdict);
      } catch (error) {
        if (error instanceof PontoonError) throw error;
        // No answer: whether it arrived there, nobody knows.
        if (isWrite(request)) call.unknown = true;
        if (signal?.aborted) throw this.#givenUp(call);
        call.lastError = error;
        if (request.kind === "once") throw this.#failed(call, "connection", `No answer: ${error}`);
        call.timeouts++;
        if (target.hedged.length === 0) this.#lostNode(call, target.node);
        waitMs = 0;
      }
      await this.#pause(call, waitMs);
      call.nowMs = performance.now();
    }
  }

  /** Which node to ask, and whether it may forward. */
  #choose(
    { request, tried }: Call,
    nowMs: number,
  ): { node: PooledNode; forward: boolean; hedged: PooledNode[] } {
    const { pool, routing, keeper } = this.#parts;
    const { partition, kind } = request;
    if (partition === undefined) {
      return { node: pool.nearest([], nowMs, tried), forward: true, hedged: [] };
    }
    const replicas = routing.replicasOf(partition);
    if (kind === "stale") {
      const node = pool.nearest(replicas, nowMs, tried, true);
      const hedged = this.#options.hedgeAfterMs === undefined
        ? []
        : replicas.filter((other) => other !== node && other.isUp(nowMs)).slice(0, 1);
      return { node, forward: true, hedged };
    }
    const leader = routing.leaderOf(partition);
    if (leader?.isUp(nowMs)) return { node: leader, forward: request.forward === true, hedged: [] };
    if (leader === undefined) keeper.hint();
    // Whoever it is knows the leader better than we, and may reach it where we can't.
    return { node: pool.nearest(replicas, nowMs, tried), forward: true, hedged: [] };
  }

  async #attempt(
    call: Call,
    node: PooledNode,
    forward: boolean,
    signal: AbortSignal | undefined,
    startedMs: number,
  ): Promise<Answer> {
    const { request } = call;
    const { alarms, fetch, hooks } = this.#parts;
    const remainingMs = call.deadlineMs - startedMs;
    const attemptMs = Math.min(
      remainingMs,
      this.#options.attemptTimeoutMs * 2 ** call.timeouts,
      NODE_TIMEOUT_MS_MAX,
    );
    const headers: Record<string, string> = {
      "pontoon-timeout-ms": String(Math.max(1, Math.floor(attemptMs))),
      ...request.headers,
    };
    if (!forward) headers["pontoon-forward"] = "never";
    if (call.ticket !== undefined) {
      headers["pontoon-session"] = this.#parts.session.header(call.ticket);
    } else if (request.kind === "stale") {
      const applied = this.#applied.get(request.partition ?? UNKNOWN_PARTITION);
      if (applied !== undefined) headers["pontoon-min-applied"] = String(applied);
    }
    const { method, body } = request;
    const deadlineMs = startedMs + Math.min(remainingMs, attemptMs + GRACE_MS);
    const number = ++call.attempts;
    try {
      const answer = await attempt(fetch, alarms, node.url + request.target, {
        method,
        headers,
        body,
        deadlineMs,
        signal,
      });
      const durationMs = performance.now() - startedMs;
      if (answer.status < 500 || answer.status === 504) node.answered(durationMs);
      hooks.onAttempt?.(attemptEvent(call, node, number, durationMs, answer));
      return answer;
    } catch (error) {
      hooks.onAttempt?.(attemptEvent(call, node, number, performance.now() - startedMs, error));
      throw error;
    }
  }

  /** Asks a further replica if the first is slow or refuses. */
  #hedgedAttempt(call: Call, nodes: readonly PooledNode[]): Promise<NodeAnswer> {
    return hedge(
      nodes,
      this.#options.hedgeAfterMs!,
      this.#parts.alarms,
      (node, signal) => this.#attempt(call, node, true, signal, performance.now()),
      (node) => this.#lostNode(call, node),
      call.signal,
    );
  }

  /** Takes in what a refusal says; returns how long to wait at least. Throws what can't be helped. */
  #learn(call: Call, node: PooledNode, verdict: Exclude<Verdict, { kind: "decided" }>): number {
    const { routing, pool, keeper } = this.#parts;
    const { partition } = call.request;
    const { error } = verdict;
    call.lastError = error;
    if (error.outcome === "unknown") {
      call.unknown = true;
      if (call.request.kind === "once") throw error;
    }
    switch (verdict.kind) {
      case "refused":
        throw error;
      case "elsewhere":
        if (partition !== undefined) {
          routing.setLeader(partition, pool.at(pool.urlOf(verdict.leader)));
        }
        keeper.hint(verdict.epoch);
        return ++call.hops <= HOPS_MAX ? -1 : 0;
      case "retry":
        if (verdict.where === "faulty" && ++call.faults > FAULTS_MAX) {
          throw this.#failed(call, error.code, error.message);
        }
        if (verdict.where === "same") return verdict.waitMs;
        if (error.code === "stopping") node.failed(performance.now(), 1000);
        call.tried = new Set([...call.tried, node]);
        if (partition !== undefined && routing.leaderOf(partition) === node) {
          routing.setLeader(partition, undefined);
        }
        keeper.hint();
        return 0;
    }
  }

  #lostNode(call: Call, node: PooledNode): void {
    const { routing, keeper } = this.#parts;
    const { partition } = call.request;
    node.failed(performance.now());
    call.tried = new Set([...call.tried, node]);
    if (partition !== undefined && routing.leaderOf(partition) === node) {
      routing.setLeader(partition, undefined);
    }
    keeper.hint();
  }

  /** Waits before the next attempt: exponential, jittered, never past the deadline. -1: not at all. */
  async #pause(call: Call, waitMs: number): Promise<void> {
    if (waitMs < 0) return;
    const ceilingMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(call.attempts, 10));
    const backoffMs = Math.max(waitMs, ceilingMs) * (0.5 + Math.random() / 2);
    const remainingMs = call.deadlineMs - performance.now();
    if (remainingMs <= 0) return;
    await this.#parts.alarms.sleep(Math.min(backoffMs, remainingMs), call.signal).catch(() => {});
  }

  /** The caller has seen `partition` at this index: no later stale `get` shows less. */
  noteApplied(partition: number, applied: number): void {
    if (applied > (this.#applied.get(partition) ?? 0)) this.#applied.set(partition, applied);
  }

  #noteHeaders(request: CallRequest, { headers }: Answer): void {
    const { partition } = request;
    if (partition === undefined) return;
    const text = headers.get(
      request.kind === "stale" ? "pontoon-applied-at" : "pontoon-applied",
    ) ?? headers.get("pontoon-applied");
    this.noteApplied(partition, Number(text ?? 0));
  }

  /** The deadline has passed, or the caller does not want the answer any more. */
  #givenUp(call: Call): PontoonError {
    if (call.signal?.aborted) {
      return this.#failed(
        call,
        "aborted",
        "the caller's signal aborted the call",
        call.signal.reason,
      );
    }
    const { lastError, attempts } = call;
    const words = attempts === 0
      ? "it waited its turn all the time and was never sent"
      : `${attempts} attempts, the last: ${
        lastError instanceof Error ? lastError.message : lastError
      }`;
    return this.#failed(call, "deadline", `No decided answer before the deadline: ${words}`);
  }

  #failed(call: Call, code: string, message: string, cause?: unknown): PontoonError {
    return new PontoonError(message, {
      code,
      outcome: call.unknown ? "unknown" : "none",
      retryable: true,
      cause: cause ?? call.lastError,
    });
  }
}

export function closedError(): PontoonError {
  return new PontoonError("The client is closed", {
    code: "closed",
    outcome: "none",
    retryable: false,
  });
}

/** Throws RangeError for what is no time of a call. */
export function checkedTimeoutMs(timeoutMs: number): number {
  if (timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX) return timeoutMs;
  throw new RangeError(`timeoutMs takes 1 to ${TIMEOUT_MS_MAX}: got ${timeoutMs}`);
}
