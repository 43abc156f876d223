// A run as a picture: a lifeline for each node, messages between them as arrows, elections, deaths and faults
// beside them. Time runs downwards, stretched where much happens. Plain SVG without scripts.

import type { MessageKind, RecordedMark, RecordedMessage, Recorder } from "./recorder.ts";

/** Messages of a picture; the last ones before its end. */
const MESSAGES_MAX = 500;
const LEFT = 250;
const LANE = 230;
const TOP = 70;
/** Least and greatest distance of two moments that follow each other, in pixels. */
const STEP_MIN = 5;
const STEP_MAX = 26;
const PIXELS_PER_MS = 4;
/** Marks keep this distance, so that their words can be read. */
const MARK_STEP = 13;

const COLOURS: Readonly<Record<MessageKind, string>> = {
  vote: "#c2410c",
  append: "#1d4ed8",
  answer: "#60a5fa",
  heartbeat: "#cbd5e1",
  snapshot: "#7c3aed",
  request: "#15803d",
};

/** What to draw. */
export interface DiagramSource {
  readonly title: string;
  readonly nodes: readonly string[];
  readonly recorder: Pick<Recorder, "messages" | "marks">;
  readonly endMs: number;
}

/** The picture as the text of an SVG file. */
export function renderDiagram({ title, nodes, recorder, endMs }: DiagramSource): string {
  const telling = recorder.messages.filter(({ kind }) => kind !== "heartbeat");
  const shown = (telling.length > 40 ? telling : recorder.messages).slice(-MESSAGES_MAX);
  const fromMs = shown[0]?.sentMs ?? 0;
  const marks = recorder.marks.filter(({ atMs, kind }) => atMs >= fromMs || kind === "fault");
  const scale = new TimeScale(shown, marks.filter(({ atMs }) => atMs >= fromMs), fromMs, endMs);
  const x = (node: string) => LEFT + LANE * (nodes.indexOf(node) + 0.5);
  const width = LEFT + LANE * nodes.length + 20;
  const height = TOP + scale.height + 40;
  const earlier = marks.filter(({ atMs }) => atMs < fromMs);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" font-family="ui-monospace, monospace" font-size="10">`,
    `<style>text{fill:#0f172a}.t{fill:#64748b}.f{fill:#b91c1c}.l{fill:#15803d;font-weight:bold}` +
    `</style>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="10" y="18" font-size="13" font-weight="bold">${escape(title)}</text>`,
    legend(earlier.length, fromMs),
    ...Object.entries(COLOURS).map(([kind, colour]) =>
      `<marker id="${kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" ` +
      `orient="auto"><path d="M0 0L8 4L0 8z" fill="${colour}"/></marker>`
    ),
    ...nodes.map((node) => lifeline(node, x(node), scale, recorder.marks)),
    ...shown.map((message) => arrow(message, x, scale)),
    ...marks.filter(({ atMs }) => atMs >= fromMs).map((mark) => drawMark(mark, x, scale)),
    "</svg>",
  ];
  return parts.join("\n") + "\n";
}

/** Where on the page a moment is. */
class TimeScale {
  readonly #times: number[];
  readonly #places: number[];
  readonly height: number;

  constructor(
    messages: readonly RecordedMessage[],
    marks: readonly RecordedMark[],
    fromMs: number,
    endMs: number,
  ) {
    const marked = new Set(marks.map(({ atMs }) => atMs));
    const all = new Set([fromMs, endMs, ...marked]);
    for (const { sentMs, deliveredMs } of messages) {
      all.add(sentMs);
      if (deliveredMs !== undefined) all.add(deliveredMs);
    }
    this.#times = [...all].filter((ms) => ms >= fromMs && ms <= endMs).sort((a, b) => a - b);
    this.#places = [];
    let place = TOP;
    let lastMarkAt = -Infinity;
    this.#times.forEach((ms, i) => {
      if (i > 0) {
        const gap = (ms - this.#times[i - 1]) * PIXELS_PER_MS;
        place += Math.min(STEP_MAX, Math.max(STEP_MIN, gap));
      }
      if (marked.has(ms)) {
        place = Math.max(place, lastMarkAt + MARK_STEP);
        lastMarkAt = place;
      }
      this.#places.push(place);
    });
    this.height = place - TOP;
  }

  /** Moments outside of the picture are at its edges. */
  at(ms: number): number {
    let low = 0;
    let high = this.#times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#times[middle] <= ms) low = middle;
      else high = middle - 1;
    }
    return this.#places[low] ?? TOP;
  }
}

