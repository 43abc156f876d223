// The cluster's state in a sentence: what is wrong, since when, and what the cluster does about it. Pure: a view
// in, words out. Says only what the view shows.

import type { DashboardView, MemberRow, PartitionRow } from "./view.ts";
import { bytes, counted, duration, list, partitionsText } from "./words.ts";

/**
 * `broken`: some requests can't be served. `degraded`: they can, with less in reserve. `busy`: the cluster is
 * rearranging itself, as it was told or as it must. `note`: worth knowing.
 */
export type Tone = "broken" | "degraded" | "busy" | "note" | "well";

export interface Finding {
  readonly tone: Tone;
  /** What is the matter; one sentence. */
  readonly what: string;
  /** For so long it has been so, if that is known. */
  readonly forMs?: number;
  /** What the cluster does about it, or what somebody should. */
  readonly doing: string;
  /** What it concerns, to be shown where it stands. */
  readonly partitions?: readonly number[];
  readonly members?: readonly string[];
}

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
/** A replica that lacks so many entries is behind; fewer are on their way in any busy moment. */
const BEHIND_ENTRIES = 10_000;
/** A clock further off than this is wrong. */
const CLOCK_ERROR_MS = 1_000;
/** How long a slow sync is worth telling. */
const SLOW_DISK_SHOWN_MS = 60_000;

/** Members that can't be counted on: nobody hears of them, or they are believed to be gone. */
function isSilent({ isSelf, reachable, status }: MemberRow): boolean {
  return !isSelf && (!reachable || status !== "alive");
}

function voters({ replicas }: PartitionRow) {
  return replicas.filter(({ role, change }) => role !== "learner" && change !== "adding");
}

/** Replicas that can vote now, and how many are needed. */
function quorumOf(view: DashboardView, partition: PartitionRow): { alive: number; needed: number } {
  const all = voters(partition);
  const alive = all.filter(({ member, trouble }) =>
    !isSilent(view.members[member]) && !trouble?.startsWith("corrupt")
  );
  return { alive: alive.length, needed: (all.length >> 1) + 1 };
}

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

