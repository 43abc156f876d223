/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// Throughput and latency of the whole cluster as small multiples: one row for each kind of work, two charts on the
// same axis of time, the present figures beside them.

import { useEffect, useRef, useState } from "hono/jsx/dom";
import uPlot from "uplot";
import { latency, short } from "../words.ts";
import type { Live } from "./live.ts";
import { colour, onColours, Section } from "./ui.tsx";
import type { Line, Sample } from "./work_history.ts";

const ROWS: readonly { readonly line: Line; readonly name: string; readonly unit: string }[] = [
  { line: "put", name: "Puts", unit: "from request to answer" },
  { line: "get", name: "Gets", unit: "from request to answer" },
  { line: "scan", name: "Scans", unit: "from request to answer" },
  { line: "other", name: "Transactions, batches, deletes", unit: "from request to answer" },
  { line: "sync", name: "Disk syncs", unit: "a batch’s way to the disk" },
  { line: "apply", name: "Applies", unit: "a committed batch into the state" },
];
const HEIGHT = 58;
const MINUTES = [2, 10] as const;
/** A chart that was just begun shows this much, so that its first samples do not fill it. */
const SPAN_MIN_SECONDS = 30;
const SYNC_KEY = "pontoon";

type Kind = "rate" | "latency";

function seriesOf(samples: readonly Sample[], line: Line, kind: Kind): uPlot.AlignedData {
  const at = samples.map(({ atMs }) => atMs / 1000);
  const of = (pick: "p50Ms" | "p99Ms") => samples.map(({ lines }) => lines[line][pick] ?? null);
  return kind === "rate"
    ? [at, samples.map(({ lines }) => lines[line].perSecond)]
    : [at, of("p50Ms"), of("p99Ms")];
}

function optionsOf(
  kind: Kind,
  width: number,
  range: () => [number, number],
  onPoint: (index: number | null) => void,
): uPlot.Options {
  const text = kind === "rate" ? short : (value: number) => latency(value);
  const line = (stroke: string, fill?: string): uPlot.Series => ({
    stroke: colour(stroke),
    width: 1.5,
    points: { show: false },
    ...(fill === undefined ? {} : { fill: colour(fill) }),
  });
  return {
    width,
    height: HEIGHT,
    padding: [6, 4, 7, 0],
    legend: { show: false },
    cursor: { sync: { key: SYNC_KEY }, drag: { x: false, y: false }, points: { size: 5 } },
    scales: {
      x: { range },
      y: { range: (_, __, high) => [0, Math.max(high ?? 0, kind === "rate" ? 4 : 0.4) * 1.15] },
    },
    axes: [
      { show: false },
      {
        size: 50,
        gap: 3,
        stroke: colour("dim"),
        font: "10.5px ui-sans-serif, system-ui, sans-serif",
        ticks: { show: false },
        grid: { stroke: colour("line"), width: 1 },
        splits: (_u, _axis, _low, high) => [0, niceBelow(high / 1.15)],
        values: (_, values) => values.map((value) => value === 0 ? "0" : text(value)),
      },
    ],
    series: kind === "rate"
      ? [{}, line("accent", "accent-soft")]
      : [{}, line("accent"), line("warm")],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)] },
  };
}

/** The largest of 1, 2, 5 times a power of ten that is not above `value`. */
export function niceBelow(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [5, 2, 1].find((factor) => factor * power <= value) ?? 1;
  return step * power;
}

interface ChartProps {
  readonly live: Live;
  readonly line: Line;
  readonly kind: Kind;
  readonly minutes: number;
  readonly label: string;
  readonly onPoint: (index: number | null) => void;
}

function Chart({ live, line, kind, minutes, label, onPoint }: ChartProps) {
  const ref = useRef<HTMLDivElement>(null);
  const span = useRef(minutes);
  span.current = minutes;
  useEffect(() => {
    const holder = ref.current!;
    const range = (): [number, number] => {
      const { samples } = live.history;
      const last = samples.at(-1)?.atMs ?? Date.now();
      const known = Math.max(SPAN_MIN_SECONDS, (last - (samples[0]?.atMs ?? last)) / 1000);
      return [last / 1000 - Math.min(60 * span.current!, known), last / 1000];
    };
    let plot: uPlot | undefined;
    const data = () => seriesOf(live.history.samples, line, kind);
    const build = () => {
      plot?.destroy();
      plot = new uPlot(optionsOf(kind, holder.clientWidth, range, onPoint), data(), holder);
    };
    build();
    const observer = new ResizeObserver(() =>
      plot?.setSize({ width: holder.clientWidth, height: HEIGHT })
    );
    observer.observe(holder);
    const stopColours = onColours(build);
    let drawn: Sample | undefined;
    const stopLive = live.subscribe(() => {
      const last = live.history.samples.at(-1);
      if (last === drawn) return;
      drawn = last;
      plot?.setData(data());
    });
    return () => {
      stopLive();
      stopColours();
      observer.disconnect();
      plot?.destroy();
    };
  }, [line, kind, minutes]);
  return <div ref={ref} class="chart" role="img" aria-label={label} />;
}

function p(value: number | undefined): string {
  return value === undefined ? "–" : latency(value);
}

export function Charts({ live }: { live: Live }) {
  const [minutes, setMinutes] = useState<number>(MINUTES[0]);
  const [point, setPoint] = useState<number | null>(null);
  const { samples } = live.history;
  const sample = point === null ? samples.at(-1) : samples[point] ?? samples.at(-1);
  const busy = (line: Line) => samples.some(({ lines }) => lines[line].perSecond > 0);
  const rows = ROWS.filter(({ line }) => line !== "other" || busy(line));
  return (
    <Section
      id="work"
      title="Throughput and latency"
      note="Of all nodes together, since this page was opened"
      side={
        <span class="legend">
          <span>
            <i class="line accent" />p50
          </span>
          <span>
            <i class="line warm" />p99
          </span>
          <span class="segments" role="group" aria-label="Time shown">
            {MINUTES.map((count) => (
              <button
                type="button"
                key={`min${count}`}
                aria-pressed={String(count === minutes)}
                onClick={() => setMinutes(count)}
              >
                {count} min
              </button>
            ))}
          </span>
        </span>
      }
    >
      <div class="card work">
        {rows.map(({ line, name, unit }) => {
          const now = sample?.lines[line];
          return (
            <div key={line} class="work-row">
              <div class="what">
                <b>{name}</b>
                <small>{unit}</small>
              </div>
              <div class="figure">
                <b>{now === undefined ? "–" : short(now.perSecond)}</b>
                <small>a second</small>
              </div>
              <Chart
                live={live}
                line={line}
                kind="rate"
                minutes={minutes}
                label={`${name} a second`}
                onPoint={setPoint}
              />
              <div class="figure">
                <b>{p(now?.p99Ms)}</b>
                <small>p50 {p(now?.p50Ms)}</small>
              </div>
              <Chart
                live={live}
                line={line}
                kind="latency"
                minutes={minutes}
                label={`Latency of ${name}`}
                onPoint={setPoint}
              />
            </div>
          );
        })}
      </div>
    </Section>
  );
}
