// What a surface is to the fuzzer, and how a case is judged. A surface takes bytes that nobody vouches for; whatever
// they are, it ends in time, and either in peace or in an error that it documents.

import type { SeededRandom } from "../sim/random.ts";
import { mutated } from "./mutator.ts";

export interface Surface {
  readonly name: string;
  /** Inputs that are as they should be. */
  readonly corpus: readonly Uint8Array[];
  /** Takes one input. Throws what is not documented, and whatever it finds wrong itself. */
  take(input: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /** Whether the input may be changed at random; else `input` makes it. */
  readonly input?: (random: SeededRandom) => Uint8Array<ArrayBuffer>;
  /** A finding may have ended what is looked at: it is not tried again to make it smaller. */
  readonly once?: boolean;
  /** Ends what it has started. */
  close?(): Promise<void>;
}

export interface Finding {
  readonly surface: string;
  readonly input: Uint8Array<ArrayBuffer>;
  readonly error: unknown;
}

/** No case may take longer. */
const CASE_MS_MAX = 5000;

/** What `surface` does wrong with `input`; undefined if nothing. */
export async function judge(
  surface: Surface,
  input: Uint8Array<ArrayBuffer>,
): Promise<Finding | undefined> {
  const startedMs = performance.now();
  try {
    // A copy: what a decoder does to its input is its own affair.
    const taken = surface.take(input.slice());
    if (taken !== undefined) await taken;
  } catch (error) {
    return { surface: surface.name, input, error };
  }
  const tookMs = performance.now() - startedMs;
  if (tookMs <= CASE_MS_MAX) return undefined;
  const error = new Error(`it took ${Math.round(tookMs)} ms`);
  return { surface: surface.name, input, error };
}

/** Input number `n` of a seed: the same whatever was run before. */
export function inputOf(surface: Surface, random: SeededRandom): Uint8Array<ArrayBuffer> {
  if (surface.input !== undefined) return surface.input(random);
  const { corpus } = surface;
  const base = corpus[random.int(corpus.length)];
  return mutated(base, random, corpus[random.int(corpus.length)]);
}

/** A smaller input that is wrong in the same way, found by cutting parts out. */
export async function minimized(surface: Surface, finding: Finding): Promise<Finding> {
  let best = finding;
  if (surface.once) return finding;
  const sameWay = (other: Finding) => nameOf(other.error) === nameOf(finding.error);
  for (let sizeBytes = best.input.length >> 1; sizeBytes >= 1; sizeBytes >>= 1) {
    for (let at = 0; at + sizeBytes <= best.input.length;) {
      const shorter = new Uint8Array(best.input.length - sizeBytes);
      shorter.set(best.input.subarray(0, at));
      shorter.set(best.input.subarray(at + sizeBytes), at);
      const again = await judge(surface, shorter);
      if (again !== undefined && sameWay(again)) best = again;
      else at += sizeBytes;
    }
  }
  return best;
}

function nameOf(error: unknown): string {
  return error instanceof Error
    ? `${error.name}: ${error.message.replace(/\d+/g, "#").slice(0, 40)}`
    : String(error);
}
