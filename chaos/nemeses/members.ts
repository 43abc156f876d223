// Members that come and go, replicas and leaderships that move, while everything else goes on.

import { pick } from "../random.ts";
import type { Nemesis } from "../types.ts";
import { rest } from "../wait.ts";

const CHANGE_TIMEOUT_MS = 60_000;
const TRANSFERS = 5;
const TRANSFER_GAP_MS = 300;
const MOVES = 2;
/** Copies of a partition. */
const REPLICATION = 3;

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

/** What was asked for and not refused. */
function accepted(done: readonly string[]): readonly string[] {
  return done.filter((one) => /^(leadership|replica) /.test(one) && !one.endsWith("refused"));
}

const TRANSFER: Nemesis = {
  name: "transfer",
  summary: "Leaderships are handed to other replicas",
  needs: ["moves"],
  layer: "nodes",
  pace: { quietMs: [300, 1000], faultMs: [0, 300] },
  async strike({ system, random, stopped }) {
    const { membership } = system;
    if (membership === undefined) return undefined;
    const done: string[] = [];
    for (let i = 0; i < TRANSFERS && !stopped(); i++) {
      done.push(await membership.transfer(random));
      await rest(TRANSFER_GAP_MS * random(), stopped);
    }
    const count = accepted(done).length;
    return {
      targets: ["leaders"],
      detail: done.join("; "),
      verify: () => Promise.resolve({ bit: count > 0, detail: `${count} accepted` }),
      heal: () => Promise.resolve(),
    };
  },
};

const MOVE: Nemesis = {
  name: "move",
  summary: "Replicas move to other nodes, and a member is drained and taken back",
  needs: ["moves", "membership"],
  layer: "nodes",
  pace: { quietMs: [500, 1500], faultMs: [0, 300] },
  async strike({ system, random, stopped }) {
    const { membership } = system;
    if (membership === undefined) return undefined;
    await membership.settled(CHANGE_TIMEOUT_MS);
    // Where every node has a replica of everything there is nowhere to move one to.
    const guest = system.nodes.length <= REPLICATION ? membership.spares[0] : undefined;
    if (guest !== undefined) await membership.join(guest, CHANGE_TIMEOUT_MS);
    const done: string[] = [];
    for (let i = 0; i < MOVES && !stopped(); i++) {
      await membership.settled(CHANGE_TIMEOUT_MS);
      done.push(await membership.move(random));
    }
    await membership.settled(CHANGE_TIMEOUT_MS);
    const drained = pick(random, system.nodes);
    await membership.drain(drained, CHANGE_TIMEOUT_MS);
    const count = accepted(done).length;
    return {
      targets: [...(guest === undefined ? [] : [guest.name]), drained.name],
      detail: `${done.join("; ")}; ${drained.name} drained`,
      verify: () => Promise.resolve({ bit: count > 0, detail: `${count} moves accepted` }),
      async heal() {
        await membership.settled(CHANGE_TIMEOUT_MS);
        // The next one needs a node to come.
        if (guest !== undefined && system.nodes.length > REPLICATION) {
          await membership.leave(pick(random, system.nodes), CHANGE_TIMEOUT_MS);
          await membership.settled(CHANGE_TIMEOUT_MS);
        }
      },
    };
  },
};

export const MEMBER_NEMESES: readonly Nemesis[] = [MEMBERSHIP, TRANSFER, MOVE];
