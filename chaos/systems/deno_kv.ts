// Deno KV behind the bench: one process that serves Deno.openKv by the clients' API.

import type { SystemKind } from "./cluster.ts";
import { denoCommand, localPath } from "./deno_command.ts";

const NODE = localPath("./deno_kv_node.ts", import.meta.url);
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-net", "--unstable-kv"];

export function denoKv(): SystemKind {
  return {
    name: "deno-kv",
    features: ["kv", "conditions", "txn"],
    abilities: ["processes"],
    readyPath: "/health/ready",
    command: (place) => denoCommand(PERMISSIONS, NODE, [place.http, `${place.dataDir}.sqlite`]),
    status: ({ name }) => Promise.resolve([{ partition: "1", term: 1, leader: name }]),
    versions: () => Promise.resolve({ deno: Deno.version.deno }),
  };
}
