/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// What happened lately, newest first.

import { useState } from "hono/jsx/dom";
import { happeningWords } from "../happening_words.ts";
import type { DashboardView } from "../view.ts";
import { duration } from "../words.ts";
import { Section } from "./ui.tsx";

const SHOWN = 14;

function clockTime(atMs: number): string {
  const date = new Date(atMs);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
}

export function Timeline({ view }: { view: DashboardView }) {
  const [all, setAll] = useState(false);
  const newest = view.happenings.toReversed();
  const shown = all ? newest : newest.slice(0, SHOWN);
  return (
    <Section
      id="events"
      title="Events"
      note="Elections, members, moves, disks; as the nodes tell them"
      side={newest.length <= SHOWN ? undefined : (
        <button type="button" onClick={() => setAll(!all)}>
          {all ? "Fewer" : `All ${newest.length}`}
        </button>
      )}
    >
      <div class="card">
        <ol class="timeline">
          {shown.map((one) => {
            const { tone, text } = happeningWords(one);
            return (
              <li
                key={`${one.atMs} ${one.kind} ${one.member} ${one.partitions.join()}`}
                class={tone}
              >
                <time datetime={new Date(one.atMs).toISOString()}>{clockTime(one.atMs)}</time>
                <i />
                <span>{text}</span>
                <small>{duration(Math.max(0, view.atMs - one.atMs))} ago</small>
              </li>
            );
          })}
          {shown.length === 0 ? <li class="nothing">Nothing yet.</li> : null}
        </ol>
      </div>
    </Section>
  );
}
