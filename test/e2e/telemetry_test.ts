// OpenTelemetry is Deno's own: a node that is started with its variables sends a span for each request.

import { assertMatch } from "@std/assert";
import { TestCluster, until } from "../../scripts/bench/support/cluster.ts";

const TIMEOUT_MS = 60_000;

Deno.test("a node sends its requests' spans to a collector", async () => {
  const received: string[] = [];
  const collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      if (new URL(request.url).pathname === "/v1/traces") received.push(await request.text());
      return Response.json({});
    },
  );
  try {
    const env = {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
      OTEL_SERVICE_NAME: "pontoon-under-test",
      OTEL_BSP_SCHEDULE_DELAY: "200",
    };
    await using cluster = TestCluster.start({ nodes: 1, env });
    await cluster.ready();
    const url = `http://${cluster.nodes[0].http}/key/spanned`;
    const answer = await fetch(url, { method: "PUT", body: "v" });
    await answer.body?.cancel();
    const spans = await until("a span of the request", TIMEOUT_MS, () => {
      return received.find((text) => text.includes("/key/spanned"));
    });
    assertMatch(spans, /pontoon-under-test/);
    assertMatch(spans, /"PUT/);
  } finally {
    await collector.shutdown();
  }
});
