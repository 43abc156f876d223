// `backup`, `restore`, `verify`: their arguments and what their help says.

import { type Command, InvalidArgumentError } from "commander";
import { parseDuration } from "../format.ts";
import { parsePositive } from "../options.ts";
import type { Run } from "../program.ts";

const PARALLEL_DEFAULT = 1;

function parseFollow(text: string): number {
  try {
    return parseDuration(text);
  } catch (cause) {
    throw new InvalidArgumentError(String(cause instanceof Error ? cause.message : cause));
  }
}

const AT = "end; copy: without the changes; a time: 2026-03-01T12:00:00Z; or PARTITION:INDEX,…";

/** The commands' work is loaded when it is asked for: most command lines have nothing to do with it. */
export function addBackupCommands(program: Command, run: Run): void {
  program.command("backup").argument("<file>")
    .summary("copy a cluster's data to a file while it is written to")
    .description("Copies every partition at one index of its log, and what changes meanwhile.")
    .option("--resume", "go on where a backup to this file was cut off")
    .option("--force", "replace the file")
    .option(
      "--follow [duration]",
      "go on recording changes, until Ctrl-C or for so long",
      parseFollow,
    )
    .option("--no-changes", "the copies only")
    .option(
      "--parallel <count>",
      "partitions at a time; one takes a tenth of a node's time at most",
      parsePositive,
      PARALLEL_DEFAULT,
    )
    .addHelpText(
      "after",
      `
Values come to the byte, with content type, revision and time to live; they stay compressed if they were.
Each partition's copy is consistent at one index; changes are recorded from there to the end of the backup,
so a restore can choose a moment in between. It needs a token that may read all keys, and reaches the nodes
at their own addresses. The cluster keeps what was overwritten until a copy has been taken.

  kv backup monday.kvb
  kv backup monday.kvb --resume
  kv backup day.kvb --follow 24h`,
    )
    .action(run(async (context, [file], options) => {
      const { backup } = await import("../backup/backup.ts");
      await backup(context, file, options);
    }));
  program.command("restore").argument("<file>")
    .summary("bring a backup into a cluster of any shape")
    .description("Checks the whole file, and then sets every key of it in an empty cluster.")
    .option("--at <moment>", AT, "end")
    .option("--merge", "into a cluster that holds keys: those of the backup are replaced")
    .option("--resume", "go on where a restore of this file was cut off")
    .option("--unfinished", "take a backup that was cut off after all its copies were made")
    .option("--no-check", "don't compare the cluster with the backup afterwards")
    .addHelpText(
      "after",
      `
Number of nodes and partitions don't matter. Keys, bytes, content types and the time left to live at that
moment are restored; revisions are the new cluster's own. What is needed to resume stands in FILE.restored.
A time goes by the clock of the machine that made the backup: everything restored had happened by then, and
what happened less than half a second before may be missing. There is no one moment across partitions.

  kv restore monday.kvb -e http://new:7001
  kv restore day.kvb --at 2026-03-01T12:00:00Z`,
    )
    .action(run(async (context, [file], options) => {
      const { parseMoment } = await import("../backup/moment.ts");
      const { restore } = await import("../backup/restore.ts");
      const at = parseMoment(options.at);
      await restore(context, file, { ...options, at, atText: options.at });
    }));
  program.command("verify").argument("<file>")
    .summary("check a backup to its last byte")
    .description(
      "Checks every block of a backup and shows what it holds. Exit code 1 if it is damaged.",
    )
    .option("--at <moment>", AT, "end")
    .option("--unfinished", "a backup that was cut off after all its copies were made will do")
    .option("--cluster", "compare it with what the cluster holds now")
    .addHelpText(
      "after",
      `
The content hash is the same for the same keys, bytes and content types, whatever the partitions. The state
hash is what kv endpoint hash shows for a replica at the copy's index.

  kv verify monday.kvb
  kv verify monday.kvb --cluster -e http://new:7001`,
    )
    .action(run(async (context, [file], options) => {
      const { parseMoment } = await import("../backup/moment.ts");
      const { verify } = await import("../backup/verify.ts");
      await verify(context, file, { ...options, at: parseMoment(options.at) });
    }));
}
