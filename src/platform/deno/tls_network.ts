// Network over TLS with certificates on both sides, for peer links. node:tls, because Deno.listenTls does
// not ask the other side for a certificate. Each new connection uses the certificates of that moment.

import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import type { Address, Connection, Listener, Log, Network } from "../ports.ts";
import { parseAddress } from "./network.ts";
import { oneAtATime, type TlsSource } from "./tls_material.ts";

/** Received bytes that may wait for a reader before the socket is paused. */
const UNREAD_BYTES_MAX = 256 * 1024;
/** While the old server gives the address up, after certificates were replaced. */
const REBIND_INTERVAL_MS = 5;

class TlsConnection implements Connection {
  readonly remote: Address;
  readonly #socket: TLSSocket;
  #chunks: Uint8Array[] = [];
  #unreadBytes = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.remote = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#unreadBytes += chunk.length;
      if (this.#unreadBytes > UNREAD_BYTES_MAX) socket.pause();
      this.#wake?.();
    });
    socket.on("end", () => this.#finish(undefined));
    socket.on("close", () => this.#finish(undefined));
    socket.on("error", (error: Error) => this.#finish(error));
  }

  #finish(failure: Error | undefined): void {
    this.#ended = true;
    this.#failure ??= failure;
    this.#wake?.();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    const [chunk] = this.#chunks;
    const taken = chunk.subarray(0, into.length);
    into.set(taken);
    if (taken.length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(taken.length);
    this.#unreadBytes -= taken.length;
    if (this.#unreadBytes <= UNREAD_BYTES_MAX / 2) this.#socket.resume();
    return taken.length;
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  close(): void {
    this.#socket.destroy();
    this.#finish(undefined);
  }
}

function targetOf(address: Address): { hostname: string; port: number } {
  const target = parseAddress(address);
  if (target === undefined) throw new Error(`Cannot use address "${address}": not host:port`);
  return target;
}

/** Peer links over mutual TLS. */
export class TlsNetwork implements Network {
  readonly #source: TlsSource;
  readonly #log: Log;

  constructor(source: TlsSource, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  async listen(
    address: Address,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    const { hostname, port } = targetOf(address);
    let server = await this.#serve(hostname, port, onConnection);
    const bound = (server.address() as { port: number }).port;
    let closed = false;
    this.#source.onChange(oneAtATime(async () => {
      if (closed) return;
      // Connections that are there go on; the address is free for a moment only.
      server.close();
      for (;;) {
        try {
          server = await this.#serve(hostname, bound, onConnection);
          break;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, REBIND_INTERVAL_MS));
          if (closed) return;
        }
      }
      if (closed) server.close();
      else this.#log.log("info", "peer certificates replaced");
    }));
    return {
      address: hostname.includes(":") ? `[${hostname}]:${bound}` : `${hostname}:${bound}`,
      close: () => {
        closed = true;
        server.close();
      },
    };
  }

  #serve(
    hostname: string,
    port: number,
    onConnection: (connection: Connection) => void,
  ): Promise<Server> {
    const { cert, key, ca } = this.#source.current;
    const options = { cert, key, ca, requestCert: true, rejectUnauthorized: true };
    const server = createServer(options, (socket) => onConnection(new TlsConnection(socket)));
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#log.log("warn", "peer connection refused", {
        remote: socket?.remoteAddress,
        code: "certificate",
        reason: error.message,
      });
    });
    return new Promise((resolve, reject) => {
      server.once("error", (cause: Error) => {
        reject(new Error(`Cannot listen on ${hostname}:${port}: ${cause.message}`, { cause }));
      });
      server.listen(port, hostname, () => resolve(server));
    });
  }

  dial(address: Address, timeoutMs: number): Promise<Connection> {
    const { hostname, port } = targetOf(address);
    const { cert, key, ca } = this.#source.current;
    return new Promise((resolve, reject) => {
      const fail = (reason: string, cause?: unknown) => {
        clearTimeout(timer);
        socket.destroy();
        reject(new Error(`Cannot reach ${address}: ${reason}`, { cause }));
      };
      const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
      const socket = connect({ host: hostname, port, cert, key, ca, servername: nameOf(hostname) });
      socket.once("error", (error: Error) => fail(error.message, error));
      socket.once("secureConnect", () => {
        clearTimeout(timer);
        socket.removeAllListeners("error");
        resolve(new TlsConnection(socket));
      });
    });
  }
}

/** Addresses are no names for SNI (RFC 6066 §3); they are checked against the certificate all the same. */
function nameOf(hostname: string): string | undefined {
  return /^[\d.]+$|:/.test(hostname) ? undefined : hostname;
}
