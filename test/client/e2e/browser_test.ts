// The SDK in a browser: a page of another origin, which the nodes were told about, uses a cluster.

import { assertEquals } from "@std/assert";
import { chromium } from "playwright-core";
import { buildClient } from "../../../scripts/build_client.ts";
import { freePorts, TestCluster } from "../../../scripts/bench/support/cluster.ts";
import { findProgram, lacks } from "../../support/needs.ts";

const PAGE = `<!doctype html><title>page</title><script type="module">
import { connect } from "./mod.js";
window.run = async (urls) => {
  const kv = await connect(urls);
  const watch = kv.watch({ prefix: "b/" });
  await watch.ready;
  const bytes = new Uint8Array([255, 0]);
  await kv.set("b/json", { text: "hello" });
  await kv.set("b/bytes", bytes);
  const { value, revision } = await kv.get("b/json");
  const conflict = await kv.set("b/json", 1, { ifRevision: revision + 1 });
  const stale = await kv.get("b/bytes", { consistency: "stale" });
  const listed = [];
  for await (const { key } of kv.list({ prefix: "b/" })) listed.push(key);
  const seen = [];
  for await (const { key } of watch) if (seen.push(key) === 2) break;
  await kv.close();
  return { value, conflict: conflict.ok, stale: [...stale.value], listed, seen: seen.sort() };
};
</script>`;

Deno.test({
  name: "a web page uses a cluster that knows its origin",
  ignore: lacks("chromium"),
  // Playwright keeps a process and its pipes until they have ended by themselves.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const [port] = freePorts(1);
    const origin = `http://127.0.0.1:${port}`;
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-page-" });
    const controller = new AbortController();
    await using cluster = TestCluster.start({
      nodes: 3,
      flags: ["--partitions", "4", "--cors-origin", origin],
    });
    await buildClient(dir);
    const server = Deno.serve(
      { hostname: "127.0.0.1", port, signal: controller.signal, onListen: () => {} },
      (request) =>
        new URL(request.url).pathname === "/mod.js"
          ? new Response(Deno.readFileSync(`${dir}/mod.js`), {
            headers: { "content-type": "text/javascript" },
          })
          : new Response(PAGE, { headers: { "content-type": "text/html" } }),
    );
    const browser = await chromium.launch({
      executablePath: findProgram("chromium")!,
      args: ["--no-sandbox"],
    });
    try {
      await cluster.ready();
      const page = await browser.newPage();
      await page.goto(origin);
      const said = await page.evaluate(
        (urls) => (globalThis as unknown as { run(urls: string[]): Promise<unknown> }).run(urls),
        cluster.nodes.map(({ http }) => `http://${http}`),
      );
      assertEquals(said, {
        value: { text: "hello" },
        conflict: false,
        stale: [255, 0],
        listed: ["b/bytes", "b/json"],
        seen: ["b/bytes", "b/json"],
      });
    } finally {
      await browser.close();
      controller.abort();
      await server.finished;
      Deno.removeSync(dir, { recursive: true });
    }
  },
});
