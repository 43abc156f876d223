// The timeline's sentences. Pure.

import type { HappeningRow } from "./view.ts";
import { duration, list, partitionsText } from "./words.ts";

/** How much attention an entry asks for. */
export type HappeningTone = "bad" | "change" | "good" | "plain";

export interface HappeningWords {
  readonly tone: HappeningTone;
  readonly text: string;
}

function way({ to = [], from = [] }: HappeningRow): string {
  if (from.length === 0) return `to ${list(to)}`;
  return to.length === 0 ? `off ${list(from)}` : `from ${list(from)} to ${list(to)}`;
}

function elected({ member, count, partitions, term }: HappeningRow): string {
  const many = count > partitions.length;
  const what = many
    ? `${count} partitions`
    : partitionsText(partitions.toSorted((a, b) => a - b), 6);
  return `${member} was elected leader of ${what}${
    partitions.length === 1 && !many ? `, term ${term}` : ""
  }`;
}

/** One entry in words. A kind of a newer version is shown by its name. */
export function happeningWords(one: HappeningRow): HappeningWords {
  const { kind, member, count, durationMs = 0, partitions } = one;
  switch (kind) {
    case "elected":
      return { tone: "change", text: elected(one) };
    case "started":
      return { tone: "good", text: `${member} started` };
    case "suspect":
      return { tone: "bad", text: `${member} is suspected: it answered nobody who asked` };
    case "dead":
      return { tone: "bad", text: `${member} counts as gone` };
    case "alive":
      return { tone: "good", text: `${member} answers again` };
    case "joined":
      return { tone: "good", text: `${member} joined` };
    case "left":
      return { tone: "change", text: `${member} is no member any more` };
    case "draining":
      return { tone: "change", text: `${member} is being drained` };
    case "leaving":
      return { tone: "change", text: `${member} is being removed` };
    case "active":
      return { tone: "good", text: `${member} is in use again` };
    case "move-began":
      return { tone: "plain", text: `${capital(partitionsText(partitions))} moves ${way(one)}` };
    case "move-done":
      return { tone: "good", text: `${capital(partitionsText(partitions))} moved ${way(one)}` };
    case "move-cancelled":
      return {
        tone: "change",
        text: `The move of ${partitionsText(partitions)} ${way(one)} was given up`,
      };
    case "disk-low":
      return { tone: "bad", text: `${member}’s disk is full: it refuses writes` };
    case "disk-room":
      return { tone: "good", text: `${member}’s disk has room again` };
    case "disk-slow":
      return {
        tone: "bad",
        text: `${member}’s disk was slow: a sync took ${duration(durationMs)}${
          count > 1 ? `, the worst of ${count}` : ""
        }`,
      };
    default:
      return { tone: "plain", text: `${member}: ${kind}` };
  }
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
