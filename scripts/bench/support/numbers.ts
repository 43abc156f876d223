// The arguments of a benchmark: whole numbers in fixed places, each with a default. What is none of them
// gets the usage and no run.

/** A list of positive whole numbers for each of `defaults`, or undefined if `args` are something else. */
export function parseNumbers(
  args: readonly string[],
  defaults: readonly string[],
): number[][] | undefined {
  if (args.length > defaults.length) return undefined;
  const lists = defaults.map((text, place) => (args[place] ?? text).split(",").map(Number));
  const isCount = (value: number) => Number.isSafeInteger(value) && value > 0;
  return lists.every((list) => list.every(isCount)) ? lists : undefined;
}

/** The numbers of the command line; prints `usage` and ends if they are not what it says. */
export function numbersOf(usage: string, ...defaults: string[]): number[][] {
  const help = Deno.args.includes("--help");
  const numbers = help ? undefined : parseNumbers(Deno.args, defaults);
  if (numbers !== undefined) return numbers;
  console.log(`usage: ${usage}   (by default ${defaults.join(" ")})`);
  return Deno.exit(help ? 0 : 64);
}
