// Keys that expire. The model sees that what has expired never comes back; here it is held that nothing expires
// early, whatever the clock of one node does, and in quiet times nothing stays longer than promised (src/PROTOCOL.md; 200 ms while
// a leader is in place).

import { kv, type KvInput, type KvOutput } from "../../checker/mod.ts";
import { SEEN_WITHIN_MS } from "../observe.ts";
import type { Fault, Random } from "../types.ts";
import { kvCall } from "./kv_calls.ts";
import type {
  Call,
  Evidence,
  Flaw,
  Outcome,
  RecordedCall,
  WorkloadDefinition,
  WorkloadRun,
  WorkloadSettings,
} from "./types.ts";

const TTL_MS = [300, 500, 900, 1500, 2500] as const;
/** What two monotonic clocks and the rounding of times may differ by. */
const EARLY_SLACK_MS = 30;
/** How long after its time a key may be seen at worst in quiet times, on a machine that is busy. */
const LATE_SLACK_MS = 200 + 400;
/** After a fault the system is given so long to settle. */
const SETTLE_MS = 4000;
/** Oldest vote that may still elect somebody: of a term in which nobody lost patience. */
const VOTE_AGE_MS = 1500;
/** A key is looked at until so long after its time. */
const AFTERLIFE_MS = 2500;

interface Lease {
  readonly key: string;
  readonly ttlMs: number;
  /** When it was last looked for. */
  untilMs: number;
}

class TtlRun implements WorkloadRun {
  readonly model = kv();
  readonly before: readonly Call[] = [];
  readonly #random: Random;
  readonly #now: () => number;
  /** Keys in the watch of the readers. */
  readonly #leases: Lease[] = [];
  readonly #leasesMax: number;
  #lastValue = 0;

  constructor({ keys, random, now }: WorkloadSettings) {
    this.#random = random;
    this.#now = now;
    this.#leasesMax = 6 * keys;
  }

