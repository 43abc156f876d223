// GET / for browsers and GET /dashboard/events. The page holds no data and needs no token; what it shows it
// fetches like anybody else, under the same rules.

import type { Context, Hono } from "hono";
import type { NodeService } from "../../node/service.ts";
import type { Clock, Digest } from "../../platform/ports.ts";
import { utf8Bytes } from "../../base/bytes.ts";
import { problem } from "../problem.ts";
import { parseQuery, splitUrl } from "../request_key.ts";
import { DashboardFeed } from "./feed.ts";

export const DASHBOARD_EVENTS_PATH = "/dashboard/events";
const EVENTS_TYPE = "text/event-stream";

export interface DashboardOptions {
  readonly service: NodeService;
  readonly clock: Clock;
  readonly digest: Digest;
}

/** Whether the client asks for a page rather than for text: a browser does, curl does not. */
export function wantsPage(request: Request): boolean {
  return /\btext\/html\b/.test(request.headers.get("accept") ?? "");
}

export class DashboardRoutes {
  readonly #options: DashboardOptions;
  readonly #feed: DashboardFeed;
  #page: Promise<{ readonly html: string; readonly headers: Record<string, string> }> | undefined;

  constructor(options: DashboardOptions) {
    this.#options = options;
    this.#feed = new DashboardFeed(options.service, options.clock);
  }

  /** Adds the routes to `app`; the page's own is `page`, behind whoever owns `/`. */
  addTo(app: Hono): void {
    app.get(DASHBOARD_EVENTS_PATH, (context) => this.#events(context));
  }

  /** The page. Its parts are loaded when it is first asked for. */
  async page(request: Request): Promise<Response> {
    const { html, headers } = await (this.#page ??= this.#build());
    if (request.headers.get("if-none-match") === headers.etag) {
      return new Response(null, { status: 304, headers });
    }
    return new Response(request.method === "HEAD" ? null : html, { headers });
  }

  async #build(): Promise<{ html: string; headers: Record<string, string> }> {
    const { pageHtml, PAGE_SCRIPT, PAGE_STYLE } = await import("../../dashboard/document.ts");
    const html = pageHtml();
    const hash = (text: string) => toBase64(this.#options.digest.sha256(utf8Bytes(text)));
    return {
      html,
      headers: {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache",
        "etag": `"${hash(html).slice(0, 22)}"`,
        "vary": "accept",
        // What the page shows is what others have stored: nothing of it may ever run or call home.
        "content-security-policy": [
          "default-src 'none'",
          `script-src 'sha256-${hash(PAGE_SCRIPT)}'`,
          `style-src 'sha256-${hash(PAGE_STYLE)}'`,
          "connect-src 'self'",
          "img-src data:",
          "base-uri 'none'",
          "form-action 'none'",
          "frame-ancestors 'none'",
        ].join("; "),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      },
    };
  }

  #events(context: Context): Response {
    parseQuery(splitUrl(context.req.url).query, []);
    if (context.req.raw.method === "HEAD") {
      return problem("method-not-allowed", "HEAD is not possible here", {
        headers: { allow: "GET" },
      });
    }
    const stream = this.#feed.open();
    if (stream === undefined) {
      return problem("overloaded", "This node has as many open dashboards as it may");
    }
    return new Response(stream, {
      headers: {
        "content-type": EVENTS_TYPE,
        // Left alone, the server would compress the stream, and hold events back.
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
      },
    });
  }
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
