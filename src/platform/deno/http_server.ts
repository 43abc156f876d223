// HttpServer over Deno.serve, with TLS if there are certificates. Silent on start; never lets a handler's
// error reach the client as such.

import type { Address, HttpHandler, HttpListener, HttpServer } from "../ports.ts";
import { parseAddress } from "./network.ts";
import { oneAtATime, type TlsSource } from "./tls_material.ts";

/** While the old server gives the address up, after certificates were replaced. */
const REBIND_INTERVAL_MS = 2;
/** Requests of a replaced server get this long to finish; then it is left to itself. */
const REPLACED_GRACE_MS = 30_000;

type Server = Deno.HttpServer<Deno.NetAddr>;

/** `server.shutdown()` waits for event streams for ever, and aborting a server that is shutting down
 * throws outside any call; so after the grace it is left to the end of the process. */
async function shutdown(server: Server, graceMs: number): Promise<void> {
  const grace = Promise.withResolvers<void>();
  const timer = setTimeout(grace.resolve, graceMs);
  await Promise.race([server.shutdown().catch(() => {}), grace.promise]);
  clearTimeout(timer);
}

/** HTTP/1.1 and HTTP/2 server of this machine. */
export class DenoHttpServer implements HttpServer {
  readonly #tls: TlsSource | undefined;

  constructor(tls?: TlsSource) {
    this.#tls = tls;
  }

  listen(address: Address, handler: HttpHandler): Promise<HttpListener> {
    const target = parseAddress(address);
    if (target === undefined) {
      return Promise.reject(new Error(`Cannot use address "${address}": not host:port`));
    }
    const serve = (port: number): Server =>
      Deno.serve({
        hostname: target.hostname,
        port,
        ...(this.#tls === undefined
          ? {}
          : { cert: this.#tls.current.cert, key: this.#tls.current.key }),
        onListen: () => {},
        onError: () => new Response(null, { status: 500 }),
      }, handler);
    let server: Server;
    try {
      server = serve(target.port);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return Promise.reject(new Error(`Cannot listen on ${address}: ${reason}`, { cause }));
    }
    const { hostname, port } = server.addr;
    let stopping = false;
    this.#tls?.onChange(oneAtATime(async () => {
      if (stopping) return;
      shutdown(server, REPLACED_GRACE_MS);
      while (!stopping) {
        try {
          server = serve(port);
          return;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, REBIND_INTERVAL_MS));
        }
      }
    }));
    return Promise.resolve({
      address: hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`,
      shutdown: (graceMs: number) => {
        stopping = true;
        return shutdown(server, graceMs);
      },
    });
  }
}
