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

function usage(message: string): never {
  console.error(`token: ${message}\n\n${USAGE}`);
  Deno.exit(64);
}

const { values, positionals } = (() => {
  try {
    const text = { type: "string" } as const;
    return parseArgs({
      args: Deno.args,
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
  } catch (cause) {
    return usage(cause instanceof Error ? cause.message : String(cause));
  }
})();
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
const [name, ...rest] = positionals;
if (name === undefined || rest.length > 0) usage("give one name");

const secret = crypto.getRandomValues(new Uint8Array(32)).toBase64({
  alphabet: "base64url",
  omitPadding: true,
});
const token = `pontoon_${secret}`;
const hash = new Uint8Array(
  await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)),
);
const entry = {
  name,
  sha256: hash.toHex(),
  roles: values.roles.split(","),
  ...(values.prefix === undefined ? {} : { prefixes: values.prefix }),
  ...(values.rate === undefined ? {} : { requestsPerSecond: Number(values.rate) }),
  ...(values.concurrency === undefined ? {} : { concurrency: Number(values.concurrency) }),
};
try {
  TokenTable.parse(JSON.stringify({ tokens: [entry] }));
  const { file } = values;
  if (file !== undefined) {
    let tokens: { name: string }[] = [];
    try {
      tokens = JSON.parse(Deno.readTextFileSync(file)).tokens;
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
    const text = JSON.stringify(
      { tokens: [...tokens.filter((other) => other.name !== name), entry] },
      null,
      2,
    );
    TokenTable.parse(text);
    // Renamed into place: a node never reads half a file.
    Deno.writeTextFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 });
    Deno.renameSync(`${file}.new`, file);
    console.error(`added to ${file}`);
  } else {
    console.error(JSON.stringify(entry, null, 2));
  }
} catch (cause) {
  usage(cause instanceof Error ? cause.message : String(cause));
}
console.log(token);
