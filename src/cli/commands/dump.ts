// `export` and `import`: a cluster's data as lines of JSON, to the byte, with content types and times to
// live; both go on where they were cut off.

import type { Command } from "commander";
import type { BatchOperation, Entry, Kv } from "../../client/mod.ts";
import type { Context } from "../context.ts";
import { EXIT, Exit, usage } from "../exit.ts";
import { bytesOfBase64, entryDocument } from "../format.ts";
import { linesOf } from "../io.ts";
import { addRangeOptions } from "../options.ts";
import type { Run } from "../program.ts";
import { Progress } from "../progress.ts";
import { type RangeOptions, selectorOf } from "./read.ts";

const PAGE_SIZE = 2000;
/** Keys in one request of an import, and requests on the way at once. */
const BATCH_SIZE = 200;
const BATCHES_IN_FLIGHT = 8;

export function addDumpCommands(program: Command, run: Run): void {
  const exporting = program.command("export").argument("[file]", '"-" is standard output', "-")
    .summary("write keys and values to a file")
    .description("Writes keys and values as lines of JSON, in key order.");
  addRangeOptions(exporting);
  exporting.option("--resume", "go on where an export to this file was cut off")
    .addHelpText(
      "after",
      `
Each line holds a key, its value as text or base64, content type, revision and time left to live; the last
line says {"done":true}. Each page of it is linearizable, the whole is no snapshot. What is needed to
resume stands in FILE.resume until the export is done.

  kv export backup.ndjson
  kv export --prefix user/ - | gzip > users.gz`,
    )
    .action(run(exportKeys));
  program.command("import").argument("[file]", '"-" is standard input', "-")
    .summary("read keys and values from a file")
    .description("Sets every key of an export. What is there already is replaced.")
    .option("--if-absent", "leave keys alone that exist")
    .option("--resume", "go on where an import of this file was cut off")
    .addHelpText(
      "after",
      `
Keys live as long as they had left when they were exported. Doing it twice changes nothing but revisions.
What is needed to resume stands in FILE.imported until the import is done.

  kv import backup.ndjson
  gunzip -c users.gz | kv import`,
    )
    .action(run(importKeys));
}

/** Where an export was cut off. */
interface ExportState {
  readonly cursor: string;
  readonly count: number;
  readonly sizeBytes: number;
  readonly selector: RangeOptions;
}

function readState<T>(file: string): T | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(file)) as T;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

/** Takes the place of the old state at once, so that a crash leaves one of the two. */
function writeState(file: string, state: unknown): void {
  Deno.writeTextFileSync(`${file}.tmp`, JSON.stringify(state));
  Deno.renameSync(`${file}.tmp`, file);
}

function removeState(file: string): void {
  try {
    Deno.removeSync(file);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}

interface ExportOptions extends RangeOptions {
  readonly resume?: boolean;
}

async function exportKeys(
  context: Context,
  [file]: string[],
  options: ExportOptions,
): Promise<void> {
  const toFile = file !== "-";
  if (options.resume && !toFile) throw usage("--resume needs a file");
  const stateFile = `${file}.resume`;
  const { prefix, start, end } = options;
  const selector = { prefix, start, end };
  const state = options.resume ? readState<ExportState>(stateFile) : undefined;
  if (options.resume && state === undefined) {
    throw new Exit(EXIT.error, `There is nothing to resume: ${stateFile} does not exist`);
  }
  if (state !== undefined && JSON.stringify(state.selector) !== JSON.stringify(selector)) {
    throw usage(`${file} was begun with other keys: ${JSON.stringify(state.selector)}`);
  }
  const kv = await context.kv();
  const total = await kv.count(selectorOf(context, options), { signal: context.interrupted });
  using output = toFile ? openOutput(file, state) : undefined;
  const write = (text: string) =>
    output === undefined ? context.io.out.write(text) : output.write(text);
  const progress = new Progress(context.io.err, "exported", total);
  const list = kv.list(selectorOf(context, options), {
    json: "text",
    pageSize: PAGE_SIZE,
    cursor: state?.cursor,
    signal: context.interrupted,
  });
  let count = state?.count ?? 0;
  try {
    for await (const { entries, cursor } of list.pages()) {
      write(entries.map((entry) => `${JSON.stringify(entryDocument(entry))}\n`).join(""));
      count += entries.length;
      if (output !== undefined && cursor !== null) {
        output.sync();
        writeState(stateFile, { cursor, count, sizeBytes: output.sizeBytes, selector });
      }
      progress.update(count);
    }
  } catch (error) {
    progress.clear();
    if (toFile) context.note("kv: cut off; go on with --resume");
    throw error;
  }
  write(`${JSON.stringify({ done: true, count, watchCursor: list.watchCursor })}\n`);
  output?.sync();
  if (toFile) removeState(stateFile);
  progress.finish();
}

/** A file that is written from its beginning, or from where `state` says. */
function openOutput(file: string, state: ExportState | undefined) {
  const handle = Deno.openSync(file, { write: true, create: true });
  let { sizeBytes } = state ?? { sizeBytes: 0 };
  handle.truncateSync(sizeBytes);
  handle.seekSync(sizeBytes, Deno.SeekMode.Start);
  const encoder = new TextEncoder();
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    write(text: string) {
      const bytes = encoder.encode(text);
      for (let written = 0; written < bytes.length;) {
        written += handle.writeSync(bytes.subarray(written));
      }
      sizeBytes += bytes.length;
    },
    sync: () => handle.syncDataSync(),
    [Symbol.dispose]: () => handle.close(),
  };
}

