// The proxy process: stands in every link of one cluster and does to it what the bench says. Argument: a JSON document
// {seed, links}. Talks as messages.ts says; ends with its standard input, and all connections with it.

import { TextLineStream } from "@std/streams";
import { seededRandom } from "../random.ts";
import { LateFrames } from "./late_frames.ts";
import { LinkProxy } from "./link_proxy.ts";
import {
  addCounters,
  noCounters,
  type ProxiedLink,
  type ProxyAnswer,
  type ProxyReady,
  type ProxyRequest,
} from "./messages.ts";

/** Argument of the process. */
export interface ProxyConfig {
  readonly seed: number;
  readonly links: readonly ProxiedLink[];
}

function answer(message: ProxyAnswer | ProxyReady): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

function execute(links: readonly LinkProxy[], request: ProxyRequest): ProxyAnswer {
  const chosen = request.links.map((place) => links[place]);
  if (chosen.includes(undefined!)) return { ok: false, reason: "there is no such link" };
  if (request.do === "set") {
    for (const link of chosen) link!.set(request.effect);
    return { ok: true };
  }
  const counters = noCounters();
  for (const link of chosen) addCounters(counters, link!.counters);
  return { ok: true, counters };
}

async function main(): Promise<void> {
  const config: ProxyConfig = JSON.parse(Deno.args[0]!);
  const random = seededRandom(config.seed);
  const late = new Map(config.links.map(({ to }) => [to, new LateFrames(random)]));
  const links = config.links.map((link) => new LinkProxy(link, late.get(link.to)!, random));
  await Promise.all(links.map((link) => link.listen()));
  answer({ ready: true });
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) answer(execute(links, JSON.parse(line)));
}

try {
  await main();
  Deno.exit(0);
} catch (cause) {
  console.error(cause);
  Deno.exit(1);
}
