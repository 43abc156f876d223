// The workloads by name.

import { appendWorkload } from "./append.ts";
import { bankWorkload } from "./bank.ts";
import { casRegister, kvWorkload, register } from "./registers.ts";
import { scanWorkload } from "./scan.ts";
import { setWorkload } from "./set.ts";
import { ttlWorkload } from "./ttl.ts";
import { txnWorkload } from "./txn.ts";
import type { WorkloadDefinition } from "./types.ts";
import { watchWorkload } from "./watch.ts";

export const WORKLOADS: readonly WorkloadDefinition[] = [
  register,
  casRegister,
  kvWorkload,
  setWorkload,
  appendWorkload,
  bankWorkload,
  txnWorkload,
  ttlWorkload,
  scanWorkload,
  watchWorkload,
];

export function workloadNamed(name: string): WorkloadDefinition {
  const found = WORKLOADS.find((workload) => workload.name === name);
  if (found === undefined) throw new Error(`Cannot find a workload named ${name}`);
  return found;
}
