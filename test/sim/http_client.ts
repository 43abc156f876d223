// One HTTP request of a simulated client to one node: delays, refusals, answers that never come, connections
// that die with their node. Owns what an attempt proves; judges nothing else.

import type { Scheduler } from "./clock.ts";
import type { SeededRandom } from "./random.ts";
import type { SimNode } from "./sim_node.ts";
import type { Answer } from "./workload.ts";

const PATIENCE_MS = 3000;

/** How one attempt ended. `none`: surely without effect. */
export type Attempt =
  | { readonly kind: "decided"; readonly answer: Answer }
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string };

export interface HttpCall {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** A body that comes bit by bit. */
export interface EventStream {
  readonly status: number;
  /** The next bytes; undefined once the stream is over or its node is gone. */
  next(): Promise<Uint8Array | undefined>;
  /** The client goes away. */
  close(): void;
}

export class HttpClient {
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;

  constructor(scheduler: Scheduler, random: SeededRandom) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#scheduler.schedule(delayMs, resolve));
  }

  #delayMs(): number {
    return 0.1 + this.#random.float();
  }

  /** Sends a request and awaits the whole answer. Never rejects. */
  send(node: SimNode, call: HttpCall): Promise<Attempt> {
    const scheduler = this.#scheduler;
    const request = requestOf(call);
    return new Promise((resolve) => {
      let open = true;
      const settle = (attempt: Attempt) => {
        if (!open) return;
        open = false;
        patience.cancel();
        resolve(attempt);
      };
      const lost = (reason: string) => settle({ kind: "unknown", reason });
      const patience = scheduler.schedule(PATIENCE_MS, () => lost("no answer"));
      scheduler.schedule(this.#delayMs(), () => {
        const life = node.life;
        const handler = life?.handler;
        // Refused: nothing listens, so nothing was received.
        if (life === undefined || handler === undefined) {
          return settle({ kind: "none", reason: "refused" });
        }
        life.incarnation.onDeath(() => {
          if (open) scheduler.schedule(this.#delayMs(), () => lost("connection lost"));
        });
        life.incarnation.run(() => {
          serve(handler, request).then((attempt) => {
            scheduler.schedule(this.#delayMs(), () => settle(attempt));
          });
        });
      });
    });
  }

  /** Opens a stream; undefined if there is no answer. Never rejects. */
  open(node: SimNode, call: HttpCall): Promise<EventStream | undefined> {
    const scheduler = this.#scheduler;
    const request = requestOf(call);
    return new Promise((resolve) => {
      let isDead = false;
      let isClosed = false;
      /** What waits for the node, and gets nothing when it dies. */
      let give: (nothing: undefined) => void = resolve;
      const patience = scheduler.schedule(PATIENCE_MS, () => resolve(undefined));
      /** What has come and was not handed on yet. */
      let rest = new Uint8Array();
      const life = node.life;
      const handler = life?.handler;
      if (life === undefined || handler === undefined) return resolve(undefined);
      life.incarnation.onDeath(() => {
        isDead = true;
        scheduler.schedule(this.#delayMs(), () => give(undefined));
      });
      life.incarnation.run(() => {
        Promise.resolve(handler(request)).then((response) => {
          patience.cancel();
          const reader = response.body?.getReader();
          resolve({
            status: response.status,
            next: async () => {
              if (isDead || isClosed || reader === undefined) return undefined;
              if (rest.length === 0) {
                const { done, value = rest } = await new Promise<
                  ReadableStreamReadResult<Uint8Array>
                >(
                  (taken) => {
                    give = () => taken({ done: true, value: undefined });
                    life.incarnation.run(() => void reader.read().then(taken));
                  },
                );
                if (done) return undefined;
                rest = value.slice();
              }
              await this.pause(this.#delayMs());
              // What was on its way when the node died is lost with the connection.
              if (isDead || isClosed) return undefined;
              const length = this.#random.chance(0.5)
                ? rest.length
                : 1 + this.#random.int(rest.length);
              const piece = rest.subarray(0, length);
              rest = rest.slice(length);
              return piece;
            },
            close: () => {
              isClosed = true;
              if (!isDead) life.incarnation.run(() => void reader?.cancel());
              give(undefined);
            },
          });
        });
      });
    });
  }
}

function requestOf({ method, path, headers, body }: HttpCall): Request {
  return new Request(`http://localhost${path}`, {
    method,
    headers: { "pontoon-timeout-ms": "1500", ...headers },
    body,
  });
}

async function serve(
  handler: (request: Request) => Response | Promise<Response>,
  request: Request,
): Promise<Attempt> {
  const response = await handler(request);
  const body = await response.text();
  const { status, headers } = response;
  // 503, 429: surely without effect. 504 and 500: nobody knows.
  if (status === 503 || status === 429) return { kind: "none", reason: String(status) };
  if (status === 504 || status === 500) return { kind: "unknown", reason: String(status) };
  return { kind: "decided", answer: { status, headers, body } };
}
