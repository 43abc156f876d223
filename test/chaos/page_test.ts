// The bench's pages in a real browser: they start without errors and without a network, and show what they should.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { planCampaign } from "../../chaos/campaign/campaign.ts";
import { overviewPage } from "../../chaos/campaign/overview.ts";
import { gatesOf } from "../../chaos/gates.ts";
import { judge } from "../../chaos/judge.ts";
import { commandOf, runName, type RunOptions } from "../../chaos/options.ts";
import { outcomeOf } from "../../chaos/outcome.ts";
import { seededRandom } from "../../chaos/random.ts";
import { reportFiles, resultsOf } from "../../chaos/report/write.ts";
import type { RunRecord } from "../../chaos/run.ts";
import type { Fault } from "../../chaos/types.ts";
import { register } from "../../chaos/workloads/registers.ts";
import type { RecordedCall } from "../../chaos/workloads/types.ts";
import { findProgram, lacks } from "../support/needs.ts";

const OPTIONS: RunOptions = {
  system: "pontoon",
  workload: "register",
  nemeses: ["kill"],
  nodes: 3,
  concurrency: 4,
  keys: 2,
  rate: 100,
  clients: "mixed",
  net: "proxy",
  expect: [],
  timeLimitMs: 10_000,
  seed: 1,
};
const FAULT: Fault = {
  kind: "kill",
  targets: ["n2", "<b>"],
  atMs: 3000,
  untilMs: 5000,
  bit: true,
  detail: "1 process is gone",
};

/** Ten seconds of four clients; with `stale`, one read that no order explains. */
async function recordOf(stale: boolean): Promise<RunRecord> {
  const calls: RecordedCall[] = [];
  let sequence = 0;
  let value = 0;
  for (let atMs = 0; atMs < 10_000; atMs += 25) {
    const client = (atMs / 25) % 4;
    const writes = client === 0;
    if (writes) value++;
    const lost = writes && atMs > 3000 && atMs < 3500;
    const seen = stale && atMs === 7025 ? 1 : value;
    calls.push({
      process: client,
      client,
      node: `n${1 + client % 3}`,
      kind: writes ? "write" : "read",
      input: writes ? { f: "put", key: "r0", value } : { f: "get", key: "r0" },
      call: sequence++,
      atMs,
      attempts: 1,
      doneMs: atMs + 2 + client,
      return: sequence++,
      outcome: lost ? { type: "fail", error: "503 no-leader" } : {
        type: "ok",
        output: writes ? { status: value === 1 ? 201 : 200 } : { status: 200, value: seen },
      },
    });
    if (lost) value--;
  }
  const run = register.start({
    keys: 2,
    nodes: () => [],
    random: seededRandom(1),
    promisesApplied: false,
    hasIdempotency: false,
    now: () => 0,
  });
  const judgement = await judge(run, { calls, faults: [FAULT], elections: [] }, false);
  const gates = gatesOf({
    calls,
    kinds: register.kinds,
    faults: [FAULT],
    nemeses: ["kill"],
    elections: 2,
    snapshotsSent: 0,
    expect: [],
  });
  return {
    name: runName(OPTIONS),
    options: OPTIONS,
    command: commandOf(OPTIONS),
    startedAt: "2026-01-01T00:00:00.000Z",
    elapsedMs: 10_000,
    versions: { deno: "2" },
    nodes: ["n1", "n2", "n3"],
    calls,
    counts: { ok: calls.length - 5, fail: 5, info: 0 },
    faults: [FAULT],
    elections: [{ atMs: 0, term: 1, leader: "n2" }, { atMs: 3600, term: 2, leader: "n1" }],
    spans: [
      { node: "n1", term: 1, leader: "n2", fromMs: 0, toMs: 3000 },
      { node: "n1", term: 2, leader: "n1", fromMs: 3600, toMs: 10_000 },
      { node: "n3", term: 2, fromMs: 0, toMs: 10_000 },
    ],
    snapshotsSent: 0,
    gates,
    judgement,
    files: {},
    interrupted: false,
    ...outcomeOf(judgement, gates, false, undefined),
  };
}

const evaluate = <T>(page: Page, code: string) => page.evaluate(code) as Promise<T>;

async function withPage(html: string, body: (page: Page) => Promise<void>): Promise<void> {
  const executablePath = Deno.env.get("PONTOON_CHROMIUM") ?? findProgram("chromium")!;
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => problems.push(`asks for ${request.url()}`));
    await page.setContent(html);
    await body(page);
    assertEquals(problems, []);
  } finally {
    await browser.close();
  }
}

