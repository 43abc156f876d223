// `get`, `scan`, `watch`: what is there, and what becomes of it.

import type { Command } from "commander";
import {
  type Entry,
  isPresent,
  type KvWatch,
  type ListSelector,
  type WatchEvent,
} from "../../client/mod.ts";
import { type ConsistencyOptions, type Context, readOptions } from "../context.ts";
import { EXIT, Exit, usage } from "../exit.ts";
import {
  durationText,
  entryDocument,
  keyDocument,
  keyText,
  tableLines,
  valueText,
} from "../format.ts";
import { addRangeOptions, consistencyOption, maxStalenessOption, parseCount } from "../options.ts";
import type { Run } from "../program.ts";

/** Rows of one table when the whole result is too long to be looked at as one. */
const TABLE_ROWS = 500;

export interface RangeOptions {
  readonly prefix?: string;
  readonly start?: string;
  readonly end?: string;
}

/** Which keys the options name. */
export function selectorOf(context: Context, options: RangeOptions): ListSelector {
  const bound = (text: string | undefined) => text === undefined ? undefined : context.key(text);
  return { prefix: bound(options.prefix), start: bound(options.start), end: bound(options.end) };
}

export function addReadCommands(program: Command, run: Run): void {
  program.command("get").argument("<key>")
    .summary("print a key's value")
    .description("Prints a key's value. Exit code 3 if there is no such key.")
    .addOption(consistencyOption()).addOption(maxStalenessOption())
    .addHelpText(
      "after",
      `
The value comes as it is (-o raw, the default: exact bytes, and a new line in a terminal only).
-o json adds revision, content type and time to live; -o table is for people.

  kv get greeting
  kv get -o json greeting
  kv get --consistency stale --max-staleness 500ms greeting     the nearest replica answers`,
    )
    .action(run(get));
  const scan = program.command("scan")
    .summary("list keys and values in order")
    .description("Lists keys in byte order over all partitions.");
  addRangeOptions(scan);
  scan.option("--limit <n>", "at most so many keys", parseCount)
    .option("--reverse", "from the last key to the first")
    .option("--keys-only", "without values")
    .option("--count-only", "only how many there are")
    .addOption(consistencyOption()).addOption(maxStalenessOption())
    .addHelpText(
      "after",
      `
-o json prints a document a line; -o raw prints keys and values, separated by a tab.
Every page is linearizable for its partition; a long scan is no snapshot of the whole.

  kv scan --prefix user/ --limit 20
  kv scan --start a --end m --keys-only
  kv scan --count-only`,
    )
    .action(run(scanKeys));
  program.command("watch").argument("[key]")
    .summary("follow what happens to keys")
    .description("Prints what happens to one key, or to all with a prefix, as it happens.")
    .option("--prefix <prefix>", "all keys that begin so; empty: every key")
    .option("--after <cursor>", "go on behind this cursor: nothing in between is missed")
    .option("--limit <n>", "end after so many events", parseCount)
    .addHelpText(
      "after",
      `
Goes on across restarts and leader changes, without gaps or repetitions, until Ctrl-C. The cursor of the
last event is printed at the end (and with every event under -o json) and resumes the watch.

  kv watch --prefix user/
  kv watch -o json greeting | jq .value`,
    )
    .action(run(watch));
}

async function get(context: Context, [name]: string[], options: ConsistencyOptions): Promise<void> {
  const kv = await context.kv();
  const key = context.key(name);
  const entry = await kv.get<string | Uint8Array>(key, { ...readOptions(options), json: "text" });
  if (!isPresent(entry)) throw new Exit(EXIT.notFound, `There is no key ${keyText(key)}`);
  const { value } = entry;
  const { out } = context.io;
  switch (context.form("raw")) {
    case "raw":
      out.write(value);
      if (out.isTerminal && !(typeof value === "string" && value.endsWith("\n"))) out.write("\n");
      return;
    case "json":
      return context.print(JSON.stringify(entryDocument(entry)));
    case "table": {
      const { revision, createRevision, contentType, ttlMs } = entry;
      const rows = [
        ["key", keyText(key)],
        ["revision", `${revision} (created at ${createRevision})`],
        ["type", contentType],
        ["expires", ttlMs === undefined ? "never" : `in ${durationText(ttlMs)}`],
        ["value", valueText(value)],
      ];
      for (const [title, text] of rows) context.print(`${title.padEnd(9)} ${text}`);
    }
  }
}

