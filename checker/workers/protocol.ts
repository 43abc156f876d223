// What a checking thread is told and what it answers. Plain data only: functions don't travel, so a model
// goes by name, or by the module that exports it.

import type { CheckOptions, Progress } from "../check.ts";
import type { Json, Operation } from "../history/types.ts";
import type { ModelReference } from "../models/registry.ts";
import type { Verdict } from "../verdict/types.ts";

/** A model of one's own: `export` of the module at `module` makes it from `init`. */
export interface ModuleModelReference {
  readonly module: string;
  readonly export: string;
  readonly init?: Json;
}

export type AnyModelReference = ModelReference | ModuleModelReference;

export interface WorkerRequest {
  readonly model: AnyModelReference;
  readonly operations: readonly Operation[];
  readonly options: Omit<CheckOptions, "clock" | "onProgress">;
}

export type WorkerResponse =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  | { readonly kind: "error"; readonly message: string };

/** What the pool needs of a thread; Deno's, a browser's and Node's fit behind it. */
export interface WorkerHandle {
  send(request: WorkerRequest): void;
  /** Called for every answer; an answer of kind `error` also when the thread dies. */
  onResponse(listener: (response: WorkerResponse) => void): void;
  terminate(): void;
}
