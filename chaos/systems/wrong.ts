// The systems that are wrong on purpose, behind the bench: see ../wrong/node.ts.

import type { SystemKind } from "./cluster.ts";
import { denoCommand, localPath } from "./deno_command.ts";

/** Systems that must be caught. */
export const WRONG_SYSTEMS = ["wrong-lww", "wrong-stale", "wrong-unsynced"] as const;

const NODE = localPath("../wrong/node.ts", import.meta.url);
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-net"];

export function wrong(name: typeof WRONG_SYSTEMS[number]): SystemKind {
  return {
    name,
    features: ["kv", "conditions"],
    abilities: ["processes"],
    readyPath: "/health/ready",
    command: (place, layout) =>
      denoCommand(PERMISSIONS, NODE, [
        ...[name, place.name, place.http, place.dataDir],
        layout.places.map((other) =>
          other.name === place.name ? other.http : layout.dialAddress(place.name, other.name)
        ).join(","),
      ]),
    status: (_, { places }) =>
      Promise.resolve([{
        partition: "1",
        term: 1,
        leader: name === "wrong-lww" ? undefined : places[0]!.name,
      }]),
    versions: () => Promise.resolve({ deno: Deno.version.deno }),
  };
}
