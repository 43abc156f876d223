// The dashboard's stream: what a first event holds, what the next ones leave out, how many there may be, who is let
// go, and that it ends with the node. And the page's own headers.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type DashboardFrame, type DashboardView, viewAfter } from "../../src/dashboard/view.ts";
import { DASHBOARD_STREAMS_MAX, DashboardFeed } from "../../src/http/dashboard/feed.ts";
import { FakeNode } from "../http/fake_node.ts";
import { Api, assertProblem } from "../http/harness.ts";
import { HandClock } from "./hand_clock.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;

function rig() {
  const clock = new HandClock();
  const node = new FakeNode();
  let epoch = 3;
  const { cluster } = node;
  node.cluster = () => ({ ...cluster.call(node), epoch });
  const feed = new DashboardFeed(node, clock);
  const change = () => {
    epoch++;
    for (const follower of node.followers) follower();
  };
  return { clock, node, feed, change };
}

async function frame(reader: Reader): Promise<DashboardFrame> {
  const { value } = await reader.read();
  const text = new TextDecoder().decode(value);
  assert(text.startsWith("event: view\ndata: ") && text.endsWith("\n\n"), text);
  return JSON.parse(text.slice("event: view\ndata: ".length));
}

Deno.test("a stream begins with everything and goes on with what changed, each second and at once", async () => {
  const { clock, feed, change } = rig();
  const reader = feed.open()!.getReader();
  const first = await frame(reader);
  assertEquals([first.whole, first.epoch, first.partitions.length], [true, 3, 1]);
  assertEquals(first.happenings, []);
  let view: DashboardView = viewAfter(undefined, first);
  clock.pass(1000);
  const second = await frame(reader);
  assertEquals([second.whole, second.partitions, second.happenings], [false, [], undefined]);
  view = viewAfter(view, second);
  assertEquals([view.partitions.length, view.atMs], [1, 1_001_000]);
  clock.pass(200);
  for (let i = 0; i < 5; i++) change();
  clock.pass(10);
  assertEquals((await frame(reader)).epoch, 8, "a shower of changes is one event, at once");
  change();
  clock.pass(50);
  change();
  clock.pass(100);
  assertEquals((await frame(reader)).epoch, 10, "the next one follows in a tenth of a second");
  await reader.cancel();
});

Deno.test("nothing is composed while nobody looks", async () => {
  const { clock, node, feed } = rig();
  let composed = 0;
  const { cluster } = node;
  node.cluster = () => {
    composed++;
    return cluster.call(node);
  };
  const reader = feed.open()!.getReader();
  await reader.read();
  await reader.cancel();
  assertEquals([node.followers.size, clock.pending, feed.count], [0, 0, 0]);
  const before = composed;
  clock.pass(10_000);
  assertEquals(composed, before);
});

Deno.test("a reader that takes its time gets the newest state, and one that takes nothing is let go", async () => {
  const { clock, feed, change } = rig();
  const slow = feed.open()!.getReader();
  await frame(slow);
  for (let i = 0; i < 20; i++) {
    change();
    clock.pass(1000);
  }
  await frame(slow);
  clock.pass(200);
  assertEquals((await frame(slow)).epoch, 23);
  const stuck = feed.open()!;
  assertEquals(feed.count, 2);
  for (let i = 0; i < 40; i++) {
    clock.pass(1000);
    await frame(slow);
  }
  assertEquals(feed.count, 1);
  await stuck.cancel().catch(() => {});
  await slow.cancel();
});

Deno.test("there are only so many streams, and they end with the node", async () => {
  const { node, feed } = rig();
  const readers = Array.from({ length: DASHBOARD_STREAMS_MAX }, () => feed.open()!.getReader());
  assertEquals(feed.open(), undefined);
  await readers[0].cancel();
  readers[0] = feed.open()!.getReader();
  for (const listener of node.stopListeners) listener();
  for (const reader of readers) {
    await frame(reader);
    assertStringIncludes(new TextDecoder().decode((await reader.read()).value), "event: bye");
    assertEquals((await reader.read()).done, true);
  }
  assertEquals([feed.count, feed.open()], [0, undefined]);
});

Deno.test("GET / is a page for browsers and text for everybody else", async () => {
  const api = new Api();
  const page = await api.get("/", { accept: "text/html,application/xhtml+xml" });
  assertEquals(page.headers.get("content-type"), "text/html; charset=utf-8");
  assertEquals(page.headers.get("vary"), "accept");
  const policy = page.headers.get("content-security-policy")!;
  assertStringIncludes(policy, "default-src 'none'; script-src 'sha256-");
  assert(!/unsafe|https?:/.test(policy), policy);
  // Nothing in it comes from anywhere else.
  assertEquals([...page.text.matchAll(/<(?:script|link|img)[^>]+(?:src|href)="(?!data:)/g)], []);
  const again = await api.get("/", {
    accept: "text/html",
    "if-none-match": page.headers.get("etag")!,
  });
  assertEquals([again.status, again.text], [304, ""]);
  const text = await api.get("/");
  assertStringIncludes(text.headers.get("content-type")!, "text/plain");
  assertEquals(text.headers.get("vary"), "accept");
  assertStringIncludes(text.text, "curl");
});

Deno.test("GET /dashboard/events is a stream that nothing may hold back; HEAD, POST and parameters are refused", async () => {
  const api = new Api();
  const response = await api.app.fetch(new Request("http://127.0.0.1:7001/dashboard/events"));
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  assertEquals(response.headers.get("cache-control"), "no-store, no-transform");
  await response.body!.cancel();
  const posted = await api.call("POST", "/dashboard/events");
  assertProblem(posted, "method-not-allowed");
  assertEquals(posted.headers.get("allow"), "GET");
  assertEquals((await api.call("HEAD", "/dashboard/events")).status, 405);
  assertProblem(await api.get("/dashboard/events?x=1"), "invalid-parameter");
});
