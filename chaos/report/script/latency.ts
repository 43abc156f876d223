// Every call as a dot at its start and its latency, on a logarithmic scale, with quantiles over time. Runs in the page,
// embedded by its source text.
// deno-lint-ignore-file no-explicit-any

import { type Colours, makeFrame, type PageReport, type View } from "./frame.ts";

/** Where a dot was drawn, for the tip. */
export interface Dots {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly call: Int32Array;
  readonly count: number;
}

/** Quantiles of the decided calls in windows of the view: [middle of the window, p50, p95, p99]. */
export function quantilesOf(
  data: PageReport,
  view: View,
  windows: number,
  shows: (call: number) => boolean,
): number[][] {
  const { at, took, outcome } = data.calls;
  const lengthMs = (view.to - view.from) / windows;
  const buckets: number[][] = Array.from({ length: windows }, () => []);
  for (let i = 0; i < at.length; i++) {
    if (outcome[i] !== 0 || took[i] === null || !shows(i)) continue;
    buckets[Math.floor((at[i]! - view.from) / lengthMs)]?.push(took[i]!);
  }
  return buckets.flatMap((bucket, w) => {
    if (bucket.length < 4) return [];
    bucket.sort((a, b) => a - b);
    const of = (share: number) =>
      bucket[Math.min(bucket.length - 1, Math.floor(share * bucket.length))]!;
    return [[view.from + (w + 0.5) * lengthMs, of(0.5), of(0.95), of(0.99)]];
  });
}

export function drawLatency(
  canvas: any,
  data: PageReport,
  view: View,
  colours: Colours,
  shows: (call: number) => boolean,
): Dots {
  const height = 300;
  const top = 34;
  const bottom = height - 12;
  const frame = makeFrame(canvas, height, view, colours, data, { shades: true, axis: false });
  const { context, left, right, x } = frame;
  const { at, took, outcome } = data.calls;
  let least = Infinity;
  let most = 10;
  for (const ms of took) {
    if (ms === null) continue;
    least = Math.min(least, Math.max(ms, 0.3));
    most = Math.max(most, ms);
  }
  const low = Math.log10(Math.min(least, 1)) - 0.05;
  const high = Math.log10(most * 1.25);
  const y = (ms: number) =>
    bottom - (bottom - top) * (Math.log10(Math.max(ms, 0.3)) - low) / (high - low);
  context.textAlign = "right";
  for (let power = Math.ceil(low); power <= high; power++) {
    const ms = 10 ** power;
    context.fillStyle = colours.faint;
    context.fillText(ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`, left - 10, y(ms));
    context.strokeStyle = colours.line;
    context.beginPath();
    context.moveTo(left, Math.round(y(ms)) + 0.5);
    context.lineTo(right, Math.round(y(ms)) + 0.5);
    context.stroke();
  }
  context.textAlign = "left";
  context.save();
  context.beginPath();
  context.rect(left - 3, 0, right - left + 6, height);
  context.clip();
  const dots = {
    x: new Float32Array(at.length),
    y: new Float32Array(at.length),
    call: new Int32Array(at.length),
    count: 0,
  };
  const names = ["ok", "fail", "info"];
  const crowded = at.length * (data.durationMs / (view.to - view.from)) > 20_000;
  // The rare outcomes last, so that they are on top.
  for (let kind = 0; kind < 3; kind++) {
    context.fillStyle = colours[names[kind]!];
    context.globalAlpha = kind > 0 ? 0.9 : crowded ? 0.26 : 0.42;
    const size = kind > 0 ? 4 : crowded ? 2.2 : 3;
    for (let i = 0; i < at.length; i++) {
      if (outcome[i] !== kind || took[i] === null || !shows(i)) continue;
      if (at[i]! < view.from || at[i]! > view.to) continue;
      const px = x(at[i]!);
      const py = y(took[i]!);
      context.beginPath();
      context.arc(px, py, size / 2, 0, 6.2832);
      context.fill();
      dots.x[dots.count] = px;
      dots.y[dots.count] = py;
      dots.call[dots.count++] = i;
    }
  }
  context.globalAlpha = 1;
  const windows = Math.max(12, Math.min(90, Math.round((right - left) / 14)));
  const quantiles = quantilesOf(data, view, windows, shows);
  const gapMs = 3.5 * (view.to - view.from) / windows;
  ["p50", "p95", "p99"].forEach((name, q) => {
    context.strokeStyle = colours[name];
    context.lineWidth = name === "p50" ? 2 : 1.4;
    context.beginPath();
    quantiles.forEach((row, i) => {
      const broken = i === 0 || row[0]! - quantiles[i - 1]![0]! > gapMs;
      if (broken) context.moveTo(x(row[0]!), y(row[q + 1]!));
      else context.lineTo(x(row[0]!), y(row[q + 1]!));
    });
    context.stroke();
  });
  context.strokeStyle = colours.violated;
  context.lineWidth = 2;
  for (const call of data.marks) {
    if (took[call] === null || took[call] === undefined) continue;
    context.beginPath();
    context.arc(x(at[call]!), y(took[call]!), 7, 0, 6.2832);
    context.stroke();
  }
  context.restore();
  let px = right;
  context.textAlign = "right";
  for (const name of ["p99", "p95", "p50"]) {
    context.fillStyle = colours[name];
    context.fillText(name, px, 16);
    context.fillRect(px - 46, 15, 16, 2.5);
    px -= 64;
  }
  context.textAlign = "left";
  return dots;
}
