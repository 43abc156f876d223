// Scans in pages while keys come and go. A page is one call; what it says is taken apart into one read of every key that
// it covers, present or not, which the model then places like any other read. So a key that is there throughout must
// appear exactly once in a whole scan, and every page must be true at one moment for each key (RULES 21).

import { type Json, kv, type KvInput, type Operation } from "../../checker/mod.ts";
import { operationsOf } from "../operations.ts";
import type { Random } from "../types.ts";
import { kvCall, undecided } from "./kv_calls.ts";
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

const PREFIX = "scan-";
/** Pages are small, so that a scan takes several and keys change in between. */
const PAGE = 4;

interface ScanInput {
  readonly f: "scan";
  readonly reverse: boolean;
  /** The keys before it, in the order of the scan, came in earlier pages. */
  readonly behind: string | null;
  readonly cursor: string | null;
}

interface ScanOutput {
  readonly keys: readonly {
    readonly key: string;
    readonly value: Json;
    readonly revision: number;
  }[];
  readonly cursor: string | null;
  /** The page's index of each partition. */
  readonly positions: Readonly<Record<string, number>>;
}

function page(input: ScanInput, attemptsMax: number): Call {
  const query = new URLSearchParams({ prefix: PREFIX, limit: String(PAGE) });
  if (input.reverse) query.set("reverse", "true");
  if (input.cursor !== null) query.set("cursor", input.cursor);
  return {
    kind: "page",
    input: input as unknown as Json,
    async perform(session): Promise<Outcome> {
      const answer = await session.persist(
        { method: "GET", path: `/keys?${query}`, reads: true, decided: [200] },
        session.id,
        attemptsMax,
      );
      if (answer.kind !== "decided") return undecided(answer);
      const { keys, cursor, applied } = answer.body as unknown as {
        keys: ScanOutput["keys"];
        cursor: string | null;
        applied: Readonly<Record<string, number>>;
      };
      const output: ScanOutput = {
        keys: keys.map(({ key, value, revision }) => ({ key, value, revision })),
        cursor,
        positions: applied,
      };
      return { type: "ok", output: output as unknown as Json };
    },
  };
}

/** Where a client is in its scan. */
interface Progress {
  readonly reverse: boolean;
  behind: string | null;
  cursor: string | null;
}

class ScanRun implements WorkloadRun {
  readonly model = kv();
  readonly before: readonly Call[] = [];
  readonly #keys: readonly string[];
  readonly #random: Random;
  readonly #scans = new Map<Call, Progress>();
  /** Scans that wait for a client to go on with them. */
  readonly #open: Progress[] = [];
  #lastValue = 0;

  constructor({ keys, random }: WorkloadSettings) {
    // Numbers of unequal length: their order as bytes is not that of the numbers.
    this.#keys = Array.from({ length: 4 * keys }, (_, i) => `${PREFIX}${i}`);
    this.#random = random;
  }

  next(): Call {
    const dice = this.#random();
    const key = this.#keys[Math.floor(this.#random() * this.#keys.length)]!;
    if (dice < 0.5) {
      const progress = this.#open.pop() ??
        { reverse: this.#random() < 0.3, behind: null, cursor: null };
      const call = page({ f: "scan", ...progress }, 1);
      this.#scans.set(call, progress);
      return call;
    }
    if (dice < 0.8) return kvCall({ f: "put", key, value: ++this.#lastValue });
    return dice < 0.95 ? kvCall({ f: "delete", key }) : kvCall({ f: "get", key });
  }

  saw(call: Call, outcome: Outcome): void {
    const progress = this.#scans.get(call);
    this.#scans.delete(call);
    if (progress === undefined) return;
    if (outcome.type === "ok") {
      const { keys, cursor } = outcome.output as unknown as ScanOutput;
      if (cursor === null) return;
      progress.cursor = cursor;
      progress.behind = keys.at(-1)?.key ?? progress.behind;
    }
    // A page that failed is asked for again with the same cursor.
    this.#open.push(progress);
  }

  after(): readonly Call[] {
    return this.#keys.map((key) => kvCall({ f: "get", key }, { attemptsMax: 50 }));
  }

  operations(calls: readonly RecordedCall[]): Operation[] {
    const partitions = partitionsOf(calls);
    const plain = operationsOf(calls.filter(({ kind }) => kind !== "page"));
    return [...plain, ...calls.flatMap((call) => this.#reads(call, partitions))];
  }

  /** One read of each key that the page covers. */
  #reads(call: RecordedCall, partitions: ReadonlyMap<string, string>): Operation[] {
    if (call.kind !== "page" || call.outcome?.type !== "ok") return [];
    const input = call.input as unknown as ScanInput;
    const output = call.outcome.output as unknown as ScanOutput;
    const found = new Map(output.keys.map((record) => [record.key, record]));
    return this.#keys.filter((key) => isCovered(key, input, output)).map((key) => {
      const record = found.get(key);
      const partition = partitions.get(key);
      const applied = partition === undefined ? undefined : output.positions[partition];
      return {
        process: `page ${call.call}, ${key}`,
        call: call.call,
        return: call.return!,
        input: { f: "get", key },
        output: record === undefined
          ? { status: 404 }
          : { status: 200, value: record.value, revision: record.revision },
        ...(partition === undefined ? {} : { partition }),
        ...(applied === undefined ? {} : { applied }),
      };
    });
  }

  flaws({ calls }: Evidence): readonly Flaw[] {
    return calls.flatMap((call) => {
      if (call.kind !== "page" || call.outcome?.type !== "ok") return [];
      const message = pageFlaw(
        call.input as unknown as ScanInput,
        call.outcome.output as unknown as ScanOutput,
      );
      return message === undefined ? [] : [{ message, calls: [call.call] }];
    });
  }
}

/** A key's partition never changes; every decided answer about one key names it. */
function partitionsOf(calls: readonly RecordedCall[]): Map<string, string> {
  const partitions = new Map<string, string>();
  for (const { input, outcome } of calls) {
    if (outcome?.type !== "ok" || outcome.partition === undefined) continue;
    partitions.set(String((input as unknown as KvInput).key), outcome.partition);
  }
  return partitions;
}

function isBehind(key: string, mark: string, reverse: boolean): boolean {
  return reverse ? key >= mark : key <= mark;
}

function isCovered(key: string, { reverse, behind }: ScanInput, output: ScanOutput): boolean {
  if (behind !== null && isBehind(key, behind, reverse)) return false;
  const last = output.keys.at(-1)?.key;
  return output.cursor === null || (last !== undefined && isBehind(key, last, reverse));
}

/** What is wrong with a page by itself. */
export function pageFlaw(input: ScanInput, output: ScanOutput): string | undefined {
  const { reverse, behind } = input;
  let last = behind;
  for (const { key } of output.keys) {
    if (!key.startsWith(PREFIX)) return `a page of ${PREFIX}… holds ${key}`;
    if (last !== null && isBehind(key, last, reverse)) {
      return `a page gives ${key} after ${last}, ${reverse ? "downwards" : "upwards"}`;
    }
    last = key;
  }
  if (output.keys.length > PAGE) return `a page of ${PAGE} holds ${output.keys.length} keys`;
  return undefined;
}

export const scanWorkload: WorkloadDefinition = {
  name: "scan",
  summary: "scans in pages, both ways, while keys come and go",
  needs: ["kv", "scan"],
  kinds: ["page", "put", "delete"],
  partitions: 3,
  start: (settings) => new ScanRun(settings),
};
