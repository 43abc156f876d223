// Runs schedules and seeds in the tree that it is part of until one fails; started by runner.ts in a mutant's
// tree. Reads an Attempt as JSON from standard input, prints an Outcome as the last line of standard output.

import { runSchedule } from "../../test/sim/run.ts";
import { drawSchedule, type SimSchedule } from "../../test/sim/schedule.ts";
import { shrink } from "../../test/sim/shrink.ts";
import type { ThemeName } from "../../test/sim/themes.ts";
import type { Kill } from "./types.ts";

/** What to run: first the schedules, then the seeds, those of the theme before the others. */
export interface Attempt {
  readonly schedules: readonly SimSchedule[];
  /** Seeds 1 to this. */
  readonly seeds: number;
  readonly theme?: ThemeName | undefined;
  /** After so long no further seed is begun. */
  readonly minutes: number;
  /** Runs that making a failing schedule small may take; 0: leave it as it is. */
  readonly shrinkRuns: number;
}

export type Outcome =
  | { readonly kind: "killed"; readonly kill: Kill; readonly message: string }
  | { readonly kind: "survived"; readonly seeds: number; readonly operations: number };

const SHRINK_MS_MAX = 8000;

/** Draws again rather than keep thousands of schedules. */
function* inOrder({ schedules, seeds, theme }: Attempt): Generator<SimSchedule> {
  yield* schedules;
  for (const wanted of theme === undefined ? [true] : [true, false]) {
    for (let seed = 1; seed <= seeds; seed++) {
      const schedule = drawSchedule(seed);
      if (theme === undefined || (schedule.theme === theme) === wanted) yield schedule;
    }
  }
}

async function attempt(input: Attempt): Promise<Outcome> {
  const { schedules, minutes, shrinkRuns } = input;
  const endMs = performance.now() + minutes * 60_000;
  let operations = 0;
  let count = 0;
  for (const schedule of inOrder(input)) {
    if (count >= schedules.length && performance.now() > endMs) break;
    count++;
    const result = await runSchedule(schedule);
    operations += result.operations;
    if (result.failure === undefined) continue;
    const by = result.failure.invariant;
    const untilMs = performance.now() + SHRINK_MS_MAX;
    const smallest = shrinkRuns === 0 ? schedule : await shrink(schedule, by, {
      runsMax: shrinkRuns,
      stopped: () => performance.now() > untilMs,
      onProgress: () => {},
    });
    const { events, simulatedMs, failure } = await runSchedule(smallest);
    const { seed } = schedule;
    const kill = { by, seed, seeds: count, events, simulatedMs: Math.round(simulatedMs) };
    return {
      kind: "killed",
      kill: { ...kill, schedule: smallest },
      message: (failure ?? result.failure).message,
    };
  }
  return { kind: "survived", seeds: count, operations };
}

const order: Attempt = JSON.parse(await new Response(Deno.stdin.readable).text());
console.log(JSON.stringify(await attempt(order)));
