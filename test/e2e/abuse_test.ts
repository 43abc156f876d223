// Clients that hold on to a node without wanting anything: a thousand idle connections, headers and bodies that never
// end, answers that nobody reads, peers that never say who they are. Others must be served all the while.

import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "../../scripts/bench/support/cluster.ts";

const IDLE_CONNECTIONS = 1000;
const SLOW_CLIENTS = 40;
const PAIRS = 100;
const READY_MS = 60_000;
/** Of one request of a client that behaves, on a machine that may be busy. */
const ANSWER_MS_MAX = 30_000;
const RSS_BYTES_MAX = 800 * 2 ** 20;
const LARGE_BYTES = 900_000;

const encoder = new TextEncoder();

/** Connections of clients that misbehave. */
class Mob implements Disposable {
  readonly #connections: Deno.Conn[] = [];

  async join(address: string, text = ""): Promise<void> {
    const [hostname, port] = address.split(":");
    const connection = await Deno.connect({ hostname, port: Number(port) });
    this.#connections.push(connection);
    if (text !== "") await connection.write(encoder.encode(text));
  }

  /** One more byte from each; those that were cut off stay so. */
  async drip(): Promise<void> {
    const byte = encoder.encode("x");
    await Promise.allSettled(this.#connections.map((connection) => connection.write(byte)));
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections) connection.close();
  }
}

function residentBytes(pid: number): number {
  const [, kB] = /VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
  return Number(kB) * 1024;
}

/** Writes and reads as a client does that is not to blame for anything. */
async function behave(http: string, drip: () => Promise<void>): Promise<void> {
  for (let i = 0; i < PAIRS; i++) {
    const url = `http://${http}/key/good-${i}`;
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const written = await fetch(url, { method: "PUT", body: `${i}`, signal });
    assert(written.ok, `${written.status}`);
    await written.body?.cancel();
    const read = await fetch(url, { signal });
    assertEquals((await read.json()).value, `${i}`);
    if (i % 10 === 0) await drip();
  }
}

Deno.test("clients that hold on to a node without end keep nobody else from it", async () => {
  await using cluster = TestCluster.start({ nodes: 1 });
  await cluster.ready(READY_MS);
  const [{ http, peer, process }] = cluster.nodes;
  const large = await fetch(`http://${http}/key/large`, {
    method: "PUT",
    body: "v".repeat(LARGE_BYTES),
  });
  assertEquals(large.status, 201);
  await large.body?.cancel();
  const before = residentBytes(process!.pid);
  {
    using mob = new Mob();
    for (let i = 0; i < IDLE_CONNECTIONS; i++) await mob.join(http);
    for (let i = 0; i < SLOW_CLIENTS; i++) {
      await mob.join(http, `PUT /key/slow-${i} HTTP/1.1\r\nHost: ${http}\r\nX-Never: `);
      await mob.join(
        http,
        `PUT /key/slow-${i} HTTP/1.1\r\nHost: ${http}\r\nContent-Length: 100000\r\n\r\nbegin`,
      );
      await mob.join(http, `GET /key/large HTTP/1.1\r\nHost: ${http}\r\n\r\n`);
      await mob.join(http, `GET /watch?prefix=good HTTP/1.1\r\nHost: ${http}\r\n\r\n`);
      await mob.join(peer);
      await mob.join(peer, "\x00\x00\x00\x10\x01\x00");
    }
    await behave(http, () => mob.drip());
    const grown = residentBytes(process!.pid) - before;
    assert(grown < RSS_BYTES_MAX, `it has grown by ${grown >> 20} MiB`);
  }
  await behave(http, () => Promise.resolve());
  const { status } = await fetch(`http://${http}/key/slow-0`).then(async (answer) => {
    await answer.body?.cancel();
    return answer;
  });
  assertEquals(status, 404, "what never ended was never written");
});
