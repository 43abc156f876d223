// Starts one node: flags -> configuration -> runNode. Ends on a signal, or when its lifeline closes.

import { parseArgs } from "node:util";
import { type AccessPolicy, TokenTable } from "./http/access/mod.ts";
import { createDenoPlatform, type TlsSource, usableTls, watchFiles } from "./platform/deno/mod.ts";
import { DiskError, type Log, type LogLevel, type Platform } from "./platform/ports.ts";
import {
  COMPRESSION_THRESHOLD_BYTES,
  SNAPSHOT_LOG_BYTES,
  VALUE_SIZE_BYTES_MAX_DEFAULT,
  VALUE_SIZE_BYTES_MAX_HARD,
} from "./base/limits.ts";
import { isAddress, isLabel, type NodeConfig, PONTOON_VERSION } from "./node/config.ts";
import { runNode } from "./node/run.ts";

const HELP = `pontoon node ${PONTOON_VERSION}: one node of a Pontoon cluster

Usage: deno task node --name NAME --data DIR [options]

Identity and addresses
  --name NAME               name of this node in the cluster (1..64 of A-Z a-z 0-9 _ . -,
                            a letter or digit first)
  --data DIR                data directory; one node each
  --http HOST:PORT          HTTP API                               [127.0.0.1:7001]
  --peer HOST:PORT          peer links                             [127.0.0.1:8001]
  --advertise-http H:P      what clients and redirects are told    [--http]
  --advertise-peer H:P      what other nodes are told              [--peer]
  --host LABEL              machine: replicas of a partition avoid sharing one
  --zone LABEL              failure domain: replicas spread over zones
  --weight N                share of replicas relative to others   [1]

Cluster
  --initial LIST            n1=HOST:PORT,n2=HOST:PORT,…: the first nodes, peer addresses, the same
                            list on each of them. Without --initial and --join: a cluster of one
  --join HOST:PORT,…        join a running cluster by any members' peer addresses
  --partitions N            data partitions of a new cluster       [8]
  --replicas N              copies of each partition               [3]
  --dead-after-ms MS        a node silent for so long is replaced  [300000]
  --slow-ms MS              log requests that take so long; 0: none [500]
  --secret-file FILE        shared secret of the cluster's peer links

Access (src/SECURITY.md); only loopback addresses need none of it
  --token-file FILE         tokens that clients must present; read again when it changes
  --cert FILE --key FILE    TLS for the HTTP API; read again when they change
  --ca FILE                 with --cert: mutual TLS on the peer links, trusting this CA
  --allow-host NAME         another name that clients may use for this node; may be repeated
  --cors-origin ORIGIN      web pages of this origin may use the API; may be repeated
  --insecure                serve other machines without tokens, peer secret or TLS

Limits and behaviour
  --value-size-max BYTES    largest value                          [${VALUE_SIZE_BYTES_MAX_DEFAULT}]
  --compression KIND        off, or zstd: how longer values are kept [zstd]
  --compression-threshold N values from so many bytes on           [${COMPRESSION_THRESHOLD_BYTES}]
  --compression-level N     1 to 19; higher is smaller and slower  [1]
  --snapshot-log-bytes N    log of one partition before a snapshot [${SNAPSHOT_LOG_BYTES}]
  --request-timeout-ms MS   how long a request waits by default    [5000]
  --log-level LEVEL         debug, info, warn, error               [info]
  --lifeline stdin          end when standard input closes
  --dial-override LIST      n2=HOST:PORT,…: dial there instead of the peer's address (proxies);
                            names as in --initial, or the addresses of later members
  --help

Exit codes: 0 stopped, 64 wrong options, 69 an address is taken, 70 ended itself because going on was
unsafe (start it again), 73 the data directory is locked or can't be used.
`;

const EXIT_USAGE = 64;
const EXIT_UNAVAILABLE = 69;
const EXIT_DATA = 73;

class UsageError extends Error {}

const LABEL_RULE = "1..64 of A-Z a-z 0-9 _ . -, a letter or digit first";

