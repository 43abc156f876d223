// The dashboard's admin verbs on a real cluster: each says what it means first, and then does it.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import { clusterView, TestCluster, until } from "../../../scripts/bench/support/cluster.ts";
import { browserTest, PATIENCE_MS, withPage } from "./page_host.ts";

/** Moves take their time where everything else runs too. */
const DRAIN_PATIENCE_MS = 150_000;

/** Confirms what the open card asks; false if the cluster refuses it just now. The card is closed then too. */
async function confirmed(page: Page): Promise<boolean> {
  const card = page.locator("dialog[open]");
  await card.locator(".confirm .actions button").last().click();
  const answered = await until(
    "the card closes, or says why not",
    PATIENCE_MS,
    async () =>
      await card.count() === 0 ? "taken" : await card.locator(".failure").count() > 0 && "refused",
  );
  if (answered === "taken") return true;
  await page.keyboard.press("Escape");
  await card.waitFor({ state: "detached" });
  return false;
}

Deno.test({
  name:
    "leadership is handed over and a node drained from the page, after it has said what that means",
  ...browserTest,
  async fn() {
    await using cluster = TestCluster.start({ nodes: 4, partitions: 4 });
    await cluster.ready();
    const [asked] = cluster.nodes;
    await withPage(`http://${asked.http}/`, async (page) => {
      await page.waitForSelector(".health.well");
      const card = page.locator("dialog[open]");
      // The balance of leaders moves them too, and may be first: then it is asked again.
      const successor = await until("a transfer is taken", PATIENCE_MS, async () => {
        await page.locator('.map .cell[title^="Partition 2 on "]').first().click();
        const to = await card.locator(".verbs button").first().innerText();
        await card.locator(".verbs button").first().click();
        const meaning = await card.innerText();
        assertStringIncludes(meaning, `${to} takes over the leadership of partition 2`);
        assertMatch(meaning, /Requests to it wait for a moment; nothing is lost/);
        return await confirmed(page) ? to : undefined;
      });
      await page.waitForSelector(`.timeline >> text=${successor} was elected leader`);
      const drained = cluster.nodes[3].name;
      await until("the drain is taken", PATIENCE_MS, async () => {
        await page.click(`.members button.link >> text=${drained}`);
        await card.locator(".verbs button >> text=Drain").click();
        assertStringIncludes(await card.innerText(), "stays a member without any");
        return await confirmed(page);
      });
      await page.waitForSelector(`.health >> text=${drained} is drained`, {
        timeout: DRAIN_PATIENCE_MS,
      });
      const view = await clusterView(asked.http);
      assertEquals(view?.members.find(({ name }) => name === drained)?.state, "drained");
      assertStringIncludes(
        await page.locator(".timeline").innerText(),
        `${drained} is being drained`,
      );
    });
  },
});
