// One run of one schedule: a cluster of production nodes, clients and faults; then everything is healed and
// the cluster must make progress and converge; then the clients' history is judged.

import type { NodeConfig } from "../../src/node/config.ts";
import { preloadSchemaRoutes } from "../../src/http/app.ts";
import { IDEMPOTENCY_RETENTION_MS } from "../../src/base/limits.ts";
import { banAmbient } from "./ambient.ts";
import { Clients, type RecordedCall } from "./clients.ts";
import { drainMicrotasks, Scheduler } from "./clock.ts";
import { Injector } from "./injector.ts";
import { Invariants, Violation } from "./invariants.ts";
import { judge } from "./judge.ts";
import { lastRevisions } from "./judge_readers.ts";
import { SimNetwork } from "./network.ts";
import { SeededRandom } from "./random.ts";
import { Readers } from "./readers.ts";
import { Recorder } from "./recorder.ts";
import type { SimSchedule } from "./schedule.ts";
import { ProcessEnded, SimNode } from "./sim_node.ts";
import {
  committed,
  describeNode,
  disagreement,
  haveApplied,
  isMoving,
  leaderless,
} from "./standing.ts";
import { Trace } from "./trace.ts";
import { newWatchers, type Watcher } from "./watchers.ts";

/** A seed's whole run ends by then. */
export const RUN_MS_MAX = 20_000;
/** Longer only while replicas are still being moved about, a few at a time as it should be. */
const MOVING_MS_MAX = 15_000;
/** What has to follow the last move has so long for it. */
const AFTER_MOVES_MS = 2000;
const BOOT_MS_MAX = 5000;
/** Decided answers that show that a healed cluster makes progress. */
const PROGRESS_ANSWERS = 6;
/** A healed cluster is watched for so long once it has converged. */
const CALM_MS = 1500;
/** Without an election for so long leaders count as settled. */
const SETTLED_MS = 1000;
const LEADERS_MS_MAX = 6000;
const LAST_READS_MS_MAX = 2000;
/** Small, so that a run of seconds sees segments roll. */
const SEGMENT_SIZE_BYTES = 256 * 1024;

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
  /** What happened, an event a line, if it was recorded. */
  readonly lines: readonly string[];
  readonly recorder: Recorder | undefined;
  readonly calls: readonly RecordedCall[];
}

/** Runs `schedule`. Only one at a time in a process: globals are replaced meanwhile. */
export async function runSchedule(
  schedule: SimSchedule,
  { record = false }: { readonly record?: boolean } = {},
): Promise<RunResult> {
  const run = new Run(schedule, record);
  // Loads what the platform initialises lazily, with its own clocks, before those are taken away.
  await new Response("warm").text();
  await preloadSchemaRoutes();
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
    run.recorder?.mark("failure", undefined, `${failure.invariant}: ${failure.message}`);
  } finally {
    // Promises that were rejected in the last events are reported in turns of the real event loop.
    await drainMicrotasks();
    await drainMicrotasks();
    restore();
    removeEventListener("unhandledrejection", onRejection);
  }
  const calls = run.clients.calls();
  let undecided = false;
  if (failure === undefined) {
    ({ failure, undecided } = judge(calls, run.circumstances(), run.sights()));
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
    recorder: run.recorder,
    calls,
  };
}

