// Records what a node of the present format version leaves on disk, and a backup of it, as fixtures that later
// versions must read. Run once for a new version:
//
//   deno run -A test/formats/record.ts test/formats/v1

import { TestCluster, type TestNode, until } from "../../scripts/bench/support/cluster.ts";
import { run } from "../cli/terminal.ts";
import { packFolder } from "./archive.ts";

const FAR_SECONDS = 90 * 365 * 24 * 3600;
const PARTITIONS = 2;

async function put(node: TestNode, key: string, body: BodyInit, headers: HeadersInit = {}) {
  const response = await fetch(`http://${node.http}/key/${key}`, { method: "PUT", body, headers });
  if (!response.ok) throw new Error(`${key}: ${response.status} ${await response.text()}`);
  await response.body?.cancel();
}

async function post(node: TestNode, path: string, document: unknown) {
  const response = await fetch(`http://${node.http}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(document),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  await response.body?.cancel();
}

/** Something of every kind that a log, a snapshot or a backup may hold. */
async function fill(node: TestNode): Promise<void> {
  // More than is kept in a log before a snapshot, so that there is one of each partition.
  for (let i = 0; i < 900; i++) await put(node, `many-${i % 10}`, `value ${i % 10} `.repeat(450));
  await put(node, "text", "grüße", { "content-type": "text/plain; charset=utf-8" });
  await put(node, "json", ' {"n": 1.0} ', { "content-type": "application/json" });
  await put(node, "bytes%00%01", Uint8Array.of(0, 255, 128), { "content-type": "image/x-odd" });
  await put(node, "empty", "");
  await put(node, "long", "compressible ".repeat(5000));
  await put(node, `expiring?ttl=${FAR_SECONDS}`, "much later");
  await put(node, "once", "keyed", { "idempotency-key": "recorded-1" });
  await put(node, "sessioned", "1", {
    "pontoon-session": "000102030405060708090a0b0c0d0e0f;seq=1;ack=0",
  });
  await put(node, "removed", "for a while");
  await fetch(`http://${node.http}/key/removed`, { method: "DELETE" });
  await post(node, "/key/text/ttl", { ttl: FAR_SECONDS });
  await post(node, "/txn", {
    if: [{ key: "{t}1", exists: false }],
    then: [{ op: "put", key: "{t}1", value: "1" }, { op: "put", key: "{t}2", value: "2" }],
  });
}

const [folder] = Deno.args;
if (folder === undefined) throw new Error("Name the folder of the version");
Deno.mkdirSync(folder, { recursive: true });
await using cluster = TestCluster.start({
  nodes: 1,
  partitions: PARTITIONS,
  flags: ["--snapshot-log-bytes", String(1024 * 1024)],
});
await cluster.ready();
const [node] = cluster.nodes;
await fill(node);
const backup = `${folder}/backup.kvb`;
const made = await run(["backup", backup, "--force", "-o", "json", "-e", node.http]);
if (made.code !== 0) throw new Error(made.err);
await until("every partition has a snapshot", 30_000, async () => {
  const view = await (await fetch(`http://${node.http}/cluster`)).json();
  const data = view.partitions.filter(({ partition }: { partition: number }) => partition > 0);
  return data.every(({ snapshotBytes }: { snapshotBytes: number }) => snapshotBytes > 0);
});
// Behind the snapshots, so that the logs matter too.
for (let i = 0; i < 10; i++) await put(node, `late-${i}`, `late ${i}`);
const keys = await (await fetch(`http://${node.http}/keys?limit=1000`)).json();
cluster.signal(node, "SIGTERM");
await node.process!.status;
node.process = undefined;
Deno.writeFileSync(`${folder}/node.zst`, packFolder(node.dataDir));
const records = keys.keys.map((record: Record<string, unknown>) => {
  const { ttlMs, ...rest } = record;
  return { ...rest, expires: ttlMs !== undefined };
});
const { content, sha256 } = JSON.parse(made.out);
Deno.writeTextFileSync(
  `${folder}/expected.jsonl`,
  `${JSON.stringify({ records, backup: { content, sha256 } })}\n`,
);
