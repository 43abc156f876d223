// What a report's page shows, worked out beforehand: the page itself knows neither models nor systems. Calls are
// columns, because there are many.

import { nemesesText } from "../options.ts";
import type { RunRecord } from "../run.ts";
import { counted, number, seconds, subjectOf, titleOf, verdictWord } from "./words.ts";
import type { RunResults } from "./write.ts";

/** Texts of single operations are left out beyond so many: the page stays light enough to mail. */
const TEXTS_MAX = 40_000;

/** More marked calls than this would hide the rest. */
const MARKS_MAX = 40;

export interface CallColumns {
  /** Start, in milliseconds since clients started. */
  readonly at: readonly number[];
  /** How long it took; null while nobody knows that it ended. */
  readonly took: readonly (number | null)[];
  readonly kind: readonly number[];
  readonly node: readonly number[];
  readonly client: readonly number[];
  /** 0: ok. 1: refused, did not happen. 2: unknown. */
  readonly outcome: readonly number[];
  readonly attempts: readonly number[];
  /** Input and answer in short; empty if there are too many. */
  readonly text: readonly string[];
}

export interface PageFault {
  readonly kind: string;
  readonly targets: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly bit: boolean;
  readonly detail: string;
}

export interface PageSpan {
  readonly node: number;
  readonly term: number;
  /** -1: it knew of none. */
  readonly leader: number;
  readonly from: number;
  readonly to: number;
}

/** A figure of the head of the page. */
export interface Figure {
  readonly label: string;
  readonly value: string;
  readonly note: string;
}

export interface ReportData {
  readonly title: string;
  readonly word: string;
  readonly results: RunResults;
  readonly figures: readonly Figure[];
  readonly subtitle: string;
  readonly durationMs: number;
  readonly nodes: readonly string[];
  readonly kinds: readonly string[];
  readonly clients: number;
  readonly calls: CallColumns;
  readonly faults: readonly PageFault[];
  readonly elections: readonly { at: number; term: number; leader: string }[];
  readonly spans: readonly PageSpan[];
  /** Calls that show what is wrong. */
  readonly marks: readonly number[];
  /** Names of files beside the page. */
  readonly files: readonly string[];
}

const OUTCOMES = { ok: 0, fail: 1, info: 2 } as const;

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

function milliseconds(value: number): string {
  if (Number.isNaN(value)) return "–";
  return value < 10
    ? `${value.toFixed(1)} ms`
    : value < 9950
    ? `${number(value)} ms`
    : seconds(value);
}

/** The longest time in which nothing succeeded, and when it began. */
function longestStall(
  { calls, elapsedMs }: RunRecord,
): { readonly ms: number; readonly at: number } {
  const done = calls.filter(({ outcome }) => outcome?.type === "ok").map(({ doneMs }) => doneMs!)
    .sort((a, b) => a - b);
  let longest = { ms: 0, at: 0 };
  let last = 0;
  for (const at of [...done, elapsedMs]) {
    if (at - last > longest.ms) longest = { ms: at - last, at: last };
    last = at;
  }
  return longest;
}

function figuresOf(record: RunRecord): Figure[] {
  const { counts, calls, elapsedMs, elections, faults } = record;
  const took = calls.filter(({ outcome }) => outcome?.type === "ok")
    .map(({ atMs, doneMs }) => doneMs! - atMs).sort((a, b) => a - b);
  const stall = longestStall(record);
  const done = counts.ok + counts.fail + counts.info;
  const changes = Math.max(0, elections.length - 1);
  const bit = faults.filter((fault) => fault.bit).length;
  return [
    {
      label: "operations",
      value: number(done),
      note: `${number(counts.ok)} decided · ${number(counts.fail)} refused · ` +
        `${number(counts.info)} unknown`,
    },
    {
      label: "throughput",
      value: `${number(1000 * counts.ok / Math.max(elapsedMs, 1))}/s`,
      note: `decided, over ${seconds(elapsedMs)}`,
    },
    {
      label: "median latency",
      value: milliseconds(quantile(took, 0.5)),
      note: `p99 ${milliseconds(quantile(took, 0.99))} · worst ${milliseconds(took.at(-1) ?? NaN)}`,
    },
    {
      label: "longest silence",
      value: seconds(stall.ms),
      note: `without a success, from ${seconds(stall.at)}`,
    },
    {
      label: "faults",
      value: number(faults.length),
      note: faults.length === 0 ? "nothing was broken" : `${bit} really bit`,
    },
    {
      label: "leader changes",
      value: elections.length === 0 ? "–" : number(changes),
      note: elections.length === 0
        ? "the system does not say who leads"
        : `highest term ${elections.at(-1)!.term}`,
    },
  ];
}

