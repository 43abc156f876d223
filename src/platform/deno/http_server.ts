// HttpServer over Deno.serve. Silent on start; never lets a handler's error reach the client as such.

import type { Address, HttpHandler, HttpListener, HttpServer } from "../ports.ts";
import { parseAddress } from "./network.ts";

/** HTTP/1.1 and HTTP/2 server of this machine. */
export class DenoHttpServer implements HttpServer {
  listen(address: Address, handler: HttpHandler): Promise<HttpListener> {
    const target = parseAddress(address);
    if (target === undefined) {
      return Promise.reject(new Error(`Cannot use address "${address}": not host:port`));
    }
    const abort = new AbortController();
    let server: Deno.HttpServer<Deno.NetAddr>;
    try {
      server = Deno.serve({
        ...target,
        signal: abort.signal,
        onListen: () => {},
        onError: () => new Response(null, { status: 500 }),
      }, handler);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return Promise.reject(new Error(`Cannot listen on ${address}: ${reason}`, { cause }));
    }
    const { hostname, port } = server.addr;
    return Promise.resolve({
      address: hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`,
      shutdown: async (graceMs: number) => {
        // `shutdown()` waits for event streams for ever, so the grace ends it.
        const timer = setTimeout(() => abort.abort(), graceMs);
        await server.shutdown().catch(() => {});
        clearTimeout(timer);
      },
    });
  }
}
