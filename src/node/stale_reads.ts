// Whether a replica of this node may answer a stale read: how fresh each is, and what the reader asked for.

import type { LogIndex, PartitionId, ReplicaId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import { Freshness } from "./freshness.ts";
import type { HostedData } from "./group.ts";
import type { Failure, PageAnswer, StaleBounds, Staleness } from "./service.ts";

/** A look at a partition's leader that fails counts for nothing; the next one follows soon. */
const LOOK_TIMEOUT_MS = 1_000;

/** A linearizable read of nothing at all. */
export type Look = (partition: PartitionId, timeoutMs: number) => Promise<PageAnswer | Failure>;

interface Tracked {
  readonly replicaId: ReplicaId;
  readonly freshness: Freshness;
}

export class StaleReads {
  readonly #clock: Clock;
  readonly #look: Look;
  /** Of partitions that were read with a bound; one replica each. */
  readonly #tracked = new Map<PartitionId, Tracked>();

  constructor(clock: Clock, look: Look) {
    this.#clock = clock;
    this.#look = look;
  }

  /** What is known of a read that `hosted` would answer now; undefined if it falls short of `bounds`. */
  within(hosted: HostedData, bounds: StaleBounds): Staleness | undefined {
    const { replica } = hosted;
    if (!replica.serving || !replica.admitted) return undefined;
    if (bounds.minApplied !== undefined && replica.appliedIndex < bounds.minApplied) {
      return undefined;
    }
    if (bounds.maxStalenessMs === undefined) {
      const tracked = this.#tracked.get(hosted.partition);
      return { ageMs: tracked?.replicaId === replica.id ? tracked.freshness.ageMs() : undefined };
    }
    const freshness = this.#freshnessOf(hosted);
    freshness.demand(bounds.maxStalenessMs);
    const ageMs = freshness.ageMs();
    return ageMs !== undefined && ageMs <= bounds.maxStalenessMs ? { ageMs } : undefined;
  }

  #freshnessOf({ partition, replica }: HostedData): Freshness {
    const known = this.#tracked.get(partition);
    if (known?.replicaId === replica.id) return known.freshness;
    // Another replica than before begins anew: what its predecessor had applied it may not have.
    const freshness = new Freshness({
      clock: this.#clock,
      appliedIndex: () => replica.appliedIndex,
      confirm: () => this.#confirm(partition),
    });
    this.#tracked.set(partition, { replicaId: replica.id, freshness });
    return freshness;
  }

  async #confirm(partition: PartitionId): Promise<LogIndex | undefined> {
    const answer = await this.#look(partition, LOOK_TIMEOUT_MS);
    return answer.ok ? answer.appliedIndex : undefined;
  }

  /** Call at every tick. */
  tick(): void {
    for (const { freshness } of this.#tracked.values()) freshness.tick();
  }
}
