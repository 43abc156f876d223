// The clients' requests: one attempt is one request on the wire, whatever happens to its connection.

import { assertEquals } from "@std/assert";
import { createServer, type Socket } from "node:net";
import { Session } from "../../chaos/workloads/session.ts";
import type { SystemNode } from "../../chaos/types.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

Deno.test("an attempt on a connection that is reset is not sent again behind the client's back", async () => {
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", () => {
      // The first is answered, and its connection offered for more; all others are reset.
      if (++requests === 1) socket.write(ANSWER);
      else socket.resetAndDestroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const node = { name: "n1", http: `127.0.0.1:${port}` } as SystemNode;
  const session = new Session({
    pick: () => node,
    serverTimeoutMs: 1000,
    clientTimeoutMs: 5000,
    id: "call-1",
    stopped: () => false,
  });
  const put = { path: "/key/k", body: "1", reads: false, decided: [200] } as const;
  assertEquals((await session.attempt({ ...put, method: "PUT" })).kind, "decided");
  for (const method of ["PUT", "DELETE", "POST"] as const) {
    const before = requests;
    assertEquals((await session.attempt({ ...put, method })).kind, "unknown");
    assertEquals(requests - before, 1, method);
  }
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});