/** A name or label that the genesis record and the map take. */
function label(text: string | undefined, flag: string): string {
  if (text !== undefined && isLabel(text)) return text;
  throw new UsageError(`${flag} takes ${LABEL_RULE}: got ${text || "nothing"}`);
}

function labelIfGiven(text: string | undefined, flag: string): string | undefined {
  return text === undefined ? undefined : label(text, flag);
}

/** `host:port` as the genesis record and the map take it: others are told it, so port 0 names nothing. */
function address(text: string, flag: string): string {
  if (isAddress(text)) return text;
  throw new UsageError(`${flag} takes host:port: got ${text || "nothing"}`);
}

function addressIfGiven(text: string | undefined, flag: string): string | undefined {
  return text === undefined ? undefined : address(text, flag);
}

/** `name=host:port,…`; no name and no address twice. */
function pairs(text: string | undefined, flag: string): [string, string][] {
  if (text === undefined || text === "") return [];
  const list = text.split(",").map((part): [string, string] => {
    const [name, value, ...rest] = part.split("=");
    if (!name || !value || rest.length > 0 || !isAddress(value)) {
      throw new UsageError(`${flag} takes name=host:port,…: got ${part}`);
    }
    return [name, value];
  });
  for (const column of [0, 1]) {
    const seen = new Set(list.map((pair) => pair[column]));
    if (seen.size < list.length) throw new UsageError(`${flag} names something twice: got ${text}`);
  }
  return list;
}

/** The first nodes' names and peer addresses. */
function initialNodes(text: string | undefined): { name: string; peer: string }[] {
  return pairs(text, "--initial").map(([name, peer]) => ({ name: label(name, "--initial"), peer }));
}

function integer(text: string | undefined, flag: string, low: number, high: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < low || value > high) {
    throw new UsageError(`${flag} takes a whole number from ${low} to ${high}: got ${text}`);
  }
  return value;
}

interface Invocation {
  readonly config: NodeConfig;
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  readonly lifeline: boolean;
  readonly security: SecurityFlags;
}

interface SecurityFlags {
  readonly tokenFile: string | undefined;
  /** Certificate, key and, for the peer links, the CA. */
  readonly tlsFiles: readonly string[];
  readonly hosts: readonly string[];
  readonly corsOrigins: readonly string[];
}

