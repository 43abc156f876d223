// Stands before the API: who is let in (tokens, roles, prefixes, rates), which names this node answers to,
// and which web pages may read its answers. Knows no route's work; adds nothing to a request it lets by.

import type { Clock, Digest, HttpHandler, Log } from "../../platform/ports.ts";
import { isBackupPath } from "../backup_path.ts";
import { errorResponse, problem, type ProblemExtras } from "../problem.ts";
import { splitUrl } from "../request_key.ts";
import { Audit } from "./audit.ts";
import { isRequestWithin, missingRole, roleFor } from "./permissions.ts";
import { RateLimiter } from "./rate_limiter.ts";
import type { Principal, TokenTable } from "./tokens.ts";

/** What the routes learn of who asks: Hono's `env`. */
export interface RequestEnvironment {
  readonly principal?: Principal;
}

export interface AccessPolicy {
  /** The tokens now; undefined while none are asked for. Called for every request: rotation is live. */
  readonly tokens: () => TokenTable | undefined;
  /** Names beside the loopback's that clients may use for this node: `host` or `host:port`. */
  readonly hosts: readonly string[];
  /** Origins of web pages that may use the API. */
  readonly corsOrigins: readonly string[];
}

export const NO_POLICY: AccessPolicy = { tokens: () => undefined, hosts: [], corsOrigins: [] };

export interface DoorkeeperOptions {
  readonly policy: AccessPolicy;
  readonly clock: Clock;
  readonly digest: Digest;
  readonly log: Log;
  /** A request was turned away before any route saw it. */
  readonly onRefused: (code: DoorRefusal) => void;
}

type InnerHandler = (
  request: Request,
  environment: RequestEnvironment,
) => Response | Promise<Response>;

/** Why a request does not get past the door. */
export const DOOR_REFUSALS = ["misdirected", "unauthorized", "forbidden", "rate-limited"] as const;
export type DoorRefusal = typeof DOOR_REFUSALS[number];

const NOBODY: RequestEnvironment = {};
/** Whose answers may go on for as long as their readers like, beside the backups'. */
const STREAMED_PATHS: ReadonlySet<string> = new Set(["/watch", "/keys", "/dashboard/events"]);
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;
/** Distinct Host texts remembered; clients use a handful. */
const HOSTS_KNOWN_MAX = 64;

const ALLOWED_METHODS = "GET, HEAD, PUT, POST, DELETE";
const ALLOWED_HEADERS = [
  "Accept",
  "Authorization",
  "Content-Type",
  "Idempotency-Key",
  "If-Match",
  "If-None-Match",
  "Last-Event-ID",
  "Pontoon-Forward",
  "Pontoon-Min-Applied",
  "Pontoon-Session",
  "Pontoon-Timeout-Ms",
].join(", ");
const EXPOSED_HEADERS = [
  "ETag",
  "Location",
  "Retry-After",
  "Pontoon-Applied",
  "Pontoon-Applied-At",
  "Pontoon-Partition",
  "Pontoon-Replayed",
  "Pontoon-Staleness-Ms",
].join(", ");
const PREFLIGHT_SECONDS = "600";

export class Doorkeeper {
  readonly #options: DoorkeeperOptions;
  readonly #inner: InnerHandler;
  readonly #limiter: RateLimiter;
  readonly #audit: Audit;
  readonly #knownHosts = new Map<string, boolean>();

  constructor(inner: InnerHandler, options: DoorkeeperOptions) {
    this.#inner = inner;
    this.#options = options;
    this.#limiter = new RateLimiter(options.clock);
    this.#audit = new Audit(options.clock, options.log);
  }

