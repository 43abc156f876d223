/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// The first thing to read: how the cluster is, in a sentence, and what else there is to know.

import { healthOf, type Tone } from "../health.ts";
import { duration } from "../words.ts";
import type { DashboardView } from "../view.ts";
import type { Live } from "./live.ts";

const TONE_WORDS: Readonly<Record<Tone, string>> = {
  broken: "Broken",
  degraded: "Degraded",
  busy: "Working",
  note: "Note",
  well: "Healthy",
};
const MORE_SHOWN = 4;
/** A page that has heard nothing for so long must not look healthy. */
const STALE_MS = 3_000;

export function HealthBanner({ live, compact }: { live: Live; compact: boolean }) {
  const { view, connection } = live;
  if (connection !== "live") {
    const sinceMs = live.seenMs === 0 ? undefined : Date.now() - live.seenMs;
    const isShort = connection === "connecting" || (sinceMs !== undefined && sinceMs < STALE_MS);
    return (
      <div class={`health ${isShort ? "note" : "lost"}`} role="status">
        <p class="tone">
          <i />
          {connection === "connecting" ? "Connecting" : "No connection"}
        </p>
        <p class="sentence">
          {connection === "connecting"
            ? "Asking the node for the state of the cluster."
            : "This node does not answer."}
          {sinceMs === undefined
            ? null
            : <span class="for">last seen {duration(sinceMs)} ago</span>}
        </p>
        {connection === "connecting" ? null : (
          <p class="doing">
            Trying again ({live.reason}). {view === undefined ? "" : "What is below is old. "}
            {view === undefined ? "" : <OtherNodes view={view} />}
          </p>
        )}
      </div>
    );
  }
  const { tone, sentence, doing, forMs, more } = healthOf(view!);
  return (
    <div class={`health ${tone}${compact ? " compact" : ""}`} role="status" aria-live="polite">
      <p class="tone">
        <i />
        {TONE_WORDS[tone]}
      </p>
      <p class="sentence">
        {sentence}
        {forMs === undefined ? null : <span class="for">for {duration(forMs)}</span>}
      </p>
      <p class="doing">{doing}</p>
      {more.length === 0 || compact ? null : (
        <ul class="more">
          {more.slice(0, MORE_SHOWN).map((finding) => (
            <li key={finding.what} class={finding.tone}>
              <i />
              <span>
                <b>{finding.what}</b> {finding.forMs === undefined
                  ? null
                  : <span class="for">For {duration(finding.forMs)}.</span>} {finding.doing}
              </span>
            </li>
          ))}
          {more.length > MORE_SHOWN
            ? (
              <li class="note">
                <i />
                <span>and {more.length - MORE_SHOWN} more</span>
              </li>
            )
            : null}
        </ul>
      )}
    </div>
  );
}

function OtherNodes({ view }: { view: DashboardView }) {
  const others = view.members.filter(({ isSelf }) => !isSelf);
  if (others.length === 0) return null;
  return (
    <span>
      Look from{" "}
      {others.slice(0, 4).map(({ name, http }) => (
        <a key={name} href={`${location.protocol}//${http}/`}>{name}</a>
      ))}
    </span>
  );
}