function describe(cause: unknown): { invariant: string; message: string } {
  if (cause instanceof Violation) return { invariant: cause.invariant, message: cause.detail };
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
  readonly readers: Readers;
  readonly watchers: readonly Watcher[];
  readonly invariants: Invariants;
  readonly injector: Injector;
  readonly recorder: Recorder | undefined;
  #elections = 0;
  #lastElectionMs = 0;
  /** When something was last seen to be moved, near the end of the run. */
  #lastMoveMs = -Infinity;

  constructor(schedule: SimSchedule, record: boolean) {
    this.schedule = schedule;
    this.trace = new Trace(record);
    const recorder = record ? new Recorder(this.scheduler) : undefined;
    this.recorder = recorder;
    const { options, seed } = schedule;
    const random = new SeededRandom(seed);
    this.network = new SimNetwork(this.scheduler, random, {
      delayMsMean: options.networkDelayMsMean,
      splitChance: options.splitChance,
      keepFrames: schedule.faults.some(({ kind }) => kind === "late-frames"),
    });
    if (recorder !== undefined) {
      this.network.onSend = (link, forward, bytes) => recorder.sent(link, forward, bytes);
    }
    const host = {
      scheduler: this.scheduler,
      network: this.network,
      random,
      trace: this.trace,
      syncDelayMsMean: options.syncDelayMsMean,
      recorder,
      onEnd: (node: SimNode, reason: string, expected: boolean) => {
        if (!expected) this.#fail("no node ends itself", `${node.name}: ${reason}`);
        else this.scheduler.schedule(100, () => node.start());
      },
    };
    const first = Array.from({ length: options.nodes - options.spares }, (_, i) => ({
      name: `n${i}`,
      peer: `n${i}:1`,
    }));
    const segmentSizeBytes = options.segmentSizeBytes ?? SEGMENT_SIZE_BYTES;
    for (let i = 0; i < options.nodes; i++) {
      const isFirst = i < first.length;
      const config: NodeConfig = {
        name: `n${i}`,
        peer: `n${i}:1`,
        http: `n${i}:80`,
        initial: isFirst ? first : [],
        join: isFirst ? [] : first.map(({ peer }) => peer),
        partitions: options.partitions,
        replication: options.replication ?? 3,
        weight: 1,
        secret: new Uint8Array(32).fill(7),
        valueSizeBytesMax: 1024 * 1024,
        dialOverrides: new Map(),
        logSizes: { segmentSizeBytes, batchSizeBytesMax: segmentSizeBytes / 2 },
        snapshotLogBytes: options.snapshotLogBytes,
        ...(options.logWindowBytes === undefined ? {} : { logWindowBytes: options.logWindowBytes }),
        deadAfterMs: options.deadAfterMs,
        requestTimeoutMs: 2000,
      };
      this.nodes.push(new SimNode(host, config));
    }
    this.invariants = new Invariants(this.nodes);
    const { scheduler, network, nodes, trace } = this;
    this.injector = new Injector({ scheduler, network, nodes, trace, recorder });
    let moments = 0;
    // Keys are kept for some minutes of partition time. Where that is behind by more, because a wall clock
    // was set back before anything was written, it makes up for it at an election, and forgets them.
    const forgets = schedule.faults.some((fault) =>
      fault.kind === "wall-jump" && fault.offsetMs <= -IDEMPOTENCY_RETENTION_MS
    );
    const clientHost = {
      scheduler,
      random,
      trace,
      nodes,
      options: forgets ? { ...options, keyedChance: 0 } : options,
      nextMoment: () => moments++,
      onViolation: (message: string) => this.#fail("answers make sense", message),
    };
    this.clients = new Clients(clientHost);
    const readerHost = { ...clientHost, sessions: this.clients.sessions };
    this.readers = new Readers(readerHost);
    this.watchers = newWatchers(readerHost);
    this.scheduler.afterEvent = () => {
      this.trace.mark(this.scheduler.nowMs, this.scheduler.eventCount);
      this.recorder?.look(this.nodes);
      this.invariants.check();
      if (this.invariants.elections !== this.#elections) {
        this.#elections = this.invariants.elections;
        this.#lastElectionMs = this.scheduler.nowMs;
      }
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

  /** What the judge must know. */
  circumstances() {
    const wallSetBack = this.schedule.faults.some((fault) =>
      fault.kind === "wall-jump" && fault.offsetMs < 0
    );
    return { wallSetBack, lastElectionMs: this.#lastElectionMs };
  }

  /** What those saw who only look. */
  sights() {
    const { readers: { pages, stale }, watchers } = this;
    return { pages, stale, watchers };
  }

  async execute(): Promise<void> {
    const { scheduler, clients, readers, watchers, injector } = this;
    const { options, faults } = this.schedule;
    for (const node of this.nodes.slice(0, options.nodes - options.spares)) node.start();
    await this.#until("the cluster is there", BOOT_MS_MAX, () => this.#allReady());
    clients.start();
    readers.start();
    for (const watcher of watchers) watcher.watch();
    for (const fault of faults) scheduler.schedule(fault.atMs, () => injector.inject(fault));
    await scheduler.runFor(options.safetyMs);
    injector.heal(this.nodes[options.lostNode]);
    const decided = clients.decided;
    // Where the clients have nothing left to ask for, the last reads have to show it.
    const reached = committed(this.nodes);
    await this.#untilEnd("progress once healed", () => {
      const isAnswered = clients.decided >= decided + PROGRESS_ANSWERS || clients.isExhausted;
      return isAnswered && this.#allReady();
    });
    // While the clients go on: who can follow a log that stands still may never catch up with one that grows.
    await this.#untilEnd("replicas catch up under load", () => haveApplied(this.nodes, reached));
    clients.stop();
    readers.stop();
    await this.#untilEnd("open calls end", () => clients.busy === 0 && readers.busy === 0);
    await this.#untilEnd("who is to leave is gone", () => this.#leaversAreGone());
    await this.#watchersCatchUp();
    let nextLookMs = scheduler.nowMs;
    await this.#untilEnd("convergence", () => {
      if (scheduler.nowMs < nextLookMs) return false;
      nextLookMs = scheduler.nowMs + 50;
      return this.invariants.unconverged() === undefined;
    });
    if (options.lostNode < 0) await this.#untilEnd("moves end", () => !isMoving(this.nodes));
    await this.#untilEnd(
      "map and configurations agree",
      () => disagreement(this.nodes) === undefined,
    );
    await this.#untilEnd("every partition is led", () => leaderless(this.nodes) === undefined);
    // However late the last move ended, leaders are evened out behind it.
    const isSettled = () => scheduler.nowMs - this.#lastElectionMs > SETTLED_MS;
    await this.#until("leaders stay", LEADERS_MS_MAX, isSettled);
    // Leaders may still be spread over the nodes, but none may lose its place (RULES 25): unless gossip
    // doubts a node, which wakes its groups and makes them look for another leader (RULES 12).
    const { unplannedElections } = this.invariants;
    const calmFromMs = scheduler.nowMs - SETTLED_MS;
    await scheduler.runFor(CALM_MS);
    const doubted = this.nodes.some((node) => node.lastSuspicionMs > calmFromMs);
    if (!doubted && this.invariants.unplannedElections !== unplannedElections) {
      const state = this.nodes.map(describeNode).join("; ");
      throw new Violation("a healed cluster keeps its leaders", state);
    }
    const { decided: answered } = clients;
    const asked = clients.readAll();
    await this.#until("the last reads", LAST_READS_MS_MAX, () => clients.busy === 0);
    // Clients don't know which nodes are not there: some have asked no other.
    const isWhole = this.nodes.every(({ life }) => life?.running !== undefined);
    if (isWhole && clients.decided < answered + asked) throw this.#stuck("some keys can't be read");
  }

  /** Every change that a client knows of reaches those who watch. */
  async #watchersCatchUp(): Promise<void> {
    const calls = this.clients.calls();
    for (const watcher of this.watchers) {
      const revisions = lastRevisions(calls, watcher.prefix);
      await this.#untilEnd("watchers are told of everything", () => {
        return [...revisions].every(([id, revision]) => watcher.reached(id) >= revision);
      });
    }
    for (const watcher of this.watchers) watcher.stop();
    await this.#untilEnd("watches end", () => this.watchers.every(({ isOver }) => isOver));
  }

  #allReady(): boolean {
    return this.nodes.every((node) => {
      if (node.retired || !node.hasStarted || this.injector.leaving.has(node)) return true;
      return node.life?.running?.node.api.ready().ready ?? false;
    });
  }

  /** Members that were told to leave have left; their processes end then. */
  #leaversAreGone(): boolean {
    for (const leaving of this.injector.leaving) {
      if (leaving.retired) continue;
      const stays = this.nodes.some((node) => {
        if (node === leaving) return false;
        const topology = node.life?.running?.node.topology;
        return topology !== undefined && topology.findMember(leaving.name) !== undefined;
      });
      if (stays) return false;
      leaving.crash();
      leaving.retired = true;
    }
    return true;
  }

  async #untilEnd(what: string, condition: () => boolean): Promise<void> {
    const endMs = RUN_MS_MAX - CALM_MS - LAST_READS_MS_MAX;
    const limitMs = Math.max(0, endMs + MOVING_MS_MAX - this.scheduler.nowMs);
    let holds = false;
    await this.#until(what, limitMs, () => {
      holds = condition();
      const { nowMs } = this.scheduler;
      if (holds || nowMs < endMs - AFTER_MOVES_MS) return holds;
      if (isMoving(this.nodes)) this.#lastMoveMs = nowMs;
      return nowMs >= Math.max(endMs, this.#lastMoveMs + AFTER_MOVES_MS);
    });
    if (!holds) throw this.#stuck(`not by ${endMs} ms: ${what}`);
  }

  async #until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    try {
      await this.scheduler.runUntil(what, limitMs, condition);
    } catch (cause) {
      if (!(cause instanceof Error) || !cause.message.startsWith("not within")) throw cause;
      throw this.#stuck(cause.message);
    }
  }

  #stuck(what: string): Violation {
    const state = this.nodes.map(describeNode);
    const unconverged = this.invariants.unconverged() ?? disagreement(this.nodes) ?? "converged";
    return new Violation("liveness", `${what}; ${state.join("; ")}; ${unconverged}`);
  }
}