/** How far an import has come: everything before it is in the cluster. */
interface ImportState {
  readonly endBytes: number;
  readonly count: number;
}

interface ImportOptions {
  readonly ifAbsent?: boolean;
  readonly resume?: boolean;
}

interface Line {
  readonly operation: BatchOperation;
  readonly endBytes: number;
}

async function importKeys(
  context: Context,
  [file]: string[],
  options: ImportOptions,
): Promise<void> {
  const fromFile = file !== "-";
  if (options.resume && !fromFile) throw usage("--resume needs a file");
  const stateFile = `${file}.imported`;
  const state = options.resume ? readState<ImportState>(stateFile) : undefined;
  if (options.resume && state === undefined) {
    throw new Exit(EXIT.error, `There is nothing to resume: ${stateFile} does not exist`);
  }
  const size = fromFile ? Deno.statSync(file).size : undefined;
  const offset = state?.endBytes ?? 0;
  const stream = fromFile ? openInput(file, offset) : context.io.stdin();
  const kv = await context.kv();
  const progress = new Progress(context.io.err, "imported", size);
  let count = state?.count ?? 0;
  let skipped = 0;
  let done = false;
  let pending: Line[] = [];
  const flush = async () => {
    if (pending.length === 0) return;
    skipped += await setAll(context, kv, pending);
    count += pending.length;
    const endBytes = pending.at(-1)!.endBytes;
    if (fromFile) writeState(stateFile, { endBytes, count });
    progress.update(count, fromFile ? endBytes : count);
    pending = [];
  };
  let number = 0;
  try {
    for await (const { line, endBytes } of linesOf(stream)) {
      number++;
      if (line.trim() === "") continue;
      const operation = operationOf(line, number, options.ifAbsent ?? false);
      if (operation === undefined) {
        done = true;
        continue;
      }
      pending.push({ operation, endBytes: offset + endBytes });
      if (pending.length >= BATCH_SIZE * BATCHES_IN_FLIGHT) await flush();
    }
    await flush();
  } catch (error) {
    progress.clear();
    if (fromFile && count > 0) context.note("kv: cut off; go on with --resume");
    throw error;
  }
  if (fromFile) removeState(stateFile);
  progress.finish();
  if (skipped > 0) context.note(`${skipped} keys were there already and are as they were`);
  if (!done) context.note("The last line is no end line: if this was an export, it was cut off");
}

function openInput(file: string, offset: number): ReadableStream<Uint8Array> {
  const handle = Deno.openSync(file);
  handle.seekSync(offset, Deno.SeekMode.Start);
  return handle.readable;
}

/** Sets the keys of `lines`; returns how many were there already. Throws the first failure. */
async function setAll(context: Context, kv: Kv, lines: readonly Line[]): Promise<number> {
  const chunks: BatchOperation[][] = [];
  for (let i = 0; i < lines.length; i += BATCH_SIZE) {
    chunks.push(lines.slice(i, i + BATCH_SIZE).map(({ operation }) => operation));
  }
  const signal = context.interrupted;
  const results = await Promise.all(chunks.map((chunk) => kv.batch(chunk, { signal })));
  let skipped = 0;
  for (const result of results.flat()) {
    if (result.op === "error") throw result.error;
    if (result.op === "put" && !result.result.ok) skipped++;
  }
  return skipped;
}

/** A line as an operation; undefined for the end line. Throws Exit. */
function operationOf(line: string, number: number, ifAbsent: boolean): BatchOperation | undefined {
  let document: Partial<Entry<string>> & {
    key64?: string;
    encoding?: string;
    done?: boolean;
  };
  try {
    document = JSON.parse(line);
  } catch {
    throw new Exit(EXIT.error, `Line ${number} is no JSON: is this an export?`);
  }
  const { key, key64, value, encoding, contentType, ttlMs, done } = document;
  if (done === true && key === undefined && key64 === undefined) return undefined;
  const name = key ?? (key64 === undefined ? undefined : bytesOfBase64(key64));
  if (name === undefined || typeof value !== "string") {
    throw new Exit(EXIT.error, `Line ${number} has no key or no value: is this an export?`);
  }
  return {
    op: "put",
    key: name,
    value: encoding === "base64" ? bytesOfBase64(value) : value,
    contentType,
    // A key that was about to expire is set and expires at once.
    ttlMs: ttlMs === undefined ? undefined : Math.max(1, ttlMs),
    ifRevision: ifAbsent ? 0 : undefined,
  };
}
