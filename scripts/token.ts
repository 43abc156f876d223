// Makes a token and its entry for a node's token file: the token is shown once, the file holds its hash.
// `deno task token NAME [--roles read,write,admin] [--prefix P]… [--file FILE]`.

import { parseArgs } from "node:util";
import { TokenTable } from "../src/http/access/mod.ts";

const USAGE = `Usage: deno task token NAME [options]

  --roles LIST      some of read, write, admin           [read,write]
  --prefix TEXT     only keys that begin so; may be repeated
  --rate N          requests a second, on average
  --concurrency N   requests at once
  --file FILE       adds the entry to this token file (created if absent); without it the entry is shown

The token itself is printed once and kept nowhere. A node that was started with --token-file FILE reads
the file again within a second of a change.`;

const EXIT_USAGE = 64;

class UsageError extends Error {}

/** Runs the command with `args`; prints the token, and returns the exit code. */
export async function tokenCommand(args: string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options === undefined) {
      console.log(USAGE);
      return 0;
    }
    console.log(await makeToken(options));
    return 0;
  } catch (cause) {
    console.error(`token: ${cause instanceof Error ? cause.message : String(cause)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
}

interface Options {
  readonly name: string;
  readonly roles: string[];
  readonly prefixes: string[] | undefined;
  readonly rate: string | undefined;
  readonly concurrency: string | undefined;
  readonly file: string | undefined;
}

/** Undefined if all that is wanted is help. */
function readOptions(args: string[]): Options | undefined {
  const text = { type: "string" } as const;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      roles: { ...text, default: "read,write" },
      prefix: { ...text, multiple: true },
      rate: text,
      concurrency: text,
      file: text,
      help: { type: "boolean" },
    },
  });
  if (values.help) return undefined;
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new UsageError("give one name");
  const { rate, concurrency, file } = values;
  return { name, roles: values.roles.split(","), prefixes: values.prefix, rate, concurrency, file };
}

/** Adds the entry to the file that the options name, or shows it; returns the token. */
async function makeToken(options: Options): Promise<string> {
  const secret = crypto.getRandomValues(new Uint8Array(32)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  const token = `pontoon_${secret}`;
  const hash = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)),
  );
  const { name, roles, prefixes, rate, concurrency, file } = options;
  const entry = {
    name,
    sha256: hash.toHex(),
    roles,
    ...(prefixes === undefined ? {} : { prefixes }),
    ...(rate === undefined ? {} : { requestsPerSecond: Number(rate) }),
    ...(concurrency === undefined ? {} : { concurrency: Number(concurrency) }),
  };
  TokenTable.parse(JSON.stringify({ tokens: [entry] }));
  if (file === undefined) console.error(JSON.stringify(entry, null, 2));
  else addTo(file, entry);
  return token;
}

/** Puts the entry in place of an older one of its name. */
function addTo(file: string, entry: { readonly name: string }): void {
  let tokens: { name: string }[] = [];
  try {
    tokens = JSON.parse(Deno.readTextFileSync(file)).tokens;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  const others = tokens.filter(({ name }) => name !== entry.name);
  const text = JSON.stringify({ tokens: [...others, entry] }, null, 2);
  TokenTable.parse(text);
  // Renamed into place: a node never reads half a file.
  Deno.writeTextFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 });
  Deno.renameSync(`${file}.new`, file);
  console.error(`added to ${file}`);
}

if (import.meta.main) Deno.exit(await tokenCommand(Deno.args));
