// Clients: each sends one operation after the other and records what it saw. An operation of unknown outcome
// ends its process; the client goes on under a new one.

import type { KvInput, Operation } from "../checker/mod.ts";
import { perform } from "./client.ts";
import type { SystemNode } from "./system.ts";

export const WORKLOAD_NAMES: readonly string[] = ["register", "cas", "kv"];

export interface WorkloadOptions {
  readonly workload: string;
  readonly nodes: readonly SystemNode[];
  readonly concurrency: number;
  readonly keys: number;
  /** Operations a second over all clients. */
  readonly rate: number;
  readonly requestTimeoutMs: number;
  readonly random: () => number;
  readonly stopped: () => boolean;
}

/** What was recorded. Lines are events in the order in which the one recorder saw them. */
export interface Recording {
  readonly operations: Operation[];
  readonly lines: string[];
  readonly counts: Record<"ok" | "fail" | "info", number>;
}

class Generator {
  readonly #revisions = new Map<string, number>();
  #nextValue = 0;
  readonly #options: WorkloadOptions;

  constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  next(): KvInput {
    const { random, keys, workload } = this.#options;
    const key = `k${Math.floor(random() * keys)}`;
    const dice = random();
    if (dice < 0.45) return { f: "get", key };
    const value = ++this.#nextValue;
    const revision = this.#revisions.get(key);
    if (workload !== "register" && dice < 0.7 && revision !== undefined) {
      return { f: "cas", key, value, ifMatch: revision };
    }
    if (workload === "kv" && dice < 0.75) return { f: "delete", key };
    if (workload === "kv" && dice < 0.8) return { f: "put", key, value, ifNoneMatch: "*" };
    return { f: "put", key, value };
  }

  saw(key: string, revision: number | undefined): void {
    if (revision !== undefined && revision > 0) this.#revisions.set(key, revision);
  }
}

/** Runs the clients until `stopped`, each waiting for its last answer. */
export async function runWorkload(
  options: WorkloadOptions,
  recording: Recording,
): Promise<void> {
  const generator = new Generator(options);
  const gapMs = 1000 * options.concurrency / options.rate;
  let sequence = 0;
  let nextProcess = 0;
  const event = (fields: unknown) => recording.lines.push(JSON.stringify(fields));
  const client = async (index: number): Promise<void> => {
    let process = nextProcess++;
    while (!options.stopped()) {
      const startMs = performance.now();
      const node = options.nodes[(index + process) % options.nodes.length]!;
      const input = generator.next();
      const call = sequence++;
      event({ process, type: "invoke", input, node: node.name, timeMs: startMs, sequence: call });
      const outcome = await perform(node.http, input, options.requestTimeoutMs);
      const returned = sequence++;
      recording.counts[outcome.type]++;
      event({ process, ...outcome, timeMs: performance.now(), sequence: returned });
      if (outcome.type === "ok") {
        const { output, applied, partition } = outcome;
        recording.operations.push({
          process,
          call,
          return: returned,
          input,
          output,
          ...(applied === undefined ? {} : { applied }),
          ...(partition === undefined ? {} : { partition }),
        });
        generator.saw(String(input.key), output.revision);
      } else if (outcome.type === "info") {
        recording.operations.push({ process, call, input });
        process = nextProcess++;
      }
      const restMs = Math.max(1, gapMs - (performance.now() - startMs));
      await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, (_, i) => client(i)));
}
