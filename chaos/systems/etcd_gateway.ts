// The clients' API in front of etcd: a process of its own, a port for each node of etcd. Argument: a JSON list of
// {listen, target}, both HOST:PORT. Ends with its standard input.

import { etcdStore } from "./etcd_store.ts";
import { keyApi } from "./key_api.ts";

interface Front {
  readonly listen: string;
  readonly target: string;
}

for (const { listen, target } of JSON.parse(Deno.args[0]!) as Front[]) {
  const [hostname, port] = listen.split(":") as [string, string];
  Deno.serve({ hostname, port: Number(port), onListen: () => {} }, keyApi(etcdStore(target)));
}
const buffer = new Uint8Array(64);
while (await Deno.stdin.read(buffer) !== null);
Deno.exit(0);
