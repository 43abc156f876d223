// Clients of a simulated cluster. They enter at the node's HTTP handler, retry as a careful client does,
// and record one operation per call: from first send to last answer, unknown where any attempt was and
// no later one under the same key was decided (RULES 14).

import type { KvInput, KvOutput, Operation, TxnInput, TxnOutput } from "../../checker/mod.ts";
import type { Scheduler } from "./clock.ts";
import type { SeededRandom } from "./random.ts";
import type { SimOptions } from "./schedule.ts";
import type { SimNode } from "./sim_node.ts";
import type { Trace } from "./trace.ts";
import {
  type Answer,
  type HistoryName,
  outputOf,
  type PlannedCall,
  readCall,
  Workload,
} from "./workload.ts";

const PATIENCE_MS = 3000;
const ATTEMPTS_MAX = 4;
/** The keys of transactions are of one partition; so the checker sees one state. */
const TXN_PARTITION = "t";

export type RecordedOperation = Operation<KvInput | TxnInput, KvOutput | TxnOutput | null>;

/** A call as recorded, with what the checker's models do not need. */
export interface RecordedCall {
  readonly history: HistoryName;
  readonly operation: RecordedOperation;
  readonly callMs: number;
  /** When its answer came; undefined while its outcome is unknown. */
  readonly returnMs: number | undefined;
  readonly ttlMs: number | undefined;
}

interface OpenCall {
  readonly plan: PlannedCall;
  readonly process: number;
  readonly call: number;
  readonly callMs: number;
  return: number | undefined;
  returnMs: number | undefined;
  output: KvOutput | TxnOutput | null;
  applied: number | undefined;
  /** Surely without effect: no part of the history. */
  dropped: boolean;
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
  | { readonly kind: "decided"; readonly answer: Answer }
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string };

/** One client: what it has seen, and the session its writes belong to. */
interface Client {
  process: number;
  readonly revisions: Map<string, number>;
  readonly sessionId: string;
  sequence: number;
}

export class Clients {
  readonly #host: ClientHost;
  readonly #random: SeededRandom;
  readonly #workload: Workload;
  readonly #calls: OpenCall[] = [];
  #sequence = 0;
  #processes = 0;
  #stopped = false;
  #busy = 0;
  decided = 0;
  unknown = 0;

  constructor(host: ClientHost) {
    this.#host = host;
    this.#random = host.random.stream("workload");
    this.#workload = new Workload(this.#random, host.options);
  }

  /** Calls that are still open. */
  get busy(): number {
    return this.#busy;
  }

  start(): void {
    for (let i = 0; i < this.#host.options.clients; i++) {
      const bytes = this.#random.bytes(16);
      const sessionId = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      this.#next({ process: this.#processes++, revisions: new Map(), sessionId, sequence: 0 });
    }
  }

  /** No new calls. */
  stop(): void {
    this.#stopped = true;
  }

  /** Reads every key once more, each under a process of its own. */
  readAll(): void {
    for (const { history, key } of this.#workload.allKeys()) {
      const client = {
        process: this.#processes++,
        revisions: new Map(),
        sessionId: "",
        sequence: 0,
      };
      this.#busy++;
      this.#call(client, readCall(history, key)).then(() => this.#busy--);
    }
  }

