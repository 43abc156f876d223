// The Deno implementation of every port, as one Platform. Permissions it needs: --allow-read and
// --allow-write for the data directory, --allow-net for the two addresses and the peers, and
// --allow-sys=statfs for the free space of the disk.

import type { LogLevel, Platform } from "../ports.ts";
import { DenoClock } from "./clock.ts";
import { DenoDisk } from "./disk.ts";
import { DenoHttpServer } from "./http_server.ts";
import { DenoLog } from "./log.ts";
import { DenoNetwork } from "./network.ts";
import { DenoRandom, NodeDigest } from "./random.ts";
import type { TlsSource } from "./tls_material.ts";
import { TlsNetwork } from "./tls_network.ts";

export { parseAddress } from "./network.ts";
export { oneAtATime, type TlsMaterial, type TlsSource, usableTls } from "./tls_material.ts";
export { TlsNetwork } from "./tls_network.ts";
export { watchFiles } from "./watched_file.ts";
export { DenoClock, DenoDisk, DenoHttpServer, DenoLog, DenoNetwork, DenoRandom, NodeDigest };

/** Exit code of a node that ended itself because going on would have been unsafe. */
export const EXIT_FATAL = 70;

export interface DenoPlatformOptions {
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  readonly name: string;
  /** With it the API speaks TLS; with a CA in it the peer links do too, and ask for a certificate. */
  readonly tls?: TlsSource;
}

/** The machine as a {@linkcode Platform}; throws DiskError if `dataDir` can't be created. */
export function createDenoPlatform(options: DenoPlatformOptions): Platform {
  const log = new DenoLog(options.logLevel, { node: options.name });
  const { tls } = options;
  return {
    clock: new DenoClock(),
    random: new DenoRandom(),
    disk: new DenoDisk(options.dataDir),
    network: tls?.current.ca === undefined ? new DenoNetwork() : new TlsNetwork(tls, log),
    http: new DenoHttpServer(tls),
    log,
    digest: new NodeDigest(),
    process: {
      fatal: (reason, cause) => {
        const error = cause instanceof Error ? cause.stack ?? cause.message : cause;
        log.log("error", `fatal: ${reason}`, error === undefined ? undefined : { error });
        Deno.exit(EXIT_FATAL);
      },
      memoryBytes: () => Deno.memoryUsage().rss,
      // There with --v8-flags=--expose-gc only, which `deno task node` gives.
      releaseMemory: () =>
        (globalThis as { gc?: (options: object) => void }).gc?.({
          type: "major",
          flavor: "last-resort",
        }),
    },
  };
}
