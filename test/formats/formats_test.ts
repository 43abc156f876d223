// What earlier format versions left on disk is read: a node's data directory and a backup of it, as recorded by
// record.ts. A later version keeps these fixtures and adds its own; it must never change them.

import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { TestCluster, type TestNode } from "../../scripts/bench/support/cluster.ts";
import { run } from "../cli/terminal.ts";
import { unpackFolder } from "./archive.ts";

const ROOT = new URL("./", import.meta.url);

interface ExpectedRecord {
  readonly expires: boolean;
  readonly revision: number;
  readonly createRevision: number;
}

interface Expected {
  readonly records: readonly ExpectedRecord[];
  readonly backup: { readonly content: unknown; readonly sha256: string };
}

function expectedOf(version: string): Expected {
  return JSON.parse(Deno.readTextFileSync(new URL(`${version}/expected.jsonl`, ROOT)));
}

async function recordsOf(node: TestNode): Promise<ExpectedRecord[]> {
  const response = await fetch(`http://${node.http}/keys?limit=1000`);
  const { keys } = await response.json();
  return keys.map(({ ttlMs, ...rest }: { ttlMs?: number } & ExpectedRecord) => ({
    ...rest,
    expires: ttlMs !== undefined,
  }));
}

const versions = [...Deno.readDirSync(ROOT)].flatMap(({ name, isDirectory }) =>
  isDirectory ? [name] : []
);

for (const version of versions) {
  const expected = expectedOf(version);

  Deno.test(`a node goes on with a data directory of ${version}, and so do its clients`, async () => {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-formats-" });
    try {
      unpackFolder(Deno.readFileSync(new URL(`${version}/node.zst`, ROOT)), `${dir}/n1`);
      await using cluster = TestCluster.start({ nodes: 1, partitions: 2, dir });
      await cluster.ready(60_000);
      const [node] = cluster.nodes;
      assertEquals(await recordsOf(node), expected.records);
      const put = (headers: HeadersInit, key: string, body: string) =>
        fetch(`http://${node.http}/key/${key}`, { method: "PUT", headers, body });
      const fresh = await put({}, "text", "new");
      assertEquals([fresh.status, typeof (await fresh.json()).revision], [200, "number"]);
      // A second start reads what the first one wrote behind it.
      await cluster.kill(node);
      cluster.spawn(node);
      await cluster.ready(60_000);
      assertEquals((await recordsOf(node)).length, expected.records.length);
      const text = await fetch(`http://${node.http}/key/text?raw`);
      assertEquals(await text.text(), "new");
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  });

  Deno.test(`a backup of ${version} is read and restored`, async () => {
    const dir = Deno.makeTempDirSync({ prefix: "pontoon-formats-" });
    try {
      // Restoring leaves its state beside the file.
      const file = `${dir}/backup.kvb`;
      Deno.copyFileSync(new URL(`${version}/backup.kvb`, ROOT), file);
      const verified = await run(["verify", file, "--at", "copy", "-o", "json"]);
      assertEquals(verified.code, 0, verified.err);
      assertEquals(JSON.parse(verified.out).content, expected.backup.content);
      await using cluster = TestCluster.start({ nodes: 1, partitions: 3 });
      await cluster.ready(60_000);
      const restored = await run(["restore", file, "-e", cluster.nodes[0].http, "-o", "json"]);
      assertEquals(restored.code, 0, restored.err);
      assertEquals(JSON.parse(restored.out), {
        content: expected.backup.content,
        checked: true,
      });
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  });
}

Deno.test("the fixtures are those that were recorded", () => {
  const digests = versions.toSorted().flatMap((version) =>
    ["backup.kvb", "expected.jsonl", "node.zst"].map((name) => {
      const bytes = Deno.readFileSync(new URL(`${version}/${name}`, ROOT));
      return `${version}/${name} ${createHash("sha256").update(bytes).digest("hex")}`;
    })
  );
  assertEquals(digests, Deno.readTextFileSync(new URL("digests.txt", ROOT)).trim().split("\n"));
});
