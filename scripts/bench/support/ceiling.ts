// A write path without consensus: HTTP, group commit to a file, two followers over TCP that sync too. What
// is left between it and Pontoon is the price of Raft, conditions, checks and headers.
//   deno run -A ceiling.ts leader PORT DIR FOLLOWER_PORT FOLLOWER_PORT | follower PORT DIR

import { Hono } from "hono";
import fs from "node:fs";
import { setImmediate } from "node:timers";

const [role, port, dir, ...followers] = Deno.args;
Deno.mkdirSync(dir, { recursive: true });
const fd = fs.openSync(`${dir}/log`, "w+");
fs.writeSync(fd, new Uint8Array(64 * 1024 * 1024));
fs.fdatasyncSync(fd);
let offset = 0;

function sync(bytes: Uint8Array): Promise<void> {
  if (offset + bytes.length > 64 * 1024 * 1024) offset = 0;
  fs.writeSync(fd, bytes, 0, bytes.length, offset);
  offset += bytes.length;
  return new Promise((resolve, reject) =>
    fs.fdatasync(fd, (cause) => cause ? reject(cause) : resolve())
  );
}

if (role === "follower") {
  for await (const connection of Deno.listen({ hostname: "127.0.0.1", port: Number(port) })) {
    const buffer = new Uint8Array(1024 * 1024);
    let filled = 0;
    (async () => {
      for (;;) {
        const count = await connection.read(buffer.subarray(filled));
        if (count === null) return;
        filled += count;
        // Frames: u32 sequence, u32 length, bytes. Everything that is there is synced at once.
        const view = new DataView(buffer.buffer);
        let end = 0;
        let sequence = 0;
        while (filled - end >= 8 && filled - end >= 8 + view.getUint32(end + 4)) {
          sequence = view.getUint32(end);
          end += 8 + view.getUint32(end + 4);
        }
        if (end === 0) continue;
        await sync(buffer.slice(0, end));
        buffer.copyWithin(0, end, filled);
        filled -= end;
        const acknowledgement = new Uint8Array(4);
        new DataView(acknowledgement.buffer).setUint32(0, sequence);
        await connection.write(acknowledgement);
      }
    })().catch(() => {});
  }
} else {
  const acknowledged = [0, 0];
  const waiting: { sequence: number; resolve: () => void }[] = [];
  const links = await Promise.all(followers.map(async (follower, i) => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(follower) });
    connection.setNoDelay(true);
    (async () => {
      const buffer = new Uint8Array(4096);
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) return;
        acknowledged[i] = new DataView(buffer.buffer).getUint32(count - 4);
        settle();
      }
    })();
    return connection;
  }));
  let own = 0;
  let sequence = 0;
  let gathering: Uint8Array[] = [];
  let resolvers: (() => void)[] = [];
  let syncing = false;

  const settle = (): void => {
    const middle = [own, ...acknowledged].toSorted((a, b) => b - a)[1];
    while (waiting.length > 0 && waiting[0].sequence <= middle) waiting.shift()!.resolve();
  };

  const flush = (): void => {
    if (syncing || gathering.length === 0) return;
    syncing = true;
    const length = gathering.reduce((sum, part) => sum + part.length, 0);
    const frame = new Uint8Array(8 + length);
    const view = new DataView(frame.buffer);
    const current = ++sequence;
    view.setUint32(0, current);
    view.setUint32(4, length);
    let at = 8;
    for (const part of gathering) {
      frame.set(part, at);
      at += part.length;
    }
    const batch = resolvers;
    gathering = [];
    resolvers = [];
    waiting.push({ sequence: current, resolve: () => batch.forEach((resolve) => resolve()) });
    for (const link of links) link.write(frame);
    sync(frame).then(() => {
      own = current;
      syncing = false;
      settle();
      flush();
    });
  };

  const values = new Map<string, Uint8Array>();
  const app = new Hono();
  app.put("/key/:key", async (context) => {
    const value = new Uint8Array(await context.req.arrayBuffer());
    await new Promise<void>((resolve) => {
      gathering.push(value);
      resolvers.push(resolve);
      if (gathering.length === 1) setImmediate(flush);
    });
    values.set(context.req.param("key"), value);
    return context.json({ ok: true }, 201);
  });
  app.get("/key/:key", (context) => {
    const value = values.get(context.req.param("key"));
    return value === undefined ? context.notFound() : context.body(value.slice().buffer);
  });
  Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, app.fetch);
}
