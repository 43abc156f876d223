// The hash behind rendezvous scores: even, independent of order, and a logarithm that is exact enough.

import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { utf8Bytes } from "../../src/base/bytes.ts";
import {
  hashBytes,
  hashWith,
  hexOfHash,
  naturalLog,
  unitOfHash,
} from "../../src/partition/hash.ts";
import { Layout } from "../../src/partition/layout.ts";
import { nodeId } from "./support.ts";

Deno.test("hashBytes() gives the same hash for ever", () => {
  assertEquals(hexOfHash(hashBytes(new Uint8Array(0))), GOLDEN.empty);
  assertEquals(hexOfHash(hashBytes(utf8Bytes("pontoon"))), GOLDEN.text);
  assertEquals(hexOfHash(hashWith(hashBytes(utf8Bytes("pontoon")), 7)), GOLDEN.paired);
});

const GOLDEN = { empty: "848514a01a829e2f", text: "cc4c78c4e46cb2a9", paired: "8c5c6795ae18cf47" };

Deno.test("hashBytes() tells inputs of one bit apart, and no two of many alike", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 50_000; i++) seen.add(hexOfHash(hashBytes(utf8Bytes(`key-${i}`))));
  assertEquals(seen.size, 50_000);
  const bytes = utf8Bytes("a longer input, to flip bits in");
  let flipped = 0;
  const base = hashBytes(bytes);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const other = bytes.slice();
    other[bit >> 3] ^= 1 << (bit & 7);
    const hash = hashBytes(other);
    flipped += ones(base.high ^ hash.high) + ones(base.low ^ hash.low);
  }
  // 64 bits each flip with probability 1/2; the mean of 248 trials strays by 0.26 (one sigma).
  assertLess(Math.abs(flipped / (bytes.length * 8) - 32), 2);
});

function ones(word: number): number {
  let count = 0;
  for (; word !== 0; word &= word - 1) count++;
  return count;
}

Deno.test("unitOfHash() is even over (0, 1)", () => {
  const buckets = new Array(16).fill(0);
  for (let node = 1; node <= 40; node++) {
    const seed = hashBytes(utf8Bytes(nodeId(node)));
    for (let partition = 1; partition <= 400; partition++) {
      const unit = unitOfHash(hashWith(seed, partition));
      assert(unit > 0 && unit < 1);
      buckets[Math.floor(unit * 16)]++;
    }
  }
  // 16000 draws over 16 buckets: 1000 each, sigma 31.
  for (const count of buckets) assertLess(Math.abs(count - 1000), 155);
});

Deno.test("naturalLog() agrees with Math.log to 1e-14", () => {
  for (let i = 1; i <= 20_000; i++) {
    const x = i / 20_000;
    assertLessOrEqual(Math.abs(naturalLog(x) - Math.log(x)), 1e-14 * Math.max(1, -Math.log(x)));
  }
  assertLessOrEqual(Math.abs(naturalLog(2 ** -53) + 53 * Math.LN2), 1e-13);
});

Deno.test("score() is highest on each node in proportion to its weight", () => {
  const weights = [1, 1, 2, 4];
  const layout = new Layout(
    weights.map((weight, i) => ({ nodeId: nodeId(i + 1), weight, eligible: true })),
  );
  const wins = weights.map(() => 0);
  for (let partition = 1; partition <= 8000; partition++) {
    const scores = weights.map((_, node) => layout.score(partition, node));
    wins[scores.indexOf(Math.max(...scores))]++;
  }
  // Sigma of a count near 1000 of 8000 is 30, near 4000 it is 45.
  weights.forEach((weight, i) => assertLess(Math.abs(wins[i] - 1000 * weight), 225));
});

Deno.test("score() keeps every other node's claim when a node goes", () => {
  const nodes = [1, 2, 3, 4, 5].map((n) => ({ nodeId: nodeId(n), weight: 1, eligible: true }));
  const all = new Layout(nodes);
  const fewer = new Layout(nodes.slice(0, 4));
  for (let partition = 1; partition <= 100; partition++) {
    for (let node = 0; node < 4; node++) {
      assertEquals(fewer.score(partition, node), all.score(partition, node));
    }
  }
});