interface ScanOptions extends RangeOptions, ConsistencyOptions {
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

async function scanKeys(context: Context, _: string[], options: ScanOptions): Promise<void> {
  const { limit, reverse, keysOnly, countOnly } = options;
  const selector = selectorOf(context, options);
  const read = readOptions(options);
  const kv = await context.kv();
  const form = context.form();
  if (countOnly) {
    if (limit !== undefined || keysOnly || reverse) {
      throw usage("--count-only takes no --limit, --keys-only or --reverse");
    }
    const count = await kv.count(selector, read);
    return context.print(form === "json" ? JSON.stringify({ count }) : String(count));
  }
  const list = kv.list<string | Uint8Array | undefined>(selector, {
    ...read,
    limit,
    reverse,
    keysOnly,
    json: "text",
    signal: context.interrupted,
  });
  let pending: Entry<unknown>[] = [];
  for await (const { entries } of list.pages()) {
    if (form === "table") {
      pending.push(...entries);
      while (pending.length >= TABLE_ROWS) {
        printTable(context, pending.splice(0, TABLE_ROWS), keysOnly);
      }
    } else for (const entry of entries) printLine(context, entry, form, keysOnly);
  }
  if (pending.length > 0) printTable(context, pending, keysOnly);
  pending = [];
}

function printTable(
  context: Context,
  entries: readonly Entry<unknown>[],
  keysOnly?: boolean,
): void {
  const columns = [{ title: "KEY" }, { title: "REVISION", right: true }, { title: "EXPIRES" }];
  const rows = entries.map(({ key, revision, ttlMs, value }) => [
    keyText(key),
    String(revision),
    ttlMs === undefined ? "-" : durationText(ttlMs),
    ...(keysOnly ? [] : [valueText(value)]),
  ]);
  const { out } = context.io;
  const lineColumns = out.isTerminal ? out.columns() : undefined;
  const all = keysOnly ? columns : [...columns, { title: "VALUE" }];
  for (const line of tableLines(all, rows, lineColumns)) context.print(line);
}

function printLine(
  context: Context,
  entry: Entry<unknown>,
  form: "json" | "raw",
  keysOnly?: boolean,
): void {
  if (form === "json") return context.print(JSON.stringify(entryDocument(entry)));
  const key = keyText(entry.key);
  context.print(keysOnly ? key : `${key}\t${valueText(entry.value)}`);
}

interface WatchCommandOptions {
  readonly prefix?: string;
  readonly after?: string;
  readonly limit?: number;
}

async function watch(
  context: Context,
  [name]: (string | undefined)[],
  { prefix, after, limit = Infinity }: WatchCommandOptions,
): Promise<void> {
  if ((name === undefined) === (prefix === undefined)) {
    throw usage("Give either a key or --prefix");
  }
  const selector = name !== undefined
    ? { key: context.key(name) }
    : { prefix: prefix === "" ? "" : context.key(prefix!) };
  const kv = await context.kv();
  const events: KvWatch<unknown> = kv.watch(selector, { after, signal: context.interrupted });
  await events.ready;
  if (context.io.err.isTerminal) context.note("watching; Ctrl-C ends it");
  let count = 0;
  for await (const event of events) {
    if (event.type === "progress") continue;
    printEvent(context, event);
    if (++count >= limit) break;
  }
  if (events.cursor !== undefined && context.form() === "table") {
    context.note(`go on with --after ${events.cursor}`);
  }
}

function printEvent(context: Context, event: Exclude<WatchEvent, { type: "progress" }>): void {
  const { type, key, revision, partition, cursor } = event;
  const value = event.type === "put" ? event.value : undefined;
  switch (context.form()) {
    case "json": {
      const rest = event.type === "put"
        ? { contentType: event.contentType, ttlMs: event.ttlMs }
        : {};
      const members = value === undefined ? {} : { value: jsonValue(value), ...rest };
      return context.print(
        JSON.stringify({ type, ...keyDocument(key), ...members, revision, partition, cursor }),
      );
    }
    case "raw":
      return context.print(event.type === "put" ? valueText(value) : "");
    case "table": {
      const place = `${partition}:${revision}`.padEnd(10);
      const text = value === undefined ? "" : `  ${valueText(value)}`;
      return context.print(`${type.padEnd(6)} ${place} ${keyText(key)}${text}`);
    }
  }
}

/** Bytes as `64:…`, as everywhere on a terminal; everything else as it is. */
function jsonValue(value: unknown): unknown {
  return value instanceof Uint8Array ? valueText(value) : value;
}
