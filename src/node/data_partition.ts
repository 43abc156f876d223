// One data partition on this node: client operations through its replica. Owns partition time while it
// leads, and the reaping of expired keys. It answers what its replica decided, and nothing else.

import { latin1FromBytes } from "../base/bytes.ts";
import type { LogIndex, Term } from "../base/ids.ts";
import { EXPIRE_BATCH_KEYS } from "../base/limits.ts";
import type { Clock, TimerHandle } from "../platform/ports.ts";
import type { MachineImage, MachineLoader, StateMachine } from "../replica/machine.ts";
import { PartitionClock } from "../replica/partition_clock.ts";
import type { ProposalOutcome } from "../replica/proposals.ts";
import type { Replica } from "../replica/replica.ts";
import {
  type Applied,
  encodeEnvelope,
  imageChunks,
  ImageLoader,
  type PageQuery,
  stampEnvelope,
  stateHash,
  stateHashSteps,
  Store,
} from "../store/mod.ts";
import type { Failure, PageAnswer, ReadAnswer, WriteAnswer } from "./service.ts";
import { WatchHub } from "./watch_hub.ts";

/** A group whose next expiry is nearer than this does not sleep: it would only wake again. */
const EXPIRY_NEAR_MS = 1000;
/** After a refused proposal of a sleeping group. */
const EXPIRY_RETRY_MS = 50;
/** Longest that a timer is set for; then it is set anew. */
const EXPIRY_TIMER_MS_MAX = 3_600_000;

/** The store as a replica drives it. */
export class StoreMachine implements StateMachine<Applied> {
  readonly store = new Store();
  /** Runs when a snapshot has replaced the state. */
  onReplaced: () => void = () => {};

  apply(index: LogIndex, _term: Term, data: Uint8Array): Applied {
    return this.store.apply(index, data);
  }

  image(): MachineImage {
    const state = this.store.freeze();
    return { chunks: () => imageChunks(state) };
  }

  beginLoad(): MachineLoader {
    const loader = new ImageLoader(this.store);
    return {
      push: (chunk) => loader.push(chunk),
      finish: () => {
        loader.finish();
        this.onReplaced();
      },
    };
  }

  stateHash(): string {
    return stateHash(this.store.freeze());
  }

  /** The state hash of this moment, computed in steps while the state goes on. */
  stateHashSteps(): Generator<void, string> {
    return stateHashSteps(this.store.freeze());
  }
}

/** Refusals after which the same request may be sent elsewhere: it had no effect here. */
export const NOT_LEADER: Failure = {
  ok: false,
  code: "not-leader",
  outcome: "none",
  detail: "this node does not lead the key's partition",
};

export class DataPartition {
  readonly #replica: Replica<Applied>;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #time: PartitionClock;
  /** Who watches the partition here. */
  readonly hub: WatchHub;
  #leading = false;
  #expiring = false;
  /** Stands for the ticks of a sleeping group: wakes it for its next expiry. */
  #expiryTimer: TimerHandle | undefined;

  constructor(replica: Replica<Applied>, machine: StoreMachine, clock: Clock) {
    this.#replica = replica;
    this.#store = machine.store;
    this.#clock = clock;
    this.#time = new PartitionClock(clock);
    this.hub = new WatchHub(machine.store, () => replica.appliedIndex);
    machine.onReplaced = () => this.hub.replaced();
  }

  get store(): Store {
    return this.#store;
  }

  get replica(): Replica<Applied> {
    return this.#replica;
  }

  /** Call when the replica's role may have changed. */
  onLeadership(): void {
    const leads = this.#replica.isLeader;
    if (leads && !this.#leading) {
      const walls = this.#replica.electorWallMs(this.#clock.wallMs());
      this.#time.elected(this.#store.timeMs, walls);
    }
    this.#leading = leads;
  }

