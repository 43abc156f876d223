// One run: start, drive, break, heal, look once more, stop, judge, report. Leaves no process behind, whatever
// happens; an error of the bench itself makes the verdict unknown, never good.

import { fill } from "./filler.ts";
import { type Gate, gatesOf } from "./gates.ts";
import { HistoryFile } from "./history_file.ts";
import { judgeInThread, type Judgement } from "./judge.ts";
import { mutantNamed, MutantTree } from "./mutants/tree.ts";
import {
  brokenInvariants,
  damagesFiles,
  readNodeLogs,
  snapshotsSent,
  unexplainedDamage,
} from "./node_logs.ts";
import { fitting, needsOf, nemesesNamed, runNemeses } from "./nemeses/mod.ts";
import { type Election, type LeaderSpan, Observer } from "./observe.ts";
import { bounded } from "./bounded.ts";
import { commandOf, runName, type RunOptions } from "./options.ts";
import { outcomeOf, type Valid } from "./outcome.ts";
import { seededRandom } from "./random.ts";
import { writeReport } from "./report/write.ts";
import { createSystem } from "./systems/mod.ts";
import type { Fault, Nemesis, NodeEnd, System } from "./types.ts";
import { benchVersions } from "./versions.ts";
import { Clients } from "./workloads/clients.ts";
import { workloadNamed } from "./workloads/mod.ts";
import { Recorder } from "./workloads/recorder.ts";
import type { RecordedCall, WorkloadRun } from "./workloads/types.ts";

/** Everything that a run found out. Times are milliseconds since clients started. */
export interface RunRecord {
  readonly name: string;
  readonly options: RunOptions;
  readonly command: string;
  readonly startedAt: string;
  readonly elapsedMs: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly nodes: readonly string[];
  readonly calls: readonly RecordedCall[];
  readonly counts: Recorder["counts"];
  readonly faults: readonly Fault[];
  readonly elections: readonly Election[];
  readonly spans: readonly LeaderSpan[];
  readonly snapshotsSent: number;
  readonly gates: readonly Gate[];
  readonly judgement: Judgement;
  /** Further files of the report, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly interrupted: boolean;
  /** What went wrong with the bench, or with a system that did not come back. */
  readonly problem?: string;
  readonly valid: Valid;
  /** Why, in a few words. */
  readonly reason: string;
}

/** What can be seen of a run while it goes on. */
export interface RunView {
  readonly name: string;
  readonly options: RunOptions;
  readonly phase: string;
  /** Since clients started; 0 before. */
  readonly elapsedMs: number;
  readonly counts: Recorder["counts"];
  readonly calls: readonly RecordedCall[];
  readonly faults: readonly Fault[];
  readonly leader: string | undefined;
  readonly term: number;
  readonly elections: number;
}

export interface RunHooks {
  /** The report's directory; emptied. */
  readonly out: string;
  /** Ends the run early: it heals, stops everything and still reports. */
  readonly signal?: AbortSignal;
  /** Told once, before anything is started. */
  readonly onStart?: (view: RunView) => void;
}

const HEAL_TIMEOUT_MS = 40_000;
const BEFORE_TIMEOUT_MS = 20_000;
const AFTER_TIMEOUT_MS = 30_000;
/** The smallest that a node takes: the log is soon cut, and who was away needs a snapshot. */
const SNAPSHOT_FLAGS = ["--snapshot-log-bytes", "1048576"];

class Run implements RunView {
  readonly name: string;
  readonly options: RunOptions;
  readonly faults: Fault[] = [];
  phase = "starting the system";
  readonly #out: string;
  readonly #signal: AbortSignal | undefined;
  readonly #history: HistoryFile;
  readonly #recorder: Recorder;
  readonly #workload;
  readonly #nemeses: readonly Nemesis[];
  readonly #startedAt = new Date().toISOString();
  #originMs = performance.now();
  #observer: Observer | undefined;
  #run: WorkloadRun | undefined;
  #versions: Readonly<Record<string, string>> = {};
  #nodes: readonly string[] = [];
  #ends: readonly NodeEnd[] = [];
  #promisesApplied = false;
  #endedMs = 0;

  constructor(options: RunOptions, hooks: RunHooks) {
    this.options = options;
    this.name = runName(options);
    this.#out = hooks.out;
    this.#signal = hooks.signal;
    this.#history = new HistoryFile(`${hooks.out}/history.ndjson`);
    this.#recorder = new Recorder(() => this.#now(), (line) => this.#history.write(line));
    this.#workload = workloadNamed(options.workload);
    this.#nemeses = nemesesNamed(options.nemeses);
  }

