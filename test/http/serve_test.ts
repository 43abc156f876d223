// The layer behind a real Deno.serve on loopback: what only a socket can show.

import { assert, assertEquals } from "@std/assert";
import { createApp } from "../../src/http/app.ts";
import { DenoClock, DenoHttpServer, DenoLog, NodeDigest } from "../../src/platform/deno/mod.ts";
import { FakeNode } from "./fake_node.ts";

const BODY_IDLE_MS = 150;

/** Runs `body` against a listening API. */
async function serving(
  body: (port: number, node: FakeNode, url: string) => Promise<void>,
): Promise<void> {
  const node = new FakeNode();
  const app = createApp(node, {
    clock: new DenoClock(),
    digest: new NodeDigest(),
    log: new DenoLog("error", {}),
    requestTimeoutMs: 5000,
    bodyIdleMs: BODY_IDLE_MS,
  });
  const listener = await new DenoHttpServer().listen(
    "127.0.0.1:0",
    (request) => app.fetch(request),
  );
  const port = Number(listener.address.split(":")[1]);
  try {
    await body(port, node, `http://${listener.address}`);
  } finally {
    await listener.shutdown(1000);
  }
}

/** Sends bytes as they are and reads until the answer's head and `Content-Length` bytes are there. */
async function exchange(port: number, parts: readonly (string | Uint8Array)[]): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  for (const part of parts) {
    const bytes = typeof part === "string"
      ? Uint8Array.from(part, (character) => character.charCodeAt(0))
      : part;
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  }
  return await readAnswer(connection);
}

async function readAnswer(connection: Deno.Conn): Promise<string> {
  const chunk = new Uint8Array(64 * 1024);
  let text = "";
  for (;;) {
    const count = await connection.read(chunk);
    if (count === null) return text;
    text += new TextDecoder("latin1").decode(chunk.subarray(0, count));
    const headEnd = text.indexOf("\r\n\r\n");
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? NaN);
    if (headEnd >= 0 && text.length >= headEnd + 4 + length) return text;
  }
}

Deno.test("values come back through a socket, heads and conditions with them", async () => {
  await serving(async (_port, _node, url) => {
    const value = new Uint8Array(300_000).map((_, i) => i * 31);
    const put = await fetch(`${url}/key/%C3%A9%2F?ttl=60`, { method: "PUT", body: value });
    assertEquals([put.status, (await put.json()).key], [201, "é/"]);
    const raw = await fetch(`${url}/key/%C3%A9%2F?raw`);
    assertEquals(await raw.bytes(), value);
    const get = await fetch(`${url}/key/%C3%A9%2F`);
    const lengthBytes = (await get.bytes()).length;
    const head = await fetch(`${url}/key/%C3%A9%2F`, { method: "HEAD" });
    assertEquals(head.headers.get("content-length"), String(lengthBytes));
    const unmodified = await fetch(`${url}/key/%C3%A9%2F`, {
      headers: { "if-none-match": get.headers.get("etag")! },
    });
    assertEquals([unmodified.status, await unmodified.text()], [304, ""]);
  });
});

Deno.test("a raw request line is parsed strictly", async () => {
  await serving(async (port, node) => {
    const refused = [
      "/key/%zz",
      "/key/%ff",
      "/key/a%2",
      "/key/..",
      "/key/%2e",
      "/key/\xc3\xa9",
      "/key/a?x",
    ];
    for (const target of refused) {
      const answer = await exchange(port, [
        `PUT ${target} HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nv`,
      ]);
      assert(/^HTTP\/1\.1 400 /.test(answer), `${target}: ${answer}`);
    }
    assertEquals(node.writes.length, 0);
    const absolute = await exchange(port, ["GET http://other/key/a HTTP/1.1\r\nhost: a\r\n\r\n"]);
    assert(/^HTTP\/1\.1 404 [^]*"code":"not-found"/.test(absolute), absolute);
    const options = await exchange(port, ["OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"]);
    assert(/^HTTP\/1\.1 40[45] /.test(options), options);
  });
});

Deno.test("an endless body is cut at the limit, and the node goes on", async () => {
  await serving(async (port, node, url) => {
    node.valueSizeBytesMax = 256 * 1024;
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const head = "PUT /key/a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    await connection.write(new TextEncoder().encode(head));
    const answered = readAnswer(connection);
    const chunk = new TextEncoder().encode("4000\r\n" + "x".repeat(0x4000) + "\r\n");
    let sentBytes = 0;
    let done = false;
    answered.finally(() => done = true);
    try {
      while (!done && sentBytes < 64 * 1024 * 1024) sentBytes += await connection.write(chunk);
    } catch {
      // The server may close while we are still sending.
    }
    const answer = await answered;
    assert(/^HTTP\/1\.1 413 [^]*"code":"value-too-large"/.test(answer), answer);
    assertEquals(node.writes.length, 0);
    assertEquals((await (await fetch(`${url}/health/live`)).json()).live, true);
  });
});

Deno.test("a declared length beyond the limit is refused without a byte of it", async () => {
  await serving(async (port, node) => {
    const head = `PUT /key/a HTTP/1.1\r\nhost: a\r\ncontent-length: ${
      node.valueSizeBytesMax + 1
    }\r\n\r\n`;
    const answer = await exchange(port, [head]);
    assert(/^HTTP\/1\.1 413 /.test(answer), answer);
  });
});

Deno.test("an idle body is given up and its connection closed", async () => {
  await serving(async (port, node) => {
    for (
      const framing of [
        "content-length: 10\r\n\r\nabc",
        "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
      ]
    ) {
      const answer = await exchange(port, [`PUT /key/a HTTP/1.1\r\nhost: a\r\n${framing}`]);
      assert(/^HTTP\/1\.1 408 [^]*"code":"body-timeout"/.test(answer), answer);
      assert(/\r\nconnection: close\r\n/i.test(answer), answer);
    }
    assertEquals(node.writes.length, 0);
  });
});

Deno.test("a body that ends early leaves no write", async () => {
  await serving(async (port, node, url) => {
    {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const request = "PUT /key/a HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc";
      await connection.write(new TextEncoder().encode(request));
    }
    assertEquals((await (await fetch(`${url}/health/live`)).json()).live, true);
    assertEquals((await (await fetch(`${url}/key/a`)).json()).code, "not-found");
    assertEquals(node.writes.length, 0);
  });
});
