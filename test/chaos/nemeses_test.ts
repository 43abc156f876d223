// Nemeses on a real cluster under load: each bites, each is healed, and what was acknowledged is still there in the end.

import { assert, assertEquals } from "@std/assert";
import { NEMESES } from "../../chaos/nemeses/mod.ts";
import { seededRandom } from "../../chaos/random.ts";
import { createSystem } from "../../chaos/systems/mod.ts";
import type { System } from "../../chaos/types.ts";
import { rest, sleep, until } from "../../chaos/wait.ts";
import { testSeed } from "../support/seed.ts";

const SEED = testSeed();
const READY_TIMEOUT_MS = 30_000;
const FAULT_MS = 500;
/** Somebody has to run into the fault, on a machine that may be busy. */
const BITE_TIMEOUT_MS = 10_000;

/** In an order in which each leaves the next something to break. */
const NAMES = [
  ...["pause-leader", "power-cut", "failing-sync", "damage-flip", "transfer", "move"],
  ...["partition-leader", "slow", "flaky", "repeat", "clients"],
  ...["clock-jump", "clock-strobe", "full-disk", "slow-disk", "swizzle"],
];

/** Writes keys that nobody else writes, each once, through all nodes in turn. */
class Writer {
  readonly acknowledged: string[] = [];
  #stopped = false;

  async run(system: System, name: string): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const node = system.nodes[i % system.nodes.length]!;
      const key = `${name}-${i}`;
      try {
        const response = await fetch(`http://${node.http}/key/${key}`, {
          method: "PUT",
          body: `value of ${key}`,
          signal: AbortSignal.timeout(1500),
        });
        await response.body?.cancel();
        if (response.ok) this.acknowledged.push(key);
      } catch {
        // Nobody knows what became of it.
        await sleep(10);
      }
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}

async function strikeEach(system: System): Promise<void> {
  const random = seededRandom(SEED);
  for (const name of NAMES) {
    const nemesis = NEMESES.find((one) => one.name === name);
    assert(nemesis !== undefined, name);
    const strike = await nemesis.strike({ system, random, stopped: () => false });
    assert(strike !== undefined, `${name} found nothing to break, seed ${SEED}`);
    try {
      await rest(FAULT_MS, () => false);
      const what = `${name} bites (${strike.detail}), seed ${SEED}`;
      await until(what, BITE_TIMEOUT_MS, async () => (await strike.verify()).bit);
    } finally {
      await strike.heal();
    }
    await system.ready(READY_TIMEOUT_MS);
  }
}

async function readAll(system: System, keys: readonly string[]): Promise<void> {
  const rest = [...keys];
  await Promise.all(system.nodes.map(async (node) => {
    for (let key = rest.pop(); key !== undefined; key = rest.pop()) {
      const response = await fetch(`http://${node.http}/key/${key}?raw`);
      assertEquals(await response.text(), `value of ${key}`, `seed ${SEED}`);
    }
  }));
}

Deno.test("each nemesis bites and heals, and nothing acknowledged is lost", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-chaos-" });
  const system = await createSystem({
    name: "pontoon",
    nodes: 3,
    spares: 1,
    dir,
    net: "proxy",
    faulty: true,
    seed: SEED,
  });
  const writers = Array.from({ length: 4 }, () => new Writer());
  try {
    await system.start();
    const writing = Promise.all(writers.map((writer, i) => writer.run(system, `w${i}`)));
    try {
      await strikeEach(system);
    } finally {
      for (const writer of writers) writer.stop();
      await writing;
    }
    const acknowledged = writers.flatMap((writer) => writer.acknowledged);
    assert(acknowledged.length > 200, `only ${acknowledged.length} writes were acknowledged`);
    await readAll(system, acknowledged);
  } finally {
    await system.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});
