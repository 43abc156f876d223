// Merges the partitions' records into one ordered sequence, holding one page a partition and never more.
// A page is asked for when the one before is used up, so whoever takes slowly is read for slowly.

import type { LogIndex, PartitionId } from "../base/ids.ts";
import {
  SCAN_PAGE_SIZE_BYTES_MAX,
  SCAN_PAGE_SIZE_BYTES_MIN,
  SCAN_PAGES_SIZE_BYTES_MAX,
} from "../base/limits.ts";
import type { Failure, PageAnswer } from "../node/service.ts";
import { pageAfter, type PageQuery, plainLength } from "../store/mod.ts";
import type { Key, RecordView } from "../store/types.ts";

/** Reads one page of a partition. */
export type FetchPage = (
  partition: PartitionId,
  query: PageQuery,
) => Promise<PageAnswer | Failure>;

/** A record, and the partition time of the page it came in. */
export interface Scanned {
  readonly record: RecordView;
  readonly timeMs: number;
}

/** One partition's page, and how far it is used up. */
interface Source {
  readonly partition: PartitionId;
  page: PageAnswer;
  index: number;
}

/** What a partition is to be asked next. */
interface Wanted {
  readonly partition: PartitionId;
  readonly query: PageQuery;
}

/** How large a page of each of `partitions` may be. */
export function pageSizeBytes(partitions: number): number {
  const share = Math.floor(SCAN_PAGES_SIZE_BYTES_MAX / Math.max(1, partitions));
  return Math.min(SCAN_PAGE_SIZE_BYTES_MAX, Math.max(SCAN_PAGE_SIZE_BYTES_MIN, share));
}

export class ScanMerge {
  readonly #fetch: FetchPage;
  readonly #query: PageQuery;
  /** A binary heap by the sources' next keys. *Invariant:* each has a record left. */
  readonly #heap: Source[] = [];
  /** Partitions whose next record is not known. Nothing can be taken before it is. */
  #wanted: Wanted[];
  readonly #applied = new Map<PartitionId, LogIndex>();

  /** `query` is the first page of each partition. */
  constructor(partitions: readonly PartitionId[], query: PageQuery, fetch: FetchPage) {
    this.#fetch = fetch;
    this.#query = query;
    this.#wanted = partitions.map((partition) => ({ partition, query }));
  }

  /** Where each partition stood at its first page. */
  get applied(): ReadonlyMap<PartitionId, LogIndex> {
    return this.#applied;
  }

  /** Whether everything was taken. */
  get done(): boolean {
    return this.#heap.length === 0 && this.#wanted.length === 0;
  }

  /** Makes sure that there is something to take, unless done. Resolves with what prevents it. */
  async fill(): Promise<Failure | undefined> {
    while (this.#wanted.length > 0) {
      const wanted = this.#wanted;
      const answers = await Promise.all(
        wanted.map(({ partition, query }) => this.#fetch(partition, query)),
      );
      this.#wanted = [];
      let failure: Failure | undefined;
      answers.forEach((answer, i) => {
        if (answer.ok) this.#accept(wanted[i], answer);
        else {
          failure ??= answer;
          this.#wanted.push(wanted[i]);
        }
      });
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  #accept({ partition, query }: Wanted, page: PageAnswer): void {
    if (!this.#applied.has(partition)) this.#applied.set(partition, page.appliedIndex);
    if (page.records.length > 0) this.#push({ partition, page, index: 0 });
    // Expired records alone may fill what a page looks at.
    else if (page.resume !== undefined) {
      this.#wanted.push({ partition, query: pageAfter(query, page.resume) });
    }
  }

  /**
   * Takes up to `limit` records in order, ending early where a page is used up or `sizeBytesMax` is
   * reached. Call after a {@linkcode fill} that was not prevented.
   */
  take(limit: number, sizeBytesMax: number): Scanned[] {
    const taken: Scanned[] = [];
    let sizeBytes = 0;
    while (taken.length < limit && sizeBytes < sizeBytesMax && this.#wanted.length === 0) {
      const source = this.#heap[0];
      if (source === undefined) break;
      const record = source.page.records[source.index++];
      taken.push({ record, timeMs: source.page.timeMs });
      sizeBytes += record.key.length + plainLength(record.value);
      if (source.index === source.page.records.length) this.#usedUp(source);
      else this.#sink(0);
    }
    return taken;
  }

  #usedUp({ partition, page }: Source): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    if (page.resume !== undefined) {
      this.#wanted.push({ partition, query: pageAfter(this.#query, page.resume) });
    }
  }

  // ------------------------------------------------------------------------------------------- heap

  #keyAt(index: number): Key {
    const { page, index: at } = this.#heap[index];
    return page.records[at].key;
  }

  #before(a: number, b: number): boolean {
    return this.#query.reverse ? this.#keyAt(a) > this.#keyAt(b) : this.#keyAt(a) < this.#keyAt(b);
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b], this.#heap[a]];
  }

  #push(source: Source): void {
    let index = this.#heap.push(source) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#before(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #sink(from: number): void {
    for (let index = from;;) {
      let first = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < this.#heap.length && this.#before(child, first)) first = child;
      }
      if (first === index) return;
      this.#swap(index, first);
      index = first;
    }
  }
}
