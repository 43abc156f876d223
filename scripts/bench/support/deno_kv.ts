// Deno KV behind the same routes, as the baseline: one process, no replication.
//   deno run -A --unstable-kv deno_kv.ts PORT PATH|:memory:

import { Hono } from "hono";

const [port, path] = Deno.args;
const kv = await Deno.openKv(path);
const app = new Hono();
app.put("/key/:key", async (context) => {
  const value = new Uint8Array(await context.req.arrayBuffer());
  const { ok } = await kv.set([context.req.param("key")], value);
  return context.json({ ok }, 201);
});
app.get("/key/:key", async (context) => {
  const { value } = await kv.get<Uint8Array<ArrayBuffer>>([context.req.param("key")]);
  return value === null ? context.notFound() : context.body(value);
});
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, app.fetch);
