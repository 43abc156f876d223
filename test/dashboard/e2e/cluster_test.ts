// The dashboard of a real cluster in a real browser: it follows a leader's death, and its verbs do what they say.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import {
  clusterView,
  TestCluster,
  type TestNode,
  until,
} from "../../../scripts/bench/support/cluster.ts";
import { browserTest, PATIENCE_MS, withPage } from "./page_host.ts";

const evaluate = <T>(page: Page, code: string) => page.evaluate(code) as Promise<T>;

/** The node that is shown as leading a partition, once it is another than `not`. */
function shownLeader(page: Page, partition: number, not = ""): Promise<string> {
  return until(`partition ${partition} is shown with another leader`, PATIENCE_MS, async () => {
    const name = await evaluate<string>(
      page,
      `(() => {
        const at = [...document.querySelectorAll(".map thead th")].findIndex((cell) =>
          cell.textContent === "${partition}");
        const rows = [...document.querySelectorAll(".map tbody tr")];
        const row = rows.find((one) => one.cells[at]?.querySelector(".cell.leader"));
        return row?.cells[0].textContent ?? "";
      })()`,
    );
    return name !== "" && name !== not ? name : undefined;
  });
}

async function leaderName(node: TestNode, partition: number): Promise<string> {
  const view = await clusterView(node.http);
  const leader = view?.routing.find((one) => one.partition === partition)?.leader;
  return view?.members.find(({ nodeId }) => nodeId === leader)?.name ?? "";
}

Deno.test({
  name: "the page shows a healthy cluster, follows its leader's death, and sees it come back",
  ...browserTest,
  async fn() {
    await using cluster = TestCluster.start({ nodes: 3, partitions: 4 });
    await cluster.ready();
    const [asked] = cluster.nodes;
    await withPage(`http://${asked.http}/`, async (page) => {
      await page.waitForSelector(".health.well");
      assertEquals(await page.locator(".map tbody .cell").count(), 15, "meta and 4, on 3 nodes");
      for (const words of ["4 partitions", "3 nodes", "Disk syncs"]) {
        assertStringIncludes(await page.locator("body").innerText(), words);
      }
      // The balance of leaders sees to it that another node leads something.
      const [partition, victim] = await until("another node leads", PATIENCE_MS, async () => {
        for (const one of [1, 2, 3, 4]) {
          const name = await shownLeader(page, one);
          const node = cluster.nodes.find((other) => other.name === name);
          if (node !== undefined && node !== asked) return [one, node] as const;
        }
        return undefined;
      });
      // Told by the node itself, in its next report.
      await page.waitForSelector(`.timeline >> text=${victim.name} started`);
      await cluster.kill(victim);
      await page.waitForSelector(`.health .sentence >> text=${victim.name}`);
      // What the node knows and what the page shows, both looked at all the time.
      const known = until("the node knows the new leader", PATIENCE_MS, async () => {
        const name = await leaderName(asked, partition);
        return name !== "" && name !== victim.name ? performance.now() : undefined;
      });
      const shown = shownLeader(page, partition, victim.name).then(() => performance.now());
      console.log(`shown ${Math.round(await shown - await known)} ms after the node knew`);
      await until("the page and the node agree", PATIENCE_MS, async () => {
        const name = await shownLeader(page, partition);
        return name === await leaderName(asked, partition) && name !== victim.name;
      });
      await page.waitForSelector(".health.degraded");
      const health = await page.locator(".health").innerText();
      assertStringIncludes(health, `${victim.name} does not answer.`);
      assertStringIncludes(health, "There is no other node to put its replicas on");
      const row = page.locator(".members tbody tr", { hasText: victim.name });
      assertStringIncludes(await row.innerText(), "silent");
      cluster.spawn(victim);
      await page.waitForSelector(".health.well");
      await page.waitForSelector(`.timeline >> text=${victim.name} answers again`);
    });
  },
});

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
      const before = await shownLeader(page, 2);
      await page.locator(".map tbody .cell.leader").first().focus();
      await page.keyboard.press("ArrowDown");
      await page.click(`.map .cell[title^="Partition 2 on ${before}"]`);
      const card = page.locator("dialog[open]");
      const to = await card.locator(".verbs button").first().innerText();
      await card.locator(".verbs button").first().click();
      assertStringIncludes(
        await card.innerText(),
        `${to} takes over the leadership of partition 2 from ${before}`,
      );
      await card.locator(`text=Let ${to} lead`).click();
      await card.waitFor({ state: "detached" });
      // The balance of leaders may hand it on at once: the timeline remembers.
      await page.waitForSelector(`.timeline >> text=${to} was elected leader`);
      const drained = cluster.nodes[3].name;
      await page.click(`.members button.link >> text=${drained}`);
      await card.locator("text=Drain").first().click();
      assertStringIncludes(await card.innerText(), "stays a member without any");
      await card.locator(`button >> text=Drain ${drained}`).click();
      await page.waitForSelector(`.health >> text=${drained} is drained`);
      const view = await clusterView(asked.http);
      assertEquals(view?.members.find(({ name }) => name === drained)?.state, "drained");
      assert((await page.locator(".timeline").innerText()).includes(`${drained} is being drained`));
    });
  },
});

Deno.test({
  name:
    "where tokens are asked for, so does the page; it keeps one for its tab and does no more with it than it may",
  ...browserTest,
  async fn() {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-page-" });
    const file = `${dir}/tokens.json`;
    const token = async (name: string, roles: string) => {
      const script = decodeURIComponent(
        new URL("../../../scripts/token.ts", import.meta.url).pathname,
      );
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", script, name, "--roles", roles, "--file", file],
        stderr: "null",
      }).output();
      return /\S{20,}/.exec(new TextDecoder().decode(stdout))![0];
    };
    const reader = await token("reader", "read");
    await using cluster = TestCluster.start({ nodes: 3, flags: ["--token-file", file] });
    await cluster.ready();
    await withPage(`http://${cluster.nodes[0].http}/`, async (page, browser) => {
      await page.waitForSelector("text=This cluster asks for a token");
      await page.fill("#token", "wrong");
      await page.keyboard.press("Enter");
      await page.waitForSelector("text=The token is not known here");
      await page.fill("#token", reader);
      await page.keyboard.press("Enter");
      await page.waitForSelector(".health.well");
      assertEquals(await evaluate(page, `sessionStorage.getItem("pontoon-token")`), reader);
      await page.reload();
      await page.waitForSelector(".health.well");
      await page.click(".members button.link");
      await page.click("dialog[open] >> text=Drain");
      await page.click("dialog[open] button.primary");
      await page.waitForSelector("dialog[open] >> text=does not allow the role admin");
      const other = await browser.newPage();
      await other.goto(page.url());
      await other.waitForSelector("text=This cluster asks for a token");
    });
    Deno.removeSync(dir, { recursive: true });
  },
});
