// `deno task kv`: runs one command line in this process.

import { processIo } from "./io.ts";
import { runCommandLine } from "./program.ts";

Deno.exit(await runCommandLine(Deno.args, processIo()));
