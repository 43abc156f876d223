// What etcd's answers mean to the bench's clients.

import { assertEquals, assertRejects } from "@std/assert";
import { etcdStore } from "../../chaos/systems/etcd_store.ts";
import { type Operation, StoreError } from "../../chaos/systems/key_api.ts";

/** What the store makes of `answer` to a transaction of `operations`. */
async function transactWith(answer: unknown, operations: readonly Operation[]) {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json(answer),
  );
  return await etcdStore(`127.0.0.1:${server.addr.port}`).transact([], operations, []);
}

Deno.test("etcdStore() gives no revision to a transaction that changed nothing", async () => {
  // The header holds that of the write before: as its own it would belong to two transactions.
  const operations = [{ op: "get", key: "a" }, { op: "delete", key: "b" }] as const;
  const header = { revision: "229" };
  const idle = { response_delete_range: {} };
  assertEquals(
    await transactWith({ header, succeeded: true, responses: [{}, idle] }, operations),
    {
      succeeded: true,
      results: [{ op: "get", found: undefined }, { op: "delete", deleted: false }],
    },
  );
  const deleted = { response_delete_range: { deleted: "1" } };
  const done = await transactWith(
    { header, succeeded: true, responses: [{}, deleted] },
    operations,
  );
  assertEquals(done.revision, 229);
});

Deno.test("etcdStore() refuses the comparison that etcd understands differently, and sends nothing", async () => {
  const unlike = { key: "a", op: "!=", text: "1" } as const;
  // Nobody listens there: what is sent fails with another error.
  const store = etcdStore("127.0.0.1:1");
  await assertRejects(() => store.transact([unlike], [{ op: "get", key: "a" }], []), StoreError);
});
