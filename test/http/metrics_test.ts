// GET /metrics: what Prometheus reads, and that dashboards and alert rules name what is there.

import { assert, assertEquals } from "@std/assert";
import { Api } from "./harness.ts";

const GRAFANA = new URL("../../scripts/grafana/", import.meta.url);

async function scrape(
  api: Api,
): Promise<{ text: string; names: Set<string>; types: Map<string, string> }> {
  const { status, headers, text } = await api.get("/metrics");
  assertEquals(status, 200);
  assert(headers.get("content-type")?.startsWith("text/plain"), "Prometheus' text format");
  const names = new Set<string>();
  const types = new Map<string, string>();
  for (const line of text.split("\n")) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1], type[2]);
    const sample = /^([a-z_]+)(?:\{[^}]*\})? \S+$/.exec(line);
    if (sample !== null) names.add(sample[1]);
  }
  return { text, names, types };
}

Deno.test("GET /metrics counts requests by operation, status and duration", async () => {
  const api = new Api();
  await api.put("/key/a", "1");
  await api.put("/key/a", "2");
  await api.get("/key/a");
  await api.get("/key/absent");
  for (const method of ["PUT", "GET", "DELETE"]) await api.call(method, "/key/a?nonsense=1");
  const { text } = await scrape(api);
  for (
    const line of [
      'pontoon_answers_total{operation="put",status="201"} 1',
      'pontoon_answers_total{operation="put",status="200"} 1',
      'pontoon_answers_total{operation="get",status="404"} 1',
      'pontoon_answers_total{operation="put",status="400"} 1',
      'pontoon_answers_total{operation="get",status="400"} 1',
      'pontoon_answers_total{operation="delete",status="400"} 1',
      'pontoon_request_duration_seconds_count{operation="put"} 3',
      'pontoon_request_duration_seconds_bucket{le="+Inf",operation="get"} 3',
    ]
  ) {
    const [, name, labels, value] = /^(\w+)\{(.*)\} (\S+)$/.exec(line)!;
    const found = text.split("\n").some((one) =>
      one.startsWith(`${name}{`) && one.endsWith(`} ${value}`) &&
      labels.split(",").every((label) => one.includes(label))
    );
    assert(found, `${line} is not in\n${text}`);
  }
});

Deno.test("names of metrics follow Prometheus' conventions", async () => {
  const { types } = await scrape(new Api());
  assert(types.size >= 15);
  for (const [name, type] of types) {
    assert(/^pontoon_[a-z]+(?:_[a-z]+)*$/.test(name), name);
    assertEquals(name.endsWith("_total"), type === "counter", `${name} is a ${type}`);
    assert(!/_(?:ms|milliseconds|kb|mb)(?:_|$)/.test(name), `${name}: base units only`);
    if (type === "histogram") assert(name.endsWith("_seconds"), name);
  }
});

Deno.test("the dashboard and the alert rules name metrics that exist", async () => {
  const { types } = await scrape(new Api());
  // Those that a node without peers and partitions has no sample of are described all the same.
  const files = [...Deno.readDirSync(GRAFANA)].map(({ name }) => name);
  assertEquals(files.toSorted(), ["alerts.yaml", "dashboard.json"]);
  for (const file of files) {
    const text = Deno.readTextFileSync(new URL(file, GRAFANA));
    const named = new Set(text.match(/pontoon_[a-z_]+/g));
    assert(named.size > 5, `${file} names hardly any metric`);
    for (const name of named) {
      const family = types.get(name) === undefined
        ? name.replace(/_(?:bucket|sum|count)$/, "")
        : name;
      assert(types.has(family), `${file} names ${name}, which is not there`);
    }
  }
  JSON.parse(Deno.readTextFileSync(new URL("dashboard.json", GRAFANA)));
});
