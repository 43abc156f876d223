// Clients that only look: scans in pages, and reads from any replica within the sessions of the clients that
// write. They ask on until they are told to stop; what they saw is judged by judge_readers.ts.

import type { Scheduler } from "./clock.ts";
import { advance, type SessionPositions } from "./clients.ts";
import { HttpClient } from "./http_client.ts";
import type { SeededRandom } from "./random.ts";
import type { SimOptions } from "./schedule.ts";
import type { SimNode } from "./sim_node.ts";
import type { Trace } from "./trace.ts";
import type { Answer } from "./workload.ts";

/** Keys of clients.ts that don't expire and belong to no transaction. */
export const PLAIN_PREFIX = "k";
const PAUSE_MS = 60;
const PAGE_MAX = 3;

export interface SeenRecord {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** One page of a scan. */
export interface SeenPage {
  readonly call: number;
  readonly return: number;
  readonly reverse: boolean;
  readonly limit: number;
  /** The last key of the page before; undefined: it is the first one. */
  readonly behind: string | undefined;
  readonly records: readonly SeenRecord[];
  /** The range is done. */
  readonly isLast: boolean;
  /** The index of each partition at which it was read. */
  readonly applied: Readonly<Record<string, number>>;
}

/** One read with `consistency=stale`. */
export interface SeenStale {
  readonly call: number;
  readonly return: number;
  readonly callMs: number;
  readonly key: string;
  readonly partition: number;
  /** Undefined: the key was absent. */
  readonly record: SeenRecord | undefined;
  readonly status: number;
  /** The replica's index; the leader's if it was asked after all. */
  readonly index: number;
  /** The answer is the leader's, and linearizable. */
  readonly fromLeader: boolean;
  /** How old it may be, as the answer says. */
  readonly ageMs: number | undefined;
  readonly maxStalenessMs: number | undefined;
  readonly minApplied: number | undefined;
}

export interface ReaderHost {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly nodes: readonly SimNode[];
  readonly options: SimOptions;
  readonly sessions: readonly SessionPositions[];
  nextMoment(): number;
  /** An answer that no client should ever see. */
  onViolation(message: string): void;
}

/** Where a scan is. */
interface Progress {
  readonly reverse: boolean;
  readonly limit: number;
  behind: string | undefined;
  cursor: string | undefined;
}

export class Readers {
  readonly pages: SeenPage[] = [];
  readonly stale: SeenStale[] = [];
  readonly #host: ReaderHost;
  readonly #random: SeededRandom;
  readonly #http: HttpClient;
  /** A key's partition never changes; answers name it. */
  readonly #partitions = new Map<string, number>();
  #busy = 0;
  #stopped = false;

  constructor(host: ReaderHost) {
    this.#host = host;
    this.#random = host.random.stream("readers");
    this.#http = new HttpClient(host.scheduler, this.#random);
  }

  /** Readers that have not come to their end. */
  get busy(): number {
    return this.#busy;
  }

  start(): void {
    const { scanners = 0, staleReaders = 0 } = this.#host.options.readers ?? {};
    for (let i = 0; i < scanners; i++) this.#repeat(this.#scanner());
    for (let i = 0; i < staleReaders; i++) {
      this.#repeat(this.#staleReader(this.#random.pick(this.#host.sessions)));
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #repeat(step: () => Promise<void>): Promise<void> {
    this.#busy++;
    while (!this.#stopped) {
      await step();
      await this.#http.pause(this.#random.between(0, 2 * PAUSE_MS));
    }
    this.#busy--;
  }

  /** Asks a node; undefined if it gave no decided answer. */
  async #ask(path: string, headers: Record<string, string> = {}): Promise<Answer | undefined> {
    const { scheduler, trace, nodes } = this.#host;
    const node = this.#random.pick(nodes);
    const attempt = await this.#http.send(node, { method: "GET", path, headers });
    const told = attempt.kind === "decided"
      ? `${attempt.answer.status} ${attempt.answer.body.slice(0, 80)}`
      : attempt.reason;
    trace.note(scheduler.nowMs, "reader", `${path} ${node.name} -> ${told}`);
    return attempt.kind === "decided" ? attempt.answer : undefined;
  }

  // ------------------------------------------------------------------------------------------ scans

  #scanner(): () => Promise<void> {
    let progress: Progress | undefined;
    return async () => {
      progress ??= {
        reverse: this.#random.chance(0.3),
        limit: 1 + this.#random.int(PAGE_MAX),
        behind: undefined,
        cursor: undefined,
      };
      if (await this.#page(progress)) progress = undefined;
    };
  }

  /** True if the scan is over; a page that fails is asked for again with the same cursor. */
  async #page(progress: Progress): Promise<boolean> {
    const { reverse, limit, behind, cursor } = progress;
    const query = new URLSearchParams({ prefix: PLAIN_PREFIX, limit: String(limit) });
    if (reverse) query.set("reverse", "true");
    if (cursor !== undefined) query.set("cursor", cursor);
    const call = this.#host.nextMoment();
    const answer = await this.#ask(`/keys?${query}`);
    if (answer === undefined) return false;
    if (answer.status !== 200) {
      this.#host.onViolation(`a page was answered ${answer.status}: ${answer.body}`);
      return true;
    }
    const { keys, cursor: next, applied } = JSON.parse(answer.body);
    const records: readonly SeenRecord[] = keys;
    const isLast = next === null;
    const moment = this.#host.nextMoment();
    this.pages.push({ call, return: moment, reverse, limit, behind, records, isLast, applied });
    progress.behind = records.at(-1)?.key ?? behind;
    progress.cursor = next ?? undefined;
    return isLast;
  }

  // ------------------------------------------------------------------------------------ stale reads

  #staleReader(positions: SessionPositions): () => Promise<void> {
    return async () => {
      const { scheduler, options } = this.#host;
      const key = `${PLAIN_PREFIX}${this.#random.int(options.keys)}`;
      const maxStalenessMs = this.#random.pick([undefined, 30, 100, 1000]);
      const known = this.#partitions.get(key);
      const minApplied = known === undefined ? undefined : positions.get(known);
      const call = this.#host.nextMoment();
      const callMs = scheduler.nowMs;
      const bound = maxStalenessMs === undefined ? "" : `&maxStaleness=${maxStalenessMs}`;
      const answer = await this.#ask(
        `/key/${key}?consistency=stale${bound}`,
        minApplied === undefined ? {} : { "pontoon-min-applied": String(minApplied) },
      );
      if (answer === undefined) return;
      const { status, headers, body } = answer;
      const applied = headers.get("pontoon-applied");
      const index = Number(applied ?? headers.get("pontoon-applied-at"));
      const partition = Number(headers.get("pontoon-partition"));
      if ((status !== 200 && status !== 404) || !(index > 0) || !(partition > 0)) {
        const told = JSON.stringify([...headers]);
        return this.#host.onViolation(`a stale read was answered ${status}, ${told}: ${body}`);
      }
      this.#partitions.set(key, partition);
      const age = headers.get("pontoon-staleness-ms");
      this.stale.push({
        call,
        return: this.#host.nextMoment(),
        callMs,
        key,
        partition,
        record: status === 200 ? JSON.parse(body) : undefined,
        status,
        index,
        fromLeader: applied !== null,
        ageMs: age === null ? undefined : Number(age),
        maxStalenessMs,
        minApplied,
      });
      advance(positions, partition, index);
    };
  }
}
