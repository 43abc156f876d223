// What `top` shows, from one look at all nodes to the next. Pure: looks in, lines out.

import type { ClusterView } from "../client/mod.ts";
import { durationText, fitted, grouped, tableLines } from "./format.ts";
import type { NodeAnswer } from "./nodes.ts";

/** One look at the cluster. */
export interface Look {
  readonly atMs: number;
  readonly nodes: readonly NodeAnswer<ClusterView>[];
  /** What a linearizable read took; undefined if it failed. */
  readonly readMs: number | undefined;
}

/** Figures of one partition between two looks. */
export interface PartitionFigures {
  readonly partition: number;
  readonly leader: string;
  readonly term: number;
  readonly commitIndex: number;
  readonly entriesPerSecond: number;
  readonly lag: number;
  readonly health: string;
}

/** Figures of one node between two looks. */
export interface NodeFigures {
  readonly name: string;
  readonly url: string;
  readonly up: boolean;
  readonly state: string;
  readonly leads: number;
  readonly holds: number;
  readonly entriesPerSecond: number;
  readonly answerMs: number;
}

export interface Figures {
  readonly epoch: number;
  readonly nodes: readonly NodeFigures[];
  readonly partitions: readonly PartitionFigures[];
  readonly entriesPerSecond: number;
  readonly readMs: number | undefined;
}

/** Looks that the curves go back. */
export const HISTORY_MAX = 60;
const BARS = "▁▂▃▄▅▆▇█";

function viewsOf(look: Look): ClusterView[] {
  return look.nodes.flatMap(({ body }) => body === undefined ? [] : [body]);
}

function newestOf(views: readonly ClusterView[]): ClusterView | undefined {
  return views.toSorted((a, b) => b.epoch - a.epoch)[0];
}

/** The highest commit index that any node knows of a partition. */
function commitOf(views: readonly ClusterView[], partition: number): number {
  let commitIndex = 0;
  for (const view of views) {
    for (const one of view.partitions) {
      if (one.partition === partition) commitIndex = Math.max(commitIndex, one.commitIndex);
    }
  }
  return commitIndex;
}

/** What happened between two looks; `before` is undefined at the first. */
export function figuresOf(before: Look | undefined, now: Look): Figures {
  const views = viewsOf(now);
  const newest = newestOf(views);
  const earlier = before === undefined ? [] : viewsOf(before);
  const seconds = before === undefined ? 0 : (now.atMs - before.atMs) / 1000;
  const names = new Map((newest?.members ?? []).map(({ nodeId, name }) => [nodeId, name]));
  const partitions = (newest?.routing ?? []).map(({ partition }): PartitionFigures => {
    // Of those that know a leader, the one with the highest term is right.
    const seen = views.flatMap((view) =>
      view.partitions.filter((one) => one.partition === partition)
    )
      .toSorted((a, b) => b.term - a.term);
    const leaderId = seen.find(({ leaderNodeId }) => leaderNodeId !== undefined)?.leaderNodeId;
    const leading = views.find(({ nodeId }) => nodeId === leaderId)?.partitions
      .find((one) => one.partition === partition);
    const commitIndex = commitOf(views, partition);
    const commitBefore = commitOf(earlier, partition);
    const entries = seconds > 0 && commitBefore > 0 ? (commitIndex - commitBefore) / seconds : 0;
    return {
      partition,
      leader: leaderId === undefined ? "none" : names.get(leaderId) ?? leaderId,
      term: seen[0]?.term ?? 0,
      commitIndex,
      entriesPerSecond: Math.max(0, entries),
      lag: Math.max(0, ...(leading?.replicas ?? []).map(({ lag }) => lag ?? 0)),
      health: leading?.health ?? seen[0]?.health ?? "unknown",
    };
  });
  const nodes = now.nodes.map(({ endpoint, body, durationMs }): NodeFigures => {
    const member = newest?.members.find(({ name }) => name === endpoint.name);
    const led = partitions.filter(({ leader }) => leader === endpoint.name);
    return {
      name: endpoint.name,
      url: endpoint.url,
      up: body !== undefined,
      state: member?.state ?? "-",
      leads: led.length,
      holds: (newest?.routing ?? []).filter(({ replicas }) =>
        member !== undefined && replicas.includes(member.nodeId)
      ).length,
      entriesPerSecond: led.reduce((sum, one) =>
        sum + one.entriesPerSecond, 0),
      answerMs: durationMs,
    };
  });
  return {
    epoch: newest?.epoch ?? 0,
    nodes,
    partitions,
    entriesPerSecond: partitions.reduce((sum, one) => sum + one.entriesPerSecond, 0),
    readMs: now.readMs,
  };
}

/** A curve of one character a value, the highest of them at the top. */
export function curve(values: readonly number[]): string {
  const highest = Math.max(...values, 0);
  return values.map((value) =>
    highest === 0
      ? BARS[0]
      : BARS[Math.min(BARS.length - 1, Math.floor(value / highest * BARS.length))]
  ).join("");
}

