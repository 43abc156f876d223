// `kv backup`: copies of all partitions into one file, and what changed in each from its copy on until the
// backup ends. Owns the order of that work and how it goes on after an interruption; must never call a file
// finished that misses a partition.

import {
  BACKUP_FORMAT_VERSION,
  BlockType,
  type Changes,
  type CopyBegin,
  decodeBegin,
  encodeDocument,
  type FileHeader,
  writeChanges,
} from "../../backup/mod.ts";
import { BytesWriter, CodecError } from "../../base/codec.ts";
import type { Context } from "../context.ts";
import { EXIT, Exit, messageOf } from "../exit.ts";
import { grouped, sizeText } from "../format.ts";
import { Progress } from "../progress.ts";
import { BackupWriter, scanBackup } from "./file.ts";
import { BackupSource, GoneError, type SourceMap } from "./source.ts";
import type { PartitionState } from "./state.ts";

export interface BackupOptions {
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly changes: boolean;
  /** Milliseconds, or until it is interrupted. */
  readonly follow?: number | true;
  readonly parallel: number;
}

/** Between two looks at the changes: a history holds many times what comes in meanwhile. */
const POLL_INTERVAL_MS = 250;
const POLLS_AT_ONCE = 8;
/** Attempts in a row that brought nothing. */
const FAILURES_MAX = 8;
/** Attempts in a row to go on with a copy before it is made anew, on another node perhaps. */
const CONTINUATIONS_MAX = 2;
const PAUSE_MS_MIN = 200;
const PAUSE_MS_MAX = 5000;

