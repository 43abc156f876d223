// The links' proxy as the process that it is, in front of plain TCP servers: what each effect does to bytes, order,
// frames and connections, and that nothing of it stays after the heal.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { FRAME_HEADER_BYTES, FrameSplitter } from "../../chaos/links/frames.ts";
import { ProxyLinks } from "../../chaos/links/proxy_links.ts";
import type { Link, LinkEffect } from "../../chaos/types.ts";
import { singleFrame } from "../../src/transport/frame_writer.ts";
import { FrameType } from "../../src/transport/frame.ts";

const PLAIN: Link = { from: "client", to: "n1" };
const FRAMED: Link = { from: "n1", to: "n2" };

/** A server that gathers what comes, connection by connection, and echoes it where it is told to. */
class Server implements AsyncDisposable {
  readonly received: Uint8Array[][] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #done: Promise<unknown>;

  constructor(echo: boolean) {
    this.#done = this.#accept(echo);
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** All bytes of one connection. */
  bytes(connection: number): Uint8Array {
    const pieces = this.received[connection] ?? [];
    const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  async #accept(echo: boolean): Promise<void> {
    const served: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      const pieces: Uint8Array[] = [];
      this.received.push(pieces);
      this.#open.add(connection);
      served.push(this.#serve(connection, pieces, echo));
    }
    await Promise.all(served);
  }

  async #serve(connection: Deno.TcpConn, pieces: Uint8Array[], echo: boolean): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) break;
        pieces.push(buffer.slice(0, count));
        if (echo) await connection.write(buffer.subarray(0, count));
      }
    } catch {
      // Reset, or the test is over.
    }
    this.#open.delete(connection);
    try {
      connection.close();
    } catch {
      // Closed at the end of the test.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#done;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

interface Bench extends AsyncDisposable {
  readonly links: ProxyLinks;
  readonly plain: Server;
  readonly framed: Server;
  dial(link: Link): Promise<Deno.TcpConn>;
}

async function startBench(): Promise<Bench> {
  const plain = new Server(true);
  const framed = new Server(false);
  const listens = new Map([[PLAIN, freePort()], [FRAMED, freePort()]]);
  const links = await ProxyLinks.start([
    { ...PLAIN, listen: `127.0.0.1:${listens.get(PLAIN)}`, target: plain.address, framed: false },
    { ...FRAMED, listen: `127.0.0.1:${listens.get(FRAMED)}`, target: framed.address, framed: true },
  ], 1);
  return {
    links,
    plain,
    framed,
    dial: (link) => Deno.connect({ hostname: "127.0.0.1", port: listens.get(link)! }),
    async [Symbol.asyncDispose]() {
      await links.close();
      await plain[Symbol.asyncDispose]();
      await framed[Symbol.asyncDispose]();
    },
  };
}

async function send(connection: Deno.TcpConn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

async function receive(connection: Deno.TcpConn, length: number): Promise<string> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) return new TextDecoder().decode(bytes.subarray(0, at));
    at += count;
  }
  return new TextDecoder().decode(bytes);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("FrameSplitter finds frames wherever the stream is cut, and refuses what is none", () => {
  const frames = [5, 0, 70_000, 1].map((length, i) =>
    singleFrame(i === 0 ? FrameType.Hello : FrameType.Raft, new Uint8Array(length).fill(i + 1))
  );
  const stream = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let at = 0;
  for (const frame of frames) {
    stream.set(frame, at);
    at += frame.length;
  }
  for (const step of [1, 7, 4096, stream.length]) {
    const splitter = new FrameSplitter();
    const found = [];
    for (let from = 0; from < stream.length; from += step) {
      found.push(...splitter.push(stream.slice(from, from + step)));
    }
    assertEquals(found.map(({ type }) => type), [1, 32, 32, 32]);
    assertEquals(found.map(({ bytes }) => bytes.slice()), frames.map((frame) => frame.slice()));
    assertEquals(splitter.pendingBytes, 0);
  }
  const damaged = stream.slice();
  damaged[0]! ^= 1;
  let refused = false;
  try {
    new FrameSplitter().push(damaged);
  } catch {
    refused = true;
  }
  assert(refused);
});

Deno.test("a link passes bytes, ends and resets on; a blackhole tells nobody, until it is healed", async () => {
  await using bench = await startBench();
  const { links } = bench;
  using open = await bench.dial(PLAIN);
  await send(open, "hello");
  assertEquals(await receive(open, 5), "hello");
  await links.set([PLAIN], { kind: "blackhole" });
  await send(open, "lost");
  using late = await bench.dial(PLAIN);
  await send(late, "lost too");
  await until(
    "both were swallowed",
    async () => (await links.counters([PLAIN])).swallowedBytes === 12,
  );
  assertEquals((await links.counters([PLAIN])).refusedConnections, 1);
  assertEquals(bench.plain.received.length, 1);
  await links.heal();
  await assertRejects(() => receive(open, 1), Deno.errors.ConnectionReset);
  await assertRejects(() => receive(late, 1), Deno.errors.ConnectionReset);
  using again = await bench.dial(PLAIN);
  await send(again, "back");
  assertEquals(await receive(again, 4), "back");
  await again.closeWrite();
  assertEquals(await receive(again, 1), "");
  assertEquals(new TextDecoder().decode(bench.plain.bytes(0)), "hello");
});

