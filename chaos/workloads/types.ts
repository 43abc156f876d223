// What a workload is made of: calls, what their answers prove, and a run that makes calls and judges what came of
// them. Interfaces only.

import type { AnyModel, AnyNondeterministicModel, Json, Operation } from "../../checker/mod.ts";
import type { Fault, Random, SystemNode, Workload } from "../types.ts";
import type { Election } from "../observe.ts";
import type { Session } from "./session.ts";

/** What the answer to a call proves. `fail`: it did not happen. `info`: nobody knows. */
export type Outcome =
  | {
    readonly type: "ok";
    readonly output: Json;
    /** `Pontoon-Applied`: the place that the system gives it in an order of its own. */
    readonly applied?: number;
    readonly partition?: string;
  }
  | { readonly type: "fail" | "info"; readonly error: string };

/** One operation of one client, however many requests it takes. */
export interface Call {
  /** What kind of operation it is, for gates and charts. */
  readonly kind: string;
  /** In the words of the workload's model. */
  readonly input: Json;
  perform(session: Session): Promise<Outcome>;
}

/** A call as the recorder saw it. Times are milliseconds since the start of the run. */
export interface RecordedCall {
  readonly process: number;
  readonly client: number;
  /** The node that the first request went to. */
  readonly node: string;
  readonly kind: string;
  readonly input: Json;
  /** Place in the record's order. */
  readonly call: number;
  readonly atMs: number;
  /** Place in the record's order and time of the last answer; absent while it is under way. */
  return?: number;
  doneMs?: number;
  outcome?: Outcome;
  /** Requests that it took. */
  attempts: number;
}

export interface WorkloadSettings {
  readonly keys: number;
  /** Those of the cluster, as they are now. */
  readonly nodes: () => readonly SystemNode[];
  readonly random: Random;
  /** True if decided answers carry `Pontoon-Applied`. */
  readonly promisesApplied: boolean;
  /** True if a write can be repeated under an idempotency key. */
  readonly hasIdempotency: boolean;
  /** Milliseconds since the start of the run. */
  now(): number;
}

/** What a judge besides the model may look at. */
export interface Evidence {
  readonly calls: readonly RecordedCall[];
  /** Times are milliseconds since the start of the run. */
  readonly faults: readonly Fault[];
  /** Of every partition. */
  readonly elections: readonly Election[];
}

/** Something that a workload saw and that no correct system does, in a sentence. */
export interface Flaw {
  readonly message: string;
  /** Places (`call`) of the calls that show it. */
  readonly calls: readonly number[];
}

/** A workload under way. */
export interface WorkloadRun {
  readonly model: AnyModel | AnyNondeterministicModel;
  /** Done one after the other before the clients start, until each is decided. */
  readonly before: readonly Call[];
  /** What a client does next. */
  next(client: number): Call;
  /** Told of every outcome. */
  saw(call: Call, outcome: Outcome): void;
  /** Final reads, done after the last heal, until each is decided. */
  after(): readonly Call[];
  /** Something that goes on beside the clients; resolves soon after `stopped` holds. */
  beside?(stopped: () => boolean): Promise<void>;
  /** Called once after the final reads: what was going on beside the clients comes to its end. */
  finish?(): Promise<void>;
  /** Further files of the report, by name. */
  files?(): Readonly<Record<string, string>>;
  /** What goes to the checker. Default: every call that did not fail. */
  operations?(calls: readonly RecordedCall[]): Operation[];
  /** What the model can't see. */
  flaws?(evidence: Evidence): readonly Flaw[];
}

export interface WorkloadDefinition extends Workload {
  /** Kinds of calls; of each enough must succeed for a run to count. */
  readonly kinds: readonly string[];
  /** Partitions that it wants, where the system has such a thing. Default: 1. */
  readonly partitions?: number;
  start(settings: WorkloadSettings): WorkloadRun;
}
