// The command line as a whole: its options, its commands, how it is run and how it ends.

import { Command, CommanderError, Option } from "commander";
import { addBackupCommands } from "./commands/backup.ts";
import { addBenchCommand } from "./commands/bench.ts";
import { addClusterCommands } from "./commands/cluster.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addDumpCommands } from "./commands/dump.ts";
import { addReadCommands } from "./commands/read.ts";
import { addTopCommand } from "./commands/top.ts";
import { addWriteCommands } from "./commands/write.ts";
import { Context, ENDPOINTS_DEFAULT, type GlobalOptions } from "./context.ts";
import { EXIT, EXIT_HELP, exitCodeOf, messageOf } from "./exit.ts";
import type { Io } from "./io.ts";

/** A command's work: arguments and options as the parser read them. */
export type Action = (
  context: Context,
  args: string[],
  // Each command declares its options and knows their types.
  // deno-lint-ignore no-explicit-any
  options: any,
) => Promise<void>;

/** Makes an action one of commander's. */
export type Run = (action: Action) => (...parameters: unknown[]) => Promise<void>;

const EXAMPLES = `
${EXIT_HELP}

Begin with
  kv put greeting hello
  kv get greeting
  kv scan
  kv top

PONTOON_ENDPOINTS names the cluster for every command; one node of it is enough. "kv COMMAND --help" tells
more about each. In this repository kv is: deno task kv`;

/** The program, ready to parse. */
export function createProgram(io: Io): Command {
  const program = new Command("kv");
  const run: Run = (action) => async (...parameters) => {
    const command = parameters.at(-1) as Command;
    const context = new Context(io, command.optsWithGlobals() as GlobalOptions);
    try {
      await action(context, command.processedArgs.flat(), command.opts());
    } finally {
      await context.close();
    }
  };
  program
    .description("The command line of Pontoon, a partitioned, linearizable key-value store.")
    .option(
      "-e, --endpoints <urls>",
      `nodes to begin with, separated by commas [PONTOON_ENDPOINTS or ${ENDPOINTS_DEFAULT}]`,
    )
    .addOption(
      new Option("-o, --output <form>", "for people, for programs, or bare")
        .choices(["table", "json", "raw"]),
    )
    .option("--timeout <duration>", "time of one operation, retries included [10s]")
    .option("--token-file <file>", "holds the token that the cluster asks for [PONTOON_TOKEN]")
    .option("--key64", "keys are given in base64url, for bytes that are no text")
    .option("-v, --verbose", "tell every attempt on standard error")
    .helpCommand("help [command]", "explain a command")
    .addHelpText("after", EXAMPLES)
    .showHelpAfterError('("kv --help" shows what there is)')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false });
  addReadCommands(program, run);
  addWriteCommands(program, run);
  addDumpCommands(program, run);
  addBackupCommands(program, run);
  addClusterCommands(program, run);
  addBenchCommand(program, run);
  addTopCommand(program, run);
  addCompletionCommand(program, run);
  setOutput(program, io);
  return program;
}

/** Subcommands inherit neither output nor exit behaviour once they exist. */
function setOutput(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => io.out.write(text),
    writeErr: (text) => io.err.write(text),
    getOutHelpWidth: () => Math.min(100, io.out.columns()),
    getErrHelpWidth: () => Math.min(100, io.err.columns()),
  });
  for (const child of command.commands) setOutput(child, io);
}

/** Runs one command line and returns its exit code. Never throws. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync([...args], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help that was asked for is no error; the parser has said everything else itself.
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    const message = messageOf(error);
    if (message !== "") io.err.write(`kv: ${message}\n`);
    return exitCodeOf(error);
  }
}
