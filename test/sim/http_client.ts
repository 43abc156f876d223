// One HTTP request of a simulated client to one node: delays, refusals, answers that never come, connections
// that die with their node. Owns what an attempt proves; judges nothing else.

import type { Incarnation, Scheduler } from "./clock.ts";
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
    const request = requestOf(call);
    const life = node.life;
    const handler = life?.handler;
    if (life === undefined || handler === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      let isAwaited = true;
      const settle = (stream: EventStream | undefined) => {
        // An answer that comes too late finds nobody.
        if (!isAwaited) return stream?.close();
        isAwaited = false;
        patience.cancel();
        resolve(stream);
      };
      const patience = this.#scheduler.schedule(PATIENCE_MS, () => settle(undefined));
      life.incarnation.onDeath(() => settle(undefined));
      life.incarnation.run(() => {
        Promise.resolve(handler(request)).then((response) => {
          settle(new EventStream(response, life.incarnation, () => this.#travel()));
        });
      });
    });
  }

  /** How long the next bytes take, and which part of them is one piece. */
  async #travel(): Promise<number> {
    await this.pause(this.#delayMs());
    return this.#random.chance(0.5) ? 1 : this.#random.float();
  }
}

/** A body that comes in pieces, until it ends, its node dies or the client goes away. */
export class EventStream {
  readonly status: number;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #incarnation: Incarnation;
  readonly #travel: () => Promise<number>;
  #isOver = false;
  /** Ends a read that waits. */
  #endRead: () => void = () => {};
  /** What has come and was not handed on yet. */
  #rest: Uint8Array = new Uint8Array();

  constructor(response: Response, incarnation: Incarnation, travel: () => Promise<number>) {
    this.status = response.status;
    this.#reader = response.body?.getReader();
    this.#incarnation = incarnation;
    this.#travel = travel;
    // What was on its way then is lost with the connection.
    incarnation.onDeath(() => this.#end());
  }

  /** Whether the last piece ended within what was sent together. */
  get isMidway(): boolean {
    return this.#rest.length > 0;
  }

  /** The next bytes; undefined once the stream is over. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#rest.length === 0) this.#rest = await this.#read();
    const share = await this.#travel();
    if (this.#isOver || this.#rest.length === 0) return undefined;
    const length = Math.ceil(share * this.#rest.length);
    const piece = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return piece;
  }

  /** Empty if there is nothing more. */
  #read(): Promise<Uint8Array> {
    const reader = this.#reader;
    const nothing = new Uint8Array();
    if (this.#isOver || reader === undefined) return Promise.resolve(nothing);
    return new Promise((resolve) => {
      this.#endRead = () => resolve(nothing);
      this.#incarnation.run(() => {
        reader.read().then(({ value = nothing }) => resolve(value));
      });
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#endRead();
  }

  /** The client goes away. */
  close(): void {
    if (this.#isOver) return;
    this.#end();
    this.#incarnation.run(() => void this.#reader?.cancel());
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
