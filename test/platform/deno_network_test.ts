import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DenoHttpServer, DenoNetwork, parseAddress } from "../../src/platform/deno/mod.ts";
import type { Connection } from "../../src/platform/ports.ts";

async function readAll(connection: Connection): Promise<number> {
  const into = new Uint8Array(64 * 1024);
  let total = 0;
  for (;;) {
    const count = await connection.read(into);
    if (count === null) return total;
    total += count;
  }
}

Deno.test("parseAddress() takes host:port and bracketed IPv6, nothing else", () => {
  assertEquals(parseAddress("a.b:80"), { hostname: "a.b", port: 80 });
  assertEquals(parseAddress("[::1]:7001"), { hostname: "::1", port: 7001 });
  for (const bad of ["", "a", "a:", ":1", "a:70000", "::1:80", "a:b:1"]) {
    assertEquals(parseAddress(bad), undefined, bad);
  }
});

Deno.test("DenoNetwork carries a stream larger than any socket buffer, whole", async () => {
  const network = new DenoNetwork();
  const accepted = Promise.withResolvers<Connection>();
  const listener = await network.listen("127.0.0.1:0", accepted.resolve);
  const dialled = await network.dial(listener.address, 1000);
  const other = await accepted.promise;
  const received = readAll(other);
  await dialled.write(new Uint8Array(20 * 1024 * 1024));
  dialled.close();
  dialled.close();
  assertEquals(await received, 20 * 1024 * 1024);
  other.close();
  listener.close();
});

Deno.test("DenoNetwork names the address that can't be bound or reached", async () => {
  const network = new DenoNetwork();
  const listener = await network.listen("127.0.0.1:0", () => {});
  const taken = await assertRejects(() => network.listen(listener.address, () => {}), Error);
  assertStringIncludes(taken.message, listener.address);
  listener.close();
  const gone = await assertRejects(() => network.dial(listener.address, 1000), Error);
  assertStringIncludes(gone.message, listener.address);
});

Deno.test("DenoHttpServer.shutdown() ends within its grace though an event stream is open", async () => {
  const server = await new DenoHttpServer().listen("127.0.0.1:0", () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array([1])),
    });
    return new Response(body);
  });
  const response = await fetch(`http://${server.address}/`);
  const reader = response.body!.getReader();
  assertEquals((await reader.read()).value, new Uint8Array([1]));
  await server.shutdown(10);
  await assertRejects(() => fetch(`http://${server.address}/`)); // no longer accepting
  await reader.cancel();
});

Deno.test("DenoHttpServer hides what a handler throws", async () => {
  const server = await new DenoHttpServer().listen("127.0.0.1:0", () => {
    throw new Error("secret");
  });
  const response = await fetch(`http://${server.address}/`);
  assertEquals(response.status, 500);
  assert(!(await response.text()).includes("secret"));
  await server.shutdown(1000);
});