function legend(earlierCount: number, fromMs: number): string {
  let x = 10;
  const entries = Object.entries(COLOURS).map(([kind, colour]) => {
    const entry = `<line x1="${x}" y1="34" x2="${x + 20}" y2="34" stroke="${colour}" ` +
      `stroke-width="2"/><text x="${x + 25}" y="37">${kind}</text>`;
    x += 40 + kind.length * 7;
    return entry;
  });
  const before = earlierCount === 0 ? "" : `; ${earlierCount} faults before it are in events.txt`;
  entries.push(
    `<text class="t" x="10" y="52">from ${
      fromMs.toFixed(1)
    } ms; dashed: never arrived${before}</text>`,
  );
  return entries.join("\n");
}

/** Solid while the process lives. */
function lifeline(
  node: string,
  x: number,
  scale: TimeScale,
  marks: readonly RecordedMark[],
): string {
  const bottom = TOP + scale.height;
  const parts = [
    `<text x="${x}" y="${TOP - 8}" text-anchor="middle" font-size="12">${escape(node)}</text>`,
    `<line x1="${x}" y1="${TOP}" x2="${x}" y2="${bottom}" stroke="#cbd5e1" stroke-dasharray="2 4"/>`,
  ];
  let since: number | undefined;
  const alive = (from: number, to: number) => {
    if (to <= from) return;
    parts.push(
      `<line x1="${x}" y1="${from}" x2="${x}" y2="${to}" stroke="#334155" stroke-width="2"/>`,
    );
  };
  for (const mark of marks) {
    if (mark.node !== node) continue;
    if (mark.kind === "start") since ??= scale.at(mark.atMs);
    if (mark.kind === "end" && since !== undefined) {
      alive(since, scale.at(mark.atMs));
      since = undefined;
    }
  }
  if (since !== undefined) alive(since, bottom);
  return parts.join("\n");
}

function arrow(
  { from, to, sentMs, deliveredMs, kind, label }: RecordedMessage,
  x: (node: string) => number,
  scale: TimeScale,
): string {
  const [x1, y1] = [x(from), scale.at(sentMs)];
  const lost = deliveredMs === undefined;
  const x2 = lost ? x1 + (x(to) - x1) * 0.6 : x(to);
  const y2 = lost ? y1 + STEP_MIN : scale.at(deliveredMs);
  const colour = COLOURS[kind];
  const words = label.length > 42 ? `${label.slice(0, 40)}…` : label;
  const side = x2 > x1 ? 6 : -6;
  const anchor = x2 > x1 ? "start" : "end";
  return `<g><title>${escape(`${sentMs.toFixed(2)} ms ${from} to ${to}: ${label}`)}</title>` +
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" ` +
    `${lost ? 'stroke-dasharray="4 3" ' : ""}marker-end="url(#${kind})"/>` +
    (kind === "heartbeat" ? "" : `<text x="${x1 + side}" y="${y1 - 2}" ` +
      `text-anchor="${anchor}" font-size="8" style="fill:${colour}">${escape(words)}</text>`) +
    `</g>`;
}

function drawMark(
  { atMs, node, kind, label }: RecordedMark,
  x: (node: string) => number,
  scale: TimeScale,
): string {
  const y = scale.at(atMs);
  const time = `<text class="t" x="4" y="${y + 3}">${atMs.toFixed(1)}</text>`;
  if (node === undefined) {
    const style = kind === "failure" ? ' font-weight="bold"' : "";
    const words = label.length > 200 ? `${label.slice(0, 198)}…` : label;
    return `${time}<line x1="0" y1="${y}" x2="100%" y2="${y}" stroke="#fca5a5" ` +
      `stroke-width="0.7"/><text class="f" x="60" y="${y - 2}"${style}>${escape(words)}</text>`;
  }
  const at = x(node);
  const shape = kind === "leader"
    ? `<circle cx="${at}" cy="${y}" r="5" fill="#22c55e"/>`
    : kind === "end"
    ? `<path d="M${at - 5} ${y - 5}L${at + 5} ${y + 5}M${at + 5} ${y - 5}L${at - 5} ${y + 5}" ` +
      `stroke="#b91c1c" stroke-width="2"/>`
    : `<circle cx="${at}" cy="${y}" r="4" fill="#fff" stroke="#334155" stroke-width="2"/>`;
  const style = kind === "leader" ? "l" : "t";
  return `${time}${shape}<text class="${style}" x="${at + 9}" y="${y + 4}">${escape(label)}</text>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
