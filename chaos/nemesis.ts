// Faults on processes: who is hit, for how long, and the heal that always follows. Every fault says whether it
// really bit.

import type { SystemNode, SystemUnderTest } from "./system.ts";

export const NEMESIS_NAMES: readonly string[] = ["none", "kill", "kill-all", "pause"];

/** One fault that was done. */
export interface Fault {
  readonly kind: string;
  readonly nodes: readonly string[];
  readonly fromMs: number;
  toMs: number;
  readonly bit: boolean;
}

export interface NemesisOptions {
  readonly kinds: readonly string[];
  readonly system: SystemUnderTest;
  readonly random: () => number;
  readonly stopped: () => boolean;
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

function victims(options: NemesisOptions, kind: string): readonly SystemNode[] {
  const nodes = [...options.system.nodes];
  if (kind === "kill-all") return nodes;
  const count = Math.max(1, Math.floor((nodes.length - 1) / 2));
  return Array.from(
    { length: count },
    () => nodes.splice(Math.floor(options.random() * nodes.length), 1)[0]!,
  );
}

/** Breaks and heals until `stopped`; on return everything is healed. */
export async function runNemesis(options: NemesisOptions, faults: Fault[]): Promise<void> {
  const { system, stopped } = options;
  const kinds = options.kinds.filter((kind) => kind !== "none");
  if (kinds.length === 0) return;
  for (let turn = 0; !stopped(); turn++) {
    await rest(QUIET_MS, stopped);
    if (stopped()) return;
    const kind = kinds[turn % kinds.length]!;
    const hit = victims(options, kind);
    const fromMs = performance.now();
    try {
      await Promise.all(
        hit.map((node) => kind === "pause" ? system.pause(node) : system.kill(node)),
      );
      // A pause has been seen in the kernel's process state; a kill in the exit of the process.
      const bit = kind === "pause" || hit.every((node) => !node.running);
      const fault: Fault = { kind, nodes: hit.map(({ name }) => name), fromMs, toMs: fromMs, bit };
      faults.push(fault);
      await rest(FAULT_MS, stopped);
      fault.toMs = performance.now();
    } finally {
      for (const node of hit) kind === "pause" ? system.resume(node) : system.restart(node);
    }
  }
}
