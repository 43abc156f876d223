// Network over Deno.listen and Deno.connect.

import type { Address, Connection, Listener, Network } from "../ports.ts";

/** Splits `host:port`, brackets of IPv6 hosts removed; undefined if malformed. */
export function parseAddress(address: Address): { hostname: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65535) return undefined;
  return { hostname: match[1] ?? match[2], port };
}

function formatAddress({ hostname, port }: { hostname: string; port: number }): Address {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function parsed(address: Address): { hostname: string; port: number } {
  const result = parseAddress(address);
  if (result === undefined) throw new Error(`Cannot use address "${address}": not host:port`);
  return result;
}

class DenoConnection implements Connection {
  readonly remote: Address;
  readonly #connection: Deno.TcpConn;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.remote = formatAddress(connection.remoteAddr);
    connection.setNoDelay(true);
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#connection.read(into);
  }

  async write(bytes: Uint8Array): Promise<void> {
    let written = await this.#connection.write(bytes);
    while (written < bytes.length) {
      written += await this.#connection.write(bytes.subarray(written));
    }
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Closing twice is allowed.
    }
  }
}

/** TCP of this machine. */
export class DenoNetwork implements Network {
  // Binding is synchronous here; the port allows for platforms where it is not.
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    let listener: Deno.TcpListener;
    try {
      listener = Deno.listen({ ...parsed(address), transport: "tcp" });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return Promise.reject(new Error(`Cannot listen on ${address}: ${reason}`, { cause }));
    }
    const accept = async () => {
      for (;;) {
        let accepted: Deno.TcpConn;
        try {
          accepted = await listener.accept();
        } catch (cause) {
          if (cause instanceof Deno.errors.BadResource) return; // closed
          if (cause instanceof Deno.errors.Interrupted) return;
          await new Promise((resolve) => setTimeout(resolve, 50)); // out of file descriptors
          continue;
        }
        try {
          onConnection(new DenoConnection(accepted));
        } catch {
          accepted.close(); // the peer was gone before its options could be set
        }
      }
    };
    accept();
    return Promise.resolve({
      address: formatAddress(listener.addr as Deno.NetAddr),
      close: () => {
        try {
          listener.close();
        } catch {
          // Closing twice is allowed.
        }
      },
    });
  }

  async dial(address: Address, timeoutMs: number): Promise<Connection> {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return new DenoConnection(await Deno.connect({ ...parsed(address), signal }));
    } catch (cause) {
      const reason = signal.aborted
        ? `no answer within ${timeoutMs} ms`
        : cause instanceof Error
        ? cause.message
        : String(cause);
      throw new Error(`Cannot reach ${address}: ${reason}`, { cause });
    }
  }
}
