// One data partition on this node: client operations through its replica. Owns partition time while it
// leads, and the reaping of expired keys. It answers what its replica decided, and nothing else.

import { latin1FromBytes } from "../base/bytes.ts";
import type { LogIndex, Term } from "../base/ids.ts";
import { EXPIRE_BATCH_KEYS } from "../base/limits.ts";
import type { Clock } from "../platform/ports.ts";
import type { MachineImage, MachineLoader, StateMachine } from "../replica/machine.ts";
import { PartitionClock } from "../replica/partition_clock.ts";
import type { ProposalOutcome } from "../replica/proposals.ts";
import type { Replica } from "../replica/replica.ts";
import {
  type Applied,
  encodeEnvelope,
  imageChunks,
  ImageLoader,
  stampEnvelope,
  stateHash,
  Store,
} from "../store/mod.ts";
import type { Failure, ReadAnswer, WriteAnswer } from "./service.ts";

/** The store as a replica drives it. */
export class StoreMachine implements StateMachine<Applied> {
  readonly store = new Store();

  apply(index: LogIndex, _term: Term, data: Uint8Array): Applied {
    return this.store.apply(index, data);
  }

  image(): MachineImage {
    const state = this.store.freeze();
    return { chunks: () => imageChunks(state) };
  }

  beginLoad(): MachineLoader {
    return new ImageLoader(this.store);
  }

  stateHash(): string {
    return stateHash(this.store.freeze());
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
  #leading = false;
  #expiring = false;

  constructor(replica: Replica<Applied>, machine: StoreMachine, clock: Clock) {
    this.#replica = replica;
    this.#store = machine.store;
    this.#clock = clock;
    this.#time = new PartitionClock(clock);
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

  /** Call at every tick: proposes the reaping of what is due. */
  tick(): void {
    if (!this.#leading || this.#expiring) return;
    const dueMs = this.#store.nextExpiryMs();
    if (dueMs === undefined || dueMs > this.#time.nowMs(this.#store.timeMs)) return;
    this.#expiring = true;
    const data = encodeEnvelope({
      timeMs: 0,
      command: { kind: "expire", limit: EXPIRE_BATCH_KEYS },
    });
    this.#stampAndPropose(data, this.#clock.monotonicMs() + 5000, ({ kind }) => {
      this.#expiring = false;
      // The next batch at once, but a refusal (a transfer is under way) is not answered by asking again.
      if (kind === "applied") this.tick();
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
    this.#replica.read(deadlineMs, (outcome) => {
      switch (outcome) {
        case "ready":
          return settle(this.readLocal(key));
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
}

export function failure(
  code: Failure["code"],
  outcome: Failure["outcome"],
  detail: string,
): Failure {
  return { ok: false, code, outcome, detail };
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
