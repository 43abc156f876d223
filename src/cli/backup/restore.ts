// `kv restore`: the state of a backup at a moment into a cluster, whatever its shape. Every block is checked
// before the first key is set. What is set twice is the same, so that a restore may be gone on with, or
// done again.

import { BlockType, type Content, decodeChanges, decodeRecords } from "../../backup/mod.ts";
import { bytesFromLatin1 } from "../../base/bytes.ts";
import type { BatchOperation, Kv } from "../../client/mod.ts";
import type { RecordView, WatchEvent } from "../../store/types.ts";
import { plainLength, plainValue } from "../../store/value.ts";
import type { Context } from "../context.ts";
import { EXIT, Exit } from "../exit.ts";
import { grouped, textOf } from "../format.ts";
import { Progress } from "../progress.ts";
import { readBlocks } from "./file.ts";
import type { Moment, PartitionMoment } from "./moment.ts";
import { BackupSource } from "./source.ts";
import { belongs, contentOf, isLive, openWanted, type WantedState } from "./wanted.ts";

export interface RestoreOptions {
  readonly at: Moment;
  /** As it was typed, for telling two restores apart. */
  readonly atText: string;
  readonly merge?: boolean;
  readonly resume?: boolean;
  readonly unfinished?: boolean;
  readonly check: boolean;
}

/** Operations of one request, and what is on its way at once. */
const BATCH_SIZE = 250;
const BATCHES_IN_FLIGHT = 16;
const WINDOW_SIZE_BYTES = 8 * 1024 * 1024;
/** A cluster that is being filled may take longer for an answer than one at rest. */
const TIMEOUT_MS_MIN = 60_000;

type Phase = "records" | "changes";

/** How far a restore has come: everything before it is in the cluster. */
interface RestoreState {
  readonly clusterId: string;
  readonly at: string;
  readonly fileBytes: number;
  readonly wasEmpty: boolean;
  readonly phase: Phase;
  readonly endBytes: number;
  readonly sequence: number;
  readonly count: number;
}

function readState(file: string): RestoreState {
  try {
    return JSON.parse(Deno.readTextFileSync(file));
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Exit(EXIT.error, `There is nothing to resume: ${file} does not exist`);
  }
}

/** Takes the place of the old state at once, so that a crash leaves one of the two. */
function writeState(file: string, state: RestoreState): void {
  Deno.writeTextFileSync(`${file}.tmp`, JSON.stringify(state));
  Deno.renameSync(`${file}.tmp`, file);
}

export async function restore(
  context: Context,
  path: string,
  options: RestoreOptions,
): Promise<void> {
  const wanted = openWanted(path, options.at, options.unfinished ?? false);
  const source = new BackupSource(context);
  const { clusterId } = await source.map();
  const stateFile = `${path}.restored`;
  const kv = await context.kv();
  const start = options.resume
    ? resumed(readState(stateFile), { clusterId, wanted, options })
    : await fresh(context, kv, { clusterId, wanted, options });
  const run = new RestoreRun(context, kv, wanted, stateFile, start);
  await run.run();
  const isExact = start.wasEmpty && options.check;
  const content = contentOf(wanted);
  if (isExact) await checkContent(context, source, content);
  Deno.removeSync(stateFile);
  report(context, content, isExact);
}

interface Given {
  readonly clusterId: string;
  readonly wanted: WantedState;
  readonly options: RestoreOptions;
}

function resumed(state: RestoreState, { clusterId, wanted, options }: Given): RestoreState {
  if (state.clusterId !== clusterId) {
    throw new Exit(EXIT.conflict, `That restore was into cluster ${state.clusterId}: not this one`);
  }
  if (state.at !== options.atText || state.fileBytes !== wanted.endBytes) {
    throw new Exit(EXIT.conflict, `That restore was of another moment or file: --at ${state.at}`);
  }
  return state;
}

async function fresh(
  context: Context,
  kv: Kv,
  { clusterId, wanted, options }: Given,
): Promise<RestoreState> {
  const count = await kv.count({}, { signal: context.interrupted });
  if (count > 0 && !options.merge) {
    throw new Exit(
      EXIT.conflict,
      `The cluster holds ${grouped(count)} keys; --merge restores among them`,
    );
  }
  return {
    clusterId,
    at: options.atText,
    fileBytes: wanted.endBytes,
    wasEmpty: count === 0,
    phase: "records",
    endBytes: 0,
    sequence: 0,
    count: 0,
  };
}

/** Keys that never expire must be there to the byte; others may have gone by themselves meanwhile. */
async function checkContent(
  context: Context,
  source: BackupSource,
  { lasting, expiring }: Content,
): Promise<void> {
  const found = await source.content();
  const isSame = found.lasting.hash === lasting.hash && found.lasting.count === lasting.count &&
    found.expiring.count <= expiring.count;
  if (isSame) return;
  context.note(`kv: backup ${JSON.stringify({ lasting, expiring })}`);
  context.note(`kv: cluster ${JSON.stringify(found)}`);
  throw new Exit(
    EXIT.error,
    "The cluster does not hold what was restored: somebody else writes to it, or something is wrong",
  );
}

