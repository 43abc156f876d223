// One run of one schedule: a cluster of production nodes, clients and faults; then everything is healed and
// the cluster must make progress and converge; then the clients' history is judged.

import { check, kv } from "../../checker/mod.ts";
import type { NodeConfig } from "../../src/node/config.ts";
import { banAmbient } from "./ambient.ts";
import { Clients, type RecordedOperation } from "./clients.ts";
import { drainMicrotasks, Scheduler } from "./clock.ts";
import { Invariants, Violation } from "./invariants.ts";
import { SimNetwork } from "./network.ts";
import { SeededRandom } from "./random.ts";
import type { Fault, SimSchedule } from "./schedule.ts";
import { ProcessEnded, SimNode } from "./sim_node.ts";
import { Trace } from "./trace.ts";

const BOOT_MS_MAX = 5000;
/** Long enough to replace the replicas of a wiped node. */
const HEAL_MS_MAX = 12_000;
/** A healed cluster in which no leader may change. */
const CALM_MS = 1500;
/** Small, so that a run of seconds sees segments roll. */
/** Small enough that a run of seconds takes and ships snapshots. */
const SNAPSHOT_LOG_BYTES = 48 * 1024;
const LOG_SIZES = { segmentSizeBytes: 256 * 1024, batchSizeBytesMax: 128 * 1024 };
const CHECK_STEPS_MAX = 3_000_000;

export interface RunResult {
  readonly seed: number;
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly events: number;
  readonly operations: number;
  readonly unknown: number;
  readonly elections: number;
  /** The checker gave up within its bound. */
  readonly undecided: boolean;
  readonly failure: { readonly invariant: string; readonly message: string } | undefined;
  /** The last of what happened, if asked for. */
  readonly lines: readonly string[];
  readonly history: readonly RecordedOperation[];
}

/** Runs `schedule`. Only one at a time in a process: globals are replaced meanwhile. */
export async function runSchedule(
  schedule: SimSchedule,
  keepLines = false,
): Promise<RunResult> {
  const run = new Run(schedule, keepLines);
  // Loads what the platform initialises lazily, with its own clocks, before those are taken away.
  await new Response("warm").text();
  const restore = banAmbient();
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    run.rejected(event.reason);
  };
  addEventListener("unhandledrejection", onRejection);
  let failure: RunResult["failure"];
  try {
    await run.execute();
    await drainMicrotasks();
  } catch (cause) {
    failure = describe(cause);
  } finally {
    restore();
    removeEventListener("unhandledrejection", onRejection);
  }
  const history = run.clients.history();
  let undecided = false;
  if (failure === undefined) {
    const verdict = check(history, kv(), { stepsMax: CHECK_STEPS_MAX, allowEmpty: true });
    undecided = verdict.verdict === "unknown";
    if (verdict.verdict === "illegal") {
      failure = { invariant: "linearizable", message: verdictText(verdict) };
    }
  }
  return {
    seed: schedule.seed,
    traceHash: run.trace.hash,
    simulatedMs: run.scheduler.nowMs,
    events: run.scheduler.eventCount,
    operations: run.clients.decided,
    unknown: run.clients.unknown,
    elections: run.invariants.elections,
    undecided,
    failure,
    lines: run.trace.lines,
    history,
  };
}

function verdictText(verdict: unknown): string {
  return JSON.stringify(verdict, (_, value) => ArrayBuffer.isView(value) ? undefined : value)
    .slice(0, 4000);
}

function describe(cause: unknown): { invariant: string; message: string } {
  if (cause instanceof Violation) return { invariant: cause.invariant, message: cause.message };
  const message = cause instanceof Error ? cause.stack ?? cause.message : String(cause);
  return { invariant: "no exception", message };
}

class Run {
  readonly schedule: SimSchedule;
  readonly scheduler = new Scheduler();
  readonly trace: Trace;
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly clients: Clients;
  readonly invariants: Invariants;
  #healed = false;

  constructor(schedule: SimSchedule, keepLines: boolean) {
    this.schedule = schedule;
    this.trace = new Trace(keepLines);
    const { options, seed } = schedule;
    const random = new SeededRandom(seed);
    this.network = new SimNetwork(this.scheduler, random, {
      delayMsMean: options.networkDelayMsMean,
    });
    const host = {
      scheduler: this.scheduler,
      network: this.network,
      random,
      trace: this.trace,
      syncDelayMsMean: options.syncDelayMsMean,
      onEnd: (node: SimNode, reason: string, expected: boolean) => {
        if (!expected) this.#fail("no node ends itself", `${node.name}: ${reason}`);
        else this.scheduler.schedule(100, () => node.start());
      },
    };
    const initial = Array.from({ length: options.nodes }, (_, i) => ({
      name: `n${i}`,
      peer: `n${i}:1`,
    }));
    for (const { name, peer } of initial) {
      const config: NodeConfig = {
        name,
        peer,
        http: `${name}:80`,
        initial,
        join: [],
        partitions: options.partitions,
        replication: 3,
        weight: 1,
        secret: new Uint8Array(32).fill(7),
        valueSizeBytesMax: 1024 * 1024,
        dialOverrides: new Map(),
        logSizes: LOG_SIZES,
        snapshotLogBytes: SNAPSHOT_LOG_BYTES,
        deadAfterMs: 2000,
        requestTimeoutMs: 2000,
      };
      this.nodes.push(new SimNode(host, config));
    }
    this.invariants = new Invariants(this.nodes);
    this.clients = new Clients({
      scheduler: this.scheduler,
      random,
      trace: this.trace,
      nodes: this.nodes,
      options,
      onViolation: (message) => this.#fail("answers make sense", message),
    });
    this.scheduler.afterEvent = () => {
      this.trace.mark(this.scheduler.nowMs, this.scheduler.eventCount);
      this.invariants.check();
    };
  }

