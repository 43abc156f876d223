// The cluster's status as text: a table for a terminal, one line for everything else. Pure.

import type { PartitionStatus } from "./observe.ts";

export type NodeState = "starting" | "ready" | "not ready" | "no answer" | "ended";

export interface NodeStatus {
  readonly name: string;
  /** undefined when the process this runner started is gone. */
  readonly pid: number | undefined;
  readonly state: NodeState;
  /** Empty if the node doesn't answer. */
  readonly partitions: readonly PartitionStatus[];
}

const META_PARTITION = 0;
const NONE = "-";

function partitionName(partition: number): string {
  return partition === META_PARTITION ? "meta" : `partition ${partition}`;
}

function partitionIds(nodes: readonly NodeStatus[]): number[] {
  const ids = new Set(nodes.flatMap((node) => node.partitions.map(({ partition }) => partition)));
  return [...ids].sort((a, b) => a - b);
}

function viewOf(node: NodeStatus, partition: number): PartitionStatus | undefined {
  return node.partitions.find((view) => view.partition === partition);
}

/** The view of the node that knows the newest leader; undefined if none knows a leader. */
function newestView(nodes: readonly NodeStatus[], partition: number): PartitionStatus | undefined {
  let newest: PartitionStatus | undefined;
  for (const node of nodes) {
    const view = viewOf(node, partition);
    if (view?.leader !== undefined && view.term > (newest?.term ?? -1)) newest = view;
  }
  return newest;
}

/** True if every node is ready and the meta group and at least one data partition, in fact all, have a leader. */
export function isReady(nodes: readonly NodeStatus[]): boolean {
  const ids = partitionIds(nodes);
  return nodes.every((node) => node.state === "ready") && ids.length > 1 &&
    ids.every((id) => newestView(nodes, id) !== undefined);
}

interface Column {
  readonly title: string;
  readonly group?: string;
  readonly right?: boolean;
  readonly cells: readonly string[];
}

function columnWidth({ title, cells }: Column): number {
  return Math.max(title.length, ...cells.map((cell) => cell.length));
}

function partitionColumns(nodes: readonly NodeStatus[], partition: number): Column[] {
  const views = nodes.map((node) => viewOf(node, partition));
  const group = partitionName(partition);
  return [
    { group, title: "leader", cells: views.map((view) => view ? view.leader ?? NONE : "") },
    { title: "term", right: true, cells: views.map((view) => view ? `${view.term}` : "") },
    { title: "commit", right: true, cells: views.map((view) => view ? `${view.commitIndex}` : "") },
  ];
}

const GAP = "  ";

function totalWidth(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + columnWidth(column) + GAP.length, -GAP.length);
}

function headings(columns: readonly Column[]): string {
  let line = "";
  let offset = 0;
  for (const column of columns) {
    if (column.group !== undefined) line = line.padEnd(offset) + column.group;
    offset += columnWidth(column) + GAP.length;
  }
  return line;
}

function row(columns: readonly Column[], cell: (column: Column) => string): string {
  return columns.map((column) => {
    const width = columnWidth(column);
    return column.right ? cell(column).padStart(width) : cell(column).padEnd(width);
  }).join(GAP).trimEnd();
}

/**
 * The status as a table: who leads, the term and the commit index, as each node sees them.
 * Partitions that `width` columns have no room for are only counted, in a last line.
 */
export function statusTable(nodes: readonly NodeStatus[], width: number): string[] {
  const base: Column[] = [
    { title: "node", cells: nodes.map((node) => node.name) },
    { title: "pid", right: true, cells: nodes.map((node) => `${node.pid ?? NONE}`) },
    { title: "state", cells: nodes.map((node) => node.state) },
  ];
  const ids = partitionIds(nodes);
  let shown = ids;
  let columns: Column[];
  do {
    columns = [...base, ...shown.flatMap((id) => partitionColumns(nodes, id))];
    if (totalWidth(columns) <= width) break;
    // What users look at is the data, so the meta group is the first to go.
    shown = shown[0] === META_PARTITION ? shown.slice(1) : shown.slice(0, -1);
  } while (shown.length > 0);
  const lines = [
    ...(shown.length > 0 ? [headings(columns)] : []),
    row(columns, (column) => column.title),
    ...nodes.map((_, index) => row(columns, (column) => column.cells[index])),
  ];
  const hidden = ids.length - shown.length;
  if (hidden > 0) lines.push(`no room for ${hidden} of ${ids.length} partitions`);
  return lines.map((line) => line.slice(0, width));
}

/** The status as one line; without `commits` only what is worth a line of its own when it changes. */
export function statusLine(nodes: readonly NodeStatus[], commits: boolean): string {
  const parts = [nodes.map((node) => `${node.name} ${node.state}`).join(", ")];
  for (const id of partitionIds(nodes)) {
    const newest = newestView(nodes, id);
    let part = `${partitionName(id)}: leader ${newest?.leader ?? "none"}, term ${
      newest?.term ?? NONE
    }`;
    if (commits) {
      const indexes = nodes.map((node) => viewOf(node, id)?.commitIndex ?? NONE);
      part += `, commit ${indexes.join(" ")}`;
    }
    parts.push(part);
  }
  return `status: ${parts.join(" | ")}`;
}
