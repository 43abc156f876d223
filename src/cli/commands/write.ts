// `put`, `del`, `txn`, `batch`: single changes, atomic ones, many independent ones.

import type { Command } from "commander";
import type {
  BatchOperation,
  BatchResult,
  Key,
  Kv,
  TxnDocument,
  TxnOperationResult,
} from "../../client/mod.ts";
import type { Context } from "../context.ts";
import { EXIT, Exit, type ExitCode, exitCodeOf, usage } from "../exit.ts";
import {
  bytesOfBase64,
  entryDocument,
  keyDocument,
  keyText,
  parseDuration,
  tableLines,
  textOf,
  valueText,
} from "../format.ts";
import { linesOf, readAll } from "../io.ts";
import { addRangeOptions, parseCount } from "../options.ts";
import type { Run } from "../program.ts";
import { type RangeOptions, selectorOf } from "./read.ts";

const BATCH_SIZE = 500;

export function addWriteCommands(program: Command, run: Run): void {
  program.command("put").argument("<key>").argument("<value>")
    .summary("set a key")
    .description('Sets a key. A value of "-" is read from standard input, to the byte.')
    .option("--ttl <duration>", "the key expires by itself after this: 30s, 5m, 1.5h, 2d")
    .option(
      "--if-revision <n>",
      "only if the key is at this revision; 0: only if it is absent",
      parseCount,
    )
    .option("--json", "the value is JSON, and is checked")
    .option("--content-type <type>", "what the value is")
    .addHelpText(
      "after",
      `
Exit code 4 if --if-revision does not hold; 6 if nobody can say whether it was done. Text is kept as
text/plain; standard input that is no UTF-8 as application/octet-stream.

  kv put greeting hello
  kv put --json user/7 '{"name":"Ada"}'
  kv put --ttl 30s --if-revision 0 lock/build "$HOSTNAME"
  gzip -c big.log | kv put logs/big -`,
    )
    .action(run(put));
  const del = program.command("del").argument("[keys...]")
    .summary("remove keys")
    .description("Removes keys. Exit code 3 if there was none of them.")
    .option("--if-revision <n>", "only if the (single) key is at this revision", parseCount);
  addRangeOptions(del);
  del.addHelpText(
    "after",
    `
  kv del greeting
  kv del --prefix session/              every key that begins so, batch by batch`,
  ).action(run(remove));
  program.command("txn").argument(
    "[file]",
    'the transaction\'s document; "-" is standard input',
    "-",
  )
    .summary("compare, then do one of two lists of operations, atomically")
    .description("Runs a transaction over keys of one partition: those that share a {tag} do.")
    .addHelpText(
      "after",
      `
The document is that of POST /txn:

  {"if":   [{"key":"{ada}balance","revision":7}],
   "then": [{"op":"put","key":"{ada}balance","json":90},{"op":"put","key":"{ada}last","value":"withdrawal"}],
   "else": [{"op":"get","key":"{ada}balance"}]}

"if" compares revision, createRevision, exists or value, with "op" =, !=, < or >. Operations are get, put,
delete and deleteRange. Exit code 4 if "else" was done.

  echo '{"then":[{"op":"put","key":"a","value":"x"}]}' | kv txn`,
    )
    .action(run(txn));
  program.command("batch").argument("[file]", 'operations, one a line; "-" is standard input', "-")
    .summary("run many independent operations")
    .description("Runs operations, one JSON document a line, each by itself: none undoes another.")
    .addHelpText(
      "after",
      `
  {"op":"get","key":"a"}
  {"op":"put","key":"b","value":"text","ttl":30,"ifRevision":0}
  {"op":"put","key":"c","json":{"any":"JSON"}}
  {"op":"delete","key64":"_w"}

Prints one result a line, in order. The exit code is that of the worst of them.`,
    )
    .action(run(batch));
}

interface PutOptions {
  readonly ttl?: string;
  readonly ifRevision?: number;
  readonly json?: boolean;
  readonly contentType?: string;
}

