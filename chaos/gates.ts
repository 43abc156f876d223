// What a run must have seen to count: a history in which nothing succeeded, or a fault that changed nothing, proves
// nothing whatever the checker says.

import type { Fault, NodeEnd } from "./types.ts";
import type { RecordedCall } from "./workloads/types.ts";

export interface Gate {
  /** What had to be, in words. */
  readonly name: string;
  readonly passed: boolean;
  /** What was. */
  readonly detail: string;
}

/** Things that a run can be asked to have seen. */
export const EXPECTATIONS = ["leader-change", "snapshot-sent"] as const;
export type Expectation = typeof EXPECTATIONS[number];

export interface Coverage {
  readonly calls: readonly RecordedCall[];
  /** The kinds that must succeed. */
  readonly kinds: readonly string[];
  readonly faults: readonly Fault[];
  /** Nodes that ended by themselves. */
  readonly ends?: readonly NodeEnd[];
  /** The nemeses of which each must have bitten. */
  readonly nemeses: readonly string[];
  readonly elections: number;
  readonly snapshotsSent: number;
  readonly expect: readonly Expectation[];
}

/** Of each kind so many must succeed, or this share of a fair part where a run is too short for that. */
const OK_MIN = 20;
const FAIR_SHARE = 0.05;

export function okByKind(calls: readonly RecordedCall[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { kind, outcome } of calls) {
    if (outcome?.type === "ok") counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function kindGates({ calls, kinds }: Coverage): Gate[] {
  const ok = okByKind(calls);
  const least = Math.max(3, Math.min(OK_MIN, Math.ceil(calls.length * FAIR_SHARE / kinds.length)));
  return kinds.map((kind) => {
    const count = ok.get(kind) ?? 0;
    return {
      name: `at least ${least} operations of kind ${kind} succeeded`,
      passed: count >= least,
      detail: `${count} succeeded`,
    };
  });
}

function faultGate(kind: string, faults: readonly Fault[]): Gate {
  const own = faults.filter((fault) => fault.kind === kind);
  const bit = own.filter((fault) => fault.bit).length;
  return {
    name: `the nemesis ${kind} bit`,
    passed: bit > 0,
    detail: own.length === 0 ? "never struck" : `${bit} of ${own.length} faults bit`,
  };
}

/** With everything in turn a fault may come too near the end to do much; most must have done something. */
function mixGate(faults: readonly Fault[]): Gate {
  const bit = faults.filter((fault) => fault.bit).length;
  const kinds = new Set(faults.filter((fault) => fault.bit).map(({ kind }) => kind)).size;
  return {
    name: "most of all faults bit",
    passed: bit > 0 && 2 * bit >= faults.length,
    detail: `${bit} of ${faults.length} bit, of ${kinds} kinds`,
  };
}

/** What the disk of a faulty node says when it fails on purpose. */
const MADE_TO_FAIL = /\((?:injected|quota)\)/;

/** A node may end itself when its disk fails; what else makes it end is a flaw of its own, and hides others. */
function endGate(ends: readonly NodeEnd[]): Gate {
  const own = ends.filter(({ reason }) => !MADE_TO_FAIL.test(reason));
  const first = own[0];
  return {
    name: "no node ended by itself without a fault of its disk",
    passed: first === undefined,
    detail: first === undefined
      ? `${ends.length} ended for their disks' sake`
      : `${own.length} did: ${first.node}, exit code ${first.code}, ${first.reason.slice(0, 300)}`,
  };
}

/** All gates of a run, passed or not. */
export function gatesOf(coverage: Coverage): Gate[] {
  const gates = [
    ...kindGates(coverage),
    ...coverage.nemeses.map((kind) =>
      kind === "all" ? mixGate(coverage.faults) : faultGate(kind, coverage.faults)
    ),
  ];
  if (coverage.expect.includes("leader-change")) {
    // The first leader that was seen is no change.
    const changes = Math.max(0, coverage.elections - 1);
    gates.push({
      name: "the leader changed",
      passed: changes > 0,
      detail: changes === 1 ? "it changed once" : `it changed ${changes} times`,
    });
  }
  if (coverage.expect.includes("snapshot-sent")) {
    gates.push({
      name: "a snapshot was sent",
      passed: coverage.snapshotsSent > 0,
      detail: `${coverage.snapshotsSent} were sent`,
    });
  }
  if (coverage.ends !== undefined && coverage.ends.length > 0) gates.push(endGate(coverage.ends));
  return gates;
}