function report(context: Context, content: Content, isExact: boolean): void {
  const { lasting, expiring } = content;
  if (context.form() === "json") {
    return context.print(JSON.stringify({ content, checked: isExact }));
  }
  context.print(
    `restored ${grouped(lasting.count + expiring.count)} keys` +
      (isExact ? `; the cluster's content is ${lasting.hash}, as the backup's` : ""),
  );
}

class RestoreRun {
  readonly #context: Context;
  readonly #kv: Kv;
  readonly #wanted: WantedState;
  readonly #stateFile: string;
  readonly #progress: Progress;
  #state: RestoreState;
  /** The last wanted state of each key in the window, so that no two operations on its way meet. */
  #window = new Map<string, BatchOperation>();
  #windowBytes = 0;

  constructor(
    context: Context,
    kv: Kv,
    wanted: WantedState,
    stateFile: string,
    start: RestoreState,
  ) {
    this.#context = context;
    this.#kv = kv;
    this.#wanted = wanted;
    this.#stateFile = stateFile;
    this.#state = start;
    this.#progress = new Progress(context.io.err, "restored", wanted.endBytes);
  }

  async run(): Promise<void> {
    writeState(this.#stateFile, this.#state);
    try {
      if (this.#state.phase === "records") {
        await this.#pass("records");
        this.#state = { ...this.#state, phase: "changes", endBytes: 0, sequence: 0 };
      }
      if (this.#wanted.hasChanges) await this.#pass("changes");
      this.#progress.finish();
    } catch (error) {
      this.#progress.clear();
      this.#context.note("kv: cut off; go on with --resume");
      throw error;
    }
  }

  /** From where the state says to the end of the file. */
  async #pass(phase: Phase): Promise<void> {
    const { state, moments, path, endBytes: fileBytes } = this.#wanted;
    const { endBytes: start, sequence } = this.#state;
    for (const { block, endBytes } of readBlocks(path, start, sequence)) {
      if (state.isCurrent(block)) {
        const moment = moments.get(block.partition)!;
        if (phase === "records" && block.type === BlockType.Records) {
          for (const record of decodeRecords(block.payload)) this.#addRecord(record, moment);
        } else if (phase === "changes" && block.type === BlockType.Changes) {
          for (const event of decodeChanges(block.payload).events) this.#addChange(event, moment);
        }
      }
      const isFull = this.#window.size >= BATCH_SIZE * BATCHES_IN_FLIGHT ||
        this.#windowBytes >= WINDOW_SIZE_BYTES;
      const isLast = endBytes >= fileBytes;
      if (isFull || isLast) await this.#flush(endBytes, block.sequence + 1);
      if (isLast) return;
    }
  }

  #addRecord(record: RecordView, moment: PartitionMoment): void {
    if (isLive(record, moment.timeMs)) this.#put(record, moment);
  }

  #addChange(event: WatchEvent, moment: PartitionMoment): void {
    if (!belongs(event, moment)) return;
    const { kind, key, value = "", contentType = "", expiresAtMs } = event;
    if (kind === "put" && isLive({ expiresAtMs }, moment.timeMs)) {
      return this.#put({ key, value, contentType, expiresAtMs }, moment);
    }
    this.#window.set(key, { op: "delete", key: bytesFromLatin1(key) });
  }

  #put(
    { key, value, contentType, expiresAtMs }: Omit<RecordView, "revision" | "createRevision">,
    { timeMs }: PartitionMoment,
  ): void {
    const bytes = bytesFromLatin1(plainValue(value));
    this.#windowBytes += plainLength(value);
    this.#window.set(key, {
      op: "put",
      key: bytesFromLatin1(key),
      // Text travels as it is; base64 would take a third more.
      value: textOf(bytes) ?? bytes,
      contentType,
      ttlMs: expiresAtMs === undefined ? undefined : expiresAtMs - timeMs,
    });
  }

  /** Sets what has gathered; everything before `endBytes` is in the cluster then. */
  async #flush(endBytes: number, sequence: number): Promise<void> {
    const operations = [...this.#window.values()];
    this.#window = new Map();
    this.#windowBytes = 0;
    const signal = this.#context.interrupted;
    const timeoutMs = Math.max(this.#context.timeoutMs, TIMEOUT_MS_MIN);
    const batches = [];
    for (let i = 0; i < operations.length; i += BATCH_SIZE) {
      batches.push(this.#kv.batch(operations.slice(i, i + BATCH_SIZE), { signal, timeoutMs }));
    }
    for (const result of (await Promise.all(batches)).flat()) {
      if (result.op === "error") throw result.error;
    }
    signal.throwIfAborted();
    const count = this.#state.count + operations.length;
    this.#state = { ...this.#state, endBytes, sequence, count };
    writeState(this.#stateFile, this.#state);
    this.#progress.update(count, endBytes);
  }
}