async function put(context: Context, [name, text]: string[], options: PutOptions): Promise<void> {
  const key = context.key(name);
  const { ttl, ifRevision, json } = options;
  if (json && options.contentType !== undefined) {
    throw usage("--json is a --content-type by itself");
  }
  const contentType = json ? "application/json" : options.contentType;
  let value: string | Uint8Array = text;
  if (text === "-") {
    const bytes = await readAll(context.io);
    value = textOf(bytes) ?? bytes;
  }
  const kv = await context.kv();
  const result = await kv.set(key, value, {
    ifRevision,
    contentType,
    ttlMs: ttl === undefined ? undefined : parseDuration(ttl),
    signal: context.interrupted,
  });
  if (!result.ok) throw conflict(key, result.revision);
  const { revision, created } = result;
  if (context.form() === "json") {
    return context.print(JSON.stringify({ ...keyDocument(key), revision, created }));
  }
  if (context.form() === "raw") return context.print(String(revision));
  context.print(`${created ? "created" : "replaced"} ${keyText(key)} at revision ${revision}`);
}

function conflict(key: Key, revision: number): Exit {
  const words = revision === 0 ? "does not exist" : `is at revision ${revision}`;
  return new Exit(EXIT.conflict, `Nothing was done: ${keyText(key)} ${words}`);
}

interface RemoveOptions extends RangeOptions {
  readonly ifRevision?: number;
}

async function remove(context: Context, names: string[], options: RemoveOptions): Promise<void> {
  const { ifRevision } = options;
  const ranged = options.prefix !== undefined || options.start !== undefined ||
    options.end !== undefined;
  if (ranged === names.length > 0) throw usage("Give either keys, or --prefix, --start, --end");
  if (ifRevision !== undefined && names.length !== 1) throw usage("--if-revision takes one key");
  const kv = await context.kv();
  let deleted = 0;
  if (ranged) deleted = await removeRange(context, kv, options);
  else if (names.length === 1) {
    const key = context.key(names[0]);
    const result = await kv.delete(key, { ifRevision, signal: context.interrupted });
    if (!result.ok) throw conflict(key, result.revision);
    deleted = Number(result.deleted);
  } else deleted = await removeKeys(context, kv, names.map((name) => context.key(name)));
  if (context.form() === "json") context.print(JSON.stringify({ deleted }));
  else if (context.form() === "raw") context.print(String(deleted));
  else context.print(`removed ${deleted} ${deleted === 1 ? "key" : "keys"}`);
  if (deleted === 0 && !ranged) throw new Exit(EXIT.notFound);
}

async function removeRange(context: Context, kv: Kv, options: RangeOptions): Promise<number> {
  let deleted = 0;
  const list = kv.list(selectorOf(context, options), {
    keysOnly: true,
    pageSize: BATCH_SIZE,
    signal: context.interrupted,
  });
  for await (const { entries } of list.pages()) {
    deleted += await removeKeys(context, kv, entries.map(({ key }) => key));
  }
  return deleted;
}

async function removeKeys(context: Context, kv: Kv, keys: readonly Key[]): Promise<number> {
  const operations = keys.map((key) => ({ op: "delete", key }) as const);
  const results = await kv.batch(operations, { signal: context.interrupted });
  let deleted = 0;
  for (const result of results) {
    if (result.op === "error") throw result.error;
    if (result.op === "delete" && result.result.ok && result.result.deleted) deleted++;
  }
  return deleted;
}

