// Raft's safety properties under random faults (Raft figure 3): election safety, log matching, leader
// completeness, state machine safety; and that reads are linearizable, acknowledgements durable and a
// healed group alive. A failure names its seed; PONTOON_TEST_SEED=N begins with it.

import { assert } from "@std/assert";
import { type GroupOptions, RandomGroup } from "./random_group.ts";
import { testSeed } from "../support/seed.ts";

const SEEDS = 24;
const STEPS = 20_000;

const KINDS: Record<string, Omit<GroupOptions, "seed">> = {
  "plain Raft": { options: {}, membership: false },
  "pre-vote and quorum check": {
    options: { preVote: true, checkQuorum: true },
    membership: false,
  },
  "membership changes": { options: { checkQuorum: true }, membership: true },
  "membership changes, pre-vote and quorum check": {
    options: { preVote: true, checkQuorum: true, disableProposalForwarding: true },
    membership: true,
  },
};

for (const [name, kind] of Object.entries(KINDS)) {
  Deno.test(`a random group stays safe, and recovers: ${name}`, () => {
    const first = testSeed();
    let elections = 0;
    let reads = 0;
    let changes = 0;
    for (let i = 0; i < SEEDS; i++) {
      const seed = (first + i) % 2 ** 31;
      try {
        const group = new RandomGroup({ seed, ...kind });
        group.run(STEPS);
        group.settle();
        elections += group.elections;
        reads += group.reads;
        changes += group.changes;
      } catch (error) {
        throw new Error(`${name}: PONTOON_TEST_SEED=${seed} fails`, { cause: error });
      }
    }
    console.log(
      `seeds ${first}..+${SEEDS}: ${elections} elections, ${reads} reads, ` +
        `${changes} membership changes applied`,
    );
    // A run in which nothing happens would prove nothing.
    assert(elections >= SEEDS && reads > 0 && (changes > 0 || !kind.membership));
  });
}
