// One self-contained page that shows a history and its verdict: no network, no library, fit to be attached to
// a report.

import type { Operation } from "../history/types.ts";
import type { AnyModel, AnyNondeterministicModel } from "../models/model.ts";
import type { Verdict } from "../verdict/types.ts";
import { startPage } from "./client.ts";
import { pageData } from "./data.ts";
import { STYLE } from "./style.ts";

export interface PageOptions {
  /** Default: "History". */
  readonly title?: string;
}

/** The page's HTML. */
export function renderPage(
  history: readonly Operation[],
  model: AnyModel | AnyNondeterministicModel,
  verdict: Verdict,
  options: PageOptions = {},
): string {
  const title = options.title ?? "History";
  const data = pageData(history, model, verdict, title);
  // "<" could end the script element.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  const verdictText: Readonly<Record<string, string>> = {
    linearizable: "Linearizable",
    illegal: "Not linearizable",
    unknown: "Undecided",
  };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(verdictText[data.verdict]!)}: ${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1><span class="badge ${data.verdict}">${verdictText[data.verdict]}</span> ${
    escapeHtml(title)
  }</h1>
<p class="summary">${escapeHtml(data.summary)}${
    data.omitted === undefined ? "" : ` ${escapeHtml(data.omitted)}`
  }</p>
${data.explanation === undefined ? "" : `<p class="why">${escapeHtml(data.explanation)}</p>`}
${data.reason === undefined ? "" : `<p class="why">${escapeHtml(data.reason)}</p>`}
</header>
<nav>
<label>Partition <select id="part"></select></label>
<label class="choice"><input type="checkbox" id="only"> only the counterexample</label>
<label>Search <input type="search" id="search" placeholder="key, value, process…"></label>
<button id="previous" title="previous hit">‹</button><button id="next" title="next hit">›</button>
<span id="hits"></span>
<span class="grow"></span>
<button id="blocked">Blocked operation</button>
<button id="in" title="zoom in">+</button><button id="out" title="zoom out">−</button>
<button id="all">All</button>
</nav>
<main>
<canvas id="chart" tabindex="0" role="img" aria-label="Processes as lanes, operations as bars in the order of the record"></canvas>
<div id="tip" hidden></div>
</main>
<p class="legend">
<span><i class="done"></i>in the order found (the dot is its place, the line the order)</span>
<span><i class="left"></i>not placed</span>
<span><i class="open"></i>outcome unknown: no end</span>
<span><i class="blocked"></i>can't be placed</span>
<span><i class="part-of"></i>part of the counterexample</span>
<span class="keys">drag or arrows: move · wheel, + and −: zoom · 0: whole history</span>
</p>
<section id="tables"></section>
<script type="application/json" id="data">${json}</script>
<script>(${startPage.toString()})();</script>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
