// What every command has at hand: the options given before or behind its name, the streams, and the client,
// which is connected when first asked for and closed at the end.

import { connect, type Hooks, type Key, type Kv, type ReadOptions } from "../client/mod.ts";
import { usage } from "./exit.ts";
import { bytesOfBase64, type OutputForm, parseDuration } from "./format.ts";
import type { Io } from "./io.ts";

export const ENDPOINTS_DEFAULT = "http://127.0.0.1:7001";
const TIMEOUT_DEFAULT = "10s";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly endpoints?: string;
  readonly output?: OutputForm;
  readonly timeout?: string;
  readonly key64?: boolean;
  readonly verbose?: boolean;
  readonly tokenFile?: string;
}

/** Options of commands that read. */
export interface ConsistencyOptions {
  readonly consistency?: "linearizable" | "stale";
  readonly maxStaleness?: string;
}

/** How a reading command's options look to the SDK. */
export function readOptions({ consistency, maxStaleness }: ConsistencyOptions): ReadOptions {
  if (maxStaleness !== undefined && consistency !== "stale") {
    throw usage("--max-staleness needs --consistency stale");
  }
  const maxStalenessMs = maxStaleness === undefined ? undefined : parseDuration(maxStaleness);
  return { consistency, maxStalenessMs };
}

export class Context {
  readonly io: Io;
  readonly options: GlobalOptions;
  readonly timeoutMs: number;
  readonly #interrupt = new AbortController();
  readonly #stopListening: () => void;
  #kv: Promise<Kv> | undefined;

  constructor(io: Io, options: GlobalOptions) {
    this.io = io;
    this.options = options;
    this.timeoutMs = parseDuration(options.timeout ?? TIMEOUT_DEFAULT);
    this.#stopListening = io.onInterrupt(() => this.#interrupt.abort());
  }

  /** Aborted when the user wants an end. */
  get interrupted(): AbortSignal {
    return this.#interrupt.signal;
  }

  /** Ends what can be ended, as Ctrl-C does. */
  interrupt(): void {
    this.#interrupt.abort();
  }

  get endpoints(): string[] {
    const text = this.options.endpoints ?? this.io.env("PONTOON_ENDPOINTS") ?? ENDPOINTS_DEFAULT;
    const endpoints = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
    if (endpoints.length === 0) throw usage("--endpoints names no address");
    return endpoints;
  }

  /** What the cluster asks clients for; undefined if the user has none. */
  get token(): string | undefined {
    const { tokenFile } = this.options;
    if (tokenFile === undefined) return this.io.env("PONTOON_TOKEN") || undefined;
    return Deno.readTextFileSync(tokenFile).trim();
  }

  /** The form of output: what was asked for, or what suits the command. */
  form(suitable: OutputForm = "table"): OutputForm {
    return this.options.output ?? suitable;
  }

  /** The client, connected. Throws PontoonError `connection`. */
  kv(): Promise<Kv> {
    const hooks: Hooks = this.options.verbose
      ? {
        log: (level, message, details) =>
          this.note(`${level} ${message} ${JSON.stringify(details)}`),
        onAttempt: ({ method, route, url, attempt, status, code, durationMs }) =>
          this.note(
            `${method} ${route} at ${url}, attempt ${attempt}: ${code ?? status}, ${
              durationMs.toFixed(1)
            } ms`,
          ),
      }
      : {};
    return this.#kv ??= connect(this.endpoints, {
      timeoutMs: this.timeoutMs,
      token: this.token,
      hooks,
    });
  }

  /** A key as it was typed: text, or base64url with --key64. Throws TypeError. */
  key(text: string): Key {
    return this.options.key64 ? bytesOfBase64(text) : text;
  }

  /** A line of results. */
  print(line: string): void {
    this.io.out.write(`${line}\n`);
  }

  /** A line for people, beside the results. */
  note(line: string): void {
    this.io.err.write(`${line}\n`);
  }

  async close(): Promise<void> {
    this.#stopListening();
    const kv = await this.#kv?.catch(() => undefined);
    await kv?.close();
  }
}
