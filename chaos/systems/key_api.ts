// The part of Pontoon's HTTP API that the bench's clients use, in front of any store that has transactions: so that
// other systems are driven by the same clients. What a store leaves undecided stays undecided.

/** A comparison of `POST /txn`. */
export type Compare =
  | { readonly key: string; readonly exists: boolean }
  | { readonly key: string; readonly op: CompareOperator; readonly revision: number }
  | { readonly key: string; readonly op: CompareOperator; readonly text: string };

export type CompareOperator = "=" | "!=" | "<" | ">";

/** An operation of `POST /txn`. `text` is the value as JSON. */
export type Operation =
  | { readonly op: "get"; readonly key: string }
  | { readonly op: "put"; readonly key: string; readonly text: string }
  | { readonly op: "delete"; readonly key: string };

/** What an operation did. */
export type Result =
  | { readonly op: "get"; readonly found: { text: string; revision: number } | undefined }
  | { readonly op: "put"; readonly created: boolean }
  | { readonly op: "delete"; readonly deleted: boolean };

export interface TransactionResult {
  readonly succeeded: boolean;
  /** The transaction's own; absent if the store gives none to one that changes nothing. */
  readonly revision?: number;
  readonly results: readonly Result[];
}

/** A store behind the API. */
export interface Store {
  /** Atomic. Rejects with StoreError, or with anything else if nobody knows what happened. */
  transact(
    compares: readonly Compare[],
    then: readonly Operation[],
    otherwise: readonly Operation[],
  ): Promise<TransactionResult>;
}

/** The store refused: nothing happened, and nothing will. */
export class StoreError extends Error {
  override name = "StoreError";
}

class RequestError extends Error {}

type Json = Record<string, unknown>;

function keyOf(document: Json): string {
  if (typeof document.key === "string") return document.key;
  throw new RequestError("key is needed");
}

function compareOf(document: Json): Compare {
  const key = keyOf(document);
  const op = (document.op ?? "=") as CompareOperator;
  if (typeof document.exists === "boolean") return { key, exists: document.exists };
  if (typeof document.revision === "number") return { key, op, revision: document.revision };
  return { key, op, text: textOf(document) };
}

function operationOf(document: Json): Operation {
  const key = keyOf(document);
  if (document.op === "get" || document.op === "delete") return { op: document.op, key };
  if (document.op === "put") return { op: "put", key, text: textOf(document) };
  throw new RequestError(`unknown operation ${document.op}`);
}

function textOf(document: Json): string {
  if ("json" in document) return JSON.stringify(document.json);
  if (typeof document.value === "string") return JSON.stringify(document.value);
  throw new RequestError("value or json is needed");
}

function conditionsOf(headers: Headers, key: string): Compare[] {
  const conditions: Compare[] = [];
  const match = headers.get("If-Match");
  if (match === "*") conditions.push({ key, exists: true });
  else if (match !== null) {
    conditions.push({ key, op: "=", revision: Number(match.replaceAll('"', "")) });
  }
  if (headers.has("If-None-Match")) conditions.push({ key, exists: false });
  return conditions;
}

async function handleKey(store: Store, request: Request, key: string): Promise<Response> {
  const get: Operation = { op: "get", key };
  if (request.method === "GET") {
    const [result] = (await store.transact([], [get], [])).results;
    const found = result?.op === "get" ? result.found : undefined;
    if (found === undefined) return Response.json({ code: "not-found" }, { status: 404 });
    return Response.json({ key, value: JSON.parse(found.text), revision: found.revision });
  }
  const conditions = conditionsOf(request.headers, key);
  const operation: Operation = request.method === "PUT"
    ? { op: "put", key, text: await bodyText(request) }
    : { op: "delete", key };
  const { succeeded, revision, results } = await store.transact(conditions, [operation], [get]);
  const [result] = results;
  if (!succeeded) {
    const current = result?.op === "get" ? result.found?.revision ?? 0 : 0;
    return Response.json({ code: "condition-failed", revision: current }, { status: 412 });
  }
  if (result?.op === "put") {
    const { created } = result;
    return Response.json({ key, revision, created }, { status: created ? 201 : 200 });
  }
  return result?.op === "delete" && result.deleted
    ? Response.json({ key, deleted: true, revision })
    : Response.json({ code: "not-found" }, { status: 404 });
}

async function bodyText(request: Request): Promise<string> {
  const text = await request.text();
  const isJson = request.headers.get("Content-Type")?.startsWith("application/json") === true;
  return isJson ? JSON.stringify(JSON.parse(text)) : JSON.stringify(text);
}

async function handleTransaction(store: Store, request: Request): Promise<Response> {
  const document = await request.json();
  const list = (part: unknown) => (part ?? []) as Json[];
  const { succeeded, revision, results } = await store.transact(
    list(document.if).map(compareOf),
    list(document.then).map(operationOf),
    list(document.else).map(operationOf),
  );
  const done = list(succeeded ? document.then : document.else);
  const own = revision === undefined ? {} : { revision };
  return Response.json({
    succeeded,
    ...own,
    results: results.map((result, i) => {
      if (result.op !== "get") return { ...result, ...own };
      const { found } = result;
      if (found === undefined) return { op: "get", revision: 0, record: null };
      const record = {
        key: done[i]!.key,
        value: JSON.parse(found.text),
        revision: found.revision,
      };
      return { op: "get", revision: found.revision, record };
    }),
  });
}

/** A handler for Deno.serve. */
export function keyApi(store: Store): (request: Request) => Promise<Response> {
  return async (request) => {
    const { pathname } = new URL(request.url);
    try {
      if (pathname === "/health/ready") {
        return Response.json({ ready: true, wallMs: Date.now() });
      }
      if (pathname === "/txn") return await handleTransaction(store, request);
      if (pathname.startsWith("/key/")) {
        const key = decodeURIComponent(pathname.slice("/key/".length));
        return await handleKey(store, request, key);
      }
      return Response.json({ code: "no-such-route" }, { status: 404 });
    } catch (cause) {
      if (cause instanceof RequestError || cause instanceof SyntaxError) {
        return Response.json({ code: "invalid-body", detail: cause.message }, { status: 400 });
      }
      const refused = cause instanceof StoreError;
      const status = refused || request.method === "GET" ? 503 : 504;
      const outcome = refused ? "none" : "unknown";
      return Response.json({ code: "unavailable", outcome, detail: String(cause) }, { status });
    }
  };
}

/** Whether `compare` holds for what is there. Texts compare as the stores keep them. */
export function holds(
  compare: Compare,
  found: { readonly text: string; readonly revision: number } | undefined,
): boolean {
  if ("exists" in compare) return (found !== undefined) === compare.exists;
  if ("revision" in compare) return compares(compare.op, found?.revision ?? 0, compare.revision);
  return found === undefined ? compare.op === "!=" : compares(compare.op, found.text, compare.text);
}

function compares<T extends string | number>(op: CompareOperator, a: T, b: T): boolean {
  if (op === "=") return a === b;
  if (op === "!=") return a !== b;
  return op === "<" ? a < b : a > b;
}
