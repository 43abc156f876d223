/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// The partition map of a large cluster as a picture: nodes down, partitions across, in as many bands as the width
// needs. The pointer tells what is under it; arrow keys walk, Enter opens.

import { useRef, useState } from "hono/jsx/dom";
import type { DashboardView, PartitionRow } from "../view.ts";
import { partitionsText } from "../words.ts";
import { isSilent } from "../finding.ts";
import { type CellKind, cellKind, cellWords, partitionTitle } from "./partition_map.tsx";
import { colour, prepare, useCanvas } from "./ui.tsx";

const COLUMN_MIN = 4;
const COLUMN_MAX = 22;
const ROW_MIN = 5;
const ROW_MAX = 20;
/** Of one band. */
const HEIGHT_AIM = 250;
const BAND_GAP = 26;
const LABEL_TOP = 14;
/** Named one by one above the picture. */
const TROUBLE_SHOWN = 12;

const COLOURS: Readonly<Record<CellKind, string>> = {
  leader: "leader",
  voter: "voter-dot",
  learner: "voter",
  adding: "adding",
  removing: "removing",
  behind: "behind",
  broken: "broken",
  silent: "silent",
};
/** Drawn last, so that what is wrong is on top. */
const LOUD: ReadonlySet<CellKind> = new Set(["broken", "behind", "adding", "removing"]);

interface Layout {
  readonly column: number;
  readonly row: number;
  readonly perBand: number;
  readonly bands: number;
  readonly left: number;
  readonly height: number;
}

export function layoutOf(width: number, partitions: number, members: number): Layout {
  const left = members <= 16 ? 54 : 34;
  const room = Math.max(60, width - left - 2);
  const column = Math.max(COLUMN_MIN, Math.min(COLUMN_MAX, Math.floor(room / partitions)));
  const most = Math.max(1, Math.floor(room / column));
  const bands = Math.ceil(partitions / most);
  // Bands of equal length look like what they are: one map, folded.
  const perBand = Math.ceil(partitions / bands);
  const row = Math.max(ROW_MIN, Math.min(ROW_MAX, Math.floor(HEIGHT_AIM / members)));
  const height = bands * (LABEL_TOP + members * row) + (bands - 1) * (BAND_GAP - LABEL_TOP) + 4;
  return {
    column: Math.max(column, Math.floor(room / perBand)),
    row,
    perBand,
    bands,
    left,
    height,
  };
}

function bandTop({ row }: Layout, members: number, band: number): number {
  return LABEL_TOP + band * (members * row + BAND_GAP);
}

function draw(
  context: CanvasRenderingContext2D,
  view: DashboardView,
  layout: Layout,
  at: number,
): void {
  const { members, partitions } = view;
  const { column, row, perBand, bands, left } = layout;
  const palette = new Map(Object.entries(COLOURS).map(([kind, name]) => [kind, colour(name)]));
  const [dim, line, text, bad] = ["dim", "line", "text", "bad"].map(colour);
  const gapX = column > 8 ? 2 : 1;
  const gapY = row > 8 ? 2 : 1;
  context.font = "10px ui-sans-serif, system-ui, sans-serif";
  context.textBaseline = "middle";
  const everyName = Math.max(1, Math.ceil(11 / row));
  const loud: (() => void)[] = [];
  for (let band = 0; band < bands; band++) {
    const top = bandTop(layout, members.length, band);
    const first = band * perBand;
    const last = Math.min(partitions.length, first + perBand);
    context.fillStyle = line;
    context.globalAlpha = 0.35;
    context.fillRect(left, top, (last - first) * column, members.length * row);
    context.globalAlpha = 1;
    context.fillStyle = dim;
    context.textAlign = "right";
    const silentAt = members.findIndex(isSilent);
    members.forEach((member, i) => {
      // A name takes the room of several rows; one that matters takes it from its neighbours.
      const isNear = silentAt >= 0 && Math.abs(i - silentAt) < everyName && i !== silentAt;
      if ((i % everyName !== 0 || isNear) && i !== silentAt) return;
      context.fillStyle = isSilent(member) ? bad : dim;
      context.fillText(member.name, left - 6, top + i * row + row / 2);
    });
    context.fillStyle = dim;
    context.textAlign = "left";
    const everyNumber = Math.max(1, Math.ceil(34 / column));
    for (let p = first; p < last; p += everyNumber) {
      context.fillText(nameOf(partitions[p]), left + (p - first) * column, top - 8);
    }
    for (let p = first; p < last; p++) {
      const x = left + (p - first) * column;
      if (partitions[p].leader === undefined) {
        context.fillStyle = colour("broken-soft");
        context.fillRect(x, top, column, members.length * row);
      }
      for (const cell of partitions[p].replicas) {
        const kind = cellKind(members[cell.member], cell);
        const y = top + cell.member * row;
        const paint = () => {
          const isMute = kind === "silent" && cell.role === "leader";
          context.fillStyle = isMute ? bad : palette.get(kind)!;
          context.fillRect(x, y, column - gapX, row - gapY);
        };
        if (LOUD.has(kind)) loud.push(paint);
        else paint();
      }
    }
  }
  for (const paint of loud) paint();
  if (at >= 0) {
    const top = bandTop(layout, members.length, Math.floor(at / perBand));
    context.strokeStyle = text;
    context.lineWidth = 1;
    const x = left + (at % perBand) * column;
    context.strokeRect(x - 1, top - 1.5, column + 1, members.length * row + 2);
  }
}