/** How many pixels of a canvas have been painted. */
function painted(page: Page, id: string): Promise<number> {
  return evaluate(
    page,
    `(() => {
      const canvas = document.getElementById(${JSON.stringify(id)});
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 3; i < data.length; i += 4) if (data[i] > 0) count++;
      return count;
    })()`,
  );
}

const browserTest = {
  ignore: lacks("chromium"),
  sanitizeOps: false,
  sanitizeResources: false,
};

Deno.test({
  name: "a report shows verdict, charts, proof, faults and gates",
  ...browserTest,
  async fn() {
    const record = await recordOf(false);
    assertEquals([record.valid, record.reason], [true, "linearizable"]);
    await withPage(reportFiles(record)["index.html"]!, async (page) => {
      assertStringIncludes(await page.textContent(".verdict") ?? "", "Held");
      assertStringIncludes(await page.textContent("h1") ?? "", "Pontoon held: 400 operations");
      for (const id of ["faults", "leaders", "throughput", "latency", "calls"]) {
        assert(await painted(page, id) > 500, `${id} is empty`);
      }
      // What can be seen; the text of scripts is part of the body's text too.
      const text = await page.locator("body").innerText();
      for (const words of ["n2, <b>", "1 process is gone", "the nemesis kill bit", "--seed 1"]) {
        assertStringIncludes(text, words);
      }
      await page.locator("#proof").scrollIntoViewIfNeeded();
      const proof = page.frameLocator("#proof");
      await proof.locator("#chart").waitFor();
      assertStringIncludes(await proof.locator(".summary").textContent() ?? "", "model kv");
    });
  },
});

Deno.test({
  name: "a report is zoomed by dragging, tells what is under the pointer, and hides a kind",
  ...browserTest,
  async fn() {
    await withPage(reportFiles(await recordOf(false))["index.html"]!, async (page) => {
      const overlay = page.locator("#overlay");
      const view = () => evaluate<{ from: number; to: number }>(page, "pontoonReport.view");
      const from = await overlay.boundingBox();
      await page.mouse.move(from!.x + 400, from!.y + 200);
      await page.mouse.down();
      await page.mouse.move(from!.x + 600, from!.y + 200);
      await page.mouse.up();
      const zoomed = await view();
      assert(zoomed.from > 1000 && zoomed.to < 9000, JSON.stringify(zoomed));
      await page.click("#whole");
      assertEquals(await view(), { from: 0, to: 10_000 });
      const fault = await evaluate<{ x: number; y: number }>(page, "pontoonReport.drawn.faults[0]");
      await overlay.hover({ position: { x: fault.x + 4, y: fault.y + 6 } });
      assertStringIncludes(await page.textContent("#tip") ?? "", "kill: n2");
      const before = await painted(page, "calls");
      await page.click("[data-kind='1']");
      await page.waitForFunction("!document.hidden");
      await evaluate(page, "pontoonReport.draw()");
      assert(await painted(page, "calls") < before);
    });
  },
});

Deno.test({
  name: "a report of a violation says what is wrong and marks it in the charts",
  ...browserTest,
  async fn() {
    const record = await recordOf(true);
    assertEquals(record.valid, false);
    await withPage(reportFiles(record)["index.html"]!, async (page) => {
      assertStringIncludes(await page.textContent(".verdict") ?? "", "Violated");
      assertStringIncludes(await page.textContent(".why") ?? "", "can't be placed");
      const data = JSON.parse(await page.textContent("#data") ?? "{}");
      assert(data.marks.length > 0);
      await page.emulateMedia({ colorScheme: "dark", media: "print" });
      assert(await page.isVisible("#latency"));
      assert((await page.pdf()).length > 1000);
    });
  },
});

Deno.test({
  name: "an overview is filtered by verdict and by words",
  ...browserTest,
  async fn() {
    const runs = ["kill", "pause"].map((nemesis) => ({ ...OPTIONS, nemeses: [nemesis] }));
    const plan = planCampaign(runs, 1, "wrong-stale");
    const results = resultsOf(await recordOf(false));
    const finished = plan.runs.slice(0, 2).map((planned) => ({
      planned,
      results: { ...results, valid: !planned.isCanary },
    }));
    await withPage(overviewPage(plan, finished), async (page) => {
      assertEquals(await page.textContent("#shown"), "3 of 3");
      await page.selectOption("#state", "held");
      assertEquals(await page.textContent("#shown"), "1 of 3");
      await page.selectOption("#state", "");
      await page.fill("#search", "wrong-");
      assertEquals(await page.textContent("#shown"), "1 of 3");
      assertEquals(await page.locator("#runs tbody tr:visible").count(), 1);
    });
  },
});
