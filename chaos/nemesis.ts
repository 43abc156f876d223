// Faults on processes: who is hit, for how long, and the heal that always follows. Every fault says whether it
// really bit.

import { shuffled } from "./random.ts";
import type { Fault, Random, System, SystemNode } from "./types.ts";

export const NEMESIS_NAMES: readonly string[] = ["none", "kill", "kill-all", "pause"];

export interface NemesisOptions {
  readonly kinds: readonly string[];
  readonly system: System;
  readonly random: Random;
  readonly stopped: () => boolean;
  readonly onFault?: (fault: Fault, phase: "start" | "heal") => void;
}

const QUIET_MS = 1500;
const FAULT_MS = 1500;

/** Waits, in slices, so that a stop is seen at once. */
async function rest(durationMs: number, stopped: () => boolean): Promise<void> {
  const endMs = performance.now() + durationMs;
  while (!stopped() && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function victims({ system, random }: NemesisOptions, kind: string): readonly SystemNode[] {
  const nodes = shuffled(random, system.nodes);
  return kind === "kill-all" ? nodes : nodes.slice(0, Math.max(1, (nodes.length - 1) >> 1));
}

/** Breaks and heals until `stopped`; on return everything is healed. */
export async function runNemesis(options: NemesisOptions, faults: Fault[]): Promise<void> {
  const { system, stopped, onFault } = options;
  const kinds = options.kinds.filter((kind) => kind !== "none");
  for (let turn = 0; kinds.length > 0 && !stopped(); turn++) {
    await rest(QUIET_MS, stopped);
    if (stopped()) return;
    const kind = kinds[turn % kinds.length]!;
    const hit = victims(options, kind);
    const atMs = performance.now();
    try {
      await Promise.all(
        hit.map((node) => kind === "pause" ? system.pause(node) : system.kill(node)),
      );
      const bit = kind === "pause" || hit.every((node) => !node.running);
      const fault: Fault = {
        kind,
        targets: hit.map(({ name }) => name),
        atMs,
        untilMs: Infinity,
        bit,
        detail: kind === "pause" ? "stopped by the kernel" : "the process was gone",
      };
      faults.push(fault);
      onFault?.(fault, "start");
      await rest(FAULT_MS, stopped);
      const healed = { ...fault, untilMs: performance.now() };
      faults[faults.indexOf(fault)] = healed;
      onFault?.(healed, "heal");
    } finally {
      for (const node of hit) kind === "pause" ? system.resume(node) : await system.restart(node);
    }
  }
}