  next(): Call {
    const now = this.#now();
    for (let i = this.#leases.length - 1; i >= 0; i--) {
      if (this.#leases[i]!.untilMs < now) this.#leases.splice(i, 1);
    }
    const lease = this.#leases[Math.floor(this.#random() * this.#leases.length)];
    const dice = this.#random();
    if (lease === undefined || (dice < 0.3 && this.#leases.length < this.#leasesMax)) {
      const value = ++this.#lastValue;
      const ttlMs = TTL_MS[Math.floor(this.#random() * TTL_MS.length)]!;
      const key = `t${value}`;
      this.#leases.push({ key, ttlMs, untilMs: now + ttlMs + AFTERLIFE_MS });
      return kvCall({ f: "put", key, value, ttl: ttlMs }, {
        kind: "lease",
        ttlSeconds: ttlMs / 1000,
      });
    }
    const { key } = lease;
    if (dice > 0.97) {
      // Whoever finds it gone may take it, as with a lock; from then on it is somebody else's key.
      this.#leases.splice(this.#leases.indexOf(lease), 1);
      return kvCall({ f: "put", key, value: ++this.#lastValue, ifNoneMatch: "*" }, {
        kind: "take",
      });
    }
    return kvCall({ f: "get", key }, { kind: "read" });
  }

  saw(): void {}

  after(): readonly Call[] {
    return this.#leases.map(({ key }) =>
      kvCall({ f: "get", key }, { kind: "read", attemptsMax: 50 })
    );
  }

  flaws(evidence: Evidence): readonly Flaw[] {
    const flaws: Flaw[] = [];
    for (const calls of byKey(evidence.calls).values()) {
      const lease = calls.find(({ kind }) => kind === "lease");
      // A lease of unknown outcome may have begun at any time after its call.
      if (lease?.outcome?.type !== "ok") continue;
      const ttlMs = (lease.input as unknown as KvInput).ttl as number;
      for (const other of calls) {
        if (other.call < lease.return! || other.outcome?.type !== "ok") continue;
        // Where it was taken the value is another's.
        if (calls.some(({ kind, call }) => kind === "take" && call < other.call)) continue;
        const flaw = judge(lease, other, ttlMs, evidence);
        if (flaw !== undefined) flaws.push({ message: flaw, calls: [lease.call, other.call] });
      }
    }
    return flaws;
  }
}

function byKey(calls: readonly RecordedCall[]): Map<string, RecordedCall[]> {
  const byKey = new Map<string, RecordedCall[]>();
  for (const call of calls) {
    const key = String((call.input as unknown as KvInput).key);
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [call]);
    else same.push(call);
  }
  return byKey;
}

/**
 * Whether clocks may have cut a life short that began at `atMs` and was over at `doneMs`. Partition time follows the
 * leader's monotonic clock, and steps at an election to the lowest wall clock of a quorum (RULES 18): one wall clock that
 * jumps can't shorten a life, but of several a quorum may be made, and what a slow leader lost is caught up in a step.
 * The first election under honest clocks puts an end to it, in each partition for itself; which of them holds a key
 * is not known here.
 */
function isClouded(
  atMs: number,
  doneMs: number,
  { faults, elections }: Pick<Evidence, "faults" | "elections">,
): boolean {
  const partitions = [...new Set(elections.map(({ partition }) => partition))];
  const isOver = (fault: Fault) =>
    partitions.length > 0 &&
    partitions.every((partition) =>
      elections.some((election) =>
        election.partition === partition && election.atMs <= atMs &&
        election.atMs >= fault.untilMs + SEEN_WITHIN_MS
      )
    );
  const lying = faults.filter((fault) =>
    fault.kind.startsWith("clock-") && fault.atMs <= doneMs && !isOver(fault)
  );
  return lying.some(({ kind }) => kind === "clock-drift") ||
    new Set(lying.flatMap(({ targets }) => targets)).size > 1;
}

/**
 * What a life that began at `atMs` and was over at `doneMs` may have lost at an election in between. The election
 * before may have gone by votes that were long under way, so that partition time was behind until the next one. That
 * takes a slow link or a stopped process, at that election.
 */
function stepMs(
  atMs: number,
  doneMs: number,
  { faults, elections }: Pick<Evidence, "faults" | "elections">,
): number {
  const stepped = elections.filter((election) =>
    election.atMs > atMs && election.atMs - SEEN_WITHIN_MS <= doneMs
  );
  const wasDelayed = stepped.some(({ partition }) => {
    const before = elections.findLast((election) =>
      election.partition === partition && election.atMs <= atMs
    );
    return before !== undefined &&
      faults.some((fault) =>
        fault.atMs <= before.atMs && fault.untilMs >= before.atMs - SEEN_WITHIN_MS - VOTE_AGE_MS
      );
  });
  return wasDelayed ? VOTE_AGE_MS : 0;
}

function judge(
  lease: RecordedCall,
  other: RecordedCall,
  ttlMs: number,
  evidence: Evidence,
): string | undefined {
  const { status } = (other.outcome as Outcome & { type: "ok" }).output as unknown as KvOutput;
  const key = (lease.input as unknown as KvInput).key;
  if (other.kind === "take" ? status === 201 : status === 404) {
    // It began no earlier than its call, and the answer was given no later than it arrived.
    const agedMs = other.doneMs! - lease.atMs;
    const earliestMs = ttlMs - EARLY_SLACK_MS - stepMs(lease.atMs, other.doneMs!, evidence);
    return agedMs < earliestMs && !isClouded(lease.atMs, other.doneMs!, evidence)
      ? `${key} had ${ttlMs} ms to live and was gone after at most ${agedMs.toFixed(0)} ms`
      : undefined;
  }
  if (status !== 200 || other.kind !== "read") return undefined;
  const agedMs = other.atMs - lease.doneMs!;
  const overdueMs = agedMs - ttlMs;
  if (overdueMs <= LATE_SLACK_MS) return undefined;
  const disturbed = evidence.faults.some(({ atMs, untilMs }) =>
    atMs <= other.doneMs! && untilMs + SETTLE_MS >= lease.atMs
  );
  return disturbed ? undefined : `${key} had ${ttlMs} ms to live and was still there ` +
    `${overdueMs.toFixed(0)} ms after its time, with nothing broken`;
}

export const ttlWorkload: WorkloadDefinition = {
  name: "ttl",
  summary: "keys that expire: never early, never back, not late in quiet times",
  needs: ["kv", "ttl"],
  kinds: ["lease", "read", "take"],
  start: (settings: WorkloadSettings) => new TtlRun(settings),
};
