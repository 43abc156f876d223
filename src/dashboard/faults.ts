// What is wrong with a cluster, by its view: what stops requests, and what costs some reserve. Pure; says only what
// the view shows.

import { capital, dataPartitions, type Finding, isSilent, sinceLast, voters } from "./finding.ts";
import type { DashboardView, MemberRow, PartitionRow } from "./view.ts";
import { bytes, counted, duration, list, partitionsText } from "./words.ts";

/** A replica that lacks so many entries is behind; fewer are on their way in any busy moment. */
const BEHIND_ENTRIES = 10_000;
/** A leadership that is handed over is nobody's for some milliseconds; so long it is no fault. */
const HANDOVER_MS_MAX = 300;
/** How long a slow sync is worth telling. */
const SLOW_DISK_SHOWN_MS = 60_000;

/** Replicas that can vote now, and how many are needed. */
function quorumOf(view: DashboardView, partition: PartitionRow): { alive: number; needed: number } {
  const all = voters(partition);
  const alive = all.filter(({ member, trouble }) =>
    !isSilent(view.members[member]) && !trouble?.startsWith("corrupt")
  );
  return { alive: alive.length, needed: (all.length >> 1) + 1 };
}

// --------------------------------------------------------------------------------- what stops requests

export function leaderless(view: DashboardView): Finding[] {
  const gone = view.partitions.filter(({ leader }) => leader === undefined);
  // The leader is known and silent: nobody has been elected in its place yet.
  const mute = view.partitions.filter(({ leader }) =>
    leader !== undefined && isSilent(view.members[leader])
  );
  const stuck = gone.filter((row) => {
    const { alive, needed } = quorumOf(view, row);
    return alive < needed;
  });
  const findings: Finding[] = [];
  const between = gone.filter((row) => !stuck.includes(row) && isHandover(view, row));
  if (between.length > 0) {
    const partitions = between.map(({ partition }) => partition);
    findings.push({
      tone: "busy",
      what: `${capital(partitionsText(partitions))} ${
        between.length === 1 ? "changes its leader" : "change their leaders"
      }.`,
      doing: "It takes some milliseconds; requests wait meanwhile.",
      partitions,
    });
  }
  const electing = [
    ...gone.filter((row) => !stuck.includes(row) && !between.includes(row)),
    ...mute,
  ];
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

/** All its replicas are there, and the last leader has only just gone. */
function isHandover(view: DashboardView, row: PartitionRow): boolean {
  return row.leaderlessMs !== undefined && row.leaderlessMs < HANDOVER_MS_MAX &&
    voters(row).every(({ member }) => !isSilent(view.members[member]));
}

function longest(rows: readonly PartitionRow[]): number | undefined {
  const known = rows.flatMap(({ leaderlessMs }) => leaderlessMs ?? []);
  return known.length === 0 ? undefined : Math.max(...known);
}

export function silentMembers(view: DashboardView): Finding[] {
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

export function fullDisks(view: DashboardView): Finding[] {
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

// ------------------------------------------------------------------------------ what costs some reserve

export function damagedReplicas(view: DashboardView): Finding[] {
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

export function laggingReplicas(view: DashboardView): Finding[] {
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

export function slowDisks(view: DashboardView): Finding[] {
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
