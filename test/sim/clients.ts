// Clients of a simulated cluster. They enter at the node's HTTP handler, retry as a careful client does,
// and record one operation per call: from first send to last answer, unknown where any attempt was and
// no later one under the same key was decided.

import type { KvInput, KvOutput, Operation } from "../../checker/mod.ts";
import type { Scheduler } from "./clock.ts";
import type { SeededRandom } from "./random.ts";
import type { SimOptions } from "./schedule.ts";
import type { SimNode } from "./sim_node.ts";
import type { Trace } from "./trace.ts";

const PATIENCE_MS = 3000;
const ATTEMPTS_MAX = 4;

export type RecordedOperation = Operation<KvInput, KvOutput | null>;

interface OpenOperation {
  process: number;
  call: number;
  return: number | undefined;
  input: KvInput;
  output: KvOutput | null;
  applied?: number;
  partition?: number;
}

export interface ClientHost {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly nodes: readonly SimNode[];
  readonly options: SimOptions;
  /** A decided answer that no client should ever see. */
  onViolation(message: string): void;
}

/** How one attempt ended. `none`: surely without effect. */
type Attempt =
  | {
    readonly kind: "decided";
    readonly status: number;
    readonly headers: Headers;
    readonly body: string;
  }
  | { readonly kind: "none" }
  | { readonly kind: "unknown" };

export class Clients {
  readonly #host: ClientHost;
  readonly #random: SeededRandom;
  readonly #operations: OpenOperation[] = [];
  readonly #dropped = new Set<OpenOperation>();
  #sequence = 0;
  #processes = 0;
  #values = 0;
  #stopped = false;
  #busy = 0;
  decided = 0;
  unknown = 0;

  constructor(host: ClientHost) {
    this.#host = host;
    this.#random = host.random.stream("workload");
  }

  /** Calls that are still open. */
  get busy(): number {
    return this.#busy;
  }

