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

/** The links of each shared address, by the value that tells their dialler. */
function sharedAddresses(
  configs: readonly ProxiedLink[],
  links: readonly LinkProxy[],
): Map<string, Map<string, LinkProxy>> {
  const shared = new Map<string, Map<string, LinkProxy>>();
  configs.forEach(({ listen, dialler }, place) => {
    if (dialler === undefined) return;
    const siblings = shared.get(listen) ?? new Map();
    shared.set(listen, siblings.set(dialler.value, links[place]));
  });
  return shared;
}

async function main(): Promise<void> {
  const config: ProxyConfig = JSON.parse(Deno.args[0]!);
  const random = seededRandom(config.seed);
  const late = new Map(config.links.map(({ to }) => [to, new LateFrames(random)]));
  const links = config.links.map((link) => new LinkProxy(link, late.get(link.to)!, random));
  const fronts = links.filter((_, place) => config.links[place]!.dialler === undefined);
  for (const [listen, siblings] of sharedAddresses(config.links, links)) {
    // Whose dialler nobody knows yet passes: such a connection has not said anything that counts.
    const { to, target, dialler } = config.links.find((link) => link.listen === listen)!;
    const unknown = { from: "", to, listen, target, framed: false, dialler: dialler! };
    fronts.push(new LinkProxy(unknown, late.get(to)!, random, siblings));
  }
  await Promise.all(fronts.map((link) => link.listen()));
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
