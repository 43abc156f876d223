// Clients of a simulated cluster. They enter at the node's HTTP handler, retry as a careful client does,
// and record one operation per call: from first send to last answer, unknown where any attempt was and
// no later one under the same key was decided (RULES 14).

import type { KvInput, KvOutput, Operation, TxnInput, TxnOutput } from "../../checker/mod.ts";
import { findBankFlaw, Teller } from "./bank.ts";
import type { Scheduler } from "./clock.ts";
import { HttpClient } from "./http_client.ts";
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
  /** Partition of its keys, as its answer says. */
  readonly answeredBy: number | undefined;
}

/** By partition, the highest index that a session has seen. */
export type SessionPositions = Map<number, number>;

interface OpenCall {
  readonly plan: PlannedCall;
  readonly process: number;
  readonly call: number;
  readonly callMs: number;
  return: number | undefined;
  returnMs: number | undefined;
  output: KvOutput | TxnOutput | null;
  applied: number | undefined;
  answeredBy: number | undefined;
  /** Surely without effect: no part of the history. */
  dropped: boolean;
}

export interface ClientHost {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly nodes: readonly SimNode[];
  readonly options: SimOptions;
  /** A number above all before: the order of calls and returns. */
  nextMoment(): number;
  /** A decided answer that no client should ever see. */
  onViolation(message: string): void;
}

/** One client: what it has seen, and the session its writes belong to. */
interface Client {
  process: number;
  readonly revisions: Map<string, number>;
  readonly sessionId: string;
  sequence: number;
  readonly positions: SessionPositions;
  readonly teller: Teller;
}

export class Clients {
  readonly #host: ClientHost;
  readonly #random: SeededRandom;
  readonly #workload: Workload;
  readonly #http: HttpClient;
  readonly #calls: OpenCall[] = [];
  #processes = 0;
  #stopped = false;
  #busy = 0;
  /** What each client has seen: of its writes, and of its reads. */
  readonly sessions: SessionPositions[] = [];
  decided = 0;
  unknown = 0;

  constructor(host: ClientHost) {
    this.#host = host;
    this.#random = host.random.stream("workload");
    this.#workload = new Workload(this.#random, host.options);
    this.#http = new HttpClient(host.scheduler, this.#random);
  }

  /** Calls that are still open. */
  get busy(): number {
    return this.#busy;
  }

  /** All calls that the schedule allows have been made, and have ended. */
  get isExhausted(): boolean {
    return this.#busy === 0 && !this.#mayCall();
  }

  #mayCall(): boolean {
    return this.#calls.length < (this.#host.options.operationsMax ?? Infinity);
  }

  start(): void {
    for (let i = 0; i < this.#host.options.clients; i++) {
      const bytes = this.#random.bytes(16);
      const sessionId = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      const client = { ...this.#newClient(), sessionId };
      this.sessions.push(client.positions);
      this.#next(client);
    }
  }

  #newClient(): Client {
    return {
      process: this.#processes++,
      revisions: new Map(),
      sessionId: "",
      sequence: 0,
      positions: new Map(),
      teller: new Teller(),
    };
  }

  /** No new calls. */
  stop(): void {
    this.#stopped = true;
  }

  /** Reads every key once more, each under a process of its own. Returns how many there are. */
  readAll(): number {
    const keys = this.#workload.allKeys();
    for (const { history, key } of keys) {
      const client = this.#newClient();
      this.#busy++;
      this.#call(client, readCall(history, key)).then(() => this.#busy--);
    }
    return keys.length;
  }

  /** What was seen; calls surely without effect are left out. */
  calls(): RecordedCall[] {
    return this.#calls.filter((call) => !call.dropped).map((call) => ({
      history: call.plan.history,
      callMs: call.callMs,
      returnMs: call.returnMs,
      ttlMs: call.plan.ttlMs,
      answeredBy: call.answeredBy,
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
      if (this.#stopped || !this.#mayCall()) return;
      this.#busy++;
      this.#call(client, this.#workload.draw(client.revisions, client.teller)).then((known) => {
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
      call: this.#host.nextMoment(),
      callMs: scheduler.nowMs,
      return: undefined,
      returnMs: undefined,
      output: null,
      applied: undefined,
      answeredBy: undefined,
      dropped: false,
    };
    this.#calls.push(call);
    const keyed = this.#keyOf(client, call);
    const repeatable = plan.isRead || keyed !== undefined;
    const who = `c${call.process}`;
    trace.note(scheduler.nowMs, who, `#${call.call} ${JSON.stringify(plan.input)}`);
    let doubt = false;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      // What nobody runs any more refuses; a client that looks goes on to the next.
      const node = this.#random.pick(nodes.filter(({ retired }) => !retired));
      const { headers } = plan;
      const result = await this.#http.send(node, { ...plan, headers: { ...headers, ...keyed } });
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
      await this.#http.pause(20 + this.#random.float() * 100);
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
    call.return = this.#host.nextMoment();
    call.returnMs = this.#host.scheduler.nowMs;
    call.output = output;
    const applied = answer.headers.get("pontoon-applied");
    if (applied !== null) call.applied = Number(applied);
    else this.#host.onViolation(`a decided answer without Pontoon-Applied: ${answer.status}`);
    const partition = answer.headers.get("pontoon-partition");
    if (partition !== null) {
      call.answeredBy = Number(partition);
      advance(client.positions, call.answeredBy, call.applied ?? 0);
    }
    const { input } = call.plan;
    if (input.f === "txn") {
      client.teller.saw(input, output as TxnOutput);
      const flaw = findBankFlaw(input, output as TxnOutput);
      if (flaw !== undefined) this.#host.onViolation(flaw);
    } else if ((output as KvOutput).revision !== undefined) {
      client.revisions.set(String(input.key), (output as KvOutput).revision!);
    }
    this.decided++;
  }
}

/** The session has seen `index` of `partition`. */
export function advance(positions: SessionPositions, partition: number, index: number): void {
  positions.set(partition, Math.max(index, positions.get(partition) ?? 0));
}