  /** What was seen; calls surely without effect are left out. */
  calls(): RecordedCall[] {
    return this.#calls.filter((call) => !call.dropped).map((call) => ({
      history: call.plan.history,
      callMs: call.callMs,
      returnMs: call.returnMs,
      ttlMs: call.plan.ttlMs,
      operation: {
        process: call.process,
        call: call.call,
        return: call.return,
        input: call.plan.input,
        output: call.output,
        ...(call.applied === undefined ? {} : { applied: call.applied }),
        ...(call.plan.history === "txn" ? { partition: TXN_PARTITION } : {}),
      },
    }));
  }

  #next(client: Client): void {
    const { scheduler, options } = this.#host;
    const meanMs = 1000 * options.clients / options.operationsPerSecond;
    scheduler.schedule(this.#random.between(0, 2 * meanMs), () => {
      const limit = options.operationsMax ?? Infinity;
      if (this.#stopped || this.#calls.length >= limit) return;
      this.#busy++;
      this.#call(client, this.#workload.draw(client.revisions)).then((known) => {
        this.#busy--;
        if (!known) client.process = this.#processes++;
        this.#next(client);
      });
    });
  }

  /** True if its outcome is known. */
  async #call(client: Client, plan: PlannedCall): Promise<boolean> {
    const { scheduler, nodes, trace } = this.#host;
    const call: OpenCall = {
      plan,
      process: client.process,
      call: this.#sequence++,
      callMs: scheduler.nowMs,
      return: undefined,
      returnMs: undefined,
      output: null,
      applied: undefined,
      dropped: false,
    };
    this.#calls.push(call);
    const keyed = this.#keyOf(client, call);
    const repeatable = plan.isRead || keyed !== undefined;
    const who = `c${call.process}`;
    trace.note(scheduler.nowMs, who, `#${call.call} ${JSON.stringify(plan.input)}`);
    let doubt = false;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const node = this.#random.pick(nodes);
      const result = await this.#attempt(node, plan, keyed);
      const told = result.kind === "decided"
        ? `${result.answer.status} ${result.answer.body.slice(0, 80)}`
        : `${result.kind} (${result.reason})`;
      trace.note(scheduler.nowMs, who, `#${call.call} ${node.name} -> ${told}`);
      if (result.kind === "decided") {
        this.#decide(client, call, result.answer);
        return true;
      }
      if (result.kind === "unknown") doubt = true;
      if (!repeatable && doubt) break;
      await this.#pause(20 + this.#random.float() * 100);
    }
    if (plan.isRead || !doubt) {
      call.dropped = true;
      return true;
    }
    this.unknown++;
    return false;
  }

  /** The header that makes a write repeatable, if it shall be. */
  #keyOf(client: Client, { plan, call }: OpenCall): Readonly<Record<string, string>> | undefined {
    const { keyedChance, sessionChance } = this.#host.options;
    if (plan.isRead || !this.#random.chance(keyedChance)) return undefined;
    if (!this.#random.chance(sessionChance)) return { "idempotency-key": `op-${call}` };
    // One call at a time: whatever came before is answered or given up.
    const sequence = ++client.sequence;
    return { "pontoon-session": `${client.sessionId};seq=${sequence};ack=${sequence - 1}` };
  }

  #decide(client: Client, call: OpenCall, answer: Answer): void {
    const output = outputOf(call.plan, answer);
    if (typeof output === "string") return this.#host.onViolation(output);
    call.return = this.#sequence++;
    call.returnMs = this.#host.scheduler.nowMs;
    call.output = output;
    const applied = answer.headers.get("pontoon-applied");
    if (applied !== null) call.applied = Number(applied);
    else this.#host.onViolation(`a decided answer without Pontoon-Applied: ${answer.status}`);
    const { input } = call.plan;
    if (input.f !== "txn" && output.revision !== undefined) {
      client.revisions.set(String(input.key), output.revision);
    }
    this.decided++;
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#host.scheduler.schedule(delayMs, resolve));
  }

  /** One request to one node. */
  #attempt(
    node: SimNode,
    { method, path, headers, body }: PlannedCall,
    keyed: Readonly<Record<string, string>> | undefined,
  ): Promise<Attempt> {
    const { scheduler } = this.#host;
    const request = new Request(`http://localhost${path}`, {
      method,
      headers: { "pontoon-timeout-ms": "1500", ...headers, ...keyed },
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
      const lost = (reason: string) => settle({ kind: "unknown", reason });
      const patience = scheduler.schedule(PATIENCE_MS, () => lost("no answer"));
      scheduler.schedule(this.#delayMs(), () => {
        const life = node.life;
        const handler = life?.handler;
        // Refused: nothing listens, so nothing was received.
        if (life === undefined || handler === undefined) {
          return settle({ kind: "none", reason: "refused" });
        }
        life.incarnation.onDeath(() => {
          if (open) scheduler.schedule(this.#delayMs(), () => lost("connection lost"));
        });
        life.incarnation.run(() => {
          serve(handler, request).then((attempt) => {
            scheduler.schedule(this.#delayMs(), () => settle(attempt));
          });
        });
      });
    });
  }

  #delayMs(): number {
    return 0.1 + this.#random.float();
  }
}

async function serve(
  handler: (request: Request) => Response | Promise<Response>,
  request: Request,
): Promise<Attempt> {
  const response = await handler(request);
  const body = await response.text();
  const { status, headers } = response;
  // 503, 429: surely without effect. 504 and 500: nobody knows.
  if (status === 503 || status === 429) return { kind: "none", reason: String(status) };
  if (status === 504 || status === 500) return { kind: "unknown", reason: String(status) };
  return { kind: "decided", answer: { status, headers, body } };
}
