// How `cluster:add` and `cluster:remove` reach the runner of a cluster: a server on this machine whose port
// and token stand in a file that only this user can read. It starts and stops processes; which replicas go
// where is between the caller and the nodes.

import { join } from "node:path";
import { askLocal } from "./local_http.ts";
import { ClusterError, type NodeSpec } from "./options.ts";

/** In the cluster's directory, while its runner lives. */
export const CONTROL_FILE = ".pontoon-control.json";
/** A node that is to stop may take its time. */
const CONTROL_TIMEOUT_MS = 15_000;

/** What the runner does when it is asked. */
export interface ClusterControl {
  nodes(): readonly NodeSpec[];
  /** Starts one more node. @throws ClusterError if there is no room for it. */
  add(): NodeSpec;
  /** Stops a node's process and forgets the node; false if there is none of that name. */
  remove(name: string): Promise<boolean>;
}

interface ControlFile {
  readonly port: number;
  readonly token: string;
}

function controlPath(dataDir: string): string {
  return join(dataDir, CONTROL_FILE);
}

async function answer(control: ClusterControl, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const [, collection, name] = pathname.split("/");
  if (collection !== "nodes") return new Response("nothing here", { status: 404 });
  switch (request.method) {
    case "GET":
      return Response.json(control.nodes());
    case "POST":
      return Response.json(control.add());
    case "DELETE": {
      const gone = await control.remove(decodeURIComponent(name ?? ""));
      return gone ? Response.json({}) : new Response(`there is no ${name}`, { status: 404 });
    }
    default:
      return new Response("GET, POST or DELETE", { status: 405 });
  }
}

/** Serves `control` until the returned function is called. */
export function serveControl(dataDir: string, control: ClusterControl): () => Promise<void> {
  const token = crypto.randomUUID();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    if (request.headers.get("authorization") !== `Bearer ${token}`) {
      return new Response("not yours", { status: 403 });
    }
    return answer(control, request).catch((cause) =>
      new Response(cause instanceof Error ? cause.message : String(cause), { status: 409 })
    );
  });
  const file: ControlFile = { port: server.addr.port, token };
  const path = controlPath(dataDir);
  // Written under another name first: whoever finds the file finds it whole.
  Deno.writeTextFileSync(`${path}.tmp`, JSON.stringify(file), { mode: 0o600 });
  Deno.renameSync(`${path}.tmp`, path);
  return async () => {
    try {
      Deno.removeSync(path);
    } catch {
      // Somebody has tidied up.
    }
    await server.shutdown();
  };
}

/** The running cluster of a directory, as another process reaches it. */
export class RemoteControl {
  readonly #dataDir: string;
  readonly #file: ControlFile;

  /** @throws ClusterError if no cluster runs there. */
  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    try {
      this.#file = JSON.parse(Deno.readTextFileSync(controlPath(dataDir)));
    } catch {
      throw this.#absent();
    }
  }

  #absent(): ClusterError {
    return new ClusterError(
      `no cluster runs in ${this.#dataDir}: start one with deno task cluster, or name its --data`,
    );
  }

  nodes(): Promise<NodeSpec[]> {
    return this.#call("GET", "");
  }

  add(): Promise<NodeSpec> {
    return this.#call("POST", "");
  }

  async remove(name: string): Promise<void> {
    await this.#call("DELETE", `/${encodeURIComponent(name)}`);
  }

  async #call<Answer>(method: string, path: string): Promise<Answer> {
    const { port, token } = this.#file;
    const request = {
      method,
      headers: { authorization: `Bearer ${token}` },
      timeoutMs: CONTROL_TIMEOUT_MS,
    };
    const { status, body } = await askLocal(`127.0.0.1:${port}`, `/nodes${path}`, request)
      .catch(() => {
        throw this.#absent();
      });
    if (status !== 200) throw new ClusterError(body);
    return JSON.parse(body);
  }
}
