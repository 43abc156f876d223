// The bench's randomness: a small generator, so that a run's choices follow from its seed. Source: mulberry32.

import type { Random } from "./types.ts";

/** A sequence of numbers in [0, 1) that depends on `seed` only. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A number from a range. */
export function between(random: Random, [low, high]: readonly [number, number]): number {
  return low + random() * (high - low);
}

/** One of `items`, which are not empty. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

/** The items in random order. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const rest = [...items];
  return Array.from(items, () => rest.splice(Math.floor(random() * rest.length), 1)[0]!);
}
