// Campaigns without running any: plans, what is left, verdicts, the overview.

import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  campaignVerdict,
  loadPlan,
  planCampaign,
  type PlannedRun,
  resultsIn,
  savePlan,
  timeLeftMs,
} from "../../chaos/campaign/campaign.ts";
import { overviewPage } from "../../chaos/campaign/overview.ts";
import { parseCommand } from "../../chaos/command.ts";
import { runName } from "../../chaos/options.ts";
import type { RunResults } from "../../chaos/report/write.ts";

function planned() {
  const command = parseCommand(
    ["--workload", "register,bank", "--nemesis", "kill,pause", "--seed", "3"],
    () => 3,
  );
  if (command.kind !== "runs") throw new Error("not a campaign");
  return planCampaign(command.runs, command.seed, command.canary);
}

function results(
  { options }: PlannedRun,
  valid: RunResults["valid"],
  interrupted = false,
): RunResults {
  return {
    name: runName(options),
    valid,
    sentence: "",
    reason: valid === true ? "linearizable" : "a <stale> read",
    interrupted,
    command: "",
    options,
    startedAt: "2026-01-01T00:00:00.000Z",
    elapsedMs: 1000,
    versions: {},
    counts: { ok: 100, fail: 2, info: 1 },
    succeeded: {},
    faults: [],
    elections: [],
    snapshotsSent: 0,
    gates: [],
    flaws: [],
  };
}

Deno.test("a campaign begins with a canary and is held only if that was caught", () => {
  const { runs } = planned();
  assertEquals(runs.map(({ isCanary }) => isCanary), [true, false, false, false, false]);
  const finish = (canary: RunResults["valid"], rest: RunResults["valid"]) =>
    runs.map((one) => ({ planned: one, results: results(one, one.isCanary ? canary : rest) }));
  assertEquals(campaignVerdict(finish(false, true), 5), true);
  assertEquals(campaignVerdict(finish(true, true), 5), "unknown");
  assertEquals(campaignVerdict(finish(false, "unknown"), 5), "unknown");
  assertEquals(campaignVerdict(finish(false, false), 5), false);
  assertEquals(campaignVerdict(finish(false, true).slice(0, 4), 5), "unknown");
});

Deno.test("a campaign goes on where it stopped: what was interrupted is done again", () => {
  const dir = Deno.makeTempDirSync();
  try {
    const plan = planned();
    savePlan(plan, dir);
    assertEquals(loadPlan(dir), plan);
    const [canary, first, second] = plan.runs;
    for (const [one, interrupted] of [[canary!, false], [first!, true]] as const) {
      Deno.mkdirSync(`${dir}/${runName(one.options)}`);
      Deno.writeTextFileSync(
        `${dir}/${runName(one.options)}/results.json`,
        JSON.stringify(results(one, false, interrupted)),
      );
    }
    assertEquals(resultsIn(dir, canary!)?.valid, false);
    assertEquals(resultsIn(dir, first!), undefined);
    assertEquals(resultsIn(dir, second!), undefined);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("timeLeftMs() goes by what runs took beyond their time limit", () => {
  const { runs } = planned();
  const left = runs.slice(1);
  assertEquals(timeLeftMs(left, [{ timeLimitMs: 10_000, tookMs: 13_000 }]), 4 * 13_000);
  assertEquals(timeLeftMs([], []), 0);
});

Deno.test("overviewPage() tells what happened, escapes what it quotes and links each report", () => {
  const plan = planned();
  const finished = plan.runs.map((one, i) => ({
    planned: one,
    results: results(one, one.isCanary ? false : i !== 2),
  }));
  const html = overviewPage(plan, finished);
  assertStringIncludes(html, "Pontoon broke its promise in 1 run of 4.");
  assertStringIncludes(html, "a &lt;stale> read");
  for (const { options } of plan.runs) assertStringIncludes(html, `${runName(options)}/index.html`);
});
