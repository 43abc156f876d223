// The key browser of a real cluster: looking, paging, editing on top of what was shown, following what others do.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Page } from "playwright-core";
import { TestCluster } from "../../../scripts/bench/support/cluster.ts";
import { browserTest, withPage } from "./page_host.ts";

async function put(
  http: string,
  key: string,
  body: string | Uint8Array<ArrayBuffer>,
  type: string,
  query = "",
): Promise<number> {
  const response = await fetch(`http://${http}/key/${encodeURIComponent(key)}${query}`, {
    method: "PUT",
    body,
    headers: { "content-type": type },
  });
  return (await response.json()).revision;
}

async function read(http: string, key: string): Promise<string> {
  return await (await fetch(`http://${http}/key/${encodeURIComponent(key)}?raw`)).text();
}

const JSON_TYPE = "application/json";
/** No double holds it: a value that went through a parser would show. */
const BIG = '{"id":12345678901234567890,"tags":["a","b"]}';

async function openKeys(page: Page, prefix: string): Promise<void> {
  await page.waitForSelector(".health.well");
  // The field is reached by the keyboard alone.
  await page.keyboard.press("/");
  await page.waitForSelector("#prefix:focus");
  await page.keyboard.type(prefix);
}

const row = (page: Page, key: string) => page.locator(".key-list li button", { hasText: key });

Deno.test({
  name:
    "keys are found by prefix, paged, shown as what they are, and followed while others change them",
  ...browserTest,
  async fn() {
    await using cluster = TestCluster.start({ nodes: 3, partitions: 4 });
    await cluster.ready();
    const [{ http }, other] = cluster.nodes;
    for (let i = 0; i < 60; i++) {
      await put(http, `page/${String(i).padStart(2, "0")}`, "x", "text/plain");
    }
    await put(http, "form/json", BIG, JSON_TYPE);
    await put(http, "form/text", "grüß <b>dich</b>", "text/plain; charset=utf-8");
    await put(http, "form/bytes", new Uint8Array([0, 255, 65]), "application/octet-stream");
    await put(http, "form/..", "dots", "text/plain", "?ttl=9000");
    await withPage(`http://${http}/`, async (page) => {
      await openKeys(page, "page/");
      await row(page, "page/49").waitFor();
      assertEquals(await page.locator(".key-list li button").count(), 50);
      await page.click("text=Next →");
      await row(page, "page/59").waitFor();
      assertEquals(await page.locator(".key-list li button").count(), 10);
      await page.click("text=← Back");
      await row(page, "page/00").waitFor();

      await page.fill("#prefix", "form/");
      await row(page, "form/json").click();
      await page.waitForSelector(".value.json");
      const json = await page.locator(".value.json").innerText();
      assertStringIncludes(json, '"id": 12345678901234567890,');
      await row(page, "form/text").click();
      await page.waitForSelector(".value.text");
      assertEquals(await page.locator(".value.text").innerText(), "grüß <b>dich</b>");
      await row(page, "form/bytes").click();
      await page.waitForSelector(".value.hex");
      assertStringIncludes(await page.locator(".value.hex").innerText(), "00 ff 41");
      await row(page, "form/..").click();
      await page.waitForSelector("text=dots");
      assertStringIncludes(await page.locator(".viewer .facts").innerText(), "2\u00a0h");

      await page.waitForSelector(".watch.on");
      await put(other.http, "form/new", "there", "text/plain");
      await row(page, "form/new").click();
      await page.waitForSelector(".value >> text=there");
      await put(other.http, "form/new", "changed by somebody", "text/plain");
      await page.waitForSelector(".value >> text=changed by somebody");
      await (await fetch(`http://${other.http}/key/form%2Fnew`, { method: "DELETE" })).text();
      await page.waitForSelector("text=This key is not there any more");
      await row(page, "form/new").waitFor({ state: "detached" });
    });
  },
});

Deno.test({
  name: "an edit is written on top of the revision that was shown, and on no other",
  ...browserTest,
  async fn() {
    await using cluster = TestCluster.start({ nodes: 3 });
    await cluster.ready();
    const [{ http }] = cluster.nodes;
    await put(http, "doc", BIG, JSON_TYPE);
    await withPage(`http://${http}/`, async (page) => {
      await openKeys(page, "d");
      await row(page, "doc").click();
      await page.click("button >> text=Edit");
      const text = await page.inputValue("textarea");
      await page.fill("textarea", text.replace('"a"', '"mine"'));
      await page.click("text=Save on top of revision");
      await page.waitForSelector(".value >> text=mine");
      // White space is all that the editor may have changed beside what was typed.
      const stored = await read(http, "doc");
      assertEquals(stored.replace(/\s/g, ""), BIG.replace('"a"', '"mine"'));

      await page.click("button >> text=Edit");
      await page.fill("textarea", '{"from":"me"}');
      const theirs = await put(http, "doc", '{"from":"somebody else"}', JSON_TYPE);
      await page.waitForSelector(`text=Changed meanwhile, to revision ${theirs}`);
      await page.click("text=Save on top of revision");
      await page.waitForSelector(".conflict");
      assertStringIncludes(await page.locator(".conflict").innerText(), "Nothing was written");
      assertEquals(await read(http, "doc"), '{"from":"somebody else"}');
      await page.click(`text=Write mine on top of ${theirs}`);
      await page.waitForSelector(".value >> text=me");
      assertEquals(await read(http, "doc"), '{"from":"me"}');

      // What is no JSON is refused with the node's words, and nothing of the edit is lost.
      await page.click("button >> text=Edit");
      await page.fill("textarea", '{"from":');
      await page.click("text=Save on top of revision");
      await page.waitForSelector("text=The body is not JSON");
      assertEquals(await page.inputValue("textarea"), '{"from":');
      await page.click("text=Cancel");

      await page.click("text=Delete…");
      await page.click("button.danger");
      await page.waitForSelector("text=There are no keys.", { state: "detached" });
      await row(page, "doc").waitFor({ state: "detached" });
      const gone = await fetch(`http://${http}/key/doc`);
      assertEquals(gone.status, 404);
      await gone.text();

      await page.click("text=New key…");
      await page.fill("input[aria-label=Key]", "doc/new");
      await page.fill("textarea", "fresh");
      await page.fill("input[inputmode=decimal]", "5000");
      await page.click("button >> text=Create");
      await row(page, "doc/new").waitFor();
      assertEquals(await read(http, "doc/new"), "fresh");
      assert(/h/.test(await page.locator(".key-list .ttl").innerText()));
    });
  },
});
