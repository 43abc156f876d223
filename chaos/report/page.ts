// A run's report as one page that opens offline: the verdict in a sentence, charts over one axis of time, the
// checker's own page with proof or counterexample, what the faults did, how to do it again.

import type { ReportData } from "./data.ts";
import { escapeHtml, htmlPage, LOGO, scriptJson, sign } from "./html.ts";
import { drawLatency, quantilesOf } from "./script/latency.ts";
import { drawCalls, drawFaults, drawLeaders } from "./script/lanes.ts";
import { drawThroughput } from "./script/throughput.ts";
import { makeFrame, niceStep, timeText } from "./script/frame.ts";
import { callNear, describeAt } from "./script/tips.ts";
import { startReport } from "./script/start.ts";
import { seconds } from "./words.ts";

/** Functions that the page runs by their source; they may use each other and nothing else. */
const SCRIPTS = [
  niceStep,
  timeText,
  makeFrame,
  drawFaults,
  drawLeaders,
  drawCalls,
  drawThroughput,
  quantilesOf,
  drawLatency,
  callNear,
  describeAt,
  startReport,
];

function why(data: ReportData): string {
  const { valid, reason, flaws } = data.results;
  if (valid === true) return "";
  const list = flaws.length < 2
    ? ""
    : `<ul>${
      flaws.slice(0, 8).map(({ message }) => `<li>${escapeHtml(message)}</li>`).join("")
    }</ul>`;
  // The list says it all, where there is nothing else.
  const isListed = list !== "" && reason.startsWith(flaws[0]!.message);
  return `<div class="why ${data.word.toLowerCase()}"><b>${
    valid === false ? "What no correct system does" : "Why this run does not count"
  }</b>${isListed ? "" : escapeHtml(reason)}${list}</div>`;
}

function charts(data: ReportData): string {
  const kinds = data.kinds.map((kind, i) =>
    `<button class="chip" aria-pressed="true" data-kind="${i}">${escapeHtml(kind)}</button>`
  ).join("");
  return `<h2>What happened</h2>
<p class="lead">One axis of time for everything. Drag to look closer, double-click to see all of it again.</p>
<div class="card" id="charts">
<div class="bar">
<span class="key"><i style="--c:var(--ok)"></i>decided</span>
<span class="key"><i style="--c:var(--fail)"></i>refused, did not happen</span>
<span class="key"><i style="--c:var(--info)"></i>outcome unknown</span>
<span class="key"><i class="shade"></i>fault in force</span>
<span class="key"><i class="vote"></i>new leader</span>
${data.marks.length > 0 ? `<span class="key"><i class="wrong"></i>shows what is wrong</span>` : ""}
<span class="grow"></span>${kinds}
<button class="chip" id="whole" hidden>Show all</button>
</div>
<div class="stack">
${data.faults.length > 0 ? panel("faults", "Faults") : ""}
${data.elections.length > 0 ? panel("leaders", "Who follows whom") : ""}
${panel("throughput", "Operations a second")}
${panel("latency", "Latency")}
${panel("calls", "Clients")}
<canvas id="overlay" tabindex="0" role="img" aria-label="Charts over time: faults, leaders, throughput, latency, operations of each client. Arrow keys move, plus and minus zoom, 0 shows all."></canvas>
<div id="tip" hidden></div>
</div>
</div>`;
}

function panel(id: string, name: string): string {
  return `<div class="panel"><div class="name">${name}</div><canvas id="${id}"></canvas></div>`;
}

/** The checker's page without what stands on this one already. */
function framed(checkerPage: string): string {
  return checkerPage.replace("</head>", "<style>h1, .why { display: none }</style></head>");
}

function proof(data: ReportData, checkerPage: string | undefined): string {
  if (checkerPage === undefined) return "";
  const { valid } = data.results;
  const violated = data.results.checker?.verdict === "illegal";
  return `<h2>${
    violated ? "The counterexample" : valid === true ? "The proof" : "What the checker found"
  }</h2>
<p class="lead">${
    violated
      ? "The smallest part of the history that has no order, as knossos-ts found and verified it again."
      : valid === false
      ? "The line through the dots is an order that explains every answer by itself. What is wrong beyond that stands at the top of this page."
      : "Every operation in its client’s lane; the line through the dots is an order that explains every answer. " +
        "Hover to see the state after each."
  }</p>
<div class="card"><iframe class="proof" id="proof" title="The checker’s page" loading="lazy"></iframe></div>
<script type="application/json" id="proof-page">${scriptJson(framed(checkerPage))}</script>`;
}

