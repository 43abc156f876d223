// A campaign's overview: its verdict in a sentence, the matrix of workloads and nemeses, all runs with filters. One page
// that opens offline, with links to the reports beside it.

import { runName } from "../options.ts";
import { nemesesText } from "../options.ts";
import { escapeHtml, htmlPage, LOGO, scriptJson, sign } from "../report/html.ts";
import { counted, listed, number, seconds, systemTitle, verdictWord } from "../report/words.ts";
import type { Valid } from "../outcome.ts";
import { type CampaignPlan, campaignVerdict, type FinishedRun, isWell } from "./campaign.ts";
import { startOverview } from "./overview_script.ts";
import { OVERVIEW_STYLE } from "./overview_style.ts";

/** One run as the page knows it. */
export interface OverviewRun {
  readonly name: string;
  readonly href: string;
  readonly system: string;
  readonly workload: string;
  readonly nemesis: string;
  readonly seed: number;
  /** held, violated, unknown; caught and missed for the canary; planned while it is to come. */
  readonly state: string;
  readonly reason: string;
  readonly ok: number;
  readonly fail: number;
  readonly info: number;
  readonly faults: number;
  readonly elections: number;
  readonly elapsedMs: number;
}

/** Columns of the matrix that fit the page. */
const COLUMNS_MAX = 14;

const TONES: Readonly<Record<string, string>> = { caught: "held", missed: "violated" };

function stateOf({ planned, results }: FinishedRun): string {
  if (planned.isCanary) return results.valid === false ? "caught" : "missed";
  return verdictWord(results.valid).toLowerCase();
}

export function overviewRuns(plan: CampaignPlan, finished: readonly FinishedRun[]): OverviewRun[] {
  return plan.runs.map((planned) => {
    const { options } = planned;
    const done = finished.find((one) => one.planned === planned);
    return {
      name: runName(options),
      href: `${runName(options)}/index.html`,
      system: options.system,
      workload: options.workload,
      nemesis: nemesesText(options.nemeses),
      seed: options.seed,
      state: done === undefined ? "planned" : stateOf(done),
      reason: done?.results.reason ?? "",
      ok: done?.results.counts.ok ?? 0,
      fail: done?.results.counts.fail ?? 0,
      info: done?.results.counts.info ?? 0,
      faults: done?.results.faults.length ?? 0,
      elections: done?.results.elections.length ?? 0,
      elapsedMs: done?.results.elapsedMs ?? 0,
    };
  });
}

function sentence(plan: CampaignPlan, finished: readonly FinishedRun[], valid: Valid): string {
  const real = finished.filter(({ planned }) => !planned.isCanary);
  const systems = [...new Set(real.map(({ results }) => systemTitle(results.options.system)))];
  const operations = real.reduce((sum, { results }) => {
    return sum + results.counts.ok + results.counts.fail + results.counts.info;
  }, 0);
  const faults = real.reduce((sum, { results }) => sum + results.faults.length, 0);
  const left = plan.runs.length - finished.length;
  const rest = left === 0 ? "" : ` ${counted(left, "run")} of ${plan.runs.length} to come.`;
  const scale = `${counted(real.length, "run")}, ${number(operations)} operations and ` +
    `${counted(faults, "fault")}`;
  const who = listed(systems) || "Nothing";
  const bad = real.filter(({ results }) => results.valid === false).length;
  if (bad > 0) {
    return `${who} broke its promise in ${counted(bad, "run")} of ${real.length}.${rest}`;
  }
  const canary = finished.find(({ planned }) => planned.isCanary);
  if (canary !== undefined && !isWell(canary)) {
    return `The canary was missed: ${canary.results.options.system} is wrong on purpose and came ` +
      `out as ${String(canary.results.valid)}. Nothing here counts.${rest}`;
  }
  const unknown = real.filter(({ results }) => results.valid === "unknown").length;
  if (unknown > 0) {
    return `${who} was caught at nothing in ${scale}, but ${
      counted(unknown, "run proves", "runs prove")
    } nothing.${rest}`;
  }
  const caught = canary === undefined ? "" : " The wrong system sent along was caught.";
  return valid === true || left > 0
    ? `${who} held in all of ${scale}.${caught}${rest}`
    : `Nothing was judged.${rest}`;
}

