// `kv verify`: every checksum of a backup file, what it holds, and whether a cluster holds the same.

import type { Content } from "../../backup/mod.ts";
import type { Context } from "../context.ts";
import { EXIT, Exit } from "../exit.ts";
import { durationText, grouped, tableLines } from "../format.ts";
import type { Moment } from "./moment.ts";
import { BackupSource } from "./source.ts";
import { contentOf, openWanted, type WantedState } from "./wanted.ts";

export interface VerifyOptions {
  readonly at: Moment;
  readonly unfinished?: boolean;
  readonly cluster?: boolean;
}

export async function verify(
  context: Context,
  path: string,
  options: VerifyOptions,
): Promise<void> {
  const wanted = openWanted(path, options.at, options.unfinished ?? false);
  const content = contentOf(wanted);
  print(context, wanted, content);
  if (!options.cluster) return;
  const source = new BackupSource(context);
  await source.map();
  const found = await source.content();
  if (JSON.stringify(found) === JSON.stringify(content)) {
    return context.note("kv: the cluster holds the same");
  }
  const { lasting, expiring } = found;
  const where = found.lasting.hash === content.lasting.hash
    ? "in keys that expire only"
    : "in keys that don't expire";
  throw new Exit(
    EXIT.error,
    `The cluster holds something else, ${where}: content ${lasting.hash}, ` +
      `${grouped(lasting.count)} keys that don't expire, ${grouped(expiring.count)} that do`,
  );
}

function print(context: Context, { path, state, moments }: WantedState, content: Content): void {
  const { header, trailer } = state;
  const rows = [...state.partitions.values()].sort((a, b) => a.begin.partition - b.begin.partition);
  if (context.form() === "json") {
    return context.print(JSON.stringify({
      file: path,
      clusterId: header.clusterId,
      finished: trailer !== undefined,
      content,
      partitions: rows.map(({ begin, records, end, changes, changesTo, gone }) => ({
        partition: begin.partition,
        applied: begin.applied,
        copiedMs: begin.wallMs,
        records,
        changes,
        changesTo: changesTo.revision,
        at: moments.get(begin.partition)?.upTo.revision,
        stateHash: end?.stateHash,
        content: end?.content,
        gone,
      })),
    }));
  }
  const lines = tableLines(
    [
      { title: "PARTITION", right: true },
      { title: "INDEX", right: true },
      { title: "KEYS", right: true },
      { title: "CHANGES", right: true },
      { title: "UP TO", right: true },
      { title: "STATE HASH" },
    ],
    rows.map(({ begin, records, changes, changesTo, end }) => [
      String(begin.partition),
      grouped(begin.applied),
      grouped(records),
      grouped(changes),
      grouped(changesTo.revision),
      end?.stateHash ?? "",
    ]),
  );
  for (const line of lines) context.print(line);
  const firstMs = Math.max(...rows.map(({ begin }) => begin.wallMs));
  const lastMs = trailer?.finishedMs ?? Math.max(...rows.map((row) => row.changesWallMs));
  context.print(
    `cluster ${header.clusterId}, copied by ${new Date(firstMs).toISOString()}, changes for ` +
      `${durationText(Math.max(0, lastMs - firstMs))} more`,
  );
  const { lasting, expiring } = content;
  context.print(
    `content ${lasting.hash}: ${grouped(lasting.count)} keys that don't expire, ` +
      `${grouped(expiring.count)} that do`,
  );
}