function fileSize(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

/** The file to write to: new, or as far as it goes. Throws Exit. */
function openWriter(context: Context, path: string, options: BackupOptions): BackupWriter {
  const size = fileSize(path);
  if (!options.resume) {
    if (size !== undefined && !options.force) {
      throw new Exit(
        EXIT.conflict,
        `${path} exists: go on with --resume, or replace it with --force`,
      );
    }
    return BackupWriter.create(path);
  }
  if (size === undefined) {
    throw new Exit(EXIT.error, `There is nothing to resume: ${path} does not exist`);
  }
  const scan = scanBackup(path);
  if (scan.state.trailer !== undefined) throw new Exit(EXIT.conflict, `${path} is finished`);
  if (scan.damage !== undefined) {
    context.note(
      `kv: ${scan.damage}; ${sizeText(size - scan.endBytes)} are cut off and copied again`,
    );
  }
  return BackupWriter.resume(path, scan);
}

export async function backup(
  context: Context,
  path: string,
  options: BackupOptions,
): Promise<void> {
  const source = new BackupSource(context);
  const map = await source.map();
  using writer = openWriter(context, path, options);
  begin(writer, map);
  const run = new BackupRun(context, source, writer, options, map.keys);
  try {
    await run.run();
  } catch (error) {
    writer.sync();
    const reason = context.interrupted.aborted ? "interrupted" : messageOf(error);
    const code = error instanceof Exit ? error.code : EXIT.unavailable;
    throw new Exit(
      context.interrupted.aborted ? EXIT.error : code,
      `${reason}\nThe backup is not finished; go on with --resume`,
    );
  }
  report(context, path, writer);
}

/** The header, or that the file is of this cluster. */
function begin(writer: BackupWriter, map: SourceMap): void {
  if (!writer.state.isEmpty) {
    const { clusterId } = writer.state.header;
    if (clusterId === map.clusterId) return;
    throw new Exit(EXIT.conflict, `The file is of cluster ${clusterId}, this is ${map.clusterId}`);
  }
  const header: FileHeader = {
    formatVersion: BACKUP_FORMAT_VERSION,
    clusterId: map.clusterId,
    version: map.version,
    createdMs: Date.now(),
    partitions: map.partitions.map(({ partition, slots }) => ({ partition, slots })),
  };
  writer.append(BlockType.Header, 0, 0, encodeDocument(header));
}

function report(context: Context, path: string, { state, sizeBytes }: BackupWriter): void {
  const { trailer } = state;
  if (trailer === undefined) return;
  if (context.form() === "json") {
    const { partitions, content, sha256 } = trailer;
    return context.print(JSON.stringify({ file: path, sizeBytes, partitions, content, sha256 }));
  }
  const { lasting, expiring } = trailer.content;
  const changes = [...state.partitions.values()].reduce((sum, one) => sum + one.changes, 0);
  context.print(
    `${path}: ${grouped(lasting.count + expiring.count)} keys in ${trailer.partitions.length} ` +
      `partitions, ${grouped(changes)} changes since, ${sizeText(sizeBytes)}`,
  );
  context.print(`content ${lasting.hash}, ${grouped(expiring.count)} keys expire`);
}

class BackupRun {
  readonly #context: Context;
  readonly #source: BackupSource;
  readonly #writer: BackupWriter;
  readonly #options: BackupOptions;
  readonly #progress: Progress;
  readonly #stopped = Promise.withResolvers<void>();
  /** Resolves when the user wants an end. */
  readonly #interrupted: Promise<void>;
  #stopping = false;
  #keys: number;

  constructor(
    context: Context,
    source: BackupSource,
    writer: BackupWriter,
    options: BackupOptions,
    keys: number | undefined,
  ) {
    this.#context = context;
    this.#source = source;
    this.#writer = writer;
    this.#options = options;
    const { interrupted } = context;
    this.#interrupted = new Promise((resolve) => {
      if (interrupted.aborted) resolve();
      else interrupted.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#keys = writer.state.keyCount();
    this.#progress = new Progress(context.io.err, "backed up", keys);
  }

  async run(): Promise<void> {
    const { follow, changes } = this.#options;
    const following = changes ? this.#poll() : Promise.resolve();
    // It is awaited below; a failure must not count as nobody's in the meantime.
    following.catch(() => {});
    try {
      await this.#copyAll();
      this.#writer.sync();
      if (follow !== undefined && changes) await this.#follow(follow);
      this.#stop();
      await following;
      if (changes && !this.#context.interrupted.aborted) await this.#readToNow();
      this.#progress.finish();
      this.#writer.finish(Date.now());
    } finally {
      this.#stop();
      this.#progress.clear();
      await following.catch(() => {});
    }
  }

  #stop(): void {
    this.#stopping = true;
    this.#stopped.resolve();
  }

  #sleep(durationMs: number, until: Promise<void> = this.#interrupted): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, durationMs);
    until.then(resolve);
    return promise.finally(() => clearTimeout(timer));
  }

  /** Until the user has had enough, or for so long. */
  async #follow(follow: number | true): Promise<void> {
    this.#progress.clear();
    this.#context.note("kv: all partitions are copied; recording changes. Ctrl-C ends the backup");
    if (follow === true) await this.#interrupted;
    else await this.#sleep(follow);
  }

  // ------------------------------------------------------------------------------------------- copies

  async #copyAll(): Promise<void> {
    const waiting = this.#writer.state.missing();
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await this.#copy(next);
      }
    };
    const workers = Array.from({ length: this.#options.parallel }, work);
    try {
      await Promise.all(workers);
    } catch (error) {
      waiting.length = 0;
      await Promise.allSettled(workers);
      throw error;
    }
  }

  #isWhole(partition: number): boolean {
    return this.#writer.state.partitions.get(partition)?.end !== undefined;
  }

  /** Copies a partition, as often as it takes while there is progress. */
  async #copy(partition: number): Promise<void> {
    let mayContinue = true;
    for (let failures = 0; !this.#isWhole(partition);) {
      const before = this.#writer.sizeBytes;
      try {
        await this.#attempt(partition, mayContinue);
        mayContinue = true;
      } catch (error) {
        if (this.#context.interrupted.aborted) throw error;
        const begunAnew = error instanceof GoneError || error instanceof CodecError;
        if (!begunAnew && !passes(error)) throw error;
        // A node that is gone takes its copy with it.
        mayContinue = !begunAnew && failures < CONTINUATIONS_MAX;
        failures = this.#writer.sizeBytes > before ? 0 : failures + 1;
        if (failures >= FAILURES_MAX) throw error;
        this.#progress.clear();
        this.#context.note(`kv: partition ${partition}: ${messageOf(error)}; trying again`);
        await this.#sleep(Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** failures));
        await this.#source.map().catch(() => {});
      }
    }
    this.#writer.sync();
  }

  /** One stream of a partition's copy: goes on with the last one, or begins anew. */
  async #attempt(partition: number, mayContinue: boolean): Promise<void> {
    const { partitions } = this.#writer.state;
    const old = mayContinue ? partitions.get(partition) : undefined;
    const from = old && { url: old.begin.url, copy: old.begin.copy, after: old.lastKey };
    const run = old?.run ?? (partitions.get(partition)?.run ?? 0) + 1;
    for await (const { block, url } of this.#source.copy(partition, { want: "records", from })) {
      if (block.type === BlockType.Begin) {
        const begin = decodeBegin(block.payload);
        if (old !== undefined) checkContinued(old, begin);
        else {
          const own: CopyBegin = { ...begin, wallMs: Date.now(), url };
          this.#keys -= partitions.get(partition)?.records ?? 0;
          this.#writer.append(BlockType.Begin, partition, run, encodeDocument(own));
        }
        continue;
      }
      const records = () => partitions.get(partition)?.records ?? 0;
      const before = records();
      this.#writer.append(block.type, partition, run, block.payload);
      this.#keys += records() - before;
      this.#progress.update(this.#keys);
    }
  }

  // ------------------------------------------------------------------------------------------ changes

  async #poll(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#readAll(false);
      } catch (error) {
        // The next look finds what this one missed, while the history goes back so far.
        if (!passes(error)) throw error;
      }
      await this.#sleep(POLL_INTERVAL_MS, this.#stopped.promise);
    }
  }

  /** Everything up to now, of every partition: after it all copies can be brought to about one moment. */
  async #readToNow(): Promise<void> {
    for (let failures = 0;; failures++) {
      try {
        return await this.#readAll(true);
      } catch (error) {
        if (failures + 1 >= FAILURES_MAX || this.#context.interrupted.aborted) throw error;
        await this.#sleep(PAUSE_MS_MIN * 2 ** failures);
        await this.#source.map().catch(() => {});
      }
    }
  }

  async #readAll(isLast: boolean): Promise<void> {
    const waiting = [...this.#writer.state.partitions.keys()];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await this.#read(next, isLast);
      }
    };
    await Promise.all(Array.from({ length: POLLS_AT_ONCE }, work));
  }

  /** Reads a partition's changes on, to the end. */
  async #read(partition: number, isLast: boolean): Promise<void> {
    const { partitions } = this.#writer.state;
    for (;;) {
      const state = partitions.get(partition);
      if (state === undefined || state.gone !== undefined) return;
      let changes: Changes;
      try {
        changes = await this.#source.changes(partition, state.changesTo);
      } catch (error) {
        if (!(error instanceof GoneError)) throw error;
        if (partitions.get(partition) === state) this.#endChanges(state, error.message);
        return;
      }
      // The copy may have begun anew meanwhile, and its changes with it.
      if (partitions.get(partition) !== state) return;
      const isNews = changes.events.length > 0;
      if (isNews || isLast) this.#appendChanges(state, changes);
      if (!isNews) return;
    }
  }

  #appendChanges({ begin: { partition }, run }: PartitionState, changes: Changes): void {
    const writer = new BytesWriter(64 * 1024);
    writeChanges(writer, { ...changes, wallMs: Date.now() });
    this.#writer.append(BlockType.Changes, partition, run, writer.take());
  }

  #endChanges({ begin: { partition }, run }: PartitionState, reason: string): void {
    this.#writer.append(BlockType.ChangesGone, partition, run, encodeDocument({ reason }));
    this.#progress.clear();
    this.#context.note(
      `kv: partition ${partition} changed faster than it could be followed; its copy is whole, ` +
        "its changes end here",
    );
  }
}

/** A node or a connection that fails, as fetch tells of it: another attempt may do better. */
function passes(error: unknown): boolean {
  return error instanceof TypeError || error instanceof DOMException ||
    error instanceof Exit && error.code === EXIT.unavailable;
}

function checkContinued(old: PartitionState, begin: CopyBegin): void {
  const { applied, copy } = old.begin;
  if (begin.applied === applied && begin.copy === copy) return;
  throw new GoneError(`The copy went on as another one: index ${begin.applied}, not ${applied}`);
}
