// The HTTP API without a socket: requests put together from what is valid, what is nearly valid and what is noise, at
// the real app over the real store. No answer may be an internal error, and after each the store still serves others.

import { Api, rawRequest } from "../http/harness.ts";
import type { SeededRandom } from "../sim/random.ts";
import { mutated } from "./mutator.ts";
import type { Surface } from "./surface.ts";

const METHODS = ["GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS", "PATCH"];
const TARGETS = [
  "/key/a",
  "/key/a?ttl=1.5",
  "/key/a/ttl?ttl=3",
  "/key/%7Bt%7Da?consistency=stale&maxStaleness=10",
  "/key/%00%ff",
  "/key64/YQ",
  "/keys?prefix=a&limit=3&reverse=true",
  "/keys?start=a&end=z&keysOnly=true&cursor=AQEB",
  "/keys?countOnly=true&format=ndjson",
  "/txn",
  "/batch",
  "/watch?prefix=a&after=AgE",
  "/watch?key=a",
  "/cluster",
  "/cluster/members",
  "/cluster/partitions/3/move",
  "/cluster/transfer",
  "/cluster/hash?partition=3&applied=1",
  "/cluster/partitions/3/copy",
  "/cluster/partitions/3/changes?after=1",
  "/health/ready",
  "/metrics",
  "/openapi.json",
  "/docs",
  "/dashboard/events",
  "/",
];
const HEADERS: readonly (readonly [string, string])[] = [
  ["if-match", '"3"'],
  ["if-match", "*"],
  ["if-none-match", '*, "1"'],
  ["content-type", "application/json"],
  ["content-type", "text/plain; charset=utf-8"],
  ["accept", "application/json, application/octet-stream;q=0.5"],
  ["accept-encoding", "zstd, gzip;q=0"],
  ["idempotency-key", "k-1"],
  ["pontoon-session", "session;3;1"],
  ["pontoon-timeout-ms", "50"],
  ["pontoon-forward", "never"],
  ["pontoon-min-applied", "3"],
  ["last-event-id", "AgE"],
  ["range", "bytes=0-3"],
  ["content-length", "5"],
];
const BODIES = [
  "a value",
  '{"if":[{"key":"{t}a","op":"=","revision":3}],"then":[{"op":"put","key":"{t}a","value":"x","ttl":2}],"else":[{"op":"get","key":"{t}b"}]}',
  '{"if":[{"key":"{t}a","exists":true}],"then":[{"op":"deleteRange","start":"{t}","end":"{t}z"}]}',
  '{"operations":[{"op":"put","key":"a","value":"x"},{"op":"get","key64":"YQ"},{"op":"delete","key":"a","ifRevision":1}]}',
  '{"action":"remove","node":"n1"}',
  '{"from":"n1","to":"n2"}',
  '{"partition":3,"to":"n2"}',
  '{"ttl":5}',
];
/** Of a stream, that is, before its client goes away. */
const CHUNKS_READ_MAX = 20;

interface RequestParts {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  /** One character a byte; absent: none. */
  readonly body?: string;
}

const encoder = new TextEncoder();
const latin1 = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
const bytesOf = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0) & 0xff);

function pick<T>(list: readonly T[], random: SeededRandom): T {
  return list[random.int(list.length)];
}

/** Changed with a certain probability. */
function perhaps(text: string, random: SeededRandom, chance: number): string {
  return random.chance(chance) ? latin1(mutated(encoder.encode(text), random)) : text;
}

function requestFrom(random: SeededRandom): Uint8Array<ArrayBuffer> {
  const headers = Array.from({ length: random.int(4) }, () => {
    const [name, value] = pick(HEADERS, random);
    return [name, perhaps(value, random, 0.4)] as const;
  });
  const parts: RequestParts = {
    method: pick(METHODS, random),
    target: perhaps(pick(TARGETS, random), random, 0.5),
    headers,
    ...(random.chance(0.6) ? { body: perhaps(pick(BODIES, random), random, 0.5) } : {}),
  };
  return encoder.encode(JSON.stringify(parts));
}

export function httpSurface(): Surface {
  let api = new Api();
  let taken = 0;
  return {
    name: "http",
    corpus: [],
    input: requestFrom,
    take: async (input) => {
      // What a long run writes is not what is tested here.
      if (taken++ % 5000 === 0) api = new Api();
      const request = requestOf(input);
      if (request === undefined) return;
      await answered(api, request);
      const { status, text } = await api.put("/key/canary", `${taken}`);
      if (status !== 200 && status !== 201) throw new Error(`the canary met ${status}: ${text}`);
      const read = await api.get("/key/canary");
      if (read.json.value !== `${taken}`) throw new Error(`the canary lost a write: ${read.text}`);
    },
  };
}

/** The request that `input` describes; undefined where no socket could bring it. */
function requestOf(input: Uint8Array): Request | undefined {
  try {
    const { method, target, headers, body } = JSON.parse(new TextDecoder().decode(input));
    if (typeof target !== "string" || !target.startsWith("/")) return undefined;
    // What Deno's server would not hand on.
    // deno-lint-ignore no-control-regex
    if (/[\x00-\x20\x7f-\uffff]/.test(target)) return undefined;
    const hasBody = body !== undefined && method !== "GET" && method !== "HEAD";
    return rawRequest(method, target, { headers, ...(hasBody ? { body: bytesOf(body) } : {}) });
  } catch {
    return undefined;
  }
}

async function answered(api: Api, request: Request): Promise<void> {
  const answering = Promise.resolve(api.app.fetch(request));
  // Time passes only here: whoever waits for something is given all it may wait for.
  let response: Response | undefined;
  answering.then((answer) => response = answer, () => {});
  for (let i = 0; i < 400 && response === undefined; i++) await api.scheduler.runFor(50);
  if (response === undefined) throw new Error("no answer within its time");
  const { status, body } = response;
  if (status === 500) throw new Error(`500: ${await response.text()}`);
  if (status < 200 || status > 599) throw new Error(`status ${status}`);
  if (body === null) return;
  const reader = body.getReader();
  for (let i = 0; i < CHUNKS_READ_MAX; i++) {
    const chunk = await Promise.race([
      reader.read(),
      api.scheduler.runFor(100).then(() => undefined),
    ]);
    if (chunk === undefined || chunk.done) break;
  }
  await reader.cancel();
}