function readFlags(args: string[]): Invocation | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    strict: true,
    options: {
      name: text,
      data: text,
      http: { ...text, default: "127.0.0.1:7001" },
      peer: { ...text, default: "127.0.0.1:8001" },
      "advertise-http": text,
      "advertise-peer": text,
      host: text,
      zone: text,
      weight: { ...text, default: "1" },
      initial: text,
      join: text,
      partitions: { ...text, default: "8" },
      replicas: { ...text, default: "3" },
      "snapshot-log-bytes": { ...text, default: String(SNAPSHOT_LOG_BYTES) },
      "dead-after-ms": { ...text, default: "300000" },
      "slow-ms": { ...text, default: "500" },
      compression: { ...text, default: "zstd" },
      "compression-threshold": { ...text, default: String(COMPRESSION_THRESHOLD_BYTES) },
      "compression-level": { ...text, default: "1" },
      "secret-file": text,
      "token-file": text,
      cert: text,
      key: text,
      ca: text,
      "allow-host": { ...text, multiple: true },
      "cors-origin": { ...text, multiple: true },
      insecure: { type: "boolean" },
      "value-size-max": { ...text, default: String(VALUE_SIZE_BYTES_MAX_DEFAULT) },
      "request-timeout-ms": { ...text, default: "5000" },
      "log-level": { ...text, default: "info" },
      lifeline: text,
      "dial-override": text,
      help: { type: "boolean" },
    },
  });
  if (values.help) return undefined;
  const { data } = values;
  const name = label(values.name, "--name");
  if (data === undefined || data === "") throw new UsageError("--data DIR is needed");
  const logLevel = values["log-level"] as LogLevel;
  if (!["debug", "info", "warn", "error"].includes(logLevel)) {
    throw new UsageError(`--log-level takes debug, info, warn or error: got ${logLevel}`);
  }
  if (values.lifeline !== undefined && values.lifeline !== "stdin") {
    throw new UsageError(`--lifeline takes stdin: got ${values.lifeline}`);
  }
  const http = address(values.http, "--http");
  const peer = address(values.peer, "--peer");
  const advertiseHttp = addressIfGiven(values["advertise-http"], "--advertise-http");
  const advertisePeer = addressIfGiven(values["advertise-peer"], "--advertise-peer");
  const join = values.join?.split(",").map((seed) => address(seed, "--join")) ?? [];
  const named = initialNodes(values.initial);
  if (named.length > 0 && !named.some((node) => node.name === name)) {
    throw new UsageError(`--initial must name this node too: ${name} is not in it`);
  }
  if (named.length > 0 && join.length > 0) {
    throw new UsageError("--initial and --join exclude each other");
  }
  const alone = [{ name, peer: advertisePeer ?? peer }];
  const initial = named.length > 0 || join.length > 0 ? named : alone;
  const overrides = pairs(values["dial-override"], "--dial-override").map(([target, address]) => {
    const known = initial.find((node) => node.name === target);
    return [known?.peer ?? target, address] as [string, string];
  });
  const { compression } = values;
  if (compression !== "off" && compression !== "zstd") {
    throw new UsageError(`--compression takes off or zstd: got ${compression}`);
  }
  const thresholdBytes = integer(
    values["compression-threshold"],
    "--compression-threshold",
    1,
    VALUE_SIZE_BYTES_MAX_HARD,
  );
  const level = integer(values["compression-level"], "--compression-level", 1, 19);
  const slowRequestMs = integer(values["slow-ms"], "--slow-ms", 0, 60_000);
  const secretFile = values["secret-file"];
  const { cert, key, ca } = values;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("--cert and --key go together");
  }
  if (ca !== undefined && cert === undefined) throw new UsageError("--ca needs --cert and --key");
  if (!values.insecure) {
    if (!isLoopback(http) && values["token-file"] === undefined) {
      throw new UsageError(
        `--http ${http} can be reached from other machines: give --token-file, or --insecure`,
      );
    }
    if (!isLoopback(peer) && secretFile === undefined && ca === undefined) {
      throw new UsageError(
        `--peer ${peer} can be reached from other machines: give --secret-file or --ca, or ` +
          "--insecure",
      );
    }
  }
  return {
    security: {
      tokenFile: values["token-file"],
      tlsFiles: [cert, key, ca].filter((path) => path !== undefined),
      hosts: [advertiseHttp ?? http, ...values["allow-host"] ?? []],
      corsOrigins: values["cors-origin"] ?? [],
    },
    dataDir: data,
    logLevel,
    lifeline: values.lifeline === "stdin",
    config: {
      name,
      http,
      peer,
      advertiseHttp,
      advertisePeer,
      initial,
      join,
      partitions: integer(values.partitions, "--partitions", 1, 1024),
      replication: integer(values.replicas, "--replicas", 1, 7),
      host: labelIfGiven(values.host, "--host"),
      zone: labelIfGiven(values.zone, "--zone"),
      weight: integer(values.weight, "--weight", 1, 1000),
      secret: secretFile === undefined ? new Uint8Array(0) : readSecret(secretFile),
      valueSizeBytesMax: integer(
        values["value-size-max"],
        "--value-size-max",
        1,
        VALUE_SIZE_BYTES_MAX_HARD,
      ),
      ...(compression === "zstd" ? { compression: { thresholdBytes, level } } : {}),
      dialOverrides: new Map(overrides),
      snapshotLogBytes: integer(
        values["snapshot-log-bytes"],
        "--snapshot-log-bytes",
        1024 * 1024,
        2 ** 40,
      ),
      deadAfterMs: integer(values["dead-after-ms"], "--dead-after-ms", 1000, 86_400_000),
      ...(slowRequestMs === 0 ? {} : { slowRequestMs }),
      requestTimeoutMs: integer(values["request-timeout-ms"], "--request-timeout-ms", 1, 60_000),
    },
  };
}

