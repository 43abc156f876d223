// The set of configurations the search has been to: (state, known operations done, optional ones done).
// One is covered by another with the same state, the same known operations and no more optional ones.
// Everything lives in pages of integers, so that millions cost neither objects nor copies.

const PAGE_LENGTH = 1 << 16;
const HEADER_LENGTH = 6;
const BUCKETS_FIRST = 256;

/** Pages to use again, so that many small searches allocate once. */
export class PagePool {
  readonly #free: Int32Array[] = [];

  take(lengthMin: number): Int32Array {
    if (lengthMin > PAGE_LENGTH) return new Int32Array(lengthMin);
    return this.#free.pop() ?? new Int32Array(PAGE_LENGTH);
  }

  give(pages: readonly Int32Array[]): void {
    for (const page of pages) {
      if (page.length === PAGE_LENGTH && this.#free.length < 64) this.#free.push(page);
    }
  }
}

/**
 * Record: next in bucket (page, offset), hash, state, known (first word << 8 … see below), words.
 *
 * | offset | what |
 * | --- | --- |
 * | 0, 1 | next record of the bucket: page + 1 (0: none), offset |
 * | 2 | hash |
 * | 3 | state |
 * | 4 | number of known words; their first word's position is implied by the hash's equality check on 5 |
 * | 5 | position of the first known word |
 * | 6… | known words, then all optional words |
 */
export class Configurations {
  readonly #pool: PagePool;
  readonly #optionalLength: number;
  readonly #pages: Int32Array[] = [];
  #page: Int32Array | undefined;
  #at = 0;
  #buckets: Int32Array;
  #mask = BUCKETS_FIRST - 1;
  #count = 0;

  constructor(pool: PagePool, optionalWords: number) {
    this.#pool = pool;
    this.#optionalLength = optionalWords;
    this.#buckets = new Int32Array(BUCKETS_FIRST * 2);
  }

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#pages.length * PAGE_LENGTH * 4 + this.#buckets.byteLength;
  }

  /**
   * Adds a configuration unless one that covers it is there. `known[from, to)` are the words of the known
   * bitset that may differ from all-ones before and zero after.
   *
   * @returns false if it was covered.
   */
  add(
    hash: number,
    state: number,
    known: Int32Array,
    from: number,
    to: number,
    optional: Int32Array,
  ): boolean {
    const bucket = (hash & this.#mask) * 2;
    const length = to - from;
    let pageNumber = this.#buckets[bucket]!;
    let offset = this.#buckets[bucket + 1]!;
    while (pageNumber !== 0) {
      const page = this.#pages[pageNumber - 1]!;
      if (
        page[offset + 2] === hash && page[offset + 3] === state && page[offset + 4] === length &&
        page[offset + 5] === from &&
        this.#covers(page, offset + HEADER_LENGTH, known, from, to, optional)
      ) return false;
      pageNumber = page[offset]!;
      offset = page[offset + 1]!;
    }
    this.#append(hash, state, known, from, to, optional);
    return true;
  }

  /** Gives the memory back. The set must not be used afterwards. */
  release(): void {
    this.#pool.give(this.#pages);
    this.#pages.length = 0;
    this.#page = undefined;
  }

  #covers(
    page: Int32Array,
    at: number,
    known: Int32Array,
    from: number,
    to: number,
    optional: Int32Array,
  ): boolean {
    for (let i = from; i < to; i++) if (page[at++] !== known[i]) return false;
    for (let i = 0; i < this.#optionalLength; i++) {
      if ((page[at++]! & ~optional[i]!) !== 0) return false;
    }
    return true;
  }

  #append(
    hash: number,
    state: number,
    known: Int32Array,
    from: number,
    to: number,
    optional: Int32Array,
  ): void {
    if (++this.#count > this.#mask + 1) this.#grow();
    const length = HEADER_LENGTH + to - from + this.#optionalLength;
    if (this.#page === undefined || this.#at + length > this.#page.length) {
      this.#page = this.#pool.take(length);
      this.#pages.push(this.#page);
      this.#at = 0;
    }
    const page = this.#page;
    const bucket = (hash & this.#mask) * 2;
    let at = this.#at;
    page[at] = this.#buckets[bucket]!;
    page[at + 1] = this.#buckets[bucket + 1]!;
    page[at + 2] = hash;
    page[at + 3] = state;
    page[at + 4] = to - from;
    page[at + 5] = from;
    this.#buckets[bucket] = this.#pages.length;
    this.#buckets[bucket + 1] = at;
    at += HEADER_LENGTH;
    for (let i = from; i < to; i++) page[at++] = known[i]!;
    for (let i = 0; i < this.#optionalLength; i++) page[at++] = optional[i]!;
    this.#at = at;
  }

  #grow(): void {
    const old = this.#buckets;
    const capacity = (this.#mask + 1) * 4;
    this.#mask = capacity - 1;
    const buckets = new Int32Array(capacity * 2);
    for (let i = 0; i < old.length; i += 2) {
      let pageNumber = old[i]!;
      let offset = old[i + 1]!;
      while (pageNumber !== 0) {
        const page = this.#pages[pageNumber - 1]!;
        const nextPage = page[offset]!;
        const nextOffset = page[offset + 1]!;
        const bucket = (page[offset + 2]! & this.#mask) * 2;
        page[offset] = buckets[bucket]!;
        page[offset + 1] = buckets[bucket + 1]!;
        buckets[bucket] = pageNumber;
        buckets[bucket + 1] = offset;
        pageNumber = nextPage;
        offset = nextOffset;
      }
    }
    this.#buckets = buckets;
  }
}
