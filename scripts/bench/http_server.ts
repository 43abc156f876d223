// One HTTP server for scripts/bench/http.ts: a bare Hono handler, one that gives the layer's answers, or
// the whole HTTP layer; all over a Map, so that what differs is the layer alone. Prints its port; ends with its standard input.
//
//   deno run --allow-net scripts/bench/http_server.ts bare|same|pontoon

import { Hono } from "hono";
import { latin1FromBytes } from "../../src/base/bytes.ts";
import { createApp } from "../../src/http/app.ts";
import type { NodeService } from "../../src/node/service.ts";
import { DenoClock, DenoLog, NodeDigest } from "../../src/platform/deno/mod.ts";
import type { RecordView } from "../../src/store/types.ts";
import { storedValueOf } from "../../src/store/value.ts";

/** Answers at once from a Map: what is left is the cost of HTTP. */
class MapService implements Pick<NodeService, "write" | "read" | "partitionOf"> {
  readonly valueSizeBytesMax = 1024 * 1024;
  readonly #records = new Map<string, RecordView>();
  #index = 0;

  partitionOf(): number {
    return 1;
  }

  write(command: Parameters<NodeService["write"]>[0]) {
    if (command.kind !== "put") throw new Error("This bench only puts");
    const { key, contentType } = command;
    const revision = ++this.#index;
    const earlier = this.#records.get(key);
    const createRevision = earlier?.createRevision ?? revision;
    const value = storedValueOf(command.value);
    const record = { key, value, contentType, revision, createRevision, expiresAtMs: undefined };
    this.#records.set(key, record);
    const result = { kind: "put", created: earlier === undefined, revision } as const;
    const applied = { result, appliedIndex: revision, replayed: false };
    return Promise.resolve({ ok: true, partition: 1, applied } as const);
  }

  read(key: string) {
    const record = this.#records.get(key);
    const appliedIndex = this.#index;
    return Promise.resolve({ ok: true, partition: 1, appliedIndex, timeMs: 0, record } as const);
  }

  readStale(key: string) {
    return this.read(key);
  }

  cluster(): never {
    throw new Error("This bench has no cluster");
  }

  changeMembers(): never {
    throw new Error("This bench has no cluster");
  }

  transferLeadership(): never {
    throw new Error("This bench has no cluster");
  }

  dataPartitions() {
    return [1];
  }

  scanPage(): never {
    throw new Error("This bench scans nothing");
  }

  moveReplica(): never {
    throw new Error("This bench has no cluster");
  }

  ready() {
    return { ready: true, reason: "" };
  }
}

/** The least a Hono handler can do for the same two routes: one content type, nothing checked. */
function bareApp(): Hono {
  const app = new Hono();
  const values = new Map<string, { value: string; revision: number }>();
  let index = 0;
  const init = { headers: { "content-type": "application/json" } };
  app.put("/key/:key", async (context) => {
    const body = new Uint8Array(await context.req.arrayBuffer());
    const revision = ++index;
    values.set(context.req.param("key"), { value: latin1FromBytes(body), revision });
    return new Response(`{"revision":${revision}}`, init);
  });
  app.get("/key/:key", (context) => {
    const found = values.get(context.req.param("key"));
    if (found === undefined) return new Response(null, { status: 404 });
    const { value, revision } = found;
    return new Response(`{"value":${JSON.stringify(value)},"revision":${revision}}`, init);
  });
  return app;
}

/** A Hono handler that answers with the layer's own bodies and headers, and checks nothing. */
function sameAnswersApp(): Hono {
  const app = new Hono();
  const service = new MapService();
  const contentType = "text/plain; charset=utf-8";
  app.put("/key/:key", async (context) => {
    const value = new Uint8Array(await context.req.arrayBuffer());
    const key = context.req.param("key");
    const { partition, applied } = await service.write({ kind: "put", key, value, contentType });
    const { revision, created } = applied.result;
    return new Response(JSON.stringify({ key, revision, created }), {
      headers: {
        "content-type": "application/json",
        "etag": `"${revision}"`,
        "pontoon-partition": String(partition),
        "pontoon-applied": String(applied.appliedIndex),
      },
    });
  });
  app.get("/key/:key", async (context) => {
    const { record, partition, appliedIndex } = await service.read(context.req.param("key"));
    if (record === undefined) return new Response(null, { status: 404 });
    return new Response(JSON.stringify(record), {
      headers: {
        "content-type": "application/json",
        "etag": `"${record.revision}"`,
        "vary": "Accept",
        "pontoon-partition": String(partition),
        "pontoon-applied": String(appliedIndex),
      },
    });
  });
  return app;
}

/** The app under test by its name. */
export function benchApp(kind: string): Hono {
  switch (kind) {
    case "bare":
      return bareApp();
    case "same":
      return sameAnswersApp();
    case "pontoon":
      return createApp(new MapService() as unknown as NodeService, { // only /key is asked
        clock: new DenoClock(),
        digest: new NodeDigest(),
        log: new DenoLog("error", {}),
        requestTimeoutMs: 5000,
        bodyIdleMs: 30_000,
      });
    default:
      throw new Error(`Cannot serve "${kind}": it takes bare, same or pontoon`);
  }
}

if (import.meta.main) {
  const app = benchApp(Deno.args[0]);
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(port),
  }, app.fetch);
  for await (const _ of Deno.stdin.readable);
  await server.shutdown();
}
