// The bench's side of the proxy: starts the process, speaks to it, and knows which link is which. Must end the process
// whatever happens: its standard input is its lifeline.

import { TextLineStream } from "@std/streams";
import type { Link, LinkCounters, LinkEffect, Links } from "../types.ts";
import type { ProxiedLink, ProxyAnswer, ProxyReady, ProxyRequest } from "./messages.ts";

const SCRIPT = decodeURIComponent(new URL("./proxy.ts", import.meta.url).pathname);
const CONFIG = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);
/** Longest wait for an answer; the proxy does nothing that takes time. */
const ANSWER_TIMEOUT_MS = 10_000;

export class ProxyLinks implements Links {
  readonly net = "proxy";
  readonly all: readonly ProxiedLink[];
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(links: readonly ProxiedLink[], child: Deno.ChildProcess) {
    this.all = links;
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
  }

  /** Starts a proxy in `links`; resolves when every link listens. */
  static async start(links: readonly ProxiedLink[], seed: number): Promise<ProxyLinks> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--config", CONFIG, "--allow-net", SCRIPT].concat(
        JSON.stringify({ seed, links }),
      ),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const proxy = new ProxyLinks(links, child);
    try {
      await proxy.#next<ProxyReady>();
      return proxy;
    } catch (cause) {
      await proxy.close();
      throw cause;
    }
  }

  /** Process id of the proxy. */
  get pid(): number {
    return this.#child.pid;
  }

  async set(links: readonly Link[], effect: LinkEffect | undefined): Promise<void> {
    await this.#ask({ do: "set", links: this.#places(links), effect });
  }

  async heal(): Promise<void> {
    await this.set(this.all, undefined);
  }

  async counters(links: readonly Link[]): Promise<LinkCounters> {
    const { counters } = await this.#ask({ do: "count", links: this.#places(links) });
    return counters!;
  }

  async close(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
    await this.#child.status;
    await this.#writer.close().catch(() => {});
    await this.#lines.cancel().catch(() => {});
  }

  #places(links: readonly Link[]): number[] {
    return links.map(({ from, to }) => {
      const place = this.all.findIndex((link) => link.from === from && link.to === to);
      if (place < 0) throw new Error(`Cannot find the link ${from} to ${to}`);
      return place;
    });
  }

  /** One request at a time: answers come in the order of the requests. */
  #ask(request: ProxyRequest): Promise<ProxyAnswer & { ok: true }> {
    const asked = this.#turn.then(async () => {
      await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
      const answer = await this.#next<ProxyAnswer>();
      if (!answer.ok) throw new Error(`Cannot ${request.do} links: ${answer.reason}`);
      return answer;
    });
    this.#turn = asked.catch(() => {});
    return asked;
  }

  async #next<T>(): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error("the links' proxy does not answer")),
        ANSWER_TIMEOUT_MS,
      );
    });
    try {
      const { value } = await Promise.race([this.#lines.read(), late]);
      if (value === undefined) throw new Error("the links' proxy has ended");
      return JSON.parse(value);
    } finally {
      clearTimeout(timer);
    }
  }
}
