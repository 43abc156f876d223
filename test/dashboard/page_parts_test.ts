// The page's pure parts: rates and quantiles from counters, values as people see them, figures in words; and that the
// script which nodes serve is what its sources make.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { dashboardScript, SCRIPT_PATH } from "../../scripts/build_dashboard.ts";
import {
  formOf,
  hexDump,
  keyOrder,
  keyTarget,
  prettyJson,
} from "../../src/dashboard/page/values.ts";
import { quantileMs, WorkHistory } from "../../src/dashboard/page/work_history.ts";
import { bytes, duration, latency, list, short } from "../../src/dashboard/words.ts";
import { member, workOf } from "./views.ts";

Deno.test("src/dashboard/script.ts is what deno task build:dashboard makes of the page", async () => {
  const served = Deno.readTextFileSync(new URL(`../../${SCRIPT_PATH}`, import.meta.url));
  assert(served === await dashboardScript(), "run deno task build:dashboard");
});

Deno.test("WorkHistory gives rates over the last two seconds, across nodes and restarts", () => {
  const history = new WorkHistory();
  const push = (atMs: number, a: number, b: number | undefined) =>
    history.push({
      atMs,
      members: [
        member("n1", { work: workOf(a) }),
        member("n2", { work: b === undefined ? undefined : workOf(b) }),
      ],
    });
  const rate = () => history.samples.at(-1)!.lines.put.perSecond;
  assertEquals(push(0, 1000, undefined), false, "one look gives no rate");
  assertEquals(push(200, 1000, undefined), false, "too soon");
  push(1000, 1100, 500);
  assertEquals(rate(), 100, "of one that has just begun to report nothing is known");
  push(2000, 1300, 600);
  assertEquals(rate(), 150);
  push(3000, 1300, 40);
  assertEquals(rate(), (200 + 40) / 2, "a restarted node counts from zero");
  push(1500, 5000, 40);
  push(2500, 5010, 40);
  assertEquals(rate(), 10, "a wall clock that jumped back begins anew");
});

Deno.test("quantileMs() is linear within its bucket", () => {
  const counts = new Array<number>(17).fill(0);
  assertEquals(quantileMs(counts, 0.5), undefined);
  counts[3] = 100; // 0.5 to 1 ms
  assertEquals(quantileMs(counts, 0.5), 0.75);
  counts[16] = 100;
  assertEquals(quantileMs(counts, 0.99), 10_000);
});

Deno.test("prettyJson() moves white space only", () => {
  assertEquals(
    prettyJson('{"a":[1,{}],"a":12345678901234567890,"b":[]}'),
    '{\n  "a": [\n    1,\n    {}\n  ],\n  "a": 12345678901234567890,\n  "b": []\n}',
  );
  fc.assert(fc.property(fc.json(), (json) => {
    const pretty = prettyJson(json);
    assertEquals(JSON.parse(pretty), JSON.parse(json));
    assertEquals(prettyJson(pretty), pretty);
  }));
});

Deno.test("keyTarget() can name every key, and keyOrder() is the order of bytes", () => {
  assertEquals(keyTarget({ key: "a/b" }), "/key?key64=YS9i");
  assertEquals(keyTarget({ key64: "_w" }, { raw: "" }), "/key?key64=_w&raw");
  assertEquals(keyTarget({ key: "." }, { ttl: "5" }), "/key?key64=Lg&ttl=5");
  assert(keyOrder({ key: "z" }) < keyOrder({ key: "ü" }));
  assert(keyOrder({ key: "ü" }) < keyOrder({ key64: "_w" }));
});

Deno.test("formOf() and hexDump() show values as what they are", () => {
  assertEquals(formOf("application/json", "{}"), "json");
  assertEquals(formOf("application/ld+json; x=1", "{}"), "json");
  assertEquals(formOf("application/json", undefined), "bytes");
  assertEquals(formOf("application/octet-stream", "plain"), "text");
  assertEquals(formOf("application/octet-stream", "a\0"), "bytes");
  assertEquals(
    hexDump(new TextEncoder().encode("seventeen bytes..")),
    "000000  73 65 76 65 6e 74 65 65 6e 20 62 79 74 65 73 2e  seventeen bytes.\n" +
      "000010  2e" + " ".repeat(45) + "  .",
  );
});

Deno.test("figures come in few words", () => {
  assertEquals([0, 999, 12_345, 4_500_000].map(short), ["0", "999", "12.3k", "4.5M"]);
  assertEquals([512, 1500, 999_600, 72e9].map(bytes), [
    "512\u00a0B",
    "1.5\u00a0kB",
    "1.0\u00a0MB",
    "72.0\u00a0GB",
  ]);
  assertEquals([850, 4_000, 125_000, 720_000, 11_520_000, 86_400_000].map(duration), [
    "850\u00a0ms",
    "4\u00a0s",
    "2\u00a0min 5\u00a0s",
    "12\u00a0min",
    "3\u00a0h 12\u00a0min",
    "1\u00a0day",
  ]);
  assertEquals([0.0504, 12.3, 1234].map(latency), ["0.05\u00a0ms", "12\u00a0ms", "1.2\u00a0s"]);
  assertEquals(list(["a", "b", "c", "d", "e", "f"]), "a, b, c and 3 more");
});
