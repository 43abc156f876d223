// Writes beside the workload that nobody judges: they make logs grow, so that they are cut and who was away needs a
// snapshot. Keys of its own; what becomes of a write is not looked at.

import { pick } from "./random.ts";
import type { Random, SystemNode } from "./types.ts";
import { rest } from "./wait.ts";

const KEYS = 8;
const VALUE_BYTES = 256 * 1024;
const INTERVAL_MS = 50;
const TIMEOUT_MS = 2000;
/** Writes under way at once. */
const OPEN_MAX = 3;

/** At most so many at a call of the Web Crypto API. */
const RANDOM_BYTES_MAX = 65_536;

/** Random, so that no compression makes a value small. */
function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += RANDOM_BYTES_MAX) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_MAX));
  }
  return bytes;
}

async function write(node: SystemNode, key: string): Promise<void> {
  const body = randomBytes(VALUE_BYTES);
  try {
    const response = await fetch(`http://${node.http}/key/${key}`, {
      method: "PUT",
      body,
      headers: { "Content-Type": "application/octet-stream" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
  } catch {
    // The cluster is being broken: some fail.
  }
}

/** Goes on until `stopped` holds. */
export async function fill(
  nodes: () => readonly SystemNode[],
  random: Random,
  stopped: () => boolean,
): Promise<void> {
  const open = new Set<Promise<void>>();
  for (let i = 0; !stopped(); i++) {
    const one = write(pick(random, nodes()), `filler-${i % KEYS}`).finally(() => open.delete(one));
    open.add(one);
    if (open.size >= OPEN_MAX) await Promise.race(open);
    await rest(INTERVAL_MS, stopped);
  }
  await Promise.all(open);
}