  /** Never rejects. */
  readonly handle: HttpHandler = (request) => {
    const { policy } = this.#options;
    if (!this.#answersTo(request.url)) {
      return this.#refuse(
        "misdirected",
        "This node does not go by the name in Host; start it with --allow-host to let it",
      );
    }
    if (policy.corsOrigins.length === 0) return this.#admit(request);
    return this.#admitPage(request);
  };

  // ----------------------------------------------------------------------------------- Host and CORS

  /**
   * Deno builds the URL from Host. A web page whose name was pointed at this machine (DNS rebinding) can
   * send what it likes but its own name.
   */
  #answersTo(url: string): boolean {
    const start = url.indexOf("//") + 2;
    const end = url.indexOf("/", start);
    const host = url.slice(start, end < 0 ? url.length : end);
    let known = this.#knownHosts.get(host);
    if (known === undefined) {
      known = LOOPBACK.test(host) || this.#isNamed(host.toLowerCase());
      if (this.#knownHosts.size >= HOSTS_KNOWN_MAX) this.#knownHosts.clear();
      this.#knownHosts.set(host, known);
    }
    return known;
  }

  #isNamed(host: string): boolean {
    const bare = host.replace(/:\d+$/, "");
    return this.#options.policy.hosts.some((name) => {
      const wanted = name.toLowerCase();
      // A URL leaves its scheme's own port out.
      return wanted === host || wanted === bare || wanted.replace(/:(80|443)$/, "") === host;
    });
  }

  async #admitPage(request: Request): Promise<Response> {
    const origin = request.headers.get("origin");
    const allowed = origin !== null && this.#options.policy.corsOrigins.includes(origin);
    const isPreflight = request.method === "OPTIONS" &&
      request.headers.has("access-control-request-method");
    if (isPreflight && allowed) {
      return new Response(null, {
        status: 204,
        headers: {
          "access-control-allow-origin": origin,
          "access-control-allow-methods": ALLOWED_METHODS,
          "access-control-allow-headers": ALLOWED_HEADERS,
          "access-control-max-age": PREFLIGHT_SECONDS,
          "vary": "Origin",
        },
      });
    }
    const response = await this.#admit(request);
    response.headers.append("vary", "Origin");
    if (allowed) {
      response.headers.set("access-control-allow-origin", origin);
      response.headers.set("access-control-expose-headers", EXPOSED_HEADERS);
    }
    return response;
  }

  // ------------------------------------------------------------------------------------------ tokens

  #admit(request: Request): Response | Promise<Response> {
    const tokens = this.#options.policy.tokens();
    if (tokens === undefined) return this.#inner(request, NOBODY);
    const { path, query } = splitUrl(request.url);
    const role = roleFor(request.method, path);
    const isData = path === "/txn" || path === "/batch";
    if (role === "open" && !isData) return this.#inner(request, NOBODY);
    const authorization = request.headers.get("authorization");
    const principal = authorization === null
      ? undefined
      : tokens.find(authorization, this.#options.digest);
    if (principal === undefined) {
      this.#tellOfAdmin(role, request.method, path, null, 401);
      return this.#refuse(
        "unauthorized",
        authorization === null
          ? "This node asks for a token: Authorization: Bearer TOKEN"
          : "The token is not known here",
        { headers: { "www-authenticate": 'Bearer realm="pontoon"' } },
      );
    }
    if (role !== undefined && role !== "open" && !principal.roles.has(role)) {
      this.#tellOfAdmin(role, request.method, path, principal.name, 403);
      return this.#forbid(principal, `the role ${missingRole(principal, [role])}`);
    }
    try {
      if (
        principal.prefixes !== undefined &&
        !isRequestWithin(principal.prefixes, request.method, path, query)
      ) {
        return this.#forbid(principal, "these keys");
      }
    } catch (error) {
      return errorResponse(error, request.method, this.#options.log);
    }
    const refusal = this.#limiter.begin(principal);
    if (refusal !== undefined) {
      this.#tellOfAdmin(role, request.method, path, principal.name, 429);
      return this.#refuse("rate-limited", refusal.reason, {
        headers: { "retry-after": String(refusal.retryAfterSeconds) },
      });
    }
    return principal.concurrency === undefined
      ? this.#inner(request, { principal })
      : this.#counted(request, principal, STREAMED_PATHS.has(path) || isBackupPath(path));
  }

  /** One of the holder's requests at once: until its answer is there or, of a stream, has ended. */
  async #counted(request: Request, principal: Principal, isStream: boolean): Promise<Response> {
    const end = once(() => this.#limiter.end(principal));
    try {
      const response = await this.#inner(request, { principal });
      if (!isStream || response.body === null) {
        end();
        return response;
      }
      return new Response(watchedStream(response.body, end), response);
    } catch (cause) {
      end();
      throw cause;
    }
  }

  // --------------------------------------------------------------------------------------- refusals

  #refuse(code: DoorRefusal, detail: string, extras?: ProblemExtras): Response {
    this.#options.onRefused(code);
    return problem(code, detail, extras);
  }

  #forbid(principal: Principal, what: string): Response {
    this.#options.onRefused("forbidden");
    return forbidden(principal, what);
  }

  #tellOfAdmin(
    role: ReturnType<typeof roleFor>,
    method: string,
    path: string,
    by: string | null,
    status: number,
  ): void {
    if (role === "admin") this.#audit.turnedAway(by, method, path, status);
  }
}

function once(body: () => void): () => void {
  let called = false;
  return () => {
    if (!called) body();
    called = true;
  };
}

/** `stream`, and `onEnd` once it has ended, failed or been given up. Takes a chunk only when it is asked for one. */
function watchedStream(
  stream: ReadableStream<Uint8Array>,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        onEnd();
        controller.close();
      } catch (cause) {
        onEnd();
        controller.error(cause);
      }
    },
    cancel(reason) {
      onEnd();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

export function forbidden(principal: Principal, what: string): Response {
  return problem("forbidden", `The token "${principal.name}" does not allow ${what}`);
}
