// Members that come and go, and leaderships that move, while everything else goes on.

import { pick } from "../random.ts";
import type { Nemesis } from "../types.ts";
import { rest } from "../wait.ts";

const CHANGE_TIMEOUT_MS = 60_000;
const MOVES = 5;
const MOVE_GAP_MS = 300;

const MEMBERSHIP: Nemesis = {
  name: "membership",
  summary: "A spare node joins, and a member, the leader at times, is drained and leaves",
  needs: ["membership"],
  layer: "nodes",
  pace: { quietMs: [500, 1500], faultMs: [0, 500] },
  async strike({ system, random }) {
    const { membership } = system;
    const spare = membership?.spares[0];
    if (membership === undefined || spare === undefined) return undefined;
    await membership.settled(CHANGE_TIMEOUT_MS);
    const goes = random() < 0.5 ? await system.leader() : undefined;
    const leaver = goes ?? pick(random, system.nodes);
    await membership.join(spare, CHANGE_TIMEOUT_MS);
    await membership.leave(leaver, CHANGE_TIMEOUT_MS);
    return {
      targets: [spare.name, leaver.name],
      detail: `${spare.name} joined, ${leaver.name} left`,
      verify: () => Promise.resolve({ bit: true, detail: `both took place` }),
      heal: () => membership.settled(CHANGE_TIMEOUT_MS),
    };
  },
};

const MOVE: Nemesis = {
  name: "move",
  summary: "Leaderships are handed to other replicas",
  needs: ["moves"],
  layer: "nodes",
  pace: { quietMs: [300, 1000], faultMs: [0, 300] },
  async strike({ system, random, stopped }) {
    const { membership } = system;
    if (membership === undefined) return undefined;
    const done: string[] = [];
    for (let i = 0; i < MOVES && !stopped(); i++) {
      done.push(await membership.move(random));
      await rest(MOVE_GAP_MS * random(), stopped);
    }
    const accepted = done.filter((one) => one.startsWith("leadership") && !one.endsWith("refused"));
    return {
      targets: ["leaders"],
      detail: done.join("; "),
      verify: () =>
        Promise.resolve({ bit: accepted.length > 0, detail: `${accepted.length} accepted` }),
      heal: () => Promise.resolve(),
    };
  },
};

export const MEMBER_NEMESES: readonly Nemesis[] = [MEMBERSHIP, MOVE];
