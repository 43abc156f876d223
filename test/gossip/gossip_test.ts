// The gossip's promises over 3 to 100 simulated nodes: news reaches everybody in O(log n) rounds, the
// dead are found, the living are not declared dead under message loss, and healed or restarted nodes
// come back into everybody's belief.

import { assert, assertEquals } from "@std/assert";
import { GossipSimulation } from "./simulation.ts";

const SIZES = [3, 5, 10, 30, 100];
const SEEDS = [1, 2, 3];
const LOSS = 0.1;

function logRounds(nodes: number): number {
  return Math.ceil(Math.log2(nodes));
}

Deno.test("a new epoch reaches all nodes within O(log n) rounds, 10% of messages lost", () => {
  for (const nodes of SIZES) {
    for (const seed of SEEDS) {
      const simulation = new GossipSimulation({ nodes, seed, loss: LOSS });
      simulation.run(5);
      simulation.setFigures(simulation.nodes[0], 17);
      const rounds = simulation.run(
        100,
        () => simulation.nodes.slice(1).every(({ newestEpoch }) => newestEpoch === 17),
      );
      assert(
        rounds <= 2 * logRounds(nodes) + 2,
        `${nodes} nodes, seed ${seed}: ${rounds} rounds`,
      );
    }
  }
});

Deno.test("a dead node is declared dead by all, in rounds that grow with log n", () => {
  for (const nodes of SIZES) {
    for (const seed of SEEDS) {
      const simulation = new GossipSimulation({ nodes, seed, loss: LOSS });
      simulation.run(5);
      const victim = simulation.nodes[nodes >> 1];
      victim.isUp = false;
      const others = simulation.nodes.filter((node) => node !== victim);
      const rounds = simulation.run(
        200,
        () => others.every(({ gossip }) => gossip.statusOf(victim.nodeId) === "dead"),
      );
      // Somebody's turn comes within n/(n-1) rounds on average; then the suspect's time must pass.
      assert(rounds <= 24 + 6 * logRounds(nodes), `${nodes} nodes, seed ${seed}: ${rounds} rounds`);
      assertEquals(simulation.falseDeaths, 0, `${nodes} nodes, seed ${seed}`);
    }
  }
});

Deno.test("a silence counts from its suspicion on, not anew from the death that follows", () => {
  const simulation = new GossipSimulation({ nodes: 5, seed: 1, loss: 0 });
  simulation.run(5);
  const victim = simulation.nodes[2];
  const [observer] = simulation.nodes;
  const belief = () => observer.gossip.members().find(({ nodeId }) => nodeId === victim.nodeId)!;
  victim.isUp = false;
  simulation.run(200, () => belief().status === "suspect");
  const { sinceMs } = belief();
  simulation.run(200, () => belief().status === "dead");
  assertEquals([belief().status, belief().sinceMs], ["dead", sinceMs]);
  victim.isUp = true;
  simulation.run(200, () => belief().status === "alive");
  assert(belief().sinceMs > sinceMs, "alive since it came back");
});

Deno.test("nobody alive is declared dead in 200 rounds with 10% of messages lost", () => {
  let observations = 0;
  for (const nodes of SIZES) {
    const simulation = new GossipSimulation({ nodes, seed: 42, loss: LOSS });
    simulation.run(200);
    assertEquals(simulation.falseDeaths, 0, `${nodes} nodes`);
    observations += nodes * 200;
  }
  assert(observations > 20_000);
});

Deno.test("a restarted node is alive to all within O(log n) rounds, its old death forgotten", () => {
  for (const nodes of SIZES) {
    const simulation = new GossipSimulation({ nodes, seed: 7, loss: LOSS });
    const [victim, ...others] = simulation.nodes;
    victim.isUp = false;
    simulation.run(
      200,
      () => others.every(({ gossip }) => gossip.statusOf(victim.nodeId) === "dead"),
    );
    simulation.restart(victim);
    const rounds = simulation.run(
      100,
      () => others.every(({ gossip }) => gossip.statusOf(victim.nodeId) === "alive"),
    );
    assert(rounds <= 2 * logRounds(nodes) + 4, `${nodes} nodes: ${rounds} rounds`);
  }
});

Deno.test("halves that were parted believe each other alive again after the heal", () => {
  for (const nodes of [4, 10, 30]) {
    const simulation = new GossipSimulation({ nodes, seed: 9 });
    simulation.run(5);
    const left = simulation.nodes.slice(0, nodes / 2);
    const right = simulation.nodes.slice(nodes / 2);
    for (const a of left) {
      for (const b of right) {
        simulation.cut(a, b);
        simulation.cut(b, a);
      }
    }
    const parted = () =>
      left.every(({ gossip }) => right.every((b) => gossip.statusOf(b.nodeId) === "dead")) &&
      right.every(({ gossip }) => left.every((a) => gossip.statusOf(a.nodeId) === "dead"));
    assert(simulation.run(600, parted) < 600, `${nodes} nodes: never parted`);
    simulation.heal();
    const healed = () =>
      simulation.nodes.every(({ gossip }) =>
        gossip.members().every(({ status }) => status === "alive")
      );
    const rounds = simulation.run(300, healed);
    assert(rounds <= 60, `${nodes} nodes: ${rounds} rounds to heal`);
  }
});

Deno.test("a node that only one other can't reach is not declared dead", () => {
  const simulation = new GossipSimulation({ nodes: 5, seed: 3 });
  const [a, b] = simulation.nodes;
  simulation.cut(a, b);
  simulation.cut(b, a);
  simulation.run(300);
  assertEquals(simulation.falseDeaths, 0);
  assertEquals(a.gossip.statusOf(b.nodeId), "alive");
});

Deno.test("a node that was paused blames nobody but itself", () => {
  const simulation = new GossipSimulation({ nodes: 5, seed: 11 });
  simulation.run(5);
  const [paused] = simulation.nodes;
  paused.isPaused = true;
  simulation.run(6);
  paused.isPaused = false;
  simulation.run(40);
  assertEquals(simulation.falseDeaths, 0);
  assert(
    simulation.nodes.every(({ gossip }) =>
      gossip.members().every(({ status }) => status === "alive")
    ),
  );
});

Deno.test("load figures and versions of a node arrive in order, however late they come", () => {
  const simulation = new GossipSimulation({ nodes: 10, seed: 5, loss: LOSS, delayMs: [1, 2000] });
  const [told, ...others] = simulation.nodes;
  for (let i = 1; i <= 20; i++) {
    simulation.setFigures(told, i);
    simulation.run(4);
  }
  simulation.run(40);
  for (const { gossip } of others) {
    assertEquals(gossip.members().find(({ nodeId }) => nodeId === told.nodeId)?.epoch, 20);
  }
});