/** An empty secret would be none at all, unnoticed. */
function readSecret(path: string): Uint8Array<ArrayBuffer> {
  const secret = Deno.readFileSync(path);
  if (secret.length === 0) throw new UsageError(`--secret-file ${path} is empty`);
  return secret;
}

function isLoopback(address: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]):\d+$/.test(address);
}

/** Certificates as they are now; undefined without any. Throws if they can't be used. */
function tlsOf({ tlsFiles }: SecurityFlags, log: () => Log): TlsSource | undefined {
  if (tlsFiles.length === 0) return undefined;
  const tls = watchFiles(tlsFiles, usableTls, (files, reason) => {
    log().log("error", "the certificates can't be used: the old ones stay", { files, reason });
  });
  tls.onChange(() => log().log("info", "certificates replaced", { files: tlsFiles }));
  return tls;
}

/** Throws if the token file can't be used. */
function accessOf({ tokenFile, hosts, corsOrigins }: SecurityFlags, log: Log): AccessPolicy {
  const policy = { hosts, corsOrigins };
  if (tokenFile === undefined) return { ...policy, tokens: () => undefined };
  const tokens = watchFiles([tokenFile], ([text]) => TokenTable.parse(text), (_, reason) => {
    log.log("error", "the token file can't be used: the old tokens stay", { tokenFile, reason });
  });
  tokens.onChange((table) => log.log("info", "tokens replaced", { count: table.size }));
  return { ...policy, tokens: () => tokens.current };
}

function fail(message: string, code: number): never {
  console.error(`pontoon: ${message}`);
  Deno.exit(code);
}

function parse(args: string[]): Invocation {
  try {
    const invocation = readFlags(args);
    if (invocation !== undefined) return invocation;
    console.log(HELP);
    return Deno.exit(0);
  } catch (cause) {
    return fail(`${cause instanceof Error ? cause.message : cause} (--help)`, EXIT_USAGE);
  }
}

/** A token or certificate file that can't be used is a mistake in the call. */
function prepare<T>(body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (cause instanceof DiskError) throw cause;
    return fail(cause instanceof Error ? cause.message : String(cause), EXIT_USAGE);
  }
}

/** Ends when the other end of standard input goes away. */
async function watchLifeline(onEnd: () => void): Promise<void> {
  const buffer = new Uint8Array(64);
  try {
    while (await Deno.stdin.read(buffer) !== null);
  } catch {
    // A broken lifeline is an ended one.
  }
  onEnd();
}

/**
 * Starts a node as the command line `args` says. `adapt` may wrap the platform, for benchmarks and tests
 * that need a disk with other manners.
 */
export async function startNode(
  args: string[],
  adapt: (platform: Platform) => Platform = (platform) => platform,
): Promise<void> {
  const { config, dataDir, logLevel, lifeline, security } = parse(args);
  try {
    const { platform, access } = prepare(() => {
      // The log is there before the files are looked at again.
      const tls = tlsOf(security, () => platform.log);
      const platform = adapt(createDenoPlatform({ dataDir, logLevel, name: config.name, tls }));
      return { platform, access: accessOf(security, platform.log) };
    });
    const node = await runNode(config, platform, access);
    let stopping = false;
    const stop = () => {
      if (stopping) return;
      stopping = true;
      node.stop().then(() => Deno.exit(0));
    };
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, stop);
    }
    if (lifeline) watchLifeline(stop);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof DiskError) fail(message, EXIT_DATA);
    if (/^Cannot (listen|use address)/.test(message)) fail(message, EXIT_UNAVAILABLE);
    fail(message, EXIT_DATA);
  }
}

if (import.meta.main) await startNode(Deno.args);
