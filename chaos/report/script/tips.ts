// What is under the pointer. Runs in the page, embedded by its source text.

import type { Dots } from "./latency.ts";
import type { Area } from "./lanes.ts";
import type { PageReport } from "./frame.ts";
import type { Slices } from "./throughput.ts";

/** What was drawn, for finding it again. */
export interface Drawn {
  faults: readonly Area[];
  leaders: readonly Area[];
  slices: Slices;
  dots: Dots;
  lanes: { readonly top: number; readonly row: number };
}

/** The dot nearest to a point, or -1. */
export function callNear(dots: Dots, x: number, y: number): number {
  let nearest = -1;
  let best = 81;
  for (let i = 0; i < dots.count; i++) {
    const dx = dots.x[i]! - x;
    if (dx > 9 || dx < -9) continue;
    const distance = dx * dx + (dots.y[i]! - y) ** 2;
    if (distance <= best) {
      best = distance;
      nearest = dots.call[i]!;
    }
  }
  return nearest;
}

/** Lines about what is at a point of a panel; the first is the most important. */
export function describeAt(
  data: PageReport,
  drawn: Drawn,
  panel: string,
  x: number,
  y: number,
  timeMs: number,
  shows: (call: number) => boolean,
): string[] {
  const { at, took, kind, node, client, outcome, attempts, text } = data.calls;
  const callLines = (i: number): string[] => [
    text[i] ?? data.kinds[kind[i]!]!,
    ["decided", "refused: did not happen", "outcome unknown"][outcome[i]!]! +
    (took[i] === null ? "" : ` after ${took[i]! < 10 ? took[i]! : Math.round(took[i]!)} ms`) +
    (attempts[i]! > 1 ? ` and ${attempts[i]} attempts` : ""),
    `client ${client[i]! + 1} at ${data.nodes[node[i]!] ?? "a node that left"}, ${
      (at[i]! / 1000).toFixed(3)
    } s`,
  ];
  if (panel === "faults" || panel === "leaders") {
    const hit = drawn[panel].findLast((area) =>
      x >= area.x && x <= area.x + area.width && y >= area.y && y <= area.y + area.height
    );
    return hit === undefined ? [] : [...hit.lines];
  }
  if (panel === "throughput") {
    const { fromMs, lengthMs, rates } = drawn.slices;
    const slice = Math.floor((timeMs - fromMs) / lengthMs);
    if (rates[0]![slice] === undefined) return [];
    const told = (outcomeAt: number) => Math.round(rates[outcomeAt]![slice]!).toLocaleString("en");
    return [
      `${told(0)} decided a second`,
      `${told(1)} refused, ${told(2)} unknown`,
      `from ${((fromMs + slice * lengthMs) / 1000).toFixed(2)} s, over ${lengthMs} ms`,
    ];
  }
  if (panel === "latency") {
    const call = callNear(drawn.dots, x, y);
    return call < 0 ? [] : callLines(call);
  }
  const lane = Math.floor((y - drawn.lanes.top) / drawn.lanes.row);
  for (let i = at.length - 1; i >= 0; i--) {
    if (client[i] !== lane || at[i]! > timeMs + 3 || !shows(i)) continue;
    if (took[i] === null || at[i]! + took[i]! >= timeMs - 3) return callLines(i);
    if (at[i]! < timeMs - 10_000) break;
  }
  return [];
}
