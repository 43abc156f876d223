// The shapes of partitions, as graphs of who hears whom.

import { assert, assertEquals } from "@std/assert";
import { type Cut, SHAPES } from "../../chaos/nemeses/partitions.ts";
import { seededRandom } from "../../chaos/random.ts";
import { testSeed } from "../support/seed.ts";

const SEED = testSeed();

/** Whom `name` still exchanges words with, itself counted. */
function circle(names: readonly string[], { links }: Cut, name: string): string[] {
  const cut = (from: string, to: string) => links.some((one) => one.from === from && one.to === to);
  return names.filter((other) => other === name || (!cut(name, other) && !cut(other, name)));
}

function forEachShape(
  shape: string,
  sizes: readonly number[],
  check: (names: readonly string[], cut: Cut) => void,
): void {
  const random = seededRandom(SEED);
  for (const size of sizes) {
    const names = Array.from({ length: size }, (_, i) => `n${i + 1}`);
    for (let i = 0; i < 50; i++) {
      const cut = SHAPES[shape]!({ names, leader: names[i % size]!, random });
      for (const { from, to } of cut.links) {
        assert(names.includes(from) && names.includes(to) && from !== to, `seed ${SEED}`);
      }
      check(names, cut);
    }
  }
}

function sizesOfCircles(names: readonly string[], cut: Cut): number[] {
  return names.map((name) => circle(names, cut, name).length).sort();
}

Deno.test("halves are a minority and a majority, each whole", () => {
  forEachShape("halves", [3, 5, 7], (names, cut) => {
    const minority = Math.floor(names.length / 2);
    assertEquals(sizesOfCircles(names, cut), [
      ...Array.from({ length: minority }, () => minority),
      ...Array.from({ length: minority + 1 }, () => minority + 1),
    ]);
  });
});

Deno.test("random leaves somebody on each side", () => {
  forEachShape("random", [2, 3, 5], (names, cut) => {
    for (const name of names) {
      const { length } = circle(names, cut, name);
      assert(length >= 1 && length < names.length, `seed ${SEED}`);
    }
  });
});

Deno.test("one, leader and shattered isolate", () => {
  forEachShape("one", [3, 5], (names, cut) => {
    assertEquals(sizesOfCircles(names, cut)[0], 1);
    assertEquals(sizesOfCircles(names, cut).filter((size) => size === 1).length, 1);
  });
  let turn = 0;
  forEachShape("leader", [3], (names, cut) => {
    assertEquals(circle(names, cut, names[turn++ % 3]!).length, 1);
  });
  forEachShape("shattered", [3, 5], (names, cut) => {
    assertEquals(sizesOfCircles(names, cut), names.map(() => 1));
  });
});

Deno.test("on a ring everyone has a majority, and no two of five the same", () => {
  forEachShape("ring", [4, 5, 7], (names, cut) => {
    const circles = names.map((name) => circle(names, cut, name));
    assert(circles.every((one) => one.length > names.length / 2), `seed ${SEED}`);
    assert(circles.every((one) => one.length < names.length), `seed ${SEED}`);
    assertEquals(new Set(circles.map((one) => one.sort().join())).size, names.length);
  });
});

Deno.test("a bridge has one node that hears all, and two sides that don't hear each other", () => {
  forEachShape("bridge", [3, 5, 7], (names, cut) => {
    const whole = names.filter((name) => circle(names, cut, name).length === names.length);
    assertEquals(whole.length, 1);
    assert(cut.links.length > 0);
  });
});

Deno.test("one-way cuts one node's words or its ears, not both", () => {
  forEachShape("one-way", [3, 5], (names, cut) => {
    assertEquals(cut.links.length, names.length - 1);
    const froms = new Set(cut.links.map(({ from }) => from));
    const tos = new Set(cut.links.map(({ to }) => to));
    assertEquals(Math.min(froms.size, tos.size), 1);
  });
});
