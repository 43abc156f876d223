// The ports through which a node touches the world. Production code outside src/platform sees only
// these interfaces; src/platform/deno implements them for real, test/sim under a virtual clock.
// Nothing here may carry a default that reaches for Deno.*, Date, timers or randomness.

/** A pending timer or deferred call. */
export interface TimerHandle {
  /** Idempotent; the callback never runs afterwards. */
  cancel(): void;
}

/** Time. Safety never depends on `wallMs`; durations are always measured with `monotonicMs`. */
export interface Clock {
  /** Milliseconds since an arbitrary origin, never running back, fractions included. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch as this machine believes; may jump either way. */
  wallMs(): number;
  /** Calls `callback` once, no earlier than `delayMs` from now. */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
  /** Calls `callback` after the I/O events that are ready now have been handled (setImmediate). */
  defer(callback: () => void): TimerHandle;
}

/** Randomness. Never used for secrets other than `bytes`, which is cryptographic in production. */
export interface Random {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform integer in [0, bound); `bound` is 1..2^32. */
  int(bound: number): number;
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** What went wrong in a disk call. `other` carries the system's words in the message. */
export type DiskErrorCode = "not-found" | "exists" | "no-space" | "io" | "locked" | "other";

/** Every failing disk call throws or rejects with this. */
export class DiskError extends Error {
  override name = "DiskError";
  readonly code: DiskErrorCode;
  constructor(code: DiskErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * An open file with explicit offsets.
 *
 * *Contract:* what was written is readable at once; it survives a process crash when the call
 * returned, and a power cut only when a later `sync` resolved (plus `Disk.syncDirectory` of the
 * folder for a file newly created or renamed). After a failed `sync` nothing may be assumed of
 * anything unsynced, and the caller must end the process.
 */
export interface DiskFile {
  readonly path: string;
  /** Writes all of `bytes` at `offset`, extending the file if need be. Throws DiskError. */
  writeSync(bytes: Uint8Array, offset: number): void;
  /** Reads up to `into.length` bytes from `offset`; returns the number read, 0 at the end. */
  readSync(into: Uint8Array, offset: number): number;
  /** Like `readSync`, but off the event loop; for bulk work. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Like `writeSync`, but off the event loop; for bulk work. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Makes content and size durable (fdatasync). Off the event loop. */
  sync(): Promise<void>;
  /** `sync`, blocking; for start and stop only. */
  syncSync(): void;
  sizeSync(): number;
  /** Cuts or extends (with zeros) to `sizeBytes`. */
  truncateSync(sizeBytes: number): void;
  close(): void;
}

export interface OpenOptions {
  /** Create if absent. */
  create?: boolean;
  /** With `create`: fail with `exists` if the file is there. */
  exclusive?: boolean;
  /** Cut to zero length on open. */
  truncate?: boolean;
}

/**
 * One data directory. Paths are relative to it, separated by "/"; ".." is refused.
 */
export interface Disk {
  /** Throws DiskError `not-found` if the file is absent and `create` is not set. */
  open(path: string, options?: OpenOptions): DiskFile;
  /** Creates `path` and its parents. No error if it is there. */
  mkdir(path: string): void;
  /** Names (not paths) in a folder, sorted; empty if the folder is absent. "" is the root. */
  list(path: string): string[];
  exists(path: string): boolean;
  /** Atomically replaces `to`. Durable after `syncDirectory` of the folder(s). */
  rename(from: string, to: string): void;
  /** No error if absent. Durable after `syncDirectory`. */
  remove(path: string): void;
  /** Makes creations, renames and removals in folder `path` durable. */
  syncDirectory(path: string): Promise<void>;
  /** `syncDirectory`, blocking; for start and stop only. */
  syncDirectorySync(path: string): void;
  /** Takes the directory's lock for the life of the process; throws DiskError `locked`. */
  lock(): void;
  /** Bytes that can still be written, as the file system says. */
  freeBytes(): number;
}

/** `host:port`; IPv6 hosts in brackets. */
export type Address = string;

/** A reliable ordered byte stream (TCP). */
export interface Connection {
  readonly remote: Address;
  /** Resolves with the number of bytes read, or null at the end; rejects when the link broke. */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves when all of `bytes` was handed to the transport; rejects when the link broke. At most
   * one write may be pending; `bytes` must not be touched until it resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** Idempotent. Pending reads end with null or reject. */
  close(): void;
}

export interface Listener {
  /** The bound address, the real port included when 0 was asked for. */
  readonly address: Address;
  close(): void;
}

export interface Network {
  /** Rejects with an Error naming the address when it can't be bound. */
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener>;
  /** Rejects when the peer can't be reached within `timeoutMs`. */
  dial(address: Address, timeoutMs: number): Promise<Connection>;
}

/** A request handler as Hono's `app.fetch`. */
export type HttpHandler = (request: Request) => Response | Promise<Response>;

export interface HttpListener {
  readonly address: Address;
  /** Stops accepting; resolves when requests in flight are answered or `graceMs` has passed. */
  shutdown(graceMs: number): Promise<void>;
}

export interface HttpServer {
  listen(address: Address, handler: HttpHandler): Promise<HttpListener>;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured log lines. Fields must be plain JSON values. */
export interface Log {
  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void;
  /** A log that adds `fields` to every line. */
  with(fields: Record<string, unknown>): Log;
}

/** Pure cryptography that has to be synchronous. Deterministic, so real in simulation too. */
export interface Digest {
  /** HMAC-SHA-256, 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer>;
  /** SHA-256, 32 bytes. */
  sha256(data: Uint8Array): Uint8Array<ArrayBuffer>;
  /** True iff equal; time depends on the lengths only. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** How a node ends when going on would be unsafe (failed sync, broken invariant). Never returns. */
export interface Process {
  /** Logs `reason` and ends the process (in simulation: the incarnation) at once. */
  fatal(reason: string, cause?: unknown): never;
  /** Gives memory that is not used any more back to the system, if the runtime can; blocks meanwhile. */
  releaseMemory?(): void;
  /** Resident memory of the process, if the runtime can tell. */
  memoryBytes?(): number;
}

/** Everything a node gets from outside. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly network: Network;
  readonly http: HttpServer;
  readonly log: Log;
  readonly digest: Digest;
  readonly process: Process;
}
