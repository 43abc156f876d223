// The page at 50 nodes and 1024 partitions, of views made up for it; and how it fits a phone.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import { viewOf, withMember, withPartitions } from "../views.ts";
import { browserTest, FakeDashboard, withPage } from "./page_host.ts";

/** Every node follows the meta group; those beyond its voters have no vote. */
const LARGE = withPartitions(viewOf(50, 1024), ({ partition }) => partition === 0, (row) => {
  const held = new Set(row.replicas.map(({ member }) => member));
  const others = Array.from({ length: 50 }, (_, member) => member).filter((one) => !held.has(one));
  const learners = others.map((member) => ({ member, role: "learner" as const, behind: 0 }));
  return { replicas: [...row.replicas, ...learners] };
});
const SILENT = { reachable: false, status: "dead", statusForMs: 40_000 } as const;

/** How many pixels of the map have a colour of the style sheet. */
function pixels(page: Page, name: string): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.querySelector(".picture canvas");
    const hex = getComputedStyle(document.documentElement).getPropertyValue("--${name}").trim();
    const wanted = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (wanted.every((value, part) => data[i + part] === value) && data[i + 3] === 255) count++;
    }
    return count;
  })()`) as Promise<number>;
}

Deno.test({
  name: "50 nodes with 1024 partitions are drawn, and what is wrong stands out",
  ...browserTest,
  async fn() {
    await using server = new FakeDashboard(LARGE);
    await withPage(server.url, async (page) => {
      await page.waitForSelector(".health.well");
      const leaders = await pixels(page, "leader");
      assert(leaders > 1025 * 4, `${leaders} pixels of leaders`);
      assertEquals(await pixels(page, "behind"), 0);
      assertEquals(await pixels(page, "adding"), 0, "a copy without a vote is no move");
      assertEquals(await page.locator(".trouble").count(), 0);
      assertEquals(await page.locator(".members tbody tr").count(), 12);

      const lagging = withPartitions(LARGE, ({ partition }) => partition === 700, (row) => ({
        replicas: row.replicas.map((cell) =>
          cell.role === "voter" ? { ...cell, behind: 40_000 } : cell
        ),
      }));
      server.show(withMember(lagging, "n17", SILENT));
      await page.waitForSelector(".health.broken");
      assertStringIncludes(await page.locator(".sentence").innerText(), "n17 stopped answering");
      assert(await pixels(page, "behind") > 0);
      // Whose node is silent comes first among many.
      assertStringIncludes(await page.locator(".members tbody tr").first().innerText(), "n17");
      await page.click(".trouble button >> nth=0");
      await page.waitForSelector("dialog[open] >> text=Hand leadership to");
      await page.keyboard.press("Escape");

      const canvas = page.locator(".picture canvas");
      await canvas.focus();
      for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
      await page.waitForSelector(".under >> text=Partition 2");
      await page.keyboard.press("Enter");
      await page.waitForSelector("dialog[open] >> text=Partition 2");
    });
  },
});

Deno.test({
  name: "a replica is moved from the map of a large cluster by an application/json POST",
  ...browserTest,
  async fn() {
    await using server = new FakeDashboard(LARGE);
    await withPage(server.url, async (page) => {
      const canvas = page.locator(".picture canvas");
      await canvas.focus();
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Enter");
      const card = page.locator("dialog[open]");
      await card.locator("button[aria-pressed]").first().click();
      const from = await card.locator("button[aria-pressed=true]").innerText();
      await card.locator("button >> text=/^n40$/").click();
      assertStringIncludes(await card.innerText(), "n40 gets a copy of partition 1");
      await card.locator("text=Move the replica").click();
      await card.waitFor({ state: "detached" });
      assertEquals(server.posts, [{
        path: "/cluster/partitions/1/move",
        type: "application/json",
        body: { from, to: "n40" },
      }]);
    });
  },
});

Deno.test({
  name: "nothing is wider than a phone, small cluster or large, light or dark",
  ...browserTest,
  async fn() {
    for (const view of [viewOf(3, 8), LARGE]) {
      await using server = new FakeDashboard(view);
      await withPage(server.url, async (page) => {
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await page.waitForSelector(".health.well");
          const width = await page.evaluate("document.documentElement.scrollWidth");
          assertEquals(width, 375);
        }
      }, { width: 375, height: 812 });
    }
  },
});

Deno.test({
  name: "a page that loses its node says so, dims what is old, and recovers by itself",
  ...browserTest,
  async fn() {
    const view = viewOf(3, 8);
    await using server = new FakeDashboard(view);
    await withPage(server.url, async (page) => {
      await page.waitForSelector(".health.well");
      server.refuse(true);
      await page.waitForSelector("text=No connection");
      await page.waitForSelector(".old");
      server.refuse(false);
      await page.waitForSelector(".health.well");
      assertEquals(await page.locator(".old").count(), 0);
    });
  },
});