function faults(data: ReportData): string {
  if (data.faults.length === 0) return "";
  const rows = data.faults.map(({ kind, targets, from, to, bit, detail }) =>
    `<tr><td class="num">${seconds(from)}</td><td class="nowrap"><b>${
      escapeHtml(kind)
    }</b></td><td>${escapeHtml(targets.join(", "))}</td><td class="num">${
      seconds(to - from)
    }</td><td><span class="mark ${bit ? "held" : "unknown"}">${sign(bit ? "held" : "unknown")}${
      bit ? "bit" : "had no effect"
    }</span></td><td>${escapeHtml(detail)}</td></tr>`
  ).join("\n");
  return `<h2>What the faults really did</h2>
<p class="lead">Each was looked at before it was healed: a fault that changed nothing proves nothing.</p>
<div class="card scroll"><table><thead><tr><th class="num">At</th><th>Nemesis</th><th>Hit</th><th class="num">For</th>
<th>Effect</th><th>Evidence</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function gates(data: ReportData): string {
  const rows = data.results.gates.map(({ name, passed, detail }) =>
    `<tr><td><span class="mark ${passed ? "held" : "unknown"}">${
      sign(passed ? "held" : "unknown")
    }${passed ? "shown" : "not shown"}</span></td><td>${escapeHtml(name)}</td><td>${
      escapeHtml(detail)
    }</td></tr>`
  ).join("\n");
  return `<h2>What had to be shown</h2>
<p class="lead">A run counts only if all of this was seen; else its verdict is “unknown”, whatever the checker says.</p>
<div class="card scroll"><table><tbody>${rows}</tbody></table></div>`;
}

function again(data: ReportData): string {
  const { command, versions } = data.results;
  const files = data.files.map((file) =>
    `<a href="${escapeHtml(file)}">${escapeHtml(file.replace("nodes/", ""))}</a>`
  ).join("");
  const told = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(" · ");
  return `<h2>Do it again</h2>
<p class="lead">The seed fixes what clients ask and what is broken, not how the operating system schedules it.</p>
<div class="card"><div class="again"><code>${escapeHtml(command)}</code>
<button class="chip" id="copy">Copy</button></div>
<div class="files">${files}</div></div>
<footer>${escapeHtml(told)}${told === "" ? "" : " · "}${
    escapeHtml(data.results.startedAt)
  }</footer>`;
}

/** `checkerPage`: the checker's page on the same history; it opens in a frame of its own. */
export function reportPage(data: ReportData, checkerPage: string | undefined): string {
  const tone = data.word.toLowerCase();
  const figures = data.figures.map(({ label, value, note }) =>
    `<div class="figure"><div class="label">${escapeHtml(label)}</div><div class="value">${
      escapeHtml(value)
    }</div><div class="note">${escapeHtml(note)}</div></div>`
  ).join("\n");
  const { results: _results, figures: _figures, ...shown } = data;
  return htmlPage(
    `${data.word}: ${data.title}`,
    `<header>
<div class="over">${LOGO}<span>Pontoon chaos bench</span><span class="right">${
      escapeHtml(data.results.startedAt.slice(0, 16).replace("T", " "))
    } UTC</span></div>
<div class="verdict ${tone}">${sign(tone)}${data.word}</div>
<h1>${escapeHtml(data.results.sentence).replaceAll(" × ", "&nbsp;×&nbsp;")}</h1>
<p class="sub">${escapeHtml(data.subtitle)}</p>
${why(data)}
</header>
<div class="figures">${figures}</div>
${charts(data)}
${proof(data, checkerPage)}
${faults(data)}
${gates(data)}
${again(data)}
<script type="application/json" id="data">${scriptJson(shown)}</script>
<script>${SCRIPTS.map(String).join("\n")}
startReport();</script>`,
  );
}
