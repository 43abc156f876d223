// A cluster of one fake node behind a real socket: the whole HTTP API over the real state machine, whose
// answers a test may break off.

import { createApp } from "../../src/http/app.ts";
import { problem } from "../../src/http/problem.ts";
import { DenoClock, NodeDigest } from "../../src/platform/deno/mod.ts";
import type { Log } from "../../src/platform/ports.ts";
import { FakeNode } from "../http/fake_node.ts";

class LoopbackNode extends FakeNode {
  readonly #clusterId: string;
  http = "";

  constructor(clusterId: string) {
    super();
    this.#clusterId = clusterId;
  }

  override cluster() {
    const view = super.cluster();
    const [member] = view.members;
    const replicas = [member.nodeId];
    return {
      ...view,
      clusterId: this.#clusterId,
      members: [{ ...member, http: this.http }],
      routing: this.partitions.map((partition, i) => ({
        partition,
        // The fake node tells partitions apart by the beginning of a key, which no map can say: by this one
        // all keys are of the first, whose session writes what is of the other too.
        slots: i === 0 ? [[0, 16384] as const] : [],
        replicas,
        leader: member.nodeId,
      })),
    };
  }
}

/** Ends the body of an answer behind so many bytes, or refuses the request; undefined lets it pass. */
export type Cut = (path: string) => number | "refuse" | undefined;

export class LoopbackCluster implements AsyncDisposable {
  readonly node: LoopbackNode;
  /** Paths with their queries, as they were asked for. */
  readonly asked: string[] = [];
  cut: Cut = () => undefined;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #app;

  constructor(clusterId: string) {
    this.node = new LoopbackNode(clusterId);
    this.#app = this.#createApp();
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#handle(request),
    );
    this.node.http = `127.0.0.1:${this.#server.addr.port}`;
  }

  get url(): string {
    return this.node.http;
  }

  #createApp() {
    const log: Log = { log: () => {}, with: () => log };
    return createApp(this.node, {
      clock: new DenoClock(),
      digest: new NodeDigest(),
      log,
      requestTimeoutMs: 5000,
      bodyIdleMs: 5000,
    });
  }

  /** Forgets what a process has in memory, the copies it keeps. */
  restart(): void {
    for (const listener of [...this.node.stopListeners]) listener();
    this.#app = this.#createApp();
  }

  async #handle(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const path = pathname + search;
    this.asked.push(path);
    const limitBytes = this.cut(path);
    if (limitBytes === "refuse") {
      await request.body?.cancel();
      return problem("forbidden", "not here, not now");
    }
    const response = await this.#app.fetch(request);
    if (limitBytes === undefined || response.body === null) return response;
    const reader = response.body.getReader();
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        sent += value.length;
        if (sent <= limitBytes) return controller.enqueue(value);
        await reader.cancel();
        controller.close();
      },
      cancel: () => reader.cancel(),
    });
    return new Response(body, { status: response.status, headers: response.headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of [...this.node.stopListeners]) listener();
    await this.#server.shutdown();
  }
}

/** All that a client can see of a cluster, but revisions. */
export function seen(cluster: LoopbackCluster): Map<string, unknown> {
  const records = [...cluster.node.stores.values()].flatMap((store) =>
    [...store.scan("", undefined)]
      .map(({ key, value, contentType, expiresAtMs }): [string, unknown] => {
        const ttlMs = expiresAtMs === undefined ? undefined : expiresAtMs - store.timeMs;
        return [key, { value, contentType, ttlMs }];
      })
  );
  return new Map(records.sort(([a], [b]) => a < b ? -1 : 1));
}

/** A temporary folder, gone with its scope. */
export class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "pontoon-backup-" });
  file(name: string): string {
    return `${this.path}/${name}`;
  }
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