function nameOf({ partition }: PartitionRow): string {
  return partition === 0 ? "M" : String(partition);
}

/** Partitions that somebody should look at. */
export function troubled({ partitions, members }: DashboardView): PartitionRow[] {
  return partitions.filter(({ leader, replicas }) =>
    leader === undefined || isSilent(members[leader]) ||
    replicas.some((cell) => ["broken", "behind"].includes(cellKind(members[cell.member], cell)))
  );
}

export function MapPicture(
  { view, onOpen }: { view: DashboardView; onOpen: (partition: number) => void },
) {
  const [at, setAt] = useState(-1);
  const [focused, setFocused] = useState(false);
  const layout = useRef<Layout | null>(null);
  const { partitions, members } = view;
  const ref = useCanvas((canvas, width) => {
    layout.current = layoutOf(width, partitions.length, members.length);
    draw(prepare(canvas, width, layout.current.height), view, layout.current, at);
  });
  const find = (event: MouseEvent): number => {
    const box = ref.current!.getBoundingClientRect();
    const { left, column, perBand, row } = layout.current!;
    const x = Math.floor((event.clientX - box.left - left) / column);
    const y = event.clientY - box.top;
    const band = Math.floor(y / (members.length * row + BAND_GAP));
    const found = band * perBand + x;
    return x >= 0 && x < perBand && found < partitions.length ? found : -1;
  };
  const walk = (event: KeyboardEvent) => {
    const { perBand } = layout.current!;
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -perBand,
      ArrowDown: perBand,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setAt(Math.min(partitions.length - 1, Math.max(0, at + step)));
    } else if (event.key === "Enter" && at >= 0) onOpen(partitions[at].partition);
  };
  const bad = troubled(view);
  const row = partitions[at];
  return (
    <div class="picture">
      {bad.length === 0 ? null : (
        <p class="trouble">
          {bad.length > TROUBLE_SHOWN
            ? `${bad.length} partitions need a look, the first: `
            : "These need a look: "}
          {bad.slice(0, TROUBLE_SHOWN).map(({ partition }) => (
            <button
              type="button"
              key={`t${partition}`}
              onClick={() => onOpen(partition)}
            >
              {partition === 0 ? "meta" : partition}
            </button>
          ))}
        </p>
      )}
      <div class="canvas">
        <canvas
          ref={ref}
          tabindex={0}
          role="img"
          aria-label={`Map of ${partitions.length} partitions over ${members.length} nodes. Arrow keys walk, Enter opens. ${
            bad.length === 0
              ? ""
              : `Need a look: ${partitionsText(bad.map(({ partition }) => partition))}.`
          }`}
          onMouseMove={(event: MouseEvent) => setAt(find(event))}
          onMouseLeave={() => focused ? undefined : setAt(-1)}
          onFocus={() => setFocused(true)}
          onBlur={() => {
            setFocused(false);
            setAt(-1);
          }}
          onClick={(event: MouseEvent) => {
            const found = find(event);
            if (found >= 0) onOpen(partitions[found].partition);
          }}
          onKeyDown={walk}
        />
      </div>
      <p class="under" aria-live="polite">
        {row === undefined
          ? "Point at a column to see who holds the partition; click for more."
          : (
            <span>
              <b>{partitionTitle(row.partition)}</b> {row.replicas.map((cell) =>
                `${members[cell.member].name}: ${cellWords(members[cell.member], row, cell)}`
              ).join(" · ")}
            </span>
          )}
      </p>
    </div>
  );
}