/** The bytes of a file, or of standard input for "-". */
async function contentOf(context: Context, file: string): Promise<Uint8Array> {
  return file === "-" ? await readAll(context.io) : await Deno.readFile(file);
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw usage(`${what} is no JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
}

async function txn(context: Context, [file]: string[]): Promise<void> {
  const text = textOf(await contentOf(context, file));
  if (text === undefined) throw usage("The transaction is not UTF-8");
  const document = parseJson(text, "The transaction") as TxnDocument;
  const kv = await context.kv();
  const { succeeded, revision, results } = await kv.txn(document, { signal: context.interrupted });
  if (context.form() === "json") {
    const documents = results.map(txnDocument);
    context.print(JSON.stringify({ succeeded, revision, results: documents }));
  } else {
    const branch = succeeded ? "then" : "else";
    context.print(`${branch} was done at revision ${revision}`);
    const rows = results.map((result) => [result.op, txnText(result)]);
    const columns = [{ title: "OPERATION" }, { title: "RESULT" }];
    if (rows.length > 0) { for (const line of tableLines(columns, rows)) context.print(line); }
  }
  if (!succeeded) throw new Exit(EXIT.conflict);
}

function txnDocument(result: TxnOperationResult): unknown {
  if (result.op !== "get" || !result.entry) return result;
  const { entry, ...rest } = result;
  return { ...rest, entry: entryDocument(entry) };
}

function txnText(result: TxnOperationResult): string {
  switch (result.op) {
    case "get":
      return result.entry
        ? `${valueText(result.entry.value)} (revision ${result.revision})`
        : "absent";
    case "put":
      return result.created ? "created" : "replaced";
    case "delete":
      return result.deleted ? "removed" : "absent";
    case "deleteRange":
      return `removed ${result.deletedCount}`;
  }
}

/** A line of `batch`, as POST /batch has it. */
interface OperationLine {
  readonly op?: string;
  readonly key?: string;
  readonly key64?: string;
  readonly value?: string;
  readonly encoding?: string;
  readonly json?: unknown;
  readonly contentType?: string;
  readonly ttl?: number;
  readonly ifRevision?: number;
}

function operationOf(line: string, number: number): BatchOperation {
  const document = parseJson(line, `Line ${number}`) as OperationLine;
  const { op, key, key64, value, encoding, ttl, ifRevision } = document;
  if ((key === undefined) === (key64 === undefined)) {
    throw usage(`Line ${number} needs either key or key64`);
  }
  const name = key ?? bytesOfBase64(key64!);
  if (op === "get") return { op, key: name };
  if (op === "delete") return { op, key: name, ifRevision };
  if (op !== "put") throw usage(`Line ${number}: op is get, put or delete`);
  const hasJson = "json" in document;
  if (hasJson === (value !== undefined)) throw usage(`Line ${number} needs either value or json`);
  const bytes = encoding === "base64" ? bytesOfBase64(value ?? "") : value;
  return {
    op,
    key: name,
    value: hasJson ? JSON.stringify(document.json) : bytes,
    contentType: document.contentType ?? (hasJson ? "application/json" : undefined),
    ttlMs: ttl === undefined ? undefined : ttl * 1000,
    ifRevision,
  };
}

async function batch(context: Context, [file]: string[]): Promise<void> {
  const stream = file === "-" ? context.io.stdin() : (await Deno.open(file)).readable;
  const kv = await context.kv();
  let worst: ExitCode = EXIT.ok;
  let operations: BatchOperation[] = [];
  let number = 0;
  const flush = async () => {
    const results = await kv.batch(operations, { signal: context.interrupted });
    results.forEach((result, i) => {
      worst = Math.max(worst, codeOf(result)) as ExitCode;
      context.print(batchLine(operations[i], result));
    });
    operations = [];
  };
  for await (const { line } of linesOf(stream)) {
    number++;
    if (line.trim() === "") continue;
    operations.push(operationOf(line, number));
    if (operations.length >= BATCH_SIZE) await flush();
  }
  if (operations.length > 0) await flush();
  if (worst !== EXIT.ok) throw new Exit(worst);
}

function codeOf(result: BatchResult): ExitCode {
  if (result.op === "error") return exitCodeOf(result.error);
  if (result.op === "get") return result.entry.revision === 0 ? EXIT.notFound : EXIT.ok;
  if (!result.result.ok) return EXIT.conflict;
  return result.op === "delete" && !result.result.deleted ? EXIT.notFound : EXIT.ok;
}

function batchLine(operation: BatchOperation, result: BatchResult): string {
  const key = keyDocument(operation.key);
  const { op } = operation;
  if (result.op === "error") {
    const { code, outcome, message } = result.error;
    return JSON.stringify({ op, ...key, ok: false, code, outcome, message });
  }
  if (result.op !== "get") return JSON.stringify({ op, ...key, ...result.result });
  const { entry } = result;
  const found = entry.revision > 0;
  return JSON.stringify({ op, ok: true, found, ...(found ? entryDocument(entry) : key) });
}
