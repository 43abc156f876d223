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
/** Partitions that get a line of their own in a terminal. */
const PARTITION_ROWS_MAX = 16;
/** Both tables' headings, the line between them, and the one that counts what is not shown. */
const TALL_EXTRA_LINES = 4;

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

function table(columns: readonly Column[]): string[] {
  const count = columns[0]?.cells.length ?? 0;
  return [
    row(columns, (column) => column.title),
    ...Array.from({ length: count }, (_, index) => row(columns, (column) => column.cells[index])),
  ];
}

/** How many partitions the node leads, as the newest view of each partition says. */
function leadCount(nodes: readonly NodeStatus[], { name }: NodeStatus): number {
  return partitionIds(nodes).filter((id) => newestView(nodes, id)?.leader === name).length;
}

function nodeColumns(nodes: readonly NodeStatus[]): Column[] {
  return [
    { title: "node", cells: nodes.map((node) => node.name) },
    { title: "pid", right: true, cells: nodes.map((node) => `${node.pid ?? NONE}`) },
    { title: "state", cells: nodes.map((node) => node.state) },
  ];
}

/** Nodes side by side with what each sees of every partition: for few partitions. */
function wideTable(nodes: readonly NodeStatus[], ids: readonly number[]): string[] {
  const columns = [
    ...nodeColumns(nodes),
    ...ids.flatMap((id) => partitionColumns(nodes, id)),
  ];
  return [...(ids.length > 0 ? [headings(columns)] : []), ...table(columns)];
}

/** A table of nodes above one of partitions, the latter of as many rows as `height` lines have room for. */
function tallTables(
  nodes: readonly NodeStatus[],
  ids: readonly number[],
  height: number,
): string[] {
  const rowsMax = Math.max(
    1,
    Math.min(PARTITION_ROWS_MAX, height - nodes.length - TALL_EXTRA_LINES),
  );
  const counts: Column[] = [
    { title: "leads", right: true, cells: nodes.map((node) => `${leadCount(nodes, node)}`) },
    { title: "replicas", right: true, cells: nodes.map((node) => `${node.partitions.length}`) },
  ];
  const views = ids.map((id) => newestView(nodes, id));
  // Those without a leader first: they are what a user has to look for.
  const order = ids.map((_, index) => index).sort((a, b) =>
    Number(views[a] !== undefined) - Number(views[b] !== undefined)
  ).slice(0, rowsMax).sort((a, b) => a - b);
  const cells = (cell: (index: number) => string) => order.map(cell);
  const commitOf = (node: NodeStatus, id: number) => viewOf(node, id)?.commitIndex;
  const partitions: Column[] = [
    {
      title: "partition",
      cells: cells((index) => ids[index] === META_PARTITION ? "meta" : `${ids[index]}`),
    },
    { title: "leader", cells: cells((index) => views[index]?.leader ?? NONE) },
    { title: "term", right: true, cells: cells((index) => `${views[index]?.term ?? NONE}`) },
    ...nodes.map((node, position): Column => ({
      title: `${position === 0 ? "commit " : ""}${node.name}`,
      right: true,
      cells: cells((index) => `${commitOf(node, ids[index]) ?? NONE}`),
    })),
  ];
  const hidden = ids.length - order.length;
  return [
    ...table([...nodeColumns(nodes), ...counts]),
    "",
    ...table(partitions),
    ...(hidden > 0 ? [`and ${hidden} more of ${ids.length} partitions`] : []),
  ];
}

/**
 * The status as a table: who leads, the term and the commit index, as each node sees them. Where `width`
 * columns have no room for all partitions side by side they stand below each other, one a line. At most
 * `height` lines.
 */
export function statusTable(
  nodes: readonly NodeStatus[],
  width: number,
  height: number,
): string[] {
  const ids = partitionIds(nodes);
  const columns = [...nodeColumns(nodes), ...ids.flatMap((id) => partitionColumns(nodes, id))];
  const lines = totalWidth(columns) <= width
    ? wideTable(nodes, ids)
    : tallTables(nodes, ids, height);
  return lines.slice(0, height).map((line) => line.slice(0, width));
}

/** More partitions than these are told about together in one line. */
const PARTITIONS_NAMED_MAX = 4;

function leadersLine(nodes: readonly NodeStatus[], ids: readonly number[]): string {
  const counts = nodes.map((node) => `${node.name} ${leadCount(nodes, node)}`);
  const without = ids.filter((id) => newestView(nodes, id) === undefined).length;
  return `${ids.length} partitions: leaders ${counts.join(", ")}` +
    (without > 0 ? `, none ${without}` : "");
}

function commitsLine(nodes: readonly NodeStatus[]): string {
  const sums = nodes.map(({ partitions }) =>
    partitions.reduce((sum, { commitIndex }) => sum + commitIndex, 0)
  );
  return `, commits ${sums.join(" ")}`;
}

/** The status as one line; without `commits` only what is worth a line of its own when it changes. */
export function statusLine(nodes: readonly NodeStatus[], commits: boolean): string {
  const parts = [nodes.map((node) => `${node.name} ${node.state}`).join(", ")];
  const ids = partitionIds(nodes);
  if (ids.length > PARTITIONS_NAMED_MAX) {
    parts.push(leadersLine(nodes, ids) + (commits ? commitsLine(nodes) : ""));
    return `status: ${parts.join(" | ")}`;
  }
  for (const id of ids) {
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
