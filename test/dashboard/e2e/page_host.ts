// A browser with the dashboard in it: of a real node, or of a server that sends views made up for the purpose.

import { assertEquals } from "@std/assert";
import { type Browser, chromium, type Page } from "playwright-core";
import { pageHtml } from "../../../src/dashboard/document.ts";
import type { DashboardView } from "../../../src/dashboard/view.ts";
import { until } from "../../../scripts/bench/support/cluster.ts";
import { findProgram, lacks } from "../../support/needs.ts";

/** For tests that need a browser. Playwright keeps a process and its pipes until they have ended by themselves. */
export const browserTest = {
  ignore: lacks("chromium"),
  sanitizeOps: false,
  sanitizeResources: false,
};

/** How long a condition may take on a machine that is busy with everything else. */
export const PATIENCE_MS = 60_000;

/** Opens `url` and fails if the page throws or asks for anything that is not its own node's. */
export async function withPage(
  url: string,
  body: (page: Page, browser: Browser) => Promise<void>,
  viewport = { width: 1280, height: 900 },
): Promise<void> {
  const executablePath = Deno.env.get("PONTOON_CHROMIUM") ?? findProgram("chromium")!;
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport });
    page.setDefaultTimeout(PATIENCE_MS);
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      // What the content policy stops is told here. A node that is killed on purpose is too.
      if (/Content Security Policy/.test(message.text())) problems.push(message.text());
    });
    page.on("request", (request) => {
      const { origin } = new URL(request.url());
      const isOwn = origin === new URL(url).origin || request.url().startsWith("data:");
      if (!isOwn) problems.push(`asks for ${request.url()}`);
    });
    await page.goto(url);
    await body(page, browser);
    assertEquals(problems, []);
  } finally {
    await browser.close();
  }
}

/** The node that is shown as leading a partition, once it is another than `not`. */
export function shownLeader(page: Page, partition: number, not = ""): Promise<string> {
  return until(`partition ${partition} is shown with another leader`, PATIENCE_MS, async () => {
    const name = await page.evaluate(`(() => {
        const at = [...document.querySelectorAll(".map thead th")].findIndex((cell) =>
          cell.textContent === "${partition}");
        const rows = [...document.querySelectorAll(".map tbody tr")];
        const row = rows.find((one) => one.cells[at]?.querySelector(".cell.leader"));
        return row?.cells[0].textContent ?? "";
      })()`) as string;
    return name !== "" && name !== not ? name : undefined;
  });
}

/** Serves the page with made-up views. */
export class FakeDashboard implements AsyncDisposable {
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #streams = new Set<ReadableStreamDefaultController<Uint8Array>>();
  /** What the page posted. */
  readonly posts: { path: string; type: string | null; body: unknown }[] = [];
  #view: DashboardView;
  #refuses = false;
  /** A node says something every second, also when nothing has changed. */
  readonly #timer = setInterval(() => this.show(this.#view), 1000);

  constructor(view: DashboardView) {
    this.#view = view;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  show(view: DashboardView): void {
    this.#view = view;
    for (const stream of this.#streams) this.#send(stream);
  }

  /** Ends all streams and opens none, or does so again. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
    if (!refuses) return;
    for (const stream of this.#streams) stream.close();
    this.#streams.clear();
  }

  #send(stream: ReadableStreamDefaultController<Uint8Array>): void {
    const data = JSON.stringify({ whole: true, ...this.#view });
    stream.enqueue(new TextEncoder().encode(`event: view\ndata: ${data}\n\n`));
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method === "POST") {
      const type = request.headers.get("content-type");
      this.posts.push({ path: pathname, type, body: await request.json() });
      return Response.json({ epoch: 13 });
    }
    if (pathname !== "/dashboard/events") {
      return new Response(pageHtml(), { headers: { "content-type": "text/html" } });
    }
    if (this.#refuses) return new Response(null, { status: 503 });
    let controller: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start: (one) => {
        controller = one;
        this.#streams.add(one);
        this.#send(one);
      },
      cancel: () => void this.#streams.delete(controller),
    });
    const headers = {
      "content-type": "text/event-stream",
      "cache-control": "no-store, no-transform",
    };
    return new Response(stream, { headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const stream of this.#streams) stream.close();
    await this.#server.shutdown();
  }
}