  get elapsedMs(): number {
    return this.#run === undefined ? 0 : this.#now();
  }

  get counts(): Recorder["counts"] {
    return this.#recorder.counts;
  }

  get calls(): readonly RecordedCall[] {
    return this.#recorder.calls;
  }

  get leader(): string | undefined {
    return this.#observer?.leader?.name;
  }

  get term(): number {
    return this.#observer?.term ?? 0;
  }

  get elections(): number {
    return this.#observer?.elections.length ?? 0;
  }

  #now(): number {
    return performance.now() - this.#originMs;
  }

  async go(): Promise<RunRecord> {
    let problem: string | undefined;
    const tree = this.#mutantTree();
    try {
      const system = await this.#system(tree);
      try {
        await this.#drive(system);
      } finally {
        this.phase = "stopping the system";
        this.#endedMs = this.#now();
        this.#ends = [...system.ends];
        await system.stop();
      }
    } catch (cause) {
      problem = cause instanceof Error ? cause.message : String(cause);
    } finally {
      this.#history.close();
      tree?.remove();
    }
    this.phase = "checking";
    return await this.#conclude(problem);
  }

  /** A copy of Pontoon with the bug that was asked for. */
  #mutantTree(): MutantTree | undefined {
    const { mutant } = this.options;
    if (mutant === undefined) return undefined;
    const tree = MutantTree.create();
    tree.become(mutantNamed(mutant));
    return tree;
  }

  #system(tree: MutantTree | undefined): Promise<System> {
    const { proxy, faulty, spares } = needsOf(this.#nemeses);
    return createSystem({
      name: this.options.system,
      nodes: this.options.nodes,
      seed: this.options.seed,
      dir: `${this.#out}/nodes`,
      net: this.options.net === "netns" ? "netns" : proxy ? "proxy" : "none",
      faulty,
      spares,
      ...(tree === undefined ? {} : { root: `${tree.folder}/` }),
      flags: [
        ...["--partitions", String(this.#workload.partitions ?? 1)],
        ...(this.options.expect.includes("snapshot-sent") ? SNAPSHOT_FLAGS : []),
      ],
    });
  }

  /** `all` is what the system can bear; what was asked for by name it must bear. */
  #bearable(system: System): readonly Nemesis[] {
    const { can, cannot } = fitting(this.#nemeses, system.abilities);
    const missing = cannot.find(({ name }) => this.options.nemeses.includes(name));
    if (missing !== undefined) {
      throw new Error(
        `${system.name} can't be broken by ${missing.name}: that needs ${missing.needs.join(", ")}`,
      );
    }
    return can;
  }

  async #drive(system: System): Promise<void> {
    const { options } = this;
    const lacking = this.#workload.needs.filter((feature) => !system.features.has(feature));
    if (lacking.length > 0) {
      throw new Error(
        `${system.name} has no ${lacking.join(", ")}, which ${options.workload} needs`,
      );
    }
    const { mutant } = options;
    this.#versions = {
      ...await system.versions(),
      ...await benchVersions(),
      ...(mutant === undefined ? {} : { mutant }),
    };
    await system.start();
    const nemeses = this.#bearable(system);
    this.#nodes = system.nodes.map(({ name }) => name);
    this.#promisesApplied = system.features.has("applied");
    const random = seededRandom(options.seed);
    this.#originMs = performance.now();
    const run = this.#workload.start({
      keys: options.keys,
      nodes: () => system.nodes,
      random,
      promisesApplied: this.#promisesApplied,
      hasIdempotency: system.features.has("idempotency"),
      now: () => this.#now(),
    });
    this.#run = run;
    this.#observer = new Observer(system, () => this.#now());
    let watching = true;
    const watched = this.#observer.watch(() => !watching);
    try {
      await this.#disturb(system, run, nemeses);
    } finally {
      watching = false;
      await watched;
    }
  }

  /** Everything that happens while clients are about. */
  async #disturb(
    system: System,
    run: WorkloadRun,
    nemeses: readonly Nemesis[],
  ): Promise<void> {
    const { options } = this;
    let failed = false;
    let endMs = Infinity;
    const stopped = () => failed || this.#signal?.aborted === true || this.#now() >= endMs;
    const clients = new Clients(
      {
        nodes: () => system.nodes,
        concurrency: options.concurrency,
        rate: options.rate,
        habit: options.clients,
        random: seededRandom(options.seed + 1),
        runId: `chaos-${options.seed}-${Date.now()}`,
        stopped,
        leader: () => this.#observer?.leader,
      },
      run,
      this.#recorder,
    );
    this.phase = "preparing";
    await clients.decide(run.before, "the first calls are decided", BEFORE_TIMEOUT_MS);
    this.phase = "running";
    endMs = this.#now() + options.timeLimitMs;
    const orStop = <T>(part: Promise<T> | undefined) =>
      part?.catch((cause) => {
        failed = true;
        throw cause;
      });
    const broken = runNemeses({
      nemeses,
      system,
      random: seededRandom(options.seed + 2),
      stopped,
      onFault: (fault, place) => {
        this.faults[place] = fault;
        this.#recorder.fault(fault, fault.untilMs === Infinity ? "start" : "heal");
      },
    });
    const filling = options.expect.includes("snapshot-sent")
      ? fill(() => system.nodes, seededRandom(options.seed + 3), stopped)
      : undefined;
    const parts = await Promise.allSettled([
      orStop(bounded(filling, "the filler", stopped)),
      orStop(bounded(clients.drive(), "the clients", stopped)),
      orStop(bounded(run.beside?.(stopped), "what goes on beside the clients", stopped)),
      orStop(bounded(broken, "the last heal", stopped)),
    ]);
    for (const part of parts) if (part.status === "rejected") throw part.reason;
    if (this.#signal?.aborted) return;
    this.phase = "healing";
    await system.ready(HEAL_TIMEOUT_MS);
    this.phase = "final reads";
    await clients.decide(run.after(), "the final reads are answered", AFTER_TIMEOUT_MS);
    await run.finish?.();
  }

  async #conclude(problem: string | undefined): Promise<RunRecord> {
    const faults = this.faults.map((fault) => ({
      ...fault,
      atMs: fault.atMs - this.#originMs,
      untilMs: Math.min(fault.untilMs - this.#originMs, this.#endedMs),
    }));
    const { calls } = this.#recorder;
    const elections = this.#observer?.elections ?? [];
    const logs = readNodeLogs(`${this.#out}/nodes`);
    const sent = snapshotsSent(logs);
    const run = this.#run ?? this.#workload.start({
      keys: this.options.keys,
      nodes: () => [],
      random: seededRandom(this.options.seed),
      promisesApplied: false,
      hasIdempotency: false,
      now: () => 0,
    });
    const judged = await judgeInThread(
      run,
      { calls, faults, elections: this.#observer?.allElections ?? [] },
      this.#promisesApplied,
      this.options.workload,
      () => this.#signal?.aborted === true,
    );
    const interrupted = this.#signal?.aborted === true;
    // A bench that failed, or was stopped, in the midst of a damage has not recorded it.
    const isCut = interrupted || problem !== undefined;
    const damage = isCut && this.options.nemeses.some(damagesFiles)
      ? []
      : unexplainedDamage(logs, faults);
    const flaws = [...judged.flaws, ...damage, ...brokenInvariants(logs)];
    const judgement = { ...judged, flaws };
    const gates = gatesOf({
      calls,
      kinds: this.#workload.kinds,
      faults,
      ends: this.#ends,
      nemeses: this.options.nemeses,
      elections: elections.length,
      snapshotsSent: sent,
      expect: this.options.expect,
    });
    return {
      name: this.name,
      options: this.options,
      command: commandOf(this.options),
      startedAt: this.#startedAt,
      elapsedMs: this.#endedMs,
      versions: this.#versions,
      nodes: this.#nodes,
      calls,
      counts: this.counts,
      faults,
      elections,
      spans: this.#observer?.spans ?? [],
      snapshotsSent: sent,
      gates,
      judgement,
      files: run.files?.() ?? {},
      interrupted,
      ...(problem === undefined ? {} : { problem }),
      ...outcomeOf(judgement, gates, interrupted, problem),
    };
  }
}

/** Removes what an earlier run left there. */
function emptied(dir: string): void {
  try {
    Deno.removeSync(dir, { recursive: true });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  Deno.mkdirSync(dir, { recursive: true });
}

/** Does one run and writes its report to `hooks.out`. */
export async function run(options: RunOptions, hooks: RunHooks): Promise<RunRecord> {
  emptied(hooks.out);
  const one = new Run(options, hooks);
  hooks.onStart?.(one);
  const record = await one.go();
  one.phase = "writing the report";
  writeReport(record, hooks.out);
  return record;
}
