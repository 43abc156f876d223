// Stores that are wrong on purpose; a bench that passes one of them proves nothing. They speak the /key/ API as
// far as the bench's clients do. Arguments: KIND NAME HOST:PORT FILE ALL-ADDRESSES. Ends with its standard input.
//
// - wrong-lww: each node keeps a copy, writes go to the one at hand and reach the others later, last write wins
// - wrong-stale: the first node leads and all writes go through it; reads are answered from the copy at hand
// - wrong-unsynced: the first node leads and answers everything, and writes to disk what it acknowledged later

interface Entry {
  /** `undefined`: deleted. */
  readonly value: unknown;
  readonly revision: number;
}

/** How late the copies and the disk are. */
const LAG_MS = 300;

const [kind, name, http, file, list] = Deno.args as [string, string, string, string, string];
const addresses = list.split(",");
const leader = addresses[0]!;
const store = new Map<string, Entry>();
let lastRevision = 0;

function json(body: unknown, status: number): Response {
  return Response.json(body, { status });
}

function apply(key: string, entry: Entry): void {
  if ((store.get(key)?.revision ?? 0) < entry.revision) store.set(key, entry);
  lastRevision = Math.max(lastRevision, entry.revision);
}

function spread(key: string, entry: Entry): void {
  if (kind === "wrong-unsynced") return;
  setTimeout(() => {
    for (const address of addresses) {
      if (address === http) continue;
      fetch(`http://${address}/copy`, { method: "POST", body: JSON.stringify({ key, entry }) })
        .then((response) => response.body?.cancel())
        .catch((cause) => console.error(`${name}: copy to ${address} failed: ${cause}`));
    }
  }, LAG_MS);
}

function conditionHolds(request: Request, current: Entry | undefined): boolean {
  const present = current?.value !== undefined;
  const match = request.headers.get("If-Match");
  if (match !== null && !(present && (match === "*" || match === `"${current.revision}"`))) {
    return false;
  }
  return !(request.headers.has("If-None-Match") && present);
}

function handle(request: Request, key: string, body: string): Response {
  const current = store.get(key);
  const present = current?.value !== undefined;
  if (request.method === "GET") {
    return present
      ? json({ key, value: current.value, revision: current.revision }, 200)
      : json({ code: "not-found" }, 404);
  }
  if (!conditionHolds(request, current)) {
    return json({ revision: present ? current!.revision : 0 }, 412);
  }
  const deletes = request.method === "DELETE";
  if (deletes && !present) return json({ code: "not-found" }, 404);
  const entry = { value: deletes ? undefined : JSON.parse(body), revision: ++lastRevision };
  apply(key, entry);
  spread(key, entry);
  return json({ key, revision: entry.revision }, deletes || present ? 200 : 201);
}

async function forward(request: Request, path: string, body: string): Promise<Response> {
  try {
    const response = await fetch(`http://${leader}${path}`, {
      method: request.method,
      headers: request.headers,
      ...(request.method === "PUT" ? { body } : {}),
    });
    return new Response(await response.text(), { status: response.status });
  } catch {
    return json({ code: "timeout", outcome: "unknown" }, 504);
  }
}

async function serve(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const body = await request.text();
  if (pathname === "/health/ready") return json({ wallMs: Date.now() }, 200);
  if (pathname === "/copy") {
    const { key, entry } = JSON.parse(body);
    apply(key, entry);
    return json({}, 200);
  }
  const local = kind === "wrong-lww" || http === leader ||
    (kind === "wrong-stale" && request.method === "GET");
  return local
    ? handle(request, decodeURIComponent(pathname.slice("/key/".length)), body)
    : await forward(request, pathname, body);
}

if (kind === "wrong-unsynced" && http === leader) {
  try {
    for (const [key, entry] of JSON.parse(Deno.readTextFileSync(`${file}.json`))) apply(key, entry);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  setInterval(() => {
    Deno.writeTextFileSync(`${file}.part`, JSON.stringify([...store]));
    Deno.renameSync(`${file}.part`, `${file}.json`);
  }, LAG_MS);
}

const [hostname, port] = http.split(":") as [string, string];
Deno.serve({ hostname, port: Number(port), onListen: () => {} }, serve);
const buffer = new Uint8Array(64);
while (await Deno.stdin.read(buffer) !== null);
Deno.exit(0);
