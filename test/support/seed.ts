// The seed of a random test. `deno task test` draws a new one each time, so that every run looks at something new;
// where a run judges a change, and not luck, PONTOON_TEST_SEED fixes them all.

/** PONTOON_TEST_SEED, or a new seed below 2 ** 31; printed, so that a failure can be run again. */
export function testSeed(): number {
  const given = givenSeed();
  const seed = given ?? Math.floor(Math.random() * 2 ** 31);
  console.log(`PONTOON_TEST_SEED=${seed}`);
  return seed;
}

/** PONTOON_TEST_SEED. */
export function givenSeed(): number | undefined {
  const text = Deno.env.get("PONTOON_TEST_SEED");
  if (text === undefined || text === "") return undefined;
  const seed = Number(text);
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31) return seed;
  throw new RangeError(`PONTOON_TEST_SEED takes 0 to 2147483647: got ${text}`);
}
