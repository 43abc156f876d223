// Differential fuzzing: every algorithm against the brute-force reference, over random small histories of every
// model. PONTOON_TEST_SEED replays a run, PONTOON_FUZZ_HISTORIES sets how many (default 100,000).

import { assert, assertEquals } from "@std/assert";
import { check, type CheckOptions } from "../check.ts";
import type { Operation } from "../history/types.ts";
import { deterministic } from "../models/model.ts";
import { findFlaw } from "../search/verify.ts";
import { isLinearizable } from "./brute_force.ts";
import { randomFrom, randomHistory, type Shape, SHAPES, toText } from "./random_history.ts";

const OPERATIONS_MAX = 8;
const seed = Number(Deno.env.get("PONTOON_TEST_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const total = Number(Deno.env.get("PONTOON_FUZZ_HISTORIES") ?? 100_000);

const WAYS: readonly CheckOptions[] = [
  { minimize: "none" },
  { minimize: "none", without: ["zones"] },
  { minimize: "none", without: ["witness"] },
  { minimize: "none", without: ["zones", "witness"] },
];

function verifyProof(shape: Shape, history: readonly Operation[], way: CheckOptions): void {
  const verdict = check(history, shape.model, way);
  const model = deterministic(shape.model);
  if (verdict.verdict === "linearizable") {
    for (const part of verdict.partitions) {
      const members = new Set<number>();
      history.forEach((operation, i) => {
        if ((model.partition?.(operation) ?? 0) === part.key) members.add(i);
      });
      const ids = [...members];
      const order = [...part.order].map((id) => ids.indexOf(id));
      assertEquals(findFlaw(model, ids.map((id) => history[id]!), order), undefined);
    }
    return;
  }
  const { operations, open, verified } = verdict.counterexample!;
  assert(verified, "the counterexample was not verified");
  const shown = operations.map((id) =>
    open.includes(id) ? { ...history[id]!, return: undefined } : history[id]!
  );
  assert(!isLinearizable(shown, model), "the counterexample is linearizable");
}

for (const [name, shape] of Object.entries(SHAPES)) {
  Deno.test(`check() agrees with brute force on random histories of ${name}`, () => {
    const count = Math.ceil(total / Object.keys(SHAPES).length);
    const random = randomFrom(seed ^ name.length * 7919);
    let legal = 0;
    let at = 0;
    let history: Operation[] = [];
    try {
      for (; at < count; at++) {
        history = randomHistory(shape, random, OPERATIONS_MAX);
        const expected = isLinearizable(history, shape.model);
        if (expected) legal++;
        // All ways on some, the default on all.
        const ways = at % 4 === 0 ? WAYS : WAYS.slice(0, 1);
        for (const way of ways) {
          const { verdict } = check(history, shape.model, way);
          assertEquals(verdict, expected ? "linearizable" : "illegal");
        }
        if (at % 8 === 0) {
          verifyProof(shape, history, { minimize: at % 16 === 0 ? "full" : "bounded" });
        }
      }
    } catch (error) {
      throw new Error(`PONTOON_TEST_SEED=${seed}, history ${at} of ${name}:\n${toText(history)}`, {
        cause: error,
      });
    }
    assert(legal > count / 20 && legal < count, `one-sided: ${legal} of ${count} linearizable`);
    console.log(`${name}: ${legal} of ${count} linearizable (seed ${seed})`);
  });
}
