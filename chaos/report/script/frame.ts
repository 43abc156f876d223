// What all charts of a report share: the plot area, the axis of time, colours. Runs in the page, embedded by its source
// text: functions here use nothing but each other.
// deno-lint-ignore-file no-explicit-any

import type { ReportData } from "../data.ts";

/** The part of time in view, in milliseconds since clients started. */
export interface View {
  from: number;
  to: number;
}

/** What the page gets of a report's data. */
export type PageReport = Omit<ReportData, "results" | "figures">;

export type Colours = Readonly<Record<string, string>>;

/** A canvas ready to be drawn on. Pixels are CSS pixels. */
export interface Frame {
  readonly context: any;
  readonly width: number;
  readonly height: number;
  /** The plot area's left and right edge. */
  readonly left: number;
  readonly right: number;
  readonly view: View;
  readonly colours: Colours;
  x(timeMs: number): number;
}

/** The round number, 1, 2 or 5 times a power of ten, that is at least `least`. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-9)));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least * 0.999)!;
}

/** A time on the axis, as finely as `stepMs` asks. */
export function timeText(timeMs: number, stepMs: number): string {
  const digits = stepMs >= 1000 ? 0 : stepMs >= 100 ? 1 : stepMs >= 10 ? 2 : 3;
  return `${(timeMs / 1000).toFixed(digits)} s`;
}

/** Sizes and clears a canvas; shades the faults in view, marks the elections and the calls that show what is wrong. */
export function makeFrame(
  canvas: any,
  height: number,
  view: View,
  colours: Colours,
  data: PageReport,
  options: { readonly shades: boolean; readonly axis: boolean },
): Frame {
  const ratio = (globalThis as any).devicePixelRatio || 1;
  const width = canvas.parentElement.clientWidth;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  const left = width < 560 ? 54 : 104;
  const right = width - 18;
  const scale = (right - left) / (view.to - view.from);
  const x = (timeMs: number) => left + (timeMs - view.from) * scale;
  const clamp = (px: number) => Math.min(Math.max(px, left), right);
  const stepMs = niceStep(90 / scale);
  const bottom = options.axis ? height - 24 : height;
  if (options.shades) {
    context.fillStyle = colours.shade;
    for (const fault of data.faults) {
      const from = clamp(x(fault.from));
      const long = clamp(x(fault.to)) - from;
      context.globalAlpha = fault.bit ? 0.075 : 0.03;
      if (long > 0) context.fillRect(from, 0, long, bottom);
    }
    context.globalAlpha = 1;
  }
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  for (let at = Math.ceil(view.from / stepMs) * stepMs; at <= view.to; at += stepMs) {
    const px = Math.round(x(at)) + 0.5;
    context.beginPath();
    context.moveTo(px, 0);
    context.lineTo(px, bottom);
    context.stroke();
    if (!options.axis) continue;
    context.fillStyle = colours.dim;
    context.textAlign = "center";
    context.fillText(timeText(at, stepMs), Math.min(px, width - 24), height - 11);
  }
  context.textAlign = "left";
  if (options.shades) {
    context.strokeStyle = colours.accent;
    context.setLineDash([3, 3]);
    for (const { at } of data.elections) {
      if (at < view.from || at > view.to) continue;
      const px = Math.round(x(at)) + 0.5;
      context.beginPath();
      context.moveTo(px, 0);
      context.lineTo(px, bottom);
      context.stroke();
    }
    context.setLineDash([]);
    context.strokeStyle = colours.violated;
    context.globalAlpha = 0.75;
    for (const call of data.marks) {
      const px = Math.round(x(data.calls.at[call]!)) + 0.5;
      if (px < left || px > right) continue;
      context.beginPath();
      context.moveTo(px, 0);
      context.lineTo(px, bottom);
      context.stroke();
    }
    context.globalAlpha = 1;
  }
  return { context, width, height, left, right, view, colours, x };
}
