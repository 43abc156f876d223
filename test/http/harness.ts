// Calls the HTTP layer as a client would, without a socket: raw paths stay raw, and every answer that is an
// error is held to what a problem document must be.

import { assert, assertEquals } from "@std/assert";
import { createApp } from "../../src/http/app.ts";
import { PROBLEMS } from "../../src/http/problem.ts";
import { NodeDigest } from "../../src/platform/deno/mod.ts";
import type { Log } from "../../src/platform/ports.ts";
import { Incarnation, Scheduler, SimClock } from "../sim/clock.ts";
import { FakeNode } from "./fake_node.ts";

export const BODY_IDLE_MS = 1000;
export const REQUEST_TIMEOUT_MS = 5000;
const ORIGIN = "http://127.0.0.1:7001";

export interface CallInit {
  readonly headers?: HeadersInit;
  readonly body?: BodyInit;
}

/** An answer, its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly text: string;
  // deno-lint-ignore no-explicit-any
  readonly json: any;
}

/** A Request whose URL is exactly `target` (the constructor would resolve dots and escapes). */
export function rawRequest(method: string, target: string, init: CallInit = {}): Request {
  const request = new Request(`${ORIGIN}/`, { method, ...init });
  Object.defineProperty(request, "url", { value: ORIGIN + target });
  return request;
}

/** The API over a fake node, under a virtual clock. */
export class Api {
  readonly node = new FakeNode();
  readonly scheduler = new Scheduler();
  readonly logged: string[] = [];
  /** Lines of the audit log, as they would be written. */
  readonly audited: Record<string, unknown>[] = [];
  /** What the API logs to. */
  readonly log: Log;
  readonly app;

  constructor() {
    const log: Log = {
      log: (level, message, fields) => {
        this.logged.push(`${level}: ${message}`);
        if (message.startsWith("admin verb")) this.audited.push({ message, ...fields });
      },
      with: () => log,
    };
    this.log = log;
    this.app = createApp(this.node, {
      clock: new SimClock(new Incarnation(this.scheduler, "n1")),
      digest: new NodeDigest(),
      log,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      bodyIdleMs: BODY_IDLE_MS,
    });
  }

  async call(method: string, target: string, init: CallInit = {}): Promise<Answer> {
    return await readAnswer(await this.app.fetch(rawRequest(method, target, init)));
  }

  /** A text goes as bytes: as a string it would bring a content type of its own. */
  put(target: string, body: string | Uint8Array<ArrayBuffer>, headers: HeadersInit = {}) {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    return this.call("PUT", target, { body: bytes, headers });
  }

  get(target: string, headers: HeadersInit = {}): Promise<Answer> {
    return this.call("GET", target, { headers });
  }
}

/** Reads a response; one that is an error must be a well-formed problem. */
export async function readAnswer(response: Response): Promise<Answer> {
  const bytes = await response.bytes();
  const text = new TextDecoder().decode(bytes);
  const type = response.headers.get("content-type") ?? "";
  const json = /[/+]json$/.test(type) && text !== "" ? JSON.parse(text) : undefined;
  if (response.status >= 400 && text !== "") checkProblem(response, json);
  return { status: response.status, headers: response.headers, bytes, text, json };
}

/** Asserts what RFC 9457 and the API promise of a problem document. */
export function checkProblem(response: Response, problem: Record<string, unknown>): void {
  assertEquals(response.headers.get("content-type"), "application/problem+json");
  const kind = Object.entries(PROBLEMS).find(([code]) => code === problem.code)?.[1];
  assert(kind !== undefined, `unknown code ${problem.code}`);
  assertEquals(problem.status, response.status);
  assertEquals(kind.status, response.status);
  assertEquals(problem.title, kind.title);
  assertEquals(problem.retryable, kind.retryable);
  assertEquals(problem.type, `urn:pontoon:problem:${problem.code}`);
  assert(typeof problem.detail === "string" && problem.detail.length > 0, "detail is missing");
  assert(problem.outcome === "none" || problem.outcome === "unknown", "outcome is missing");
  const waits = response.status === 503 || response.status === 429;
  assertEquals(response.headers.has("retry-after"), waits);
}

/** Asserts that an answer is the problem `code`. */
export function assertProblem(answer: Answer, code: string, detail = ""): void {
  assertEquals(answer.json?.code, code, answer.text);
  assert(answer.json.detail.includes(detail), `"${answer.json.detail}" lacks "${detail}"`);
}
