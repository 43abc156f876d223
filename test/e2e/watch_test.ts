// Watches on real processes: partitions that the asked node does not hold, the death of a leader, a graceful
// stop, and going on at another node; no change is lost, none is seen twice.

import { assert, assertEquals } from "@std/assert";
import { TestCluster, type TestNode, until } from "../../scripts/bench/support/cluster.ts";
import { EventStream } from "../http/event_stream.ts";

const TIMEOUT_MS = 30_000;

async function open(node: TestNode, lastId: string): Promise<EventStream | undefined> {
  const headers: HeadersInit = lastId === "" ? {} : { "last-event-id": lastId };
  const response = await fetch(`http://${node.http}/watch?prefix=k`, { headers }).catch(() => {});
  if (response?.status === 200) return new EventStream(response);
  await response?.body?.cancel();
  return undefined;
}

/** Follows a prefix across nodes until `stop`, and keeps what it saw in order. */
class Follower {
  readonly seen: string[] = [];
  bye = false;
  #lastId = "";
  readonly #nodes: () => readonly TestNode[];
  #stream: EventStream | undefined;
  #stopped = false;
  readonly done: Promise<void>;

  constructor(nodes: () => readonly TestNode[]) {
    this.#nodes = nodes;
    this.done = this.#follow();
  }

  get placed(): boolean {
    return this.#lastId !== "";
  }

  async #follow(): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const stream = await until("a watch opens", TIMEOUT_MS, () => {
        const nodes = this.#nodes();
        return open(nodes[i++ % nodes.length], this.#lastId);
      });
      this.#stream = stream;
      try {
        for (let event = await stream.next(); event; event = await stream.next()) {
          assert(event.data.code !== "history-gone", "the history is long enough");
          this.#lastId = event.id;
          if (event.event === "put") {
            this.seen.push(`${event.data.partition} ${event.data.revision}`);
          }
          if (event.event === "bye") this.bye = true;
        }
      } catch {
        // The connection broke: on to the next node, behind the last id.
      }
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#stream?.cancel().catch(() => {});
  }
}

Deno.test("a watch sees every change once and in order, through kills, stops and other nodes", async () => {
  await using cluster = TestCluster.start({
    nodes: 4,
    flags: ["--partitions", "4", "--replicas", "3"],
  });
  await cluster.ready();
  const gone = new Set<TestNode>();
  const alive = () => cluster.nodes.filter((node) => !gone.has(node));
  const follower = new Follower(alive);
  await until("the watch is in place", TIMEOUT_MS, () => follower.placed);
  const written: string[] = [];
  const put = async (i: number) => {
    await until(`write ${i}`, TIMEOUT_MS, async () => {
      const nodes = alive();
      const response = await fetch(`http://${nodes[i % nodes.length].http}/key/k${i % 50}`, {
        method: "PUT",
        body: `value ${i}`,
        headers: { "idempotency-key": `w${i}` },
      }).catch(() => undefined);
      if (response === undefined) return false;
      const { revision } = await response.json();
      if (!response.ok) return false;
      written.push(`${response.headers.get("pontoon-partition")} ${revision}`);
      return true;
    });
  };
  for (let i = 0; i < 100; i++) await put(i);
  const [stopped, killed] = cluster.nodes;
  // The follower began at the first node: that one says bye.
  gone.add(stopped);
  const status = stopped.process!.status;
  stopped.process!.kill("SIGTERM");
  for (let i = 100; i < 150; i++) await put(i);
  await status;
  stopped.process = undefined;
  assert(follower.bye, "a graceful stop ends the watch with bye");
  cluster.spawn(stopped);
  gone.delete(stopped);
  await until("the stopped node is back", TIMEOUT_MS, async () => {
    const response = await fetch(`http://${stopped.http}/health/ready`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 200;
  });
  gone.add(killed);
  await cluster.kill(killed);
  for (let i = 150; i < 200; i++) await put(i);
  await until("the watch has caught up", TIMEOUT_MS, () => follower.seen.length >= written.length);
  follower.stop();
  await follower.done;
  assertEquals(follower.seen.toSorted(), written.toSorted());
  for (let partition = 1; partition <= 4; partition++) {
    const own = follower.seen.filter((one) => one.startsWith(`${partition} `));
    const revisions = own.map((one) => Number(one.split(" ")[1]));
    assertEquals(revisions, revisions.toSorted((a, b) => a - b), `partition ${partition}`);
  }
});
