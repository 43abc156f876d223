// Randomness that can be repeated: a generator from a seed, which every test that uses one prints.

import { givenSeed } from "../support/seed.ts";

/** Uniform in [0, 1). PONTOON_TEST_SEED takes the place of the seed that is drawn. */
export function randomFrom(what: string): () => number {
  const seed = givenSeed() ?? Math.floor(Math.random() * 2 ** 31);
  console.log(`${what}: PONTOON_TEST_SEED=${seed}`);
  let state = seed | 0;
  return () => {
    // xorshift (Marsaglia), after a step that takes small seeds apart.
    state = Math.imul(state ^ 0x9e3779b9, 0x85ebca6b) || 1;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
