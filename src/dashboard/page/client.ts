/// <reference lib="dom" />
// The page's way to its node: requests with the token, problems as errors, event streams. Keeps the token for this
// tab only; sends nothing to anybody else.

const TOKEN_SLOT = "pontoon-token";

export function storedToken(): string {
  return sessionStorage.getItem(TOKEN_SLOT) ?? "";
}

export function storeToken(token: string): void {
  if (token === "") sessionStorage.removeItem(TOKEN_SLOT);
  else sessionStorage.setItem(TOKEN_SLOT, token);
}

/** An answer that is a problem document, or none at all (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(status: number, members: Readonly<Record<string, unknown>>) {
    super(String(members.detail ?? members.title ?? `status ${status}`));
    this.status = status;
    this.code = String(members.code ?? "");
    this.members = members;
  }
}

/** The words of whatever went wrong. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Rejects with ApiError unless the answer is 2xx. */
export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const token = storedToken();
  if (token !== "") headers.set("authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, { detail: "The node can’t be reached" });
  }
  if (response.ok) return response;
  let members: Record<string, unknown> = {};
  try {
    members = await response.json();
  } catch {
    // Not from a node, but from something in between.
  }
  throw new ApiError(response.status, members);
}

export async function callJson<T>(path: string, init?: RequestInit): Promise<T> {
  return await (await call(path, init)).json() as T;
}

/** An admin verb. */
export async function post(path: string, document: unknown): Promise<void> {
  await call(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(document),
  });
}

/** One server-sent event. */
export interface ServerEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/**
 * The events of a stream, until it ends; EventSource could send no token. Rejects with ApiError if it is refused, or
 * when `signal` fires.
 */
export async function* events(path: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  const response = await call(path, { signal, headers: { accept: "text/event-stream" } });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  // Where the search for an event's end goes on, so that a long one is not looked through again and again.
  let searched = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (;;) {
      const end = text.indexOf("\n\n", searched);
      if (end < 0) break;
      yield parsed(text.slice(0, end));
      text = text.slice(end + 2);
      searched = 0;
    }
    searched = Math.max(0, text.length - 1);
  }
}

function parsed(block: string): ServerEvent {
  const found = { event: "message", id: "", data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    const name = line.slice(0, colon);
    if (name === "event" || name === "id" || name === "data") found[name] = line.slice(colon + 2);
  }
  return found;
}
