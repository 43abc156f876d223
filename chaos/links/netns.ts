// Real network namespaces as a cluster's network: one for each node, joined by a bridge, with addresses of the bench's
// own; needs Linux and root. All names carry the process id of the bench that made them, so that those of a bench that
// died can be told and removed by the next one. Touches nothing that it did not name itself.

import { existsSync } from "node:fs";

/** Beginning of every name: namespaces, links, the nftables table. Short, as names of links may have 15 characters. */
const PREFIX = "pnt";

/** A run's network. */
export interface Network {
  readonly tag: string;
  /** Address of the bench itself. */
  readonly hostAddress: string;
  /** By node name. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** Runs a command; its standard output. Rejects with what it wrote on standard error. */
export async function run(
  program: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { success, stdout, stderr } = await child.output();
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim();
    throw new Error(`Cannot run ${program} ${args.join(" ")}: ${said}`);
  }
  return new TextDecoder().decode(stdout);
}

/** Why namespaces can't be used here; undefined if they can. */
export function netnsObstacle(): string | undefined {
  if (Deno.build.os !== "linux") return "network namespaces need Linux";
  if (Deno.uid() !== 0) return "network namespaces need root";
  const missing = ["ip", "nft"].find((program) =>
    !["/usr/sbin", "/sbin", "/usr/bin", "/bin"].some((folder) => existsSync(`${folder}/${program}`))
  );
  return missing === undefined ? undefined : `network namespaces need the program ${missing}`;
}

/** Name of a node's namespace. */
export function namespaceOf(tag: string, place: number): string {
  return `${tag}n${place}`;
}

function tagOf(pid: number): string {
  return `${PREFIX}${pid.toString(36)}_`;
}

/** The process that a name of ours carries. */
function pidOf(name: string): number | undefined {
  const match = new RegExp(`^${PREFIX}([0-9a-z]{1,5})_(?:[nhc]\\d+|b|t)$`).exec(name);
  return match === null ? undefined : parseInt(match[1]!, 36);
}

interface Leftover {
  readonly name: string;
  readonly remove: readonly [string, ...string[]];
}

async function ours(): Promise<Leftover[]> {
  const spaces: { name: string }[] = JSON.parse(
    await run("ip", ["-json", "netns", "list"]) || "[]",
  );
  const links: { ifname: string }[] = JSON.parse(await run("ip", ["-json", "link", "show"]));
  const tables: { nftables: { table?: { family: string; name: string } }[] } = JSON.parse(
    await run("nft", ["--json", "list", "tables"]),
  );
  return [
    ...links.map(({ ifname }): Leftover => ({
      name: ifname,
      remove: ["ip", "link", "delete", ifname],
    })),
    ...spaces.map(({ name }): Leftover => ({ name, remove: ["ip", "netns", "delete", name] })),
    ...tables.nftables.flatMap(({ table }): Leftover[] =>
      table === undefined ? [] : [{
        name: table.name,
        remove: ["nft", "delete", "table", table.family, table.name],
      }]
    ),
  ].filter(({ name }) => pidOf(name) !== undefined);
}

/** Removes what `owned` says of all that carries our names. */
async function removeOurs(owned: (pid: number) => boolean): Promise<void> {
  for (const { name, remove: [program, ...args] } of await ours()) {
    if (!owned(pidOf(name)!)) continue;
    // The end of one takes others with it: a namespace its links, one end of a pair the other.
    await run(program, args).catch(() => {});
  }
}

/** Removes what benches that are gone have left. */
export async function removeLeftovers(): Promise<void> {
  await removeOurs((pid) => !existsSync(`/proc/${pid}`));
}

/** Removes the network of this process. */
export async function removeNetwork(): Promise<void> {
  await removeOurs((pid) => pid === Deno.pid);
}

/** The first network of 10.213.0.0/16 that this machine has no route to. */
async function freeNet(): Promise<string> {
  const routes = await run("ip", ["route", "show"]);
  for (let i = 0; i < 256; i++) {
    if (!routes.includes(`10.213.${i}.`)) return `10.213.${i}`;
  }
  throw new Error("Cannot find a free network in 10.213.0.0/16");
}

/**
 * Makes a namespace for each of `names`. Packets between them go through one table of the bridge, `TAGt`, whose only
 * chain is empty: faults are rules in it.
 */
export async function createNetwork(names: readonly string[]): Promise<Network> {
  await removeLeftovers();
  const tag = tagOf(Deno.pid);
  const net = await freeNet();
  const ip = (command: string) => run("ip", command.split(" "));
  try {
    await ip(`link add ${tag}b type bridge`);
    await ip(`addr add ${net}.1/24 dev ${tag}b`);
    await ip(`link set ${tag}b up`);
    const addresses = new Map<string, string>();
    for (const [place, name] of names.entries()) {
      const [space, host, child] = [namespaceOf(tag, place), `${tag}h${place}`, `${tag}c${place}`];
      const address = `${net}.${place + 11}`;
      await ip(`netns add ${space}`);
      await ip(`link add ${host} type veth peer name ${child}`);
      await ip(`link set ${host} master ${tag}b`);
      await ip(`link set ${host} up`);
      await ip(`link set ${child} netns ${space}`);
      await ip(`-n ${space} addr add ${address}/24 dev ${child}`);
      await ip(`-n ${space} link set ${child} up`);
      await ip(`-n ${space} link set lo up`);
      addresses.set(name, address);
    }
    return { tag, hostAddress: `${net}.1`, addresses };
  } catch (cause) {
    await removeNetwork();
    throw cause;
  }
}
