// The cluster's state in a sentence: what is wrong, since when, and what the cluster does about it. Pure: a view
// in, words out. Says only what the view shows.

import {
  damagedReplicas,
  fullDisks,
  laggingReplicas,
  leaderless,
  silentMembers,
  slowDisks,
} from "./faults.ts";
import { dataPartitions, type Finding, type Tone } from "./finding.ts";
import { fewNodes, leavingMembers, movesUnderWay, versionsApart, wrongClocks } from "./notes.ts";
import type { DashboardView } from "./view.ts";
import { counted } from "./words.ts";

export type { Finding, Tone } from "./finding.ts";

export interface Health {
  readonly tone: Tone;
  /** The worst finding's words, or that all is well. */
  readonly sentence: string;
  readonly doing: string;
  readonly forMs?: number;
  /** The others, worst first. */
  readonly more: readonly Finding[];
}

const ORDER: readonly Tone[] = ["broken", "degraded", "busy", "note", "well"];
export function healthOf(view: DashboardView): Health {
  const findings = [
    ...leaderless(view),
    ...silentMembers(view),
    ...fullDisks(view),
    ...damagedReplicas(view),
    ...laggingReplicas(view),
    ...slowDisks(view),
    ...leavingMembers(view),
    ...movesUnderWay(view),
    ...wrongClocks(view),
    ...versionsApart(view),
    ...fewNodes(view),
  ].sort((a, b) => ORDER.indexOf(a.tone) - ORDER.indexOf(b.tone));
  const [first, ...more] = findings;
  if (first === undefined || first.tone === "note") return { ...allWell(view), more: findings };
  return { tone: first.tone, sentence: first.what, doing: first.doing, forMs: first.forMs, more };
}

function allWell(view: DashboardView): { tone: Tone; sentence: string; doing: string } {
  const partitions = dataPartitions(view).length;
  if (partitions === 0) {
    return {
      tone: "busy",
      sentence: "This node belongs to no cluster yet.",
      doing: "It waits for the other first nodes, or for the cluster it was told to join.",
    };
  }
  return {
    tone: "well",
    sentence: "All is well.",
    doing: `${counted(view.members.length, "node")} and ${
      counted(partitions, "partition")
    }; every partition has a leader, and every replica is up to date.`,
  };
}
