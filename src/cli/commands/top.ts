// `top`: the cluster live in a terminal: throughput, latency, leaders, lag. Plain lines without one.

import type { Command } from "commander";
import type { ClusterView, Kv } from "../../client/mod.ts";
import type { Context } from "../context.ts";
import { usage } from "../exit.ts";
import { parseDuration } from "../format.ts";
import { askAll, endpointsOf } from "../nodes.ts";
import { parsePositive } from "../options.ts";
import type { Run } from "../program.ts";
import {
  type Figures,
  figuresOf,
  HISTORY_MAX,
  type Look,
  plainLine,
  screenLines,
} from "../top_view.ts";

/** Read once a look, to see what a linearizable read takes. It need not exist. */
const PROBE_KEY = "kv-top/probe";
const INTERVAL_MS_MIN = 200;
const ENTER_SCREEN = "\x1b[?1049h\x1b[?25l";
const LEAVE_SCREEN = "\x1b[?25h\x1b[?1049l";

interface TopOptions {
  readonly interval: string;
  readonly count?: number;
}

export function addTopCommand(program: Command, run: Run): void {
  program.command("top")
    .summary("watch the cluster live")
    .description("Shows throughput, latency, leaders and lag, live. q or Ctrl-C ends it.")
    .option("--interval <duration>", "time from look to look", "1s")
    .option("--count <n>", "end after so many looks", parsePositive)
    .addHelpText(
      "after",
      `
"entries" are log entries committed a second, over all partitions: writes, and little else. "read" is one
linearizable read, by the SDK. Lag is how many entries the slowest replica is behind. Without a terminal,
or with -o raw, there is one line a look; with -o json, one document.

  kv top
  kv top --count 1 -o json`,
    )
    .action(run(top));
}

async function lookAt(context: Context, kv: Kv, intervalMs: number): Promise<Look> {
  const timeoutMs = Math.max(intervalMs, 1000);
  const endpoints = await endpointsOf(context);
  const startedMs = performance.now();
  const [nodes, readMs] = await Promise.all([
    askAll<ClusterView>({ token: context.token, timeoutMs }, endpoints, "/cluster"),
    kv.get(PROBE_KEY, { timeoutMs }).then(() => performance.now() - startedMs, () => undefined),
  ]);
  return { atMs: performance.now(), nodes, readMs };
}

async function top(context: Context, _: string[], options: TopOptions): Promise<void> {
  const intervalMs = parseDuration(options.interval);
  if (intervalMs < INTERVAL_MS_MIN) throw usage(`--interval takes ${INTERVAL_MS_MIN}ms or more`);
  const { out } = context.io;
  const form = context.form(out.isTerminal ? "table" : "raw");
  const live = form === "table" && out.isTerminal;
  const kv = await context.kv();
  const history: Figures[] = [];
  const stopKeys = live
    ? context.io.onKey((key) => {
      if (key === "q" || key === "\x03" || key === "\x1b") context.interrupt();
    })
    : undefined;
  if (live) out.write(ENTER_SCREEN);
  try {
    let before = await lookAt(context, kv, intervalMs);
    if (live) draw(context, [figuresOf(undefined, before)]);
    for (let count = 0; count < (options.count ?? Infinity); count++) {
      await pause(intervalMs, context.interrupted);
      if (context.interrupted.aborted) return;
      const now = await lookAt(context, kv, intervalMs);
      const figures = figuresOf(before, now);
      before = now;
      history.push(figures);
      if (history.length > HISTORY_MAX) history.shift();
      if (live) draw(context, history);
      else if (form === "json") context.print(JSON.stringify(figures));
      else if (form === "raw") context.print(plainLine(figures));
      else for (const line of screen(context, [figures])) context.print(line);
    }
  } finally {
    if (live) out.write(LEAVE_SCREEN);
    stopKeys?.();
  }
}

function screen(context: Context, history: readonly Figures[]): string[] {
  const { out } = context.io;
  return screenLines(history, {
    columns: out.columns(),
    rows: out.rows(),
    colour: out.isTerminal && (context.io.env("NO_COLOR") ?? "") === "",
    clock: new Date().toLocaleTimeString("en-GB"),
  });
}

/** Draws over what is there, line by line, so that nothing flickers. */
function draw(context: Context, history: readonly Figures[]): void {
  const lines = screen(context, history).map((line) => `${line}\x1b[K`);
  context.io.out.write(`\x1b[H${lines.join("\r\n")}\x1b[J`);
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener("abort", end, { once: true });
  });
}
