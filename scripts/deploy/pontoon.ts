// The program that `deno task build` makes one file of: a node by its flags or, by its first word, one of the
// tools that an operator needs beside it. Loads only what it runs.

const HELP = `Usage: deno run [permissions] pontoon.js COMMAND [options]

  node     one node of a cluster (the default where the first word is an option)
  kv       the command line: keys, members, partitions
  token    makes an access token

Each of them has --help.

A node needs --allow-read, --allow-write, --allow-net and --allow-sys=statfs; kv needs --allow-net, --allow-read,
--allow-write and --allow-env; token needs --allow-read and --allow-write.`;
const EXIT_USAGE = 64;

async function run(args: string[]): Promise<void> {
  const [command, ...rest] = args;
  if (command === "--help") return console.log(HELP);
  if (command === "node" || command?.startsWith("--")) {
    const { startNode } = await import("../../src/main.ts");
    return await startNode(command === "node" ? rest : args);
  }
  if (command === "kv") {
    const { processIo } = await import("../../src/cli/io.ts");
    const { runCommandLine } = await import("../../src/cli/program.ts");
    Deno.exit(await runCommandLine(rest, processIo()));
  }
  if (command === "token") {
    const { tokenCommand } = await import("../token.ts");
    Deno.exit(await tokenCommand(rest));
  }
  console.error(command === undefined ? HELP : `pontoon: no command ${command}\n\n${HELP}`);
  Deno.exit(EXIT_USAGE);
}

await run(Deno.args);
