// The dashboard of a cluster that asks for tokens.

import { assertEquals } from "@std/assert";
import { TestCluster } from "../../../scripts/bench/support/cluster.ts";
import { browserTest, withPage } from "./page_host.ts";

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
      assertEquals(await page.evaluate(`sessionStorage.getItem("pontoon-token")`), reader);
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
