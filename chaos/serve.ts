// `deno task chaos:serve`: browses reports. Serves files below one folder, on loopback, and lists what is there; writes
// nothing.

import { parseArgs } from "node:util";
import { type CampaignPlan, campaignVerdict, loadPlan, resultsIn } from "./campaign/campaign.ts";
import { nemesesText } from "./options.ts";
import type { Valid } from "./outcome.ts";
import { escapeHtml, htmlPage, LOGO, sign } from "./report/html.ts";
import { counted, number, seconds, verdictWord } from "./report/words.ts";
import type { RunResults } from "./report/write.ts";

const HELP = `Browses the reports of the chaos bench.

Usage: deno task chaos:serve [--out reports] [--port 7070]
`;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  json: "application/json",
  ndjson: "text/plain; charset=utf-8",
  edn: "text/plain; charset=utf-8",
  log: "text/plain; charset=utf-8",
};

interface CampaignSummary {
  readonly valid: Valid;
  readonly done: number;
  readonly planned: number;
  /** Operations decided. */
  readonly ok: number;
}

/** Undefined if the folder holds no campaign. */
function campaignIn(dir: string): CampaignSummary | undefined {
  let plan: CampaignPlan;
  try {
    plan = loadPlan(dir);
  } catch {
    return undefined;
  }
  const finished = plan.runs.flatMap((planned) => {
    const results = resultsIn(dir, planned);
    return results === undefined ? [] : [{ planned, results }];
  });
  return {
    valid: campaignVerdict(finished, plan.runs.length),
    done: finished.length,
    planned: plan.runs.length,
    ok: finished.reduce((sum, { results }) => sum + results.counts.ok, 0),
  };
}

/** A folder that holds a report: of a run, or of a campaign. */
interface Listed {
  readonly path: string;
  readonly results: RunResults | undefined;
  readonly campaign: CampaignSummary | undefined;
  readonly modified: Date;
}

function reportsIn(root: string): Listed[] {
  const found: Listed[] = [];
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(root)];
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return [];
    throw cause;
  }
  for (const entry of entries) {
    if (!entry.isDirectory) continue;
    try {
      const modified = Deno.statSync(`${root}/${entry.name}/index.html`).mtime ?? new Date(0);
      let results: RunResults | undefined;
      try {
        results = JSON.parse(Deno.readTextFileSync(`${root}/${entry.name}/results.json`));
      } catch (cause) {
        if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      }
      const campaign = results === undefined ? campaignIn(`${root}/${entry.name}`) : undefined;
      found.push({ path: entry.name, results, campaign, modified });
    } catch (cause) {
      // A run that is under way has no page yet.
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
  }
  return found.sort((a, b) => b.modified.getTime() - a.modified.getTime());
}

function rowOf({ path, results, campaign, modified }: Listed): string {
  const href = `${encodeURIComponent(path)}/index.html`;
  const when = modified.toISOString().slice(0, 16).replace("T", " ");
  if (results === undefined) {
    if (campaign === undefined) return "";
    const tone = verdictWord(campaign.valid).toLowerCase();
    return `<tr><td><span class="mark ${tone}">${
      sign(tone)
    }${tone}</span></td><td><a href="${href}">${
      escapeHtml(path)
    }</a></td><td colspan="2">campaign, ${campaign.done} of ${
      counted(campaign.planned, "run")
    }</td><td class="num">${number(campaign.ok)}</td><td></td><td class="nowrap">${when}</td></tr>`;
  }
  const tone = verdictWord(results.valid).toLowerCase();
  const { options, counts } = results;
  return `<tr><td><span class="mark ${tone}">${
    sign(tone)
  }${tone}</span></td><td><a href="${href}">${escapeHtml(path)}</a></td><td>${
    escapeHtml(options.workload)
  }</td><td>${escapeHtml(nemesesText(options.nemeses))}</td><td class="num">${
    number(counts.ok)
  }</td><td class="num">${seconds(results.elapsedMs)}</td><td class="nowrap">${when}</td></tr>`;
}

/** The list of everything in `root`. */
export function listPage(root: string): string {
  const reports = reportsIn(root);
  const rows = reports.map(rowOf).join("\n");
  const body = reports.length === 0
    ? `<p class="sub">Nothing here yet. <code>deno task chaos</code> makes a report.</p>`
    : `<div class="card scroll" style="margin-top:26px"><table><thead><tr><th>Verdict</th><th>Report</th><th>Workload</th>
<th>Nemesis</th><th class="num">Decided</th><th class="num">Time</th><th>Made</th></tr></thead><tbody>${rows}</tbody></table></div>`;
  return htmlPage(
    "Reports of the chaos bench",
    `<header><div class="over">${LOGO}<span>Pontoon chaos bench</span></div><h1>Reports</h1></header>\n${body}`,
  );
}

/** Answers one request from below `root`. */
export async function answer(request: Request, root: string): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Only GET and HEAD\n", { status: 405, headers: { Allow: "GET, HEAD" } });
  }
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    return new Response("The path is not well-formed\n", { status: 400 });
  }
  if (path === "/") {
    return new Response(listPage(root), { headers: { "Content-Type": TYPES.html! } });
  }
  // Only what lies below the root: no way up, no hidden files.
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.some((part) => part.startsWith(".") || /[\\\0]/.test(part))) {
    return new Response("No such file\n", { status: 404 });
  }
  try {
    const file = `${root}/${parts.join("/")}`;
    if ((await Deno.stat(file)).isDirectory) {
      return new Response(null, {
        status: 302,
        headers: { Location: `${pathname.replace(/\/$/, "")}/index.html` },
      });
    }
    const type = TYPES[file.slice(file.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    const opened = await Deno.open(file);
    return new Response(opened.readable, {
      headers: {
        "Content-Type": type,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
      },
    });
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      return new Response("No such file\n", { status: 404 });
    }
    throw cause;
  }
}

function main(): void {
  let values: { out: string; port: string; help?: boolean };
  try {
    values = parseArgs({
      args: Deno.args,
      strict: true,
      options: {
        out: { type: "string", default: "reports" },
        port: { type: "string", default: "7070" },
        help: { type: "boolean", short: "h" },
      },
    }).values as typeof values;
    if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
      throw new Error(`--port takes a port number: got ${values.port}`);
    }
  } catch (cause) {
    console.error(`chaos:serve: ${cause instanceof Error ? cause.message : cause} (--help)`);
    return Deno.exit(64);
  }
  if (values.help) return console.log(HELP);
  Deno.serve({
    hostname: "127.0.0.1",
    port: Number(values.port),
    onListen: ({ port }) => console.log(`reports in ${values.out}: http://127.0.0.1:${port}/`),
  }, (request) => answer(request, values.out));
}

if (import.meta.main) main();
