// How long the checker's page takes to paint a frame of 10,000 operations in headless Chromium.
// `deno task bench:page`; 16 ms would be a frame at 60 Hz.

import { chromium } from "playwright-core";
import { renderPage } from "../../checker/html/page.ts";
import { largeHistory } from "../../checker/test/large_history.ts";
import { printTable, writeJson } from "./support/report.ts";

const executablePath = Deno.env.get("PONTOON_CHROMIUM") ?? "/usr/bin/chromium";
const FRAMES = 101;

const { history, model, verdict } = largeHistory();
const html = renderPage(history, model, verdict);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
await page.setContent(html);
const times = await page.evaluate(`Array.from({ length: ${FRAMES} }, () => {
  const from = performance.now();
  pontoonPage.paint();
  return performance.now() - from;
}).sort((a, b) => a - b)`) as number[];
await browser.close();
const rows = [{
  operations: history.length,
  "page KB": Math.round(html.length / 1000),
  "paint median ms": times[FRAMES >> 1].toFixed(1),
  "paint p99 ms": times[Math.floor(FRAMES * 0.99)].toFixed(1),
}];
printTable(rows);
writeJson("page", rows);
