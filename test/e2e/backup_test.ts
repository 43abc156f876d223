// Backup and restore on real processes: three nodes and four partitions, written to all the while, into one
// node with eight. Both commands are killed in the middle, and go on.

import { assert, assertEquals } from "@std/assert";
import { TestCluster, type TestNode, until } from "../../scripts/bench/support/cluster.ts";
import { run } from "../cli/terminal.ts";

const KEYS = 12_000;
const BATCH = 500;
const CLI = decodeURIComponent(new URL("../../src/cli/main.ts", import.meta.url).pathname);
const CONFIG = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);

async function load(node: TestNode): Promise<void> {
  const value = "v".repeat(1000);
  for (let first = 0; first < KEYS; first += BATCH) {
    const operations = Array.from({ length: BATCH }, (_, i) => ({
      op: "put",
      key: `key${first + i}`,
      value: `${value}${first + i}`,
      ...(i % 10 === 0 ? { ttl: 36_000 } : {}),
    }));
    await until("a batch is written", 30_000, async () => {
      const response = await fetch(`http://${node.http}/batch`, {
        method: "POST",
        headers: { "content-type": "application/json", "pontoon-timeout-ms": "20000" },
        body: JSON.stringify({ operations }),
      });
      await response.body?.cancel();
      return response.ok;
    });
  }
}

/** Writes, replaces and removes keys until it is stopped. */
class Writer {
  #stopping = false;
  readonly #done: Promise<void>;
  count = 0;

  constructor(nodes: readonly TestNode[]) {
    this.#done = this.#run(nodes);
  }

  async #run(nodes: readonly TestNode[]): Promise<void> {
    for (let i = 0; !this.#stopping; i++) {
      const url = `http://${nodes[i % nodes.length].http}/key/key${(i * 7919) % (KEYS + 500)}`;
      const method = i % 5 === 0 ? "DELETE" : "PUT";
      const response = await fetch(url, { method, body: method === "PUT" ? `new${i}` : undefined });
      await response.body?.cancel();
      this.count++;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }
}

/** Runs a command in a process of its own, which is killed once `isTime`. Whether it was still running. */
async function killed(args: readonly string[], isTime: () => boolean): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--config", CONFIG, "-A", CLI, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  child.status.then(() => ended = true);
  await until("the command is in the middle", 60_000, () => ended || isTime());
  try {
    child.kill("SIGKILL");
  } catch {
    // It had ended just now.
  }
  return !(await child.status).success;
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

function restoredCount(path: string): number {
  try {
    return JSON.parse(Deno.readTextFileSync(path)).count;
  } catch {
    return 0;
  }
}

Deno.test("a backup under writes, killed and gone on with, fills a cluster of another shape", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "pontoon-backup-" });
  try {
    await using source = TestCluster.start({ nodes: 3, partitions: 4 });
    await source.ready();
    await load(source.nodes[0]);
    const from = ["-e", source.nodes.map(({ http }) => http).join(",")];
    const file = `${folder}/a.kvb`;
    const writer = new Writer(source.nodes);
    const wasKilled = await killed(
      ["backup", file, "--parallel", "1", ...from],
      () => sizeOf(file) > 2_000_000,
    );
    const end = await run(["backup", file, wasKilled ? "--resume" : "--force", ...from]);
    assertEquals(end.code, 0, end.err);
    await writer.stop();
    assert(writer.count > 0);

    await using target = TestCluster.start({ nodes: 1, partitions: 8 });
    await target.ready();
    const into = ["-e", target.nodes[0].http];
    const cutOff = await killed(
      ["restore", file, ...into],
      () => restoredCount(`${file}.restored`) > 0,
    );
    if (cutOff) {
      const restored = await run(["restore", file, "--resume", ...into]);
      assertEquals(restored.code, 0, restored.err);
    }
    const verified = await run(["verify", file, "--cluster", "-o", "json", ...into]);
    assertEquals(verified.code, 0, verified.err);
    const { partitions, content } = JSON.parse(verified.out);
    assertEquals(partitions.length, 4);
    assert(content.lasting.count > KEYS / 2 && content.expiring.count > 0);
    assertEquals((await run(["restore", file, ...into])).code, 4, "it holds keys now");
    // At rest, a copy's index and state hash are those of any replica.
    const quiet = `${folder}/b.kvb`;
    assertEquals((await run(["backup", quiet, ...from])).code, 0);
    const { partitions: copies } = JSON.parse((await run(["verify", quiet, "-o", "json"])).out);
    for (const { partition, applied, stateHash } of copies) {
      const query = `partition=${partition}&applied=${applied}`;
      for (const { http } of source.nodes) {
        const answer = await fetch(`http://${http}/cluster/hash?${query}`);
        const [replica] = (await answer.json()).partitions;
        if (replica.applied === applied) assertEquals(replica.hash, stateHash);
      }
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