  /** How long until the next key expires, ms; Infinity if none does. */
  #untilExpiryMs(): number {
    const dueMs = this.#store.nextExpiryMs();
    return dueMs === undefined ? Infinity : dueMs - this.#time.nowMs(this.#store.timeMs);
  }

  /** Whether this leader's group may sleep: nothing expires soon. */
  maySleep(): boolean {
    return !this.#expiring && this.#untilExpiryMs() > EXPIRY_NEAR_MS;
  }

  /** Call when the replica fell asleep or woke up. */
  onQuiescence(): void {
    this.#awaitExpiry(0);
  }

  /** While the group sleeps no tick looks for what is due: a timer does, not before `delayMsMin`. */
  #awaitExpiry(delayMsMin: number): void {
    this.#expiryTimer?.cancel();
    this.#expiryTimer = undefined;
    // What is proposed already wakes the group in a moment, when a sync that is under way has ended.
    if (!this.#leading || this.#expiring || !this.#replica.asleep) return;
    const untilMs = this.#untilExpiryMs();
    if (untilMs === Infinity) return;
    const delayMs = Math.min(Math.max(delayMsMin, untilMs), EXPIRY_TIMER_MS_MAX);
    this.#expiryTimer = this.#clock.setTimer(delayMs, () => {
      this.tick();
      // Too early by the clock's grain, or by the timer's bound.
      this.#awaitExpiry(1);
    });
  }

  /** The replica has ended. */
  stop(): void {
    this.#leading = false;
    this.#expiryTimer?.cancel();
  }

  /** Call at every tick: proposes the reaping of what is due. */
  tick(): void {
    if (!this.#leading || this.#expiring || this.#untilExpiryMs() > 0) return;
    this.#expiring = true;
    const data = encodeEnvelope({
      timeMs: 0,
      command: { kind: "expire", limit: EXPIRE_BATCH_KEYS },
    });
    this.#stampAndPropose(data, this.#clock.monotonicMs() + 5000, ({ kind }) => {
      this.#expiring = false;
      // The next batch at once, but a refusal (a transfer is under way) is not answered by asking again.
      if (kind === "applied") this.tick();
      else this.#awaitExpiry(EXPIRY_RETRY_MS);
    });
  }

  /** Proposes an encoded envelope whose time is not set yet; the bytes are the partition's then. */
  write(
    envelope: Uint8Array,
    deadlineMs: number,
    settle: (answer: WriteAnswer | Failure) => void,
  ): void {
    if (!this.#replica.isLeader) return settle(NOT_LEADER);
    this.#stampAndPropose(envelope, deadlineMs, (outcome) => {
      if (outcome.kind === "applied" && outcome.result !== undefined) {
        settle({ ok: true, partition: this.#replica.group, applied: outcome.result });
      } else settle(failureOf(outcome));
    });
  }

  #stampAndPropose(
    envelope: Uint8Array,
    deadlineMs: number,
    settle: (outcome: ProposalOutcome<Applied | undefined>) => void,
  ): void {
    stampEnvelope(envelope, this.#time.nowMs(this.#store.timeMs));
    this.#replica.propose(envelope, deadlineMs, settle);
  }

  /** A linearizable read. */
  read(key: string, deadlineMs: number, settle: (answer: ReadAnswer | Failure) => void): void {
    this.#confirmed(deadlineMs, () => this.readLocal(key), settle);
  }

  /** A linearizable page of a scan. */
  page(
    query: PageQuery,
    deadlineMs: number,
    settle: (answer: PageAnswer | Failure) => void,
  ): void {
    this.#confirmed(deadlineMs, () => this.pageLocal(query), settle);
  }

  /** Runs `answer` in the very step in which the state may serve a read that began now. */
  #confirmed<Answer>(
    deadlineMs: number,
    answer: () => Answer,
    settle: (answer: Answer | Failure) => void,
  ): void {
    this.#replica.read(deadlineMs, (outcome) => {
      switch (outcome) {
        case "ready":
          return settle(answer());
        case "not-leader":
          return settle(NOT_LEADER);
        case "overloaded":
          return settle(failure("overloaded", "none", "too many reads are waiting"));
        case "stopping":
          return settle(failure("stopping", "none", "this node is stopping"));
        case "timeout":
          return settle(failure("no-leader", "none", "no quorum confirmed the leader in time"));
      }
    });
  }

  /** The state as it is here and now, with the index it stands at (RULES 20). */
  readLocal(key: string): ReadAnswer {
    return {
      ok: true,
      partition: this.#replica.group,
      appliedIndex: this.#replica.appliedIndex,
      timeMs: this.#store.timeMs,
      record: this.#store.get(key),
    };
  }

  /** A page of the state as it is here and now. */
  pageLocal(query: PageQuery): PageAnswer {
    const { records, count, resume } = this.#store.page(query);
    return {
      ok: true,
      partition: this.#replica.group,
      appliedIndex: this.#replica.appliedIndex,
      timeMs: this.#store.timeMs,
      records,
      count,
      ...(resume === undefined ? {} : { resume }),
    };
  }
}

export function failure(
  code: Failure["code"],
  outcome: Failure["outcome"],
  detail: string,
): Failure {
  return { ok: false, code, outcome, detail };
}

/** For a change whose answer, from another node, makes no sense. */
export function unreadable(): Failure {
  return failure("timeout", "unknown", "the answer of the node that was asked can't be read");
}

function failureOf(outcome: ProposalOutcome<unknown>): Failure {
  if (outcome.kind === "unknown") return failure("timeout", "unknown", outcome.reason);
  if (outcome.kind === "applied") {
    return failure("internal", "unknown", "the entry was applied without a result");
  }
  switch (outcome.reason) {
    case "not-leader":
      return NOT_LEADER;
    case "overloaded":
      return failure("overloaded", "none", "the partition's leader has too much in flight");
    case "stopping":
      return failure("stopping", "none", "this node is stopping");
    case "timeout":
      return failure("unavailable", "none", "withdrawn from the queue at its deadline");
    case "superseded":
      return failure("unavailable", "none", "another leader's entry took its place in the log");
  }
}

/** A key's bytes as the store's string. */
export function storeKey(bytes: Uint8Array): string {
  return latin1FromBytes(bytes);
}
