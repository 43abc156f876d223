// The verdict on what clients saw: linearizable, in the order of the applied positions too (RULES 20), and
// nothing expired early, came back, or outlived its time. Looks at answers only.

import {
  check,
  checkApplied,
  kv,
  type KvOperation,
  kvTxn,
  type KvTxnOperation,
} from "../../checker/mod.ts";
import type { RecordedCall } from "./clients.ts";
import { findReaderFlaw, readsOf, type Sights } from "./judge_readers.ts";

const CHECK_STEPS_MAX = 3_000_000;
/** Clocks go up to a tenth too fast or too slow, two of them in opposite directions. */
const DRIFT = 1.25;
/** By how much partition time may step at an election: the age of the votes that it goes by. */
const STEP_MS_MAX = 1500;
/** Until an expiry that is due must be seen, with a leader in place. */
const VISIBLE_MS_MAX = 500;

const NOTHING_SEEN: Sights = { pages: [], stale: [], watchers: [] };

export interface Judgement {
  readonly failure: { readonly invariant: string; readonly message: string } | undefined;
  /** A checker gave up within its bound. */
  readonly undecided: boolean;
}

/** What the judge must know of the run. */
export interface Circumstances {
  /** A wall clock was set back: partition time may then lag and step forward by any length. */
  readonly wallSetBack: boolean;
  /** When the last leader came to be: it goes on from the time of the last entry it found. */
  readonly lastElectionMs: number;
}

/** Judges all calls of a run that has come to its end. */
export function judge(
  calls: readonly RecordedCall[],
  circumstances: Circumstances,
  sights: Sights = NOTHING_SEEN,
): Judgement {
  const own = calls.filter(({ history }) => history === "kv")
    .map(({ operation }) => operation as KvOperation);
  const single = [...own, ...readsOf(sights, calls)];
  const options = { stepsMax: CHECK_STEPS_MAX, allowEmpty: true };
  const verdict = checkApplied(single, kv(), options);
  if (verdict.verdict === "illegal") return illegal(single, verdict);
  const joint = calls.filter(({ history }) => history === "txn")
    .map(({ operation }) => operation as KvTxnOperation);
  const txnVerdict = checkApplied(joint, kvTxn(), options);
  if (txnVerdict.verdict === "illegal") {
    return check(joint, kvTxn(), options).verdict === "illegal"
      ? illegal(joint, txnVerdict, "transactions are serializable")
      : illegal(joint, txnVerdict, "the order of applied positions is valid");
  }
  const undecided = verdict.verdict === "unknown" || txnVerdict.verdict === "unknown";
  const message = findExpiryFlaw(calls, circumstances);
  if (message !== undefined) {
    return { failure: { invariant: "expiry in time", message }, undecided };
  }
  return { failure: findReaderFlaw(sights, calls), undecided };
}

function illegal(
  history: readonly unknown[],
  verdict: {
    readonly counterexample?: {
      readonly operations: readonly number[];
      readonly explanation: string;
    };
  },
  invariant = "linearizable",
): Judgement {
  const { operations = [], explanation = "" } = verdict.counterexample ?? {};
  const seen = operations.slice(0, 40).map((i) => JSON.stringify(history[i]));
  return {
    failure: { invariant, message: `${explanation}\n${seen.join("\n")}` },
    undecided: false,
  };
}

/** A call whose answer shows that its key was there, or was not, in the order of positions. */
interface Sighting {
  readonly call: RecordedCall;
  readonly applied: number;
  readonly isWrite: boolean;
  readonly absentBefore: boolean | undefined;
}

function sightingOf(call: RecordedCall): Sighting | undefined {
  const { input, output, applied } = call.operation as KvOperation;
  const status = output?.status;
  if (applied === undefined || status === undefined) return undefined;
  const isWrite = input.f !== "get" && (status === 200 || status === 201);
  const absentBefore = status === 404 || status === 201 ? true : status === 200 ? false : undefined;
  return { call, applied, isWrite, absentBefore };
}

/** In words, a key that expired too early or stayed too long; undefined if there is none. */
export function findExpiryFlaw(
  calls: readonly RecordedCall[],
  { wallSetBack, lastElectionMs }: Circumstances,
): string | undefined {
  const byKey = Map.groupBy(
    calls.filter(({ history, operation }) =>
      history === "kv" && String((operation as KvOperation).input.key).startsWith("x")
    ),
    ({ operation }) => String((operation as KvOperation).input.key),
  );
  for (const [key, ofKey] of byKey) {
    const unknownFromMs = Math.min(
      ...ofKey.filter(({ returnMs }) => returnMs === undefined).map(({ callMs }) => callMs),
    );
    const sightings = ofKey.map(sightingOf).filter((sighting) => sighting !== undefined)
      .sort((a, b) => a.applied - b.applied || Number(b.isWrite) - Number(a.isWrite));
    let last: RecordedCall | undefined;
    for (const { call, isWrite, absentBefore } of sightings) {
      const flaw = last !== undefined && call.returnMs! < unknownFromMs
        ? flawBetween(last, call, absentBefore, wallSetBack, lastElectionMs)
        : undefined;
      if (flaw !== undefined) return `${key}: ${flaw}`;
      if (isWrite) last = call;
    }
  }
  return undefined;
}

/** What is wrong when `seen` finds what `put` left, or does not. */
function flawBetween(
  put: RecordedCall,
  seen: RecordedCall,
  absent: boolean | undefined,
  wallSetBack: boolean,
  lastElectionMs: number,
): string | undefined {
  const { ttlMs } = put;
  if (absent === true) {
    if (ttlMs === undefined) return undefined; // the model's business
    const ageMs = seen.returnMs! - put.callMs;
    if (wallSetBack || ageMs >= ttlMs / DRIFT - STEP_MS_MAX) return undefined;
    return `gone ${ageMs.toFixed(0)} ms after a put for ${ttlMs} ms`;
  }
  if (absent === false && ttlMs !== undefined) {
    const heldMs = seen.callMs - Math.max(put.returnMs!, lastElectionMs);
    if (heldMs <= ttlMs * DRIFT + VISIBLE_MS_MAX) return undefined;
    return `still there ${heldMs.toFixed(0)} ms after a put for ${ttlMs} ms`;
  }
  return undefined;
}