/** `{"f":"put","key":"k1","value":3}` → `put k1 = 3`. */
function shortInput(input: unknown): string {
  const { f, key, value, set, ifMatch, ifNoneMatch, ttl } = input as Record<string, unknown>;
  if (f === "txn") return "txn";
  const parts = [String(f)];
  if (set !== undefined) parts.push(String(set));
  if (key !== undefined) parts.push(String(key));
  if (value !== undefined) {
    parts.push(key === undefined ? String(value) : `= ${JSON.stringify(value)}`);
  }
  if (ifMatch !== undefined) parts.push(`if @${ifMatch}`);
  if (ifNoneMatch !== undefined) parts.push("if absent");
  if (ttl !== undefined) parts.push(`for ${ttl} ms`);
  return parts.join(" ");
}

function shortOutput(call: RunRecord["calls"][number]): string {
  const { outcome } = call;
  if (outcome === undefined) return "no answer";
  if (outcome.type !== "ok") return outcome.error;
  const { output } = outcome;
  if (output === null) return "done";
  const text = typeof output === "object" && !Array.isArray(output)
    ? Object.entries(output as Record<string, unknown>).filter(([name]) => name !== "results")
      .map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(", ")
    : JSON.stringify(output);
  return text.length > 90 ? `${text.slice(0, 89)}…` : text;
}

function columnsOf(record: RunRecord, kinds: readonly string[]): CallColumns {
  const { calls, nodes } = record;
  const nodeAt = new Map(nodes.map((node, i) => [node, i]));
  const kindAt = new Map(kinds.map((kind, i) => [kind, i]));
  return {
    at: calls.map(({ atMs }) => tenth(atMs)),
    took: calls.map(({ atMs, doneMs }) => doneMs === undefined ? null : tenth(doneMs - atMs)),
    kind: calls.map(({ kind }) => kindAt.get(kind)!),
    node: calls.map(({ node }) => nodeAt.get(node) ?? -1),
    client: calls.map(({ client }) => client),
    outcome: calls.map(({ outcome }) => outcome === undefined ? 2 : OUTCOMES[outcome.type]),
    attempts: calls.map(({ attempts }) => attempts),
    text: calls.length > TEXTS_MAX
      ? []
      : calls.map((call) => `${shortInput(call.input)} → ${shortOutput(call)}`),
  };
}

/** The counterexample's calls and those of the workload's own findings, as positions among the calls. */
function marksOf({ judgement, calls }: RunRecord): number[] {
  const { verdict, operations, flaws } = judgement;
  const places = new Set([
    ...(verdict?.counterexample?.operations ?? []).map((id) => operations[id]!.call),
    ...flaws.slice(0, MARKS_MAX).flatMap((flaw) => flaw.calls),
  ]);
  return calls.flatMap(({ call }, i) => places.has(call) ? [i] : []).slice(0, MARKS_MAX);
}

export function reportData(record: RunRecord, results: RunResults): ReportData {
  const { options, faults, elections, spans } = record;
  // Nodes that joined later stand in the spans only.
  const nodes = [...new Set([...record.nodes, ...spans.map(({ node }) => node)])];
  const kinds = [...new Set(record.calls.map(({ kind }) => kind))];
  const nodeAt = new Map(nodes.map((node, i) => [node, i]));
  return {
    title: titleOf(record),
    word: verdictWord(record.valid),
    results,
    figures: figuresOf(record),
    subtitle: `${subjectOf(options)} · ${counted(options.nodes, "node")} · workload ` +
      `${options.workload} · nemesis ${nemesesText(options.nemeses)} · seed ${options.seed}`,
    durationMs: Math.max(record.elapsedMs, 1),
    nodes,
    kinds,
    clients: options.concurrency,
    calls: columnsOf({ ...record, nodes }, kinds),
    faults: faults.map(({ kind, targets, atMs, untilMs, bit, detail }) => ({
      kind,
      targets: targets.map((target) => target.replace(/^(\w+)>(\w+)$/, "$1→$2")),
      from: tenth(atMs),
      to: tenth(untilMs),
      bit,
      detail,
    })),
    elections: elections.map(({ atMs, term, leader }) => ({ at: tenth(atMs), term, leader })),
    spans: spans.map(({ node, term, leader, fromMs, toMs }) => ({
      node: nodeAt.get(node)!,
      term,
      leader: leader === undefined ? -1 : nodeAt.get(leader) ?? -1,
      from: tenth(fromMs),
      to: tenth(toMs),
    })),
    marks: marksOf(record),
    files: [
      "history.ndjson",
      "history.edn",
      "results.json",
      ...Object.keys(record.files),
      ...nodes.map((node) => `nodes/${node}.log`),
    ],
  };
}