Deno.test("a blackhole backward lets requests through and loses their answers", async () => {
  await using bench = await startBench();
  await bench.links.set([PLAIN], { kind: "blackhole", direction: "backward" });
  using connection = await bench.dial(PLAIN);
  await send(connection, "write");
  await until("the request arrived", () => bench.plain.bytes(0).length === 5);
  await until("the answer did not", async () => {
    return (await bench.links.counters([PLAIN])).swallowedBytes === 5;
  });
});

Deno.test("a held link flushes everything late and in order, ends included", async () => {
  await using bench = await startBench();
  const { links } = bench;
  using connection = await bench.dial(PLAIN);
  await send(connection, "a");
  assertEquals(await receive(connection, 1), "a");
  await links.set([PLAIN], { kind: "hold" });
  for (const text of ["b", "c", "d"]) await send(connection, text);
  await connection.closeWrite();
  await until("all is held", async () => (await links.counters([PLAIN])).heldBytes === 3);
  assertEquals(bench.plain.bytes(0).length, 1);
  await links.heal();
  assertEquals(await receive(connection, 4), "bcd");
});

Deno.test("a slow link is late by at least its delay, and by its bandwidth", async () => {
  await using bench = await startBench();
  using connection = await bench.dial(PLAIN);
  await bench.links.set([PLAIN], {
    kind: "slow",
    delayMs: 60,
    jitterMs: 30,
    bytesPerSecond: 100_000,
  });
  const startMs = performance.now();
  await connection.write(new Uint8Array(10_000));
  await receive(connection, 10_000);
  // There and back: two delays, and the transfer of 10,000 bytes at least once.
  assert(performance.now() - startMs >= 2 * 60, `${performance.now() - startMs} ms`);
  assertEquals((await bench.links.counters([PLAIN])).delayedBytes, 20_000);
});

for (const effect of [{ kind: "reset" }, { kind: "flaky", meanMs: 20 }] as LinkEffect[]) {
  Deno.test(`a link that is ${effect.kind} resets connections`, async () => {
    await using bench = await startBench();
    using connection = await bench.dial(PLAIN);
    await send(connection, "hello");
    await receive(connection, 5);
    await bench.links.set([PLAIN], effect);
    await assertRejects(() => receive(connection, 1), Deno.errors.ConnectionReset);
    assert((await bench.links.counters([PLAIN])).resets > 0);
    await bench.links.heal();
    using again = await bench.dial(PLAIN);
    await send(again, "back");
    assertEquals(await receive(again, 4), "back");
  });
}

Deno.test("only Raft frames are repeated, whole, at once or on a later connection, never out of order", async () => {
  await using bench = await startBench();
  const { links, framed } = bench;
  await links.set([FRAMED], { kind: "repeat", twice: 0.5, late: 0.5, renewMs: 50 });
  const frame = (type: number, number: number) => {
    const payload = new Uint8Array(300);
    new DataView(payload.buffer).setUint32(0, number);
    return singleFrame(type, payload);
  };
  let number = 0;
  await until("frames were repeated and came late", async () => {
    using connection = await bench.dial(FRAMED);
    try {
      await connection.write(frame(FrameType.Hello, number++));
      for (let i = 0; i < 20; i++) {
        await connection.write(frame(i % 2 === 0 ? FrameType.Raft : FrameType.Request, number++));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    } catch {
      // The link was reset, as it is meant to be.
    }
    const { repeatedFrames, lateFrames } = await links.counters([FRAMED]);
    return repeatedFrames > 5 && lateFrames > 5;
  });
  const seen = new Map<number, number>();
  framed.received.forEach((_, connection) => {
    let last = -1;
    const own: number[] = [];
    for (const { type, bytes } of new FrameSplitter().push(framed.bytes(connection))) {
      const found = new DataView(bytes.buffer, bytes.byteOffset + FRAME_HEADER_BYTES).getUint32(0);
      const times = (seen.get(found) ?? 0) + 1;
      seen.set(found, times);
      if (type !== FrameType.Raft) assertEquals(times, 1, `frame ${found} of type ${type}`);
      // What this connection's dialler sent comes in order; what is from another is older than all of it.
      if (own.length > 0 && found < own[0]!) continue;
      own.push(found);
      assert(found >= last, `frame ${found} after ${last}`);
      last = found;
    }
  });
});

Deno.test("the proxy ends when its standard input does", async () => {
  const script = decodeURIComponent(
    new URL("../../chaos/links/proxy.ts", import.meta.url).pathname,
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-net", script, JSON.stringify({ seed: 1, links: [] })],
    stdin: "piped",
    stdout: "null",
  }).spawn();
  await child.stdin.close();
  assertEquals((await child.status).code, 0);
});
