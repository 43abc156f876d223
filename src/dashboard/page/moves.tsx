/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// Moves under way: what goes where, how far it is, how long it will take. Shown only while there are any.

import type { DashboardView, MoveRow } from "../view.ts";
import { bytes, counted, duration, list, number } from "../words.ts";
import type { Live } from "./live.ts";
import { Section } from "./ui.tsx";

const SHOWN_MAX = 12;

export function phaseWords({ phase, cancelled, sizeBytes, behind, empty }: MoveRow): string {
  if (cancelled) return "being given up";
  if (phase === "promoted") return "votes already; the old replica is on its way out";
  if (sizeBytes !== undefined) return "receiving a snapshot";
  if (empty) return "nothing there yet: the leader prepares a snapshot";
  return behind !== undefined && behind > 0 ? "reading the log" : "caught up, about to vote";
}

function progressOf({ sentBytes, sizeBytes, phase }: MoveRow): number | undefined {
  if (phase === "promoted") return 1;
  return sentBytes === undefined || !sizeBytes ? undefined : Math.min(1, sentBytes / sizeBytes);
}

function amount({ sentBytes, sizeBytes, behind, empty }: MoveRow): string {
  if (empty) return "";
  if (sentBytes !== undefined && sizeBytes !== undefined) {
    return `${bytes(sentBytes)} of ${bytes(sizeBytes)}`;
  }
  return behind !== undefined && behind > 0 ? `${number(behind)} entries to go` : "";
}

export function Moves({ live, view }: { live: Live; view: DashboardView }) {
  const { moves, plan } = view;
  const waiting = plan?.waiting ?? 0;
  const blocked = plan?.blocked ?? [];
  if (moves.length === 0 && blocked.length === 0) return null;
  return (
    <Section
      id="moves"
      title="Moves"
      note={`${counted(moves.length, "partition")} on the way${
        waiting === 0 ? "" : `, ${counted(waiting, "step")} behind them`
      }; all requests are served meanwhile`}
    >
      <div class="card moves">
        {moves.slice(0, SHOWN_MAX).map((move) => {
          const share = progressOf(move);
          const leftMs = live.moveLeftMs(
            move.partition,
            move.beganEpoch,
            move.sizeBytes !== undefined && move.sentBytes !== undefined,
          );
          return (
            <div key={`m${move.partition}`} class="move">
              <b>{move.partition}</b>
              <span>
                {move.from.length === 0 ? "" : list(move.from)}
                <i class="arrow">→</i>
                {move.to.length === 0 ? "" : list(move.to)}
              </span>
              <progress
                max={1}
                {...(share === undefined ? {} : { value: share })}
                aria-label={`partition ${move.partition}`}
              />
              <span class="dim">
                {[phaseWords(move), amount(move)].filter((part) => part !== "").join(", ")}
              </span>
              <span class="num">{leftMs === undefined ? "" : `${duration(leftMs)} left`}</span>
            </div>
          );
        })}
        {moves.length > SHOWN_MAX ? <p class="under">and {moves.length - SHOWN_MAX} more</p> : null}
        {blocked.map(({ partition, reason }) => (
          <p key={`b${partition}`} class="under bad">Partition {partition} waits: {reason}</p>
        ))}
      </div>
    </Section>
  );
}
