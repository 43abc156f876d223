// Operations a second by outcome, stacked. Runs in the page, embedded by its source text.
// deno-lint-ignore-file no-explicit-any

import { type Colours, makeFrame, niceStep, type PageReport, type View } from "./frame.ts";

/** What each slice of time saw, for the tip. */
export interface Slices {
  readonly fromMs: number;
  readonly lengthMs: number;
  /** By outcome, each a second. */
  readonly rates: readonly (readonly number[])[];
}

export function drawThroughput(
  canvas: any,
  data: PageReport,
  view: View,
  colours: Colours,
  shows: (call: number) => boolean,
): Slices {
  const height = 168;
  const top = 32;
  const frame = makeFrame(canvas, height, view, colours, data, { shades: true, axis: false });
  const { context, left, right, x } = frame;
  const { at, took, outcome } = data.calls;
  const lengthMs = Math.max(10, niceStep((view.to - view.from) / 130));
  const fromMs = Math.floor(view.from / lengthMs) * lengthMs;
  const count = Math.ceil((view.to - fromMs) / lengthMs);
  const sums = [0, 1, 2].map(() => new Array(count).fill(0));
  for (let i = 0; i < at.length; i++) {
    if (!shows(i)) continue;
    // It is counted when its outcome was known.
    const slice = Math.floor((at[i]! + (took[i] ?? 0) - fromMs) / lengthMs);
    if (slice >= 0 && slice < count) sums[outcome[i]!]![slice] += 1000 / lengthMs;
  }
  let most = 1;
  for (let i = 0; i < count; i++) most = Math.max(most, sums[0]![i] + sums[1]![i] + sums[2]![i]);
  const step = niceStep(most / 3);
  const highest = Math.ceil(most / step) * step;
  const y = (rate: number) => height - (height - top) * rate / highest;
  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, height);
  context.clip();
  const base = new Array(count).fill(0);
  ["ok", "fail", "info"].forEach((name, outcomeAt) => {
    const rates = sums[outcomeAt]!;
    context.fillStyle = colours[name];
    context.globalAlpha = name === "ok" ? 0.78 : 0.95;
    for (let i = 0; i < count; i++) {
      if (rates[i] === 0) continue;
      const px = x(fromMs + i * lengthMs);
      const long = x(fromMs + (i + 1) * lengthMs) - px;
      const low = y(base[i]);
      context.fillRect(
        px,
        y(base[i] + rates[i]),
        Math.max(long - 1, 0.6),
        low - y(base[i] + rates[i]),
      );
      base[i] += rates[i];
    }
  });
  context.globalAlpha = 1;
  context.restore();
  context.textAlign = "right";
  for (let rate = step; rate <= highest; rate += step) {
    context.fillStyle = colours.faint;
    context.fillText(rate.toLocaleString("en"), left - 10, y(rate) + (rate === highest ? 5 : 0));
    context.strokeStyle = colours.line;
    context.globalAlpha = 0.6;
    context.beginPath();
    context.moveTo(left, Math.round(y(rate)) + 0.5);
    context.lineTo(right, Math.round(y(rate)) + 0.5);
    context.stroke();
    context.globalAlpha = 1;
  }
  context.textAlign = "left";
  return { fromMs, lengthMs, rates: sums };
}
