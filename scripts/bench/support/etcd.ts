// Three-node etcd clusters for comparison, from Debian's etcd-server, with its defaults.

import { freePorts, until } from "./cluster.ts";

/** True when etcd can be started here. */
export function hasEtcd(): boolean {
  return hasCommand("etcd");
}

export function hasCommand(name: string): boolean {
  const { success } = new Deno.Command("sh", {
    args: ["-c", `command -v ${name}`],
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success;
}

export class EtcdCluster implements AsyncDisposable {
  readonly clients: string[] = [];
  readonly #children: Deno.ChildProcess[] = [];
  readonly #dir = Deno.makeTempDirSync({ prefix: "pontoon-etcd-", dir: benchDir() });

  static async start(nodes: number): Promise<EtcdCluster> {
    const cluster = new EtcdCluster();
    const ports = freePorts(2 * nodes);
    const peers = Array.from({ length: nodes }, (_, i) => `http://127.0.0.1:${ports[2 * i + 1]}`);
    const initial = peers.map((peer, i) => `e${i}=${peer}`).join(",");
    for (let i = 0; i < nodes; i++) {
      const client = `http://127.0.0.1:${ports[2 * i]}`;
      cluster.clients.push(client);
      cluster.#children.push(
        new Deno.Command("etcd", {
          args: ["--name", `e${i}`, "--data-dir", `${cluster.#dir}/e${i}`].concat(
            ["--listen-client-urls", client, "--advertise-client-urls", client],
            ["--listen-peer-urls", peers[i], "--initial-advertise-peer-urls", peers[i]],
            ["--initial-cluster", initial, "--initial-cluster-state", "new"],
            ["--logger", "zap", "--log-level", "error"],
          ),
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).spawn(),
      );
    }
    await until("etcd has a leader", 20_000, () => cluster.leader().catch(() => undefined));
    return cluster;
  }

  /** Client URL of the leader. */
  async leader(): Promise<string | undefined> {
    for (const client of this.clients) {
      const status = await this.#post(client, "/v3/maintenance/status", {});
      const header = status.header as { member_id: string } | undefined;
      if (header !== undefined && header.member_id === status.leader) return client;
    }
    return undefined;
  }

  /** Store revision: grows by one with each put. */
  async revision(): Promise<number> {
    const answer = await this.#post(this.clients[0], "/v3/kv/range", { key: "AA==" });
    return Number((answer.header as { revision: string }).revision);
  }

  async #post(client: string, path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(client + path, { method: "POST", body: JSON.stringify(body) });
    return await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It ended by itself.
      }
      await child.status;
    }
    Deno.removeSync(this.#dir, { recursive: true });
  }
}

/** Where benchmarks keep data: PONTOON_BENCH_DIR, or the system's temporary directory. */
export function benchDir(): string | undefined {
  return Deno.env.get("PONTOON_BENCH_DIR");
}

/** A gRPC request body: a protobuf message of byte fields 1, 2, … behind the five-byte prefix. */
export function grpcBody(...fields: readonly Uint8Array[]): Uint8Array {
  const message: number[] = [];
  fields.forEach((field, i) => {
    message.push(((i + 1) << 3) | 2);
    let length = field.length;
    for (; length > 0x7f; length >>>= 7) message.push((length & 0x7f) | 0x80);
    message.push(length, ...field);
  });
  const body = new Uint8Array(5 + message.length);
  new DataView(body.buffer).setUint32(1, message.length);
  body.set(message, 5);
  return body;
}
