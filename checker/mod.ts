// knossos-ts: a linearizability checker. This file only re-exports.

export {
  type EventType,
  type FailMeaning,
  HistoryError,
  type HistoryEvent,
  isKnown,
  type Json,
  type Operation,
  type PartitionKey,
  type ProcessId,
} from "./history/types.ts";
export { OperationBuilder, operationsFrom, validateOperations } from "./history/operations.ts";
export {
  detectFormat,
  type Format,
  FORMATS,
  HistoryReader,
  type ParsedHistory,
  parseHistory,
  type ParseOptions,
} from "./history/parse.ts";
export {
  type AnyModel,
  type AnyNondeterministicModel,
  determinize,
  type Model,
  type NondeterministicModel,
  type RegisterAccess,
} from "./models/model.ts";
export {
  MODEL_NAMES,
  modelNamed,
  type ModelReference,
  parseLooseJson,
  parseModelReference,
} from "./models/registry.ts";
export { type CellName, type CellsSpec, overCells } from "./models/cells.ts";
export { appendKv, appendKvWhole } from "./models/append_kv.ts";
export { fifoQueue, mutex, set } from "./models/collections.ts";
export { kv, type KvInput, type KvOperation, type KvOutput } from "./models/kv.ts";
export {
  kvTxn,
  type KvTxnOperation,
  type TxnCompare,
  type TxnInput,
  type TxnOutput,
  type TxnStep,
  type TxnStepResult,
} from "./models/kv_txn.ts";
export { multiRegister } from "./models/multi_register.ts";
export { casRegister, register } from "./models/register.ts";
export { check, type CheckOptions, type Progress } from "./check.ts";
export { findFlaw, type Flaw } from "./search/verify.ts";
export { describeOperation } from "./verdict/explain.ts";
export type {
  Counterexample,
  Method,
  PartitionVerdict,
  Verdict,
  VerdictKind,
} from "./verdict/types.ts";
export { checkParallel, type ParallelOptions } from "./workers/parallel.ts";
export type {
  AnyModelReference,
  ModuleModelReference,
  WorkerHandle,
  WorkerRequest,
  WorkerResponse,
} from "./workers/protocol.ts";
export { spawnWorker } from "./workers/spawn.ts";
export { type PageOptions, renderPage } from "./html/page.ts";
export {
  checkWatch,
  type WatchedEvent,
  type WatchedWrite,
  type WatchFlaw,
  type WatchFlawKind,
  type WatchOptions,
  type WatchPosition,
  type WatchSession,
} from "./watch/check.ts";
export { checkApplied } from "./applied.ts";
