// TCP relays for directed links, able to swallow what flows to and from one node while its connections
// stay open. Told on standard input, a line a change: the node's name, or an empty line to heal.

import { TextLineStream } from "@std/streams";

interface Link {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly target: string;
}

const links: Link[] = JSON.parse(Deno.args[0]);
let swallowed = "";

async function pump(link: Link, from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (;;) {
      const count = await from.read(buffer);
      if (count === null) break;
      if (link.from === swallowed || link.to === swallowed) continue;
      for (let at = 0; at < count;) at += await to.write(buffer.subarray(at, count));
    }
  } catch {
    // One side broke: both go.
  }
  for (const connection of [from, to]) {
    try {
      connection.close();
    } catch {
      // Closed by the other direction.
    }
  }
}

for (const link of links) {
  (async () => {
    for await (const accepted of Deno.listen({ hostname: "127.0.0.1", port: link.port })) {
      const [hostname, port] = link.target.split(":");
      Deno.connect({ hostname, port: Number(port) }).then((target) => {
        target.setNoDelay(true);
        accepted.setNoDelay(true);
        pump(link, accepted, target);
        pump(link, target, accepted);
      }, () => accepted.close());
    }
  })();
}

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) swallowed = line;
Deno.exit(0);