function matrix(runs: readonly OverviewRun[]): string {
  const real = runs.filter(({ state }) => state !== "caught" && state !== "missed");
  const workloads = [...new Set(real.map(({ workload }) => workload))];
  const nemeses = [...new Set(real.map(({ nemesis }) => nemesis))];
  if (workloads.length * nemeses.length < 2) return "";
  if (workloads.length === 1 || nemeses.length === 1) return wall(real, workloads, nemeses);
  // The longer list goes down the page: across it there is room for so many.
  const turned = nemeses.length > COLUMNS_MAX && workloads.length < nemeses.length;
  const [rows, columns] = turned ? [nemeses, workloads] : [workloads, nemeses];
  const head = columns.map((name) => `<th scope="col"><span>${escapeHtml(name)}</span></th>`);
  const body = rows.map((row) => {
    const cells = columns.map((column) => {
      const [workload, nemesis] = turned ? [column, row] : [row, column];
      const own = real.filter((one) => one.workload === workload && one.nemesis === nemesis);
      return `<td>${own.map(cellOf).join("")}</td>`;
    });
    return `<tr><th scope="row">${escapeHtml(row)}</th>${cells.join("")}</tr>`;
  });
  return `<h2>Workloads against nemeses</h2>
<p class="lead">Each field opens its report; the number is how many operations were decided.</p>
<div class="card scroll"><table class="matrix"><thead><tr><td></td>${
    head.join("")
  }</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

/** One workload against many nemeses, or the other way round: a field with its name below it for each. */
function wall(
  runs: readonly OverviewRun[],
  workloads: readonly string[],
  nemeses: readonly string[],
): string {
  const [title, names] = workloads.length === 1
    ? [`Workload ${workloads[0]}, each nemesis`, nemeses]
    : [`Nemesis ${nemeses[0]}, each workload`, workloads];
  const fields = names.map((name) => {
    const own = runs.filter(({ workload, nemesis }) => workload === name || nemesis === name);
    return `<div class="field">${own.map(cellOf).join("")}<div>${escapeHtml(name)}</div></div>`;
  });
  return `<h2>${escapeHtml(title)}</h2>
<p class="lead">Each field opens its report; the number is how many operations were decided.</p>
<div class="card wall">${fields.join("\n")}</div>`;
}

function cellOf({ href, state, ok, reason, name }: OverviewRun): string {
  if (state === "planned") return `<i class="cell planned" title="to come"></i>`;
  const title = `${name}: ${state}${state === "held" ? "" : `; ${reason}`}`;
  return `<a class="cell ${state}" href="${escapeHtml(href)}" title="${escapeHtml(title)}">${
    sign(state)
  }<span>${number(ok)}</span></a>`;
}

function rowOf(run: OverviewRun): string {
  const tone = TONES[run.state] ?? run.state;
  const name = run.state === "planned"
    ? escapeHtml(run.name)
    : `<a href="${escapeHtml(run.href)}">${escapeHtml(run.name)}</a>`;
  const planned = run.state === "planned";
  return `<tr data-name="${escapeHtml(run.name)}"><td><span class="mark ${tone}">${
    planned ? "" : sign(tone)
  }${run.state}</span></td><td>${name}${
    run.state === "held" || run.state === "caught" || planned
      ? ""
      : `<div class="reason">${escapeHtml(run.reason.slice(0, 300))}</div>`
  }</td><td>${escapeHtml(run.workload)}</td><td>${escapeHtml(run.nemesis)}</td>${
    [run.ok, run.fail, run.info, run.faults, Math.max(0, run.elections - 1)]
      .map((value) => `<td class="num">${planned ? "" : number(value)}</td>`).join("")
  }<td class="num">${planned ? "" : seconds(run.elapsedMs)}</td></tr>`;
}

/** The page's HTML. */
export function overviewPage(plan: CampaignPlan, finished: readonly FinishedRun[]): string {
  const valid = campaignVerdict(finished, plan.runs.length);
  const tone = verdictWord(valid).toLowerCase();
  const word = finished.length < plan.runs.length && valid !== false
    ? "Under way"
    : verdictWord(valid);
  const runs = overviewRuns(plan, finished);
  const options = (values: readonly string[]) =>
    [...new Set(values)].map((value) => `<option>${escapeHtml(value)}</option>`).join("");
  return htmlPage(
    `${word}: campaign ${plan.seed}`,
    `<style>${OVERVIEW_STYLE}</style>
<header>
<div class="over">${LOGO}<span>Pontoon chaos bench</span><span class="right">campaign ${plan.seed}</span></div>
<div class="verdict ${tone}">${sign(tone)}${word}</div>
<h1>${escapeHtml(sentence(plan, finished, valid))}</h1>
</header>
${matrix(runs)}
<h2>All runs</h2>
<div class="card">
<div class="bar">
<label>Verdict <select id="state"><option value="">all</option>${
      options(runs.map(({ state }) => state))
    }</select></label>
<label>Workload <select id="workload"><option value="">all</option>${
      options(runs.map(({ workload }) => workload))
    }</select></label>
<label>Nemesis <select id="nemesis"><option value="">all</option>${
      options(runs.map(({ nemesis }) => nemesis))
    }</select></label>
<label>Search <input type="search" id="search" placeholder="system, seed, reason…"></label>
<span class="grow"></span><span id="shown"></span>
</div>
<div class="scroll"><table id="runs"><thead><tr><th>Verdict</th><th>Run</th><th>Workload</th><th>Nemesis</th>
<th class="num">Decided</th><th class="num">Refused</th><th class="num">Unknown</th><th class="num">Faults</th>
<th class="num">New leaders</th><th class="num">Time</th></tr></thead><tbody>
${runs.map(rowOf).join("\n")}
</tbody></table></div></div>
<script type="application/json" id="data">${scriptJson(runs)}</script>
<script>${startOverview.toString()}
startOverview();</script>`,
  );
}

export function writeOverview(
  dir: string,
  plan: CampaignPlan,
  finished: readonly FinishedRun[],
): void {
  Deno.writeTextFileSync(`${dir}/index.html`, overviewPage(plan, finished));
}
