// Configurations: the same one at the same index everywhere, in force when it is applied and not before, and such
// that every quorum of one meets every quorum of the next (Raft §6).

import type { ReplicaId } from "../../../src/base/ids.ts";
import type { ConfState } from "../../../src/raft/mod.ts";
import { placeOf, type Watched } from "./facts.ts";
import { checkLeavers } from "./maps.ts";
import { Violation } from "./violation.ts";

/** Looks at the replica's configuration if it is another one than at the last look. */
export function lookAtConfiguration(watched: Watched): void {
  const { core, configuration, serving, appliedIndex } = watched.replica;
  const active = core.configuration;
  if (
    active === watched.coreConfiguration && configuration === watched.replicaConfiguration
  ) return;
  // A snapshot is on its way into the state: the core goes by its configuration already.
  if (!serving || core.firstIndex > appliedIndex + 1) return;
  watched.coreConfiguration = active;
  watched.replicaConfiguration = configuration;
  const { confState, confIndex } = configuration;
  const { voters, votersOutgoing, learners } = confState;
  if (
    !same(active.incoming, voters) || !same(active.outgoing, votersOutgoing) ||
    !same(active.learners, learners)
  ) {
    throw new Violation(
      "a configuration takes effect when it is applied",
      `${placeOf(watched)} goes by ${active.incoming}/${active.outgoing}, and has applied ` +
        `${voters}/${votersOutgoing} at ${confIndex}`,
    );
  }
  const { configurations } = watched.facts;
  const text = JSON.stringify([voters, votersOutgoing, learners]);
  const known = configurations.get(confIndex);
  if (known === undefined) {
    checkOverlap(watched, confState, confIndex);
    configurations.set(confIndex, text);
  } else if (known !== text) {
    throw new Violation(
      "equal configuration at equal index",
      `${placeOf(watched)} at ${confIndex}: ${text}, was ${known}`,
    );
  }
}

/** Sees the membership changes that the replica lets into its log as leader. */
export function tapChanges(watched: Watched): void {
  const { core, group } = watched.replica;
  const { changes } = watched.facts;
  const propose = core.proposeConfChange.bind(core);
  core.proposeConfChange = (change) => {
    const result = propose(change);
    if (result.kind !== "appended") return result;
    for (const [index, term] of changes) {
      if (index >= result.index || index <= core.applied || core.termAt(index) !== term) continue;
      const message = `${placeOf(watched)}: partition ${group} changes at ${result.index}, ` +
        `with the change at ${index} not applied yet`;
      watched.report(new Violation("one membership change at a time", message));
    }
    changes.set(result.index, result.term);
    return result;
  };
}

function same(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

function checkOverlap(watched: Watched, next: ConfState, confIndex: number): void {
  let lastIndex = -1;
  for (const index of watched.facts.configurations.keys()) {
    if (index < confIndex && index > lastIndex) lastIndex = index;
  }
  const text = watched.facts.configurations.get(lastIndex);
  if (text === undefined) return;
  const [voters, votersOutgoing] = JSON.parse(text) as ReplicaId[][];
  checkLeavers(watched.facts, voters.filter((id) => !next.voters.includes(id)));
  const before = quorums(voters, votersOutgoing);
  const after = quorums(next.voters, next.votersOutgoing);
  if (before.every((a) => after.every((b) => a.some((id) => b.includes(id))))) return;
  throw new Violation(
    "configurations overlap",
    `${placeOf(watched)}: ${next.voters}/${next.votersOutgoing} at ${confIndex} follows ` +
      `${voters}/${votersOutgoing} at ${lastIndex}`,
  );
}

/** Every set of voters that decides. Few voters, few changes: there is no need to be clever. */
function quorums(voters: readonly ReplicaId[], outgoing: readonly ReplicaId[]): ReplicaId[][] {
  const all = [...new Set([...voters, ...outgoing])];
  const majority = (of: readonly ReplicaId[], set: readonly ReplicaId[]) =>
    of.length === 0 || of.filter((id) => set.includes(id)).length * 2 > of.length;
  const found: ReplicaId[][] = [];
  for (let bits = 1; bits < 1 << all.length; bits++) {
    const set = all.filter((_, i) => (bits >> i & 1) === 1);
    if (majority(voters, set) && majority(outgoing, set)) found.push(set);
  }
  return found;
}
