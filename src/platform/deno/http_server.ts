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
    let server: Deno.HttpServer<Deno.NetAddr>;
    try {
      server = Deno.serve({
        ...target,
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
        // `server.shutdown()` waits for event streams for ever, and aborting a server that is shutting
        // down throws outside any call; so after the grace it is left to the end of the process.
        const grace = Promise.withResolvers<void>();
        const timer = setTimeout(grace.resolve, graceMs);
        await Promise.race([server.shutdown().catch(() => {}), grace.promise]);
        clearTimeout(timer);
      },
    });
  }
}