/** The value below which `share` of `values` lie. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

export interface ScreenOptions {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
  readonly clock: string;
}

const BOLD = "1";
const DIM = "2";
const RED = "31";
const GREEN = "32";
const YELLOW = "33";

/** The screen's lines, no more than fit. @param history figures, oldest first, the last are shown */
export function screenLines(history: readonly Figures[], options: ScreenOptions): string[] {
  const { columns, rows, colour } = options;
  const paint = (code: string, text: string) => colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  const now = history.at(-1)!;
  const down = now.nodes.filter(({ up }) => !up).length;
  const sick = now.partitions.filter(({ health }) => health !== "ok").length;
  const well = down === 0 && sick === 0;
  const state = well
    ? paint(GREEN, "● well")
    : paint(RED, `● ${down} of ${now.nodes.length} nodes down, ${sick} partitions not well`);
  const left = `pontoon  epoch ${now.epoch}  `;
  const lines = [
    `${paint(BOLD, "pontoon")}${left.slice(7)}${state}  ${paint(DIM, options.clock)}`,
    "",
  ];
  const width = Math.min(HISTORY_MAX, Math.max(10, columns - 44));
  const recent = history.slice(-width);
  const rates = recent.map(({ entriesPerSecond }) => entriesPerSecond);
  const reads = recent.flatMap(({ readMs }) => readMs === undefined ? [] : [readMs]);
  const figure = (title: string, value: string, more: string, values: readonly number[]) =>
    fitted(`${title.padEnd(9)}${value.padStart(10)}  ${more.padEnd(20)}`, columns) +
    (columns > 56 ? ` ${curve(values)}` : "");
  lines.push(
    figure(
      "entries",
      `${grouped(now.entriesPerSecond)}/s`,
      `highest ${grouped(Math.max(...rates))}/s`,
      rates,
    ),
    figure(
      "read",
      now.readMs === undefined ? "failed" : `${now.readMs.toFixed(1)} ms`,
      reads.length === 0
        ? ""
        : `p50 ${quantile(reads, 0.5).toFixed(1)} p99 ${quantile(reads, 0.99).toFixed(1)}`,
      reads,
    ),
    "",
  );
  lines.push(...nodeLines(now, columns, paint), "");
  const room = rows - lines.length - 1;
  const partitions = partitionLines(now, columns, paint);
  if (partitions.length <= room) lines.push(...partitions);
  else {
    const shown = partitions.slice(0, Math.max(1, room - 1));
    lines.push(...shown, paint(DIM, `… ${partitions.length - shown.length} more partitions`));
  }
  return lines.slice(0, Math.max(1, rows - 1));
}

type Paint = (code: string, text: string) => string;

function nodeLines(figures: Figures, columns: number, paint: Paint): string[] {
  const [title, ...rows] = tableLines(
    [
      { title: "NODE" },
      { title: "URL" },
      { title: "STATE" },
      { title: "LEADS", right: true },
      { title: "HOLDS", right: true },
      { title: "ENTRIES/S", right: true },
      { title: "ANSWERS IN", right: true },
    ],
    figures.nodes.map((node) => [
      node.name,
      node.url,
      node.up ? node.state : "down",
      String(node.leads),
      String(node.holds),
      grouped(node.entriesPerSecond),
      node.up ? durationText(node.answerMs) : "-",
    ]),
    columns,
  );
  return [
    paint(DIM, title),
    ...rows.map((row, i) => figures.nodes[i].up ? row : paint(RED, row)),
  ];
}

/** Those with trouble first, then the busiest. */
function partitionLines(figures: Figures, columns: number, paint: Paint): string[] {
  const sorted = figures.partitions.toSorted((a, b) =>
    Number(a.health === "ok") - Number(b.health === "ok") ||
    b.entriesPerSecond - a.entriesPerSecond || a.partition - b.partition
  );
  const [title, ...rows] = tableLines(
    [
      { title: "PARTITION", right: true },
      { title: "LEADER" },
      { title: "TERM", right: true },
      { title: "COMMIT", right: true },
      { title: "ENTRIES/S", right: true },
      { title: "LAG", right: true },
      { title: "HEALTH" },
    ],
    sorted.map((one) => [
      String(one.partition),
      one.leader,
      String(one.term),
      grouped(one.commitIndex),
      grouped(one.entriesPerSecond),
      grouped(one.lag),
      one.health,
    ]),
    columns,
  );
  return [
    paint(DIM, title),
    ...rows.map((row, i) =>
      sorted[i].health === "ok" ? row : paint(sorted[i].leader === "none" ? RED : YELLOW, row)
    ),
  ];
}

/** One line for those without a terminal. */
export function plainLine(figures: Figures): string {
  const down = figures.nodes.filter(({ up }) => !up).map(({ name }) => name);
  const leads = figures.nodes.map(({ name, leads }) => `${name}:${leads}`).join(" ");
  const lag = Math.max(0, ...figures.partitions.map((one) => one.lag));
  const read = figures.readMs === undefined ? "failed" : `${figures.readMs.toFixed(1)} ms`;
  return `${
    grouped(figures.entriesPerSecond)
  } entries/s  read ${read}  leads ${leads}  lag ${lag}` +
    (down.length === 0 ? "" : `  down ${down.join(" ")}`);
}
