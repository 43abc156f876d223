// Browsing reports: what is listed, what is served, and that nothing outside the folder is.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { savePlan } from "../../chaos/campaign/campaign.ts";
import { answer } from "../../chaos/serve.ts";

Deno.test("reports are listed and served, and nothing above or hidden is", async () => {
  const dir = Deno.makeTempDirSync();
  const root = `${dir}/reports`;
  try {
    const get = (path: string, method = "GET") =>
      answer(new Request(`http://localhost${path}`, { method }), root);
    assertStringIncludes(await (await get("/")).text(), "Nothing here yet");
    Deno.mkdirSync(`${root}/a-campaign/a-run`, { recursive: true });
    Deno.writeTextFileSync(`${root}/a-campaign/index.html`, "<p>overview");
    savePlan({ version: 1, seed: 1, runs: [] }, `${root}/a-campaign`);
    Deno.writeTextFileSync(`${root}/a-campaign/a-run/history.edn`, "{}");
    Deno.writeTextFileSync(`${root}/.hidden`, "no");
    Deno.writeTextFileSync(`${dir}/secret`, "no");
    const list = await get("/");
    assertEquals(list.headers.get("content-type"), "text/html; charset=utf-8");
    assertStringIncludes(await list.text(), 'href="a-campaign/index.html"');
    const page = await get("/a-campaign/index.html");
    assertEquals([page.status, await page.text()], [200, "<p>overview"]);
    const history = await get("/a-campaign/a-run/history.edn");
    assertEquals(history.headers.get("content-type"), "text/plain; charset=utf-8");
    await history.body?.cancel();
    assertEquals((await get("/a-campaign")).headers.get("location"), "/a-campaign/index.html");
    for (const path of ["/%2e%2e/secret", "/.hidden", "/a-campaign/..%2f..%2fsecret", "/nothing"]) {
      assertEquals((await get(path)).status, 404, path);
    }
    assertEquals((await get("/%zz")).status, 400);
    assertEquals((await get("/", "POST")).status, 405);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
