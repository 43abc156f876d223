// Lanes over time: a row for each kind of fault, for each node and whom it follows, for each client and its calls.
// Runs in the page, embedded by its source text.
// deno-lint-ignore-file no-explicit-any

import { type Colours, makeFrame, type PageReport, type View } from "./frame.ts";

/** A rectangle that says something when it is pointed at. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly string[];
}

export function drawFaults(
  canvas: any,
  data: PageReport,
  view: View,
  colours: Colours,
): Area[] {
  const top = 30;
  const row = 24;
  const kinds = [...new Set(data.faults.map(({ kind }) => kind))];
  const height = top + kinds.length * row + 8;
  const frame = makeFrame(canvas, height, view, colours, data, { shades: false, axis: false });
  const { context, left, right, x } = frame;
  const areas: Area[] = [];
  kinds.forEach((kind, i) => {
    const y = top + i * row;
    context.fillStyle = colours.dim;
    context.textAlign = "right";
    let name = kind;
    while (context.measureText(name).width > left - 22) name = `${name.slice(0, -2)}…`;
    context.fillText(name, left - 10, y + row / 2 - 1);
    context.textAlign = "left";
    for (const fault of data.faults) {
      if (fault.kind !== kind || fault.to < view.from || fault.from > view.to) continue;
      const from = Math.max(x(fault.from), left);
      const long = Math.max(Math.min(x(fault.to), right) - from, 2.5);
      context.beginPath();
      context.roundRect(from, y + 2, long, row - 7, 4);
      context.globalAlpha = fault.bit ? 0.88 : 1;
      if (fault.bit) {
        context.fillStyle = colours.shade;
        context.fill();
      } else {
        context.setLineDash([3, 2]);
        context.strokeStyle = colours.shade;
        context.stroke();
        context.setLineDash([]);
      }
      context.globalAlpha = 1;
      const text = fault.targets.join(", ");
      if (long > 30) {
        context.save();
        context.clip();
        context.fillStyle = fault.bit ? colours.panel : colours.text;
        context.fillText(text, from + 7, y + row / 2 - 1);
        context.restore();
      }
      areas.push({
        x: from,
        y,
        width: long,
        height: row,
        lines: [
          `${fault.kind}: ${text}`,
          `${(fault.from / 1000).toFixed(2)} s, for ${
            ((fault.to - fault.from) / 1000).toFixed(2)
          } s`,
          fault.bit ? fault.detail : `had no effect: ${fault.detail}`,
        ],
      });
    }
  });
  return areas;
}

export function drawLeaders(
  canvas: any,
  data: PageReport,
  view: View,
  colours: Colours,
): Area[] {
  const top = 30;
  const row = 26;
  const height = top + data.nodes.length * row + 8;
  const frame = makeFrame(canvas, height, view, colours, data, { shades: true, axis: false });
  const { context, left, right, x } = frame;
  const areas: Area[] = [];
  data.nodes.forEach((node, i) => {
    const y = top + i * row;
    context.fillStyle = colours.dim;
    context.textAlign = "right";
    context.fillText(node, left - 10, y + row / 2 - 2);
    context.textAlign = "left";
    context.fillStyle = colours.track;
    context.fillRect(left, y + 2, right - left, row - 8);
    for (const span of data.spans) {
      if (span.node !== i || span.to < view.from || span.from > view.to) continue;
      const from = Math.max(x(span.from), left);
      const long = Math.max(Math.min(x(span.to), right) - from, 2);
      const leads = span.leader === i;
      context.fillStyle = span.leader < 0 ? colours.faint : colours[`node${span.leader % 7}`];
      context.globalAlpha = leads ? 0.92 : span.leader < 0 ? 0.3 : 0.24;
      context.beginPath();
      context.roundRect(from, y + 2, long, row - 8, 3);
      context.fill();
      context.globalAlpha = 1;
      const leader = data.nodes[span.leader];
      const text = leads ? `leads term ${span.term}` : leader === undefined ? "no leader" : leader;
      if (long > context.measureText(text).width + 14) {
        context.fillStyle = leads ? colours.panel : colours.dim;
        context.fillText(text, from + 7, y + row / 2 - 2);
      }
      areas.push({
        x: from,
        y,
        width: long,
        height: row,
        lines: [
          leads
            ? `${node} leads`
            : leader === undefined
            ? `${node} knows of no leader`
            : `${node} follows ${leader}`,
          `term ${span.term}, from ${(span.from / 1000).toFixed(2)} s to ${
            (span.to / 1000).toFixed(2)
          } s`,
        ],
      });
    }
  });
  return areas;
}

/** Returns how high a lane is, and where the first begins. */
export function drawCalls(
  canvas: any,
  data: PageReport,
  view: View,
  colours: Colours,
  shows: (call: number) => boolean,
): { readonly top: number; readonly row: number } {
  const top = 30;
  const row = data.clients > 24 ? 9 : data.clients > 12 ? 13 : 18;
  const height = top + data.clients * row + 34;
  const frame = makeFrame(canvas, height, view, colours, data, { shades: true, axis: true });
  const { context, left, right, x } = frame;
  const { at, took, outcome, client, text } = data.calls;
  context.textAlign = "right";
  context.fillStyle = colours.faint;
  for (let i = 0; i < data.clients; i++) {
    if (row > 12 || i % 5 === 0) {
      context.fillText(String(i + 1), left - 10, top + i * row + row / 2);
    }
  }
  context.textAlign = "left";
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, height);
  context.clip();
  const names = ["ok", "fail", "info"];
  // At a coarse scale many calls share a pixel of a lane: one of them will do, but never hide the rare ones.
  const lastPixel = new Int32Array(3 * data.clients).fill(-1);
  for (let i = 0; i < at.length; i++) {
    const endMs = took[i] === null ? data.durationMs : at[i]! + took[i]!;
    if (endMs < view.from || at[i]! > view.to || !shows(i)) continue;
    const lane = client[i]!;
    const from = x(at[i]!);
    const long = Math.max(x(endMs) - from, 1.4);
    const slot = 3 * lane + outcome[i]!;
    if (long < 2 && Math.floor(from) === lastPixel[slot]) continue;
    lastPixel[slot] = Math.floor(from);
    const y = top + lane * row + 2;
    context.fillStyle = colours[names[outcome[i]!]!];
    context.globalAlpha = outcome[i] === 0 ? 0.72 : 0.9;
    if (took[i] === null) context.globalAlpha = 0.4;
    context.fillRect(from, y, long > 4 ? long - 0.8 : long, row - 4);
    if (long > 60 && row >= 13 && text.length > 0) {
      context.globalAlpha = 1;
      context.save();
      context.beginPath();
      context.rect(Math.max(from, left), y, long - 4, row - 4);
      context.clip();
      context.fillStyle = colours.panel;
      context.font = "11px system-ui, sans-serif";
      context.fillText(text[i], Math.max(from, left) + 4, y + (row - 4) / 2 + 0.5);
      context.restore();
    }
  }
  context.globalAlpha = 1;
  context.strokeStyle = colours.violated;
  context.lineWidth = 2;
  for (const call of data.marks) {
    const from = x(at[call]!);
    const long = Math.max(x(at[call]! + (took[call] ?? 0)) - from, 3);
    context.strokeRect(from - 2, top + client[call]! * row, long + 4, row);
  }
  context.restore();
  return { top, row };
}