  #fail(invariant: string, message: string): void {
    this.invariants.pending ??= new Violation(invariant, message);
  }

  /** A promise of the code under test was rejected and nobody looked. */
  rejected(reason: unknown): void {
    if (reason instanceof ProcessEnded) return;
    const text = reason instanceof Error ? reason.stack ?? reason.message : String(reason);
    // What a dead process still tries is nobody's business.
    if (text.includes("this incarnation has ended")) return;
    this.#fail("no unhandled rejection", text);
  }

  async execute(): Promise<void> {
    const { scheduler, clients, schedule } = this;
    for (const node of this.nodes) scheduler.schedule(0, () => node.start());
    await this.#until("the cluster is there", BOOT_MS_MAX, () => this.#allReady());
    clients.start();
    for (const fault of schedule.faults) {
      scheduler.schedule(fault.atMs, () => {
        if (!this.#healed) this.#inject(fault);
      });
    }
    await scheduler.runFor(schedule.options.safetyMs);
    this.#heal();
    const decided = clients.decided;
    await this.#until(
      "progress once healed",
      HEAL_MS_MAX,
      () => this.#allReady() && clients.decided > decided + 5,
    );
    // Balancing may still move leaders that faults had piled up; then calm must be lasting.
    clients.stop();
    await this.#until("open calls end", HEAL_MS_MAX, () => clients.busy === 0);
    let nextLookMs = scheduler.nowMs;
    await this.#until("convergence", HEAL_MS_MAX, () => {
      if (scheduler.nowMs < nextLookMs) return false;
      nextLookMs = scheduler.nowMs + 50;
      return this.invariants.unconverged() === undefined;
    });
    await scheduler.runFor(CALM_MS);
  }

  #allReady(): boolean {
    return this.nodes.every((node) => node.life?.running?.node.ready().ready ?? false);
  }

  async #until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    try {
      await this.scheduler.runUntil(what, limitMs, condition);
    } catch (cause) {
      if (!(cause instanceof Error) || !cause.message.startsWith("not within")) throw cause;
      const state = this.nodes.map((node) => {
        const running = node.life?.running;
        return `${node.name}: ${
          running === undefined ? "does not run" : running.node.ready().reason
        }`;
      });
      throw new Violation("liveness", `${cause.message}; ${state.join("; ")}`);
    }
  }

  #heal(): void {
    this.#healed = true;
    this.trace.note(this.scheduler.nowMs, "sim", "healed");
    this.network.healAll();
    for (const node of this.nodes) {
      node.healFaults();
      node.start();
    }
  }

  #after(delayMs: number, action: () => void): void {
    this.scheduler.schedule(delayMs, action);
  }

  #inject(fault: Fault): void {
    const { nodes, network } = this;
    this.trace.note(this.scheduler.nowMs, "fault", JSON.stringify(fault));
    const name = (node: number) => nodes[node].name;
    switch (fault.kind) {
      case "crash":
        nodes[fault.node].crash();
        return this.#after(fault.downMs, () => nodes[fault.node].start());
      case "power-cut":
        nodes[fault.node].powerCut(fault.silent);
        return this.#after(fault.downMs, () => nodes[fault.node].start());
      case "wipe":
        nodes[fault.node].wipe();
        return this.#after(fault.downMs, () => nodes[fault.node].start());
      case "crash-all":
        for (const node of nodes) {
          if (fault.power) node.powerCut(true);
          else node.crash();
        }
        return this.#after(fault.downMs, () => nodes.forEach((node) => node.start()));
      case "stop":
        return nodes[fault.node].stop(() => {
          this.#after(fault.downMs, () => nodes[fault.node].start());
        });
      case "pause": {
        const paused = nodes[fault.node].life?.incarnation;
        paused?.pause();
        return this.#after(fault.durationMs, () => paused?.resume());
      }
      case "partition": {
        const left = fault.left.map(name);
        const right = nodes.map((node) => node.name).filter((other) => !left.includes(other));
        network.partition(left, right);
        return this.#after(fault.durationMs, () => {
          for (const a of left) {
            for (const b of right) {
              network.heal(a, b);
              network.heal(b, a);
            }
          }
        });
      }
      case "one-way": {
        const [from, to] = [name(fault.from), name(fault.to)];
        network.dropPackets(from, to);
        return this.#after(fault.durationMs, () => {
          network.heal(from, to);
          network.heal(to, from);
        });
      }
      case "clog":
        return network.clog(name(fault.from), name(fault.to), fault.durationMs);
      case "reset":
        return network.reset(name(fault.from), name(fault.to));
      case "wall-jump":
        return nodes[fault.node].jumpWall(fault.offsetMs);
      case "clock-rate":
        return nodes[fault.node].setRate(fault.rate);
      case "slow-sync":
        return nodes[fault.node].slowSyncs(fault.delayMs, fault.durationMs);
      case "sync-failure":
        return nodes[fault.node].failNextSync();
      case "snapshot":
        for (const hosted of nodes[fault.node].life?.running?.node.hosting?.all() ?? []) {
          if (hosted.kind !== "suspect") hosted.replica.wantSnapshot();
        }
        return;
      case "transfer":
        return this.#transferAll(name(fault.to));
    }
  }

  /** Every leader is told to hand over to `to`. */
  #transferAll(to: string): void {
    for (const { life } of this.nodes) {
      const node = life?.running?.node;
      if (life === undefined || node === undefined) continue;
      life.incarnation.run(() => {
        for (const { partition } of node.hosting?.all() ?? []) {
          node.transferLeadership(partition, to, { forward: "never", timeoutMs: 1000 });
        }
      });
    }
  }
}
