// The nemeses by name, and what `all` means for a system.

import type { Ability, Nemesis } from "../types.ts";
import { DAMAGE_NEMESES, DAMAGE_SINGLES } from "./damage.ts";
import { LINK_NEMESES } from "./links.ts";
import { MACHINE_NEMESES } from "./machines.ts";
import { MEMBER_NEMESES } from "./members.ts";
import { PARTITION_NEMESES, PARTITION_SINGLES } from "./partitions.ts";
import { POWER_NEMESES } from "./power.ts";
import { PROCESS_NEMESES, PROCESS_SINGLES } from "./processes.ts";

export { runNemeses } from "./schedule.ts";

/** Those that draw one of their kinds at each strike. */
export const MAIN_NEMESES: readonly Nemesis[] = [
  ...PROCESS_NEMESES,
  ...POWER_NEMESES,
  ...DAMAGE_NEMESES,
  ...MEMBER_NEMESES,
  ...PARTITION_NEMESES,
  ...LINK_NEMESES,
  ...MACHINE_NEMESES,
];

/** Those and, for runs that are to show one thing, nemeses of one kind each. */
export const NEMESES: readonly Nemesis[] = [
  ...MAIN_NEMESES,
  ...PROCESS_SINGLES,
  ...DAMAGE_SINGLES,
  ...PARTITION_SINGLES,
];

/** Names that `--nemesis` takes. */
export const NEMESIS_NAMES: readonly string[] = ["none", "all", ...NEMESES.map(({ name }) => name)];

/** What a set of nemeses needs a system to be set up with. */
export interface Needs {
  readonly proxy: boolean;
  readonly faulty: boolean;
  readonly spares: number;
}

/**
 * The nemeses of `names`; `all` stands for every main one, `none` for nothing.
 *
 * @throws Error naming what is no nemesis
 */
export function nemesesNamed(names: readonly string[]): readonly Nemesis[] {
  const found = names.flatMap((name) => {
    if (name === "none") return [];
    if (name === "all") return MAIN_NEMESES;
    const nemesis = NEMESES.find((one) => one.name === name);
    if (nemesis === undefined) throw new Error(`Cannot find the nemesis ${name}`);
    return [nemesis];
  });
  return [...new Set(found)];
}

/** What a system must be created with for `nemeses` to find what they need. */
export function needsOf(nemeses: readonly Nemesis[]): Needs {
  const needs = new Set(nemeses.flatMap((nemesis) => nemesis.needs));
  return {
    proxy: needs.has("links") || needs.has("slow-links") || needs.has("frames"),
    faulty: needs.has("disks") || needs.has("clocks"),
    spares: needs.has("membership") ? 1 : 0,
  };
}

/** The nemeses that a system with these abilities can bear, and those that it can't. */
export function fitting(
  nemeses: readonly Nemesis[],
  abilities: ReadonlySet<Ability>,
): { readonly can: readonly Nemesis[]; readonly cannot: readonly Nemesis[] } {
  const fits = (nemesis: Nemesis) => nemesis.needs.every((need) => abilities.has(need));
  return { can: nemeses.filter(fits), cannot: nemeses.filter((nemesis) => !fits(nemesis)) };
}
