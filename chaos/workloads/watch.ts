// Writes under the eyes of watchers, who resume wherever they were on whatever node. The checker's judge of watch
// streams holds what they were told against the decided writes: in order, nothing twice, nothing missing, nothing
// invented (RULES 22).

import {
  checkWatch,
  kv,
  type KvInput,
  type KvOutput,
  type WatchedWrite,
} from "../../checker/mod.ts";
import { seededRandom } from "../random.ts";
import type { Random } from "../types.ts";
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
import { Watcher } from "./watcher.ts";

const PREFIX = "watch-";
const WATCHERS = 4;
const CATCH_UP_TIMEOUT_MS = 20_000;

class WatchRun implements WorkloadRun {
  readonly model = kv();
  readonly before: readonly Call[] = [];
  readonly #keys: readonly string[];
  readonly #random: Random;
  readonly #watchers: readonly Watcher[];
  readonly #lines: string[] = [];
  /** The last revision of each partition that a client knows of. */
  readonly #revisions = new Map<string, number>();
  #lastValue = 0;

  constructor({ keys, random, nodes, now }: WorkloadSettings) {
    this.#keys = Array.from({ length: 2 * keys }, (_, i) => `${PREFIX}${i}`);
    this.#random = random;
    this.#watchers = Array.from({ length: WATCHERS }, (_, watcher) =>
      new Watcher({
        prefix: PREFIX,
        nodes,
        random: seededRandom(Math.floor(random() * 2 ** 32)),
        tell: (fields) => this.#lines.push(JSON.stringify({ watcher, timeMs: now(), ...fields })),
      }));
  }

  next(): Call {
    const key = this.#keys[Math.floor(this.#random() * this.#keys.length)]!;
    const dice = this.#random();
    if (dice < 0.15) return kvCall({ f: "get", key });
    return dice < 0.75
      ? kvCall({ f: "put", key, value: ++this.#lastValue })
      : kvCall({ f: "delete", key });
  }

  saw(_call: Call, outcome: Outcome): void {
    if (outcome.type !== "ok" || outcome.partition === undefined) return;
    const { revision = 0 } = outcome.output as KvOutput;
    const last = this.#revisions.get(outcome.partition) ?? 0;
    this.#revisions.set(outcome.partition, Math.max(last, revision));
  }

  after(): readonly Call[] {
    return this.#keys.map((key) => kvCall({ f: "get", key }, { attemptsMax: 50 }));
  }

  async beside(stopped: () => boolean): Promise<void> {
    await Promise.all(this.#watchers.map((watcher) => watcher.watch(stopped)));
  }

  async finish(): Promise<void> {
    await Promise.all(
      this.#watchers.map((watcher) => watcher.catchUp(this.#revisions, CATCH_UP_TIMEOUT_MS)),
    );
  }

  files(): Readonly<Record<string, string>> {
    return { "watch.ndjson": this.#lines.map((line) => `${line}\n`).join("") };
  }

  flaws({ calls }: Evidence): readonly Flaw[] {
    const partitions = new Set(this.#watchers.flatMap(({ sessions }) => [...sessions.keys()]));
    if (partitions.size === 0) throw new Error("no watcher was told anything");
    const flaws: Flaw[] = [];
    for (const partition of partitions) {
      const writes = writesOf(calls, partition);
      this.#watchers.forEach((watcher, i) => {
        const sessions = watcher.sessions.get(partition) ?? [];
        for (const { kind, message } of checkWatch(sessions, writes)) {
          flaws.push({
            message: `watcher ${i + 1}, partition ${partition}, ${kind}: ${message}`,
            calls: [],
          });
        }
      });
    }
    return flaws;
  }
}

/** The writes of one partition; those of unknown outcome and place may belong to any. */
function writesOf(calls: readonly RecordedCall[], partition: string): WatchedWrite[] {
  const partitions = new Map<string, string>();
  for (const { input, outcome } of calls) {
    if (outcome?.type !== "ok" || outcome.partition === undefined) continue;
    partitions.set(String((input as unknown as KvInput).key), outcome.partition);
  }
  return calls.flatMap(({ input, outcome }) => {
    const { f, key, value } = input as unknown as KvInput;
    if ((f !== "put" && f !== "delete") || outcome?.type === "fail") return [];
    const name = String(key);
    if ((partitions.get(name) ?? partition) !== partition) return [];
    const write: WatchedWrite = {
      kind: f,
      key: name,
      ...(value === undefined ? {} : { value }),
    };
    if (outcome?.type !== "ok") return [write];
    const { status, revision } = outcome.output as KvOutput;
    if (status === 404 || revision === undefined) return [];
    return [{ ...write, revision }];
  });
}

export const watchWorkload: WorkloadDefinition = {
  name: "watch",
  summary: "writes under the eyes of watchers who break off and resume on any node",
  needs: ["kv", "watch"],
  kinds: ["put", "delete"],
  partitions: 3,
  start: (settings) => new WatchRun(settings),
};
