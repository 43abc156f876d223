// What a run looks like while it goes on: a few lines that renew themselves on a terminal, one plain line a second
// anywhere else. Only ever reads.

import { stripVTControlCharacters } from "node:util";
import { counted, number } from "../report/words.ts";
import type { RunView } from "../run.ts";

/** Where lines go. */
export interface Screen {
  /** Whether lines can be taken back. */
  readonly isTerminal: boolean;
  readonly columns: number;
  write(text: string): void;
}

const TERMINAL_INTERVAL_MS = 200;
const PLAIN_INTERVAL_MS = 1000;
const RATE_WINDOW_MS = 2000;
const METER_WIDTH = 28;

const DIM = "\x1b[2m";
const BOLD = "\x1b[1m";
const PLAIN = "\x1b[0m";
const GREEN = "\x1b[32m";
const YELLOW = "\x1b[33m";
const RED = "\x1b[31m";

export function consoleScreen(): Screen {
  const encoder = new TextEncoder();
  const isTerminal = Deno.stdout.isTerminal() && Deno.env.get("TERM") !== "dumb";
  return {
    isTerminal,
    get columns() {
      return isTerminal ? Deno.consoleSize().columns : Infinity;
    },
    write: (text) => {
      const bytes = encoder.encode(text);
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    },
  };
}

/** Operations decided a second, lately. */
export function recentRate(view: RunView): number {
  const windowMs = Math.min(RATE_WINDOW_MS, view.elapsedMs);
  if (windowMs <= 0) return 0;
  let ok = 0;
  for (let i = view.calls.length - 1; i >= 0; i--) {
    const { doneMs, outcome, atMs } = view.calls[i]!;
    if (atMs < view.elapsedMs - 4 * RATE_WINDOW_MS) break;
    if (outcome?.type === "ok" && doneMs! > view.elapsedMs - windowMs) ok++;
  }
  return 1000 * ok / windowMs;
}

export function faultText({ faults }: Pick<RunView, "faults">): string {
  const active = faults.filter(({ untilMs }) => untilMs === Infinity);
  return active.map(({ kind, targets }) => `${kind} ${targets.join(",")}`).join("; ");
}

function leaderText({ leader, term }: RunView): string {
  return leader === undefined ? "no leader seen" : `leader ${leader} (term ${term})`;
}

/** One line that stands by itself. */
export function plainLine(view: RunView): string {
  const { ok, fail, info } = view.counts;
  const broken = faultText(view);
  return [
    `${(view.elapsedMs / 1000).toFixed(1)}s ${view.phase}`,
    `${number(ok)} ok, ${number(fail)} refused, ${number(info)} unknown`,
    `${number(recentRate(view))}/s`,
    leaderText(view),
    broken === "" ? `${counted(view.faults.length, "fault")} so far` : `broken: ${broken}`,
  ].join("; ");
}

/** The lines of a terminal. */
export function terminalLines(view: RunView, before: string): string[] {
  const { ok, fail, info } = view.counts;
  const share = Math.min(view.elapsedMs / view.options.timeLimitMs, 1);
  const full = Math.round(METER_WIDTH * share);
  const meter = `${"━".repeat(full)}${DIM}${"─".repeat(METER_WIDTH - full)}${PLAIN}`;
  const broken = faultText(view);
  return [
    `${before}${BOLD}${view.name}${PLAIN}  ${view.phase}`,
    `  ${meter} ${(view.elapsedMs / 1000).toFixed(1)} of ${view.options.timeLimitMs / 1000} s`,
    `  ${GREEN}${number(ok)} decided${PLAIN}  ${YELLOW}${number(fail)} refused${PLAIN}  ` +
    `${RED}${number(info)} unknown${PLAIN}  ${number(recentRate(view))}/s`,
    `  ${leaderText(view)}, ${counted(view.elections, "election")} seen`,
    broken === ""
      ? `  ${DIM}${counted(view.faults.length, "fault")} so far, nothing broken just now${PLAIN}`
      : `  ${RED}broken: ${broken}${PLAIN}`,
  ];
}

/** Cut to what fits, so that no line wraps and the next renewal finds its place. */
function fitted(line: string, columns: number): string {
  const shown = stripVTControlCharacters(line);
  return shown.length <= columns ? line : `${shown.slice(0, Math.max(columns - 1, 1))}…`;
}

export class LiveView {
  readonly #screen: Screen;
  #timer: ReturnType<typeof setInterval> | undefined;
  #view: RunView | undefined;
  #before = "";
  #drawn = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Shows a run until `end`. `before` stands before its name: which of how many, time left. */
  show(view: RunView, before: string): void {
    this.#view = view;
    this.#before = before;
    if (!this.#screen.isTerminal) this.#screen.write(`${before}${view.name}\n`);
    this.#timer = setInterval(
      () => this.#draw(),
      this.#screen.isTerminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS,
    );
    if (this.#screen.isTerminal) this.#draw();
  }

  /** Takes the renewing lines away and prints `line` for good. */
  end(line: string): void {
    clearInterval(this.#timer);
    this.#erase();
    this.#view = undefined;
    this.#screen.write(`${line}\n`);
  }

  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const view = this.#view;
    if (view === undefined) return;
    if (!this.#screen.isTerminal) return this.#screen.write(`  ${plainLine(view)}\n`);
    const { columns } = this.#screen;
    const lines = terminalLines(view, this.#before).map((line) => fitted(line, columns));
    this.#erase();
    this.#screen.write(`${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }
}
