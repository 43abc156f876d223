// Open-loop load: requests are due at fixed moments whether or not earlier ones were answered, and each is
// timed from the moment it was due, so that a stall shows in every request it delayed. HTTP/1.1 over bare
// connections, because a general client would cost as much as the nodes under test.

/** One request to send. */
export interface Shot {
  /** host:port */
  readonly host: string;
  readonly method: "PUT" | "GET";
  readonly path: string;
  readonly body?: Uint8Array;
}

/** How one request went. */
export interface ShotResult {
  /** When it was due, ms since the load began. */
  readonly dueMs: number;
  /** From then to its last answer. */
  readonly latencyMs: number;
  /** The first attempt failed. */
  readonly retried: boolean;
  /** The status of the last attempt; 0 if the connection broke. */
  readonly status: number;
}

export interface OpenLoopOptions {
  readonly perSecond: number;
  /** The request that is due at `dueMs`, the `n`th. */
  readonly shot: (n: number) => Shot;
  /** How long a request that fails is tried again. */
  readonly retryMs: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const TICK_MS = 2;
const RETRY_PAUSE_MS = 25;
/** Beyond this the machine is too slow for the load, and the run says so. */
const CONNECTIONS_MAX = 4000;

/** One connection, one request at a time. */
class Line {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(16 * 1024);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(host: string): Promise<Line> {
    const [hostname, port] = host.split(":");
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    return new Line(connection);
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // It was closed by the other side.
    }
  }

  /** Sends a request and reads its answer; returns the status. Throws when the connection breaks. */
  async send({ host, method, path, body }: Shot): Promise<number> {
    const length = method === "PUT" ? `content-length: ${body?.length ?? 0}\r\n` : "";
    const type = method === "PUT" ? "content-type: text/plain\r\n" : "";
    const head = encoder.encode(
      `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${type}${length}\r\n`,
    );
    const bytes = new Uint8Array(head.length + (body?.length ?? 0));
    bytes.set(head);
    if (body !== undefined) bytes.set(body, head.length);
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(bytes.subarray(sent));
    }
    return await this.#answer();
  }

  async #answer(): Promise<number> {
    let text = "";
    for (;;) {
      const count = await this.#connection.read(this.#buffer);
      if (count === null) throw new Error("the connection was closed");
      text += decoder.decode(this.#buffer.subarray(0, count));
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) continue;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      // Bodies here are ASCII: a byte is a character.
      if (text.length >= end + 4 + length) return Number(text.slice(9, 12));
    }
  }
}

/** A load that runs until it is stopped. */
export class OpenLoop {
  readonly #options: OpenLoopOptions;
  readonly #idle = new Map<string, Line[]>();
  readonly #startedMs = performance.now();
  readonly #done: Promise<void>;
  readonly #open = new Set<Promise<void>>();
  #stopping = false;
  readonly results: ShotResult[] = [];

  constructor(options: OpenLoopOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Milliseconds since the load began. */
  nowMs(): number {
    return performance.now() - this.#startedMs;
  }

  async #run(): Promise<void> {
    const intervalMs = 1000 / this.#options.perSecond;
    let next = 0;
    while (!this.#stopping) {
      while (next * intervalMs <= this.nowMs()) {
        if (this.#open.size >= CONNECTIONS_MAX) {
          throw new Error("the load is more than can be sent");
        }
        const shot = this.#shoot(next, next * intervalMs).finally(() => this.#open.delete(shot));
        this.#open.add(shot);
        next++;
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await Promise.all(this.#open);
  }

  async #shoot(n: number, dueMs: number): Promise<void> {
    const shot = this.#options.shot(n);
    let status = await this.#attempt(shot);
    const retried = !isGood(status);
    const failedMs = this.nowMs();
    while (!isGood(status) && this.nowMs() - failedMs < this.#options.retryMs) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
      status = await this.#attempt(shot);
    }
    this.results.push({ dueMs, latencyMs: this.nowMs() - dueMs, retried, status });
  }

  async #attempt(shot: Shot): Promise<number> {
    const idle = this.#idle.get(shot.host) ?? [];
    this.#idle.set(shot.host, idle);
    let line: Line | undefined;
    try {
      line = idle.pop() ?? await Line.open(shot.host);
      const status = await line.send(shot);
      idle.push(line);
      return status;
    } catch {
      line?.close();
      return 0;
    }
  }

  /** Sends nothing more; resolves when all that was sent is answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
    for (const line of [...this.#idle.values()].flat()) line.close();
  }
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300;
}

/** The value below which the share `q` of the values lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}