  start(): void {
    for (let i = 0; i < this.#host.options.clients; i++) this.#next(i, this.#processes++, 0);
  }

  /** No new calls. */
  stop(): void {
    this.#stopped = true;
  }

  /** What the checker is given: calls without effect left out. */
  history(): RecordedOperation[] {
    return this.#operations.filter((operation) => !this.#dropped.has(operation));
  }

  #next(client: number, process: number, revision: number): void {
    const { scheduler, options } = this.#host;
    const meanMs = 1000 * options.clients / options.operationsPerSecond;
    scheduler.schedule(this.#random.between(0, 2 * meanMs), () => {
      if (this.#stopped) return;
      this.#busy++;
      this.#call(process, revision).then(({ known, revision }) => {
        this.#busy--;
        this.#next(client, known ? process : this.#processes++, revision);
      });
    });
  }

  #draw(revision: number): KvInput {
    const random = this.#random;
    const key = `k${random.int(this.#host.options.keys)}`;
    const dice = random.float();
    if (dice < 0.4) return { f: "get", key };
    const value = `v${++this.#values}`;
    if (dice < 0.7) return { f: "put", key, value };
    if (dice < 0.8) return { f: "put", key, value, ifNoneMatch: "*" };
    if (dice < 0.9) return { f: "cas", key, value, ifMatch: Math.max(1, revision) };
    return { f: "delete", key };
  }

  async #call(process: number, seen: number): Promise<{ known: boolean; revision: number }> {
    const { scheduler, nodes, options, trace } = this.#host;
    const input = this.#draw(seen);
    const operation: OpenOperation = {
      process,
      call: this.#sequence++,
      return: undefined,
      input,
      output: null,
    };
    this.#operations.push(operation);
    const isRead = input.f === "get";
    const idempotent = isRead || this.#random.chance(options.idempotentChance);
    const idempotencyKey = idempotent && !isRead ? `op-${operation.call}` : undefined;
    const started = `#${operation.call} ${JSON.stringify(input)}`;
    trace.note(scheduler.nowMs, `c${process}`, started);
    let doubt = false;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const node = this.#random.pick(nodes);
      const result = await this.#attempt(node, input, idempotencyKey);
      trace.note(
        scheduler.nowMs,
        `c${process}`,
        `#${operation.call} ${node.name} -> ${
          result.kind === "decided" ? `${result.status} ${result.body.slice(0, 80)}` : result.kind
        }`,
      );
      if (result.kind === "decided") {
        operation.return = this.#sequence++;
        operation.output = this.#outputOf(input, result);
        this.decided++;
        return { known: true, revision: operation.output?.revision ?? seen };
      }
      if (result.kind === "unknown") doubt = true;
      if (!idempotent && doubt) break;
      await this.#pause(20 + this.#random.float() * 100);
    }
    if (isRead || !doubt) {
      this.#dropped.add(operation);
      operation.return = this.#sequence++;
      return { known: true, revision: seen };
    }
    this.unknown++;
    return { known: false, revision: seen };
  }

  #outputOf(input: KvInput, answer: Attempt & { kind: "decided" }): KvOutput {
    const { status, headers, body } = answer;
    const allowed = input.f === "get" ? [200, 404] : [200, 201, 404, 412];
    if (!allowed.includes(status)) {
      this.#host.onViolation(`${input.f} was answered ${status}: ${body}`);
      return { status };
    }
    if (status === 404) return { status };
    const etag = headers.get("etag");
    if (status === 412) return { status };
    const record = JSON.parse(body);
    if (etag !== null && etag !== `"${record.revision}"`) {
      this.#host.onViolation(`etag ${etag} and body ${body} differ`);
    }
    const revision: number = record.revision;
    return input.f === "get" ? { status, value: record.value, revision } : { status, revision };
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#host.scheduler.schedule(delayMs, resolve));
  }

  /** One request to one node. */
  #attempt(node: SimNode, input: KvInput, idempotencyKey: string | undefined): Promise<Attempt> {
    const { scheduler } = this.#host;
    const headers: Record<string, string> = { "pontoon-timeout-ms": "1500" };
    if (idempotencyKey !== undefined) headers["idempotency-key"] = idempotencyKey;
    if (input.ifMatch !== undefined) headers["if-match"] = `"${input.ifMatch}"`;
    if (input.ifNoneMatch !== undefined) headers["if-none-match"] = "*";
    let body: string | undefined;
    if (input.f === "put" || input.f === "cas") {
      body = String(input.value);
      headers["content-type"] = "text/plain; charset=utf-8";
      headers["content-length"] = String(body.length);
    }
    const method = input.f === "get" ? "GET" : input.f === "delete" ? "DELETE" : "PUT";
    const request = new Request(`http://127.0.0.1/key/${input.key}`, {
      method,
      headers,
      body,
    });
    return new Promise((resolve) => {
      let open = true;
      const settle = (attempt: Attempt) => {
        if (!open) return;
        open = false;
        patience.cancel();
        resolve(attempt);
      };
      const patience = scheduler.schedule(PATIENCE_MS, () => settle({ kind: "unknown" }));
      scheduler.schedule(this.#delayMs(), () => {
        const life = node.life;
        const handler = life?.handler;
        // Refused: nothing listens, so nothing was received.
        if (life === undefined || handler === undefined) return settle({ kind: "none" });
        life.incarnation.onDeath(() => {
          scheduler.schedule(this.#delayMs(), () => settle({ kind: "unknown" }));
        });
        life.incarnation.run(() => {
          this.#serve(handler, request).then((attempt) => {
            scheduler.schedule(this.#delayMs(), () => settle(attempt));
          });
        });
      });
    });
  }

  async #serve(
    handler: (request: Request) => Response | Promise<Response>,
    request: Request,
  ): Promise<Attempt> {
    const response = await handler(request);
    const body = await response.text();
    const { status, headers } = response;
    // 503, 429: surely without effect. 504 and 500: nobody knows.
    if (status === 503 || status === 429) return { kind: "none" };
    if (status === 504 || status === 500) return { kind: "unknown" };
    return { kind: "decided", status, headers, body };
  }

  #delayMs(): number {
    return 0.1 + this.#random.float();
  }
}
