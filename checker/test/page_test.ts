// The page in a real browser: it starts without errors and shows what it should.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chromium, type Page } from "playwright-core";
import { check } from "../check.ts";
import { renderPage } from "../html/page.ts";
import { casRegister, type Operation } from "../mod.ts";
import { largeHistory } from "./large_history.ts";

const CHROMIUM = Deno.env.get("PONTOON_CHROMIUM") ?? "/usr/bin/chromium";
const required = Deno.env.get("PONTOON_TEST_REQUIRE") === "1";

function hasChromium(): boolean {
  try {
    return Deno.statSync(CHROMIUM).isFile;
  } catch {
    return false;
  }
}

async function withPage(html: string, body: (page: Page) => Promise<void>): Promise<void> {
  if (!hasChromium()) {
    if (required) throw new Error("needs chromium (apt-get install chromium)");
    console.log("skipped: needs chromium (apt-get install chromium)");
    return;
  }
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.setContent(html);
    await body(page);
    assertEquals(errors, []);
  } finally {
    await browser.close();
  }
}

const options = { sanitizeOps: false, sanitizeResources: false };

const STALE: Operation[] = [
  { process: 1, call: 0, return: 1, input: { f: "write", value: "<b>&" } },
  { process: 2, call: 2, input: { f: "write", value: 7 } },
  { process: 1, call: 3, return: 4, input: { f: "read" }, output: null },
];

Deno.test({
  name: "renderPage() shows the verdict, the counterexample and the state on hover",
  ...options,
  async fn() {
    const model = casRegister();
    const verdict = check(STALE, model);
    assertEquals(verdict.verdict, "illegal");
    await withPage(
      renderPage(STALE, model, verdict, { title: "stale </script> read" }),
      async (page) => {
        assertStringIncludes(await page.textContent("h1") ?? "", "Not linearizable");
        assertStringIncludes(await page.textContent("h1") ?? "", "stale </script> read");
        assertStringIncludes(await page.textContent(".why") ?? "", "can't be placed");
        assertStringIncludes(await page.textContent("table") ?? "", 'write("<b>&")');
        const evaluate = page.evaluate.bind(page) as (
          code: string,
        ) => Promise<{ x: number; y: number }>;
        const hover = async (id: number) => {
          const place = await evaluate(`pontoonPage.at(${id})`);
          await page.locator("#chart").hover({ position: place });
          return await page.textContent("#tip") ?? "";
        };
        assertStringIncludes(await hover(0), 'state after it: "<b>&"');
        assertStringIncludes(await hover(1), "outcome unknown");
        assertStringIncludes(await hover(2), "can't be placed");
        await page.fill("#search", "read");
        assertEquals(await page.textContent("#hits"), "1 found");
        await page.emulateMedia({ media: "print" });
        assert(!(await page.isVisible("nav")), "controls are printed");
        assert(await page.isVisible("#chart"), "the chart is not printed");
        assert((await page.pdf()).length > 1000);
      },
    );
  },
});

Deno.test({
  name: "renderPage() paints 10,000 operations",
  ...options,
  async fn() {
    const { history, model, verdict } = largeHistory();
    assertEquals(verdict.verdict, "linearizable");
    await withPage(renderPage(history, model, verdict), async (page) => {
      await page.evaluate("pontoonPage.paint()");
      assertEquals(await page.evaluate("pontoonPage.visible()"), 10_000);
    });
  },
});