function dataPartitions(view: DashboardView): PartitionRow[] {
  return view.partitions.filter(({ partition }) => partition !== 0);
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

// --------------------------------------------------------------------------------- what stops requests

function leaderless(view: DashboardView): Finding[] {
  const gone = view.partitions.filter(({ leader }) => leader === undefined);
  // The leader is known and silent: nobody has been elected in its place yet.
  const mute = view.partitions.filter(({ leader }) =>
    leader !== undefined && isSilent(view.members[leader])
  );
  const stuck = gone.filter((row) => {
    const { alive, needed } = quorumOf(view, row);
    return alive < needed;
  });
  const electing = [...gone.filter((row) => !stuck.includes(row)), ...mute];
  const findings: Finding[] = [];
  if (stuck.length > 0) {
    const partitions = stuck.map(({ partition }) => partition);
    const missing = new Set(
      stuck.flatMap((row) => voters(row).map(({ member }) => view.members[member]))
        .filter(isSilent).map(({ name }) => name),
    );
    const names = [...missing];
    findings.push({
      tone: "broken",
      what: `${capital(partitionsText(partitions))} ${
        stuck.length === 1 ? "has" : "have"
      } lost the majority of replicas and can’t be used.`,
      forMs: longest(stuck),
      doing: names.length === 0
        ? "Too few undamaged replicas are left; an operator has to bring one back."
        : `Nothing is lost: ${stuck.length === 1 ? "it comes" : "they come"} back by ${
          stuck.length === 1 ? "itself" : "themselves"
        } as soon as enough of ${list(names)} answer again. Start them with their data.`,
      partitions,
      members: names,
    });
  }
  if (electing.length > 0) {
    const partitions = electing.map(({ partition }) => partition);
    const formerly = new Set(
      mute.map(({ leader }) => view.members[leader!].name),
    );
    findings.push({
      tone: "broken",
      what: formerly.size === 0
        ? `${capital(partitionsText(partitions))} ${
          electing.length === 1 ? "has" : "have"
        } no leader.`
        : `${list([...formerly])} stopped answering and led ${partitionsText(partitions)}.`,
      forMs: longest(electing),
      doing: `The other replicas are electing ${
        electing.length === 1 ? "a new leader" : "new leaders"
      }; requests wait meanwhile. It takes a second or two.`,
      partitions,
    });
  }
  return findings;
}

function longest(rows: readonly PartitionRow[]): number | undefined {
  const known = rows.flatMap(({ leaderlessMs }) => leaderlessMs ?? []);
  return known.length === 0 ? undefined : Math.max(...known);
}

function silentMembers(view: DashboardView): Finding[] {
  return view.members.filter(isSilent).map((member): Finding => {
    const index = view.members.indexOf(member);
    const held = dataPartitions(view)
      .filter(({ replicas }) => replicas.some((replica) => replica.member === index));
    const atTheEdge = held.filter((row) => {
      const { alive, needed } = quorumOf(view, row);
      return alive === needed;
    });
    const isElecting = held.some(({ leader }) => leader === undefined || leader === index);
    const forMs = member.status === "alive" ? undefined : member.statusForMs;
    return {
      tone: "degraded",
      what: `${member.name} does not answer.`,
      forMs,
      doing: `${
        held.length === 0
          ? "It held no replica."
          : atTheEdge.length === 0
          ? `The ${counted(held.length, "partition")} it holds a replica of have others enough.`
          : `Nothing is lost${
            isElecting ? "" : " and all requests are served"
          }, but another failure would stop ${counted(atTheEdge.length, "partition")}.`
      } ${whatFollows(view, member, held.length, forMs)}`.trim(),
      members: [member.name],
    };
  });
}

/** What becomes of a silent member's replicas. */
function whatFollows(
  view: DashboardView,
  member: MemberRow,
  held: number,
  forMs: number | undefined,
): string {
  if (held === 0) return "";
  const leaving = view.moves.filter(({ from }) => from.includes(member.name));
  if (leaving.length > 0) {
    return `Its replicas are being built anew elsewhere: ${
      counted(leaving.length, "move")
    } under way.`;
  }
  const copies = Math.max(...dataPartitions(view).map((row) => voters(row).length));
  const others = view.members.filter((one) => !isSilent(one) && one.state === "active").length;
  if (others < copies) {
    return `There is no other node to put its replicas on: start it again, or add ${
      others + 1 === view.members.length ? "one" : "others"
    }.`;
  }
  const leftMs = view.deadAfterMs - (forMs ?? 0);
  return leftMs > 0
    ? `Unless it returns within ${duration(leftMs)}, its replicas are built anew on other nodes.`
    : "Its replicas are about to be built anew on other nodes.";
}

function fullDisks(view: DashboardView): Finding[] {
  const full = view.members.filter(({ diskLow }) => diskLow);
  if (full.length === 0) return [];
  const names = full.map(({ name }) => name);
  const leads = full.reduce((sum, member) => sum + member.leads, 0);
  const free = full.length === 1 && full[0].diskFreeBytes !== undefined
    ? ` (${bytes(full[0].diskFreeBytes)} left)`
    : "";
  return [{
    tone: leads > 0 ? "broken" : "degraded",
    what: `The ${full.length === 1 ? "disk" : "disks"} of ${list(names)} ${
      full.length === 1 ? "is" : "are"
    } full${free}.`,
    forMs: sinceLast(view, "disk-low", names),
    doing: leads > 0
      ? `Writes to the ${
        counted(leads, "partition")
      } led there are refused with “disk-full”, and nothing is lost; reads go on. Leadership is handed ` +
        "to nodes with room. Free some space: it recovers by itself."
      : "Its partitions are led elsewhere, and all requests are served. Free some space: it recovers by itself.",
    members: names,
  }];
}

/** How long ago the last happening of a kind was. */
function sinceLast(
  view: DashboardView,
  kind: string,
  names: readonly string[],
): number | undefined {
  const last = view.happenings.findLast((one) => one.kind === kind && names.includes(one.member));
  return last === undefined ? undefined : Math.max(0, view.atMs - last.atMs);
}

// ------------------------------------------------------------------------------ what costs some reserve

function damagedReplicas(view: DashboardView): Finding[] {
  const found: Finding[] = [];
  const damaged = view.partitions.filter(({ replicas }) =>
    replicas.some(({ trouble }) => trouble?.startsWith("corrupt"))
  );
  if (damaged.length > 0) {
    const members = new Set(
      damaged.flatMap(({ replicas }) =>
        replicas.filter(({ trouble }) => trouble?.startsWith("corrupt"))
          .map(({ member }) => view.members[member].name)
      ),
    );
    const partitions = damaged.map(({ partition }) => partition);
    found.push({
      tone: "degraded",
      what: `${list([...members])} lost acknowledged data of ${partitionsText(partitions)}.`,
      doing: "The damage was noticed: these replicas no longer vote or answer, and the others " +
        "replace them with fresh copies. Look at the disk.",
      partitions,
      members: [...members],
    });
  }
  const waiting = view.partitions.filter(({ replicas }) =>
    replicas.some(({ trouble }) => trouble === "awaiting-snapshot")
  );
  if (waiting.length > 0) {
    const partitions = waiting.map(({ partition }) => partition);
    found.push({
      tone: "busy",
      what: `${capital(partitionsText(partitions))} ${
        waiting.length === 1 ? "has a replica that waits" : "have replicas that wait"
      } for a snapshot.`,
      doing: "The leaders send it; until then these replicas neither serve nor lead.",
      partitions,
    });
  }
  return found;
}

function laggingReplicas(view: DashboardView): Finding[] {
  const behind = view.partitions.filter(({ replicas }) =>
    replicas.some((replica) =>
      replica.change !== "adding" && !isSilent(view.members[replica.member]) &&
      Math.max(replica.behind ?? 0, replica.unapplied ?? 0) >= BEHIND_ENTRIES
    )
  );
  if (behind.length === 0) return [];
  const partitions = behind.map(({ partition }) => partition);
  return [{
    tone: "busy",
    what: `${behind.length === 1 ? "A replica" : "Replicas"} of ${partitionsText(partitions)} ${
      behind.length === 1 ? "is" : "are"
    } catching up.`,
    doing: "The leader sends what is missing; requests are served meanwhile.",
    partitions,
  }];
}

function slowDisks(view: DashboardView): Finding[] {
  const recent = view.happenings.filter(({ kind, atMs }) =>
    kind === "disk-slow" && view.atMs - atMs < SLOW_DISK_SHOWN_MS
  );
  const names = [...new Set(recent.map(({ member }) => member))];
  if (names.length === 0) return [];
  const worstMs = Math.max(...recent.map(({ durationMs }) => durationMs ?? 0));
  return [{
    tone: "degraded",
    what: `The ${names.length === 1 ? "disk" : "disks"} of ${list(names)} ${
      names.length === 1 ? "is" : "are"
    } slow: a sync took ${duration(worstMs)}.`,
    forMs: Math.max(0, view.atMs - recent[0].atMs),
    doing: "A write needs the disks of a majority only; those that need this one wait for it.",
    members: names,
  }];
}

// --------------------------------------------------------------------------------------- what goes on

function leavingMembers(view: DashboardView): Finding[] {
  return view.members.filter(({ state }) => state !== "active").map((member): Finding => {
    const { name, state, replicas } = member;
    if (state === "drained") {
      return {
        tone: "note",
        what: `${name} is drained: it holds no replica.`,
        doing: "It can be stopped, removed, or taken back into use.",
        members: [name],
      };
    }
    const verb = state === "leaving" ? "being removed" : "being drained";
    return {
      tone: "busy",
      what: `${name} is ${verb}: ${counted(replicas, "replica")} still to go.`,
      forMs: sinceLast(view, state, [name]),
      doing: `They move to other nodes, while all requests are served.${blockedText(view)}`,
      members: [name],
    };
  });
}

function blockedText({ plan }: DashboardView): string {
  const reason = plan?.blocked[0]?.reason;
  return reason === undefined ? "" : ` Not possible yet: ${reason}.`;
}

function movesUnderWay(view: DashboardView): Finding[] {
  const { moves, plan } = view;
  if (moves.length === 0) return [];
  const waiting = plan?.waiting ?? 0;
  const [{ partition, to, from, behind, sentBytes, sizeBytes }] = moves;
  const way = from.length === 0
    ? `to ${list(to)}`
    : to.length === 0
    ? `off ${list(from)}`
    : `from ${list(from)} to ${list(to)}`;
  const progress = sizeBytes !== undefined && sentBytes !== undefined
    ? `${bytes(sentBytes)} of ${bytes(sizeBytes)} are there.`
    : behind !== undefined && behind > 0
    ? `${counted(behind, "entry", "entries")} to go.`
    : "";
  return [{
    tone: "busy",
    what: moves.length === 1
      ? `Partition ${partition} is moving ${way}.`
      : `${counted(moves.length, "partition")} are moving.`,
    doing: [
      moves.length === 1 ? progress : "",
      waiting === 0 ? "" : `${counted(waiting, "more step")} ${waiting === 1 ? "waits" : "wait"}.`,
      "All requests are served meanwhile.",
    ].filter((part) => part !== "").join(" "),
    partitions: moves.map((move) => move.partition),
  }];
}

// ------------------------------------------------------------------------------------ worth knowing

function wrongClocks(view: DashboardView): Finding[] {
  return view.members.flatMap((member): Finding[] => {
    const { name, clockErrorMs } = member;
    if (clockErrorMs === undefined || Math.abs(clockErrorMs) < CLOCK_ERROR_MS) return [];
    return [{
      tone: "note",
      what: `The clock of ${name} is ${duration(Math.abs(clockErrorMs))} ${
        clockErrorMs > 0 ? "ahead" : "behind"
      }.`,
      doing: "No data depends on it, and nothing expires early; its log lines bear wrong times.",
      members: [name],
    }];
  });
}

function versionsApart({ members }: DashboardView): Finding[] {
  const versions = [...new Set(members.flatMap(({ version }) => version ?? []))].sort();
  if (versions.length < 2) return [];
  return [{
    tone: "note",
    what: `The nodes run different versions: ${list(versions)}.`,
    doing: "Neighbouring versions work together while a cluster is upgraded node by node.",
  }];
}

function fewNodes(view: DashboardView): Finding[] {
  if (view.members.length === 0 || view.members.length > 2) return [];
  return [{
    tone: "note",
    what: view.members.length === 1 ? "There is one node only." : "There are two nodes only.",
    doing: view.members.length === 1
      ? "Nothing is copied elsewhere; with three nodes one may fail."
      : "Each is needed; with three nodes one may fail.",
  }];
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
