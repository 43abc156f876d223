// What goes on in a cluster, and what is worth knowing, by its view; nothing of it is a fault. Pure.

import { type Finding, sinceLast } from "./finding.ts";
import type { DashboardView } from "./view.ts";
import { bytes, counted, duration, list } from "./words.ts";

/** A clock further off than this is wrong. */
const CLOCK_ERROR_MS = 1_000;
// --------------------------------------------------------------------------------------- what goes on

export function leavingMembers(view: DashboardView): Finding[] {
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

export function movesUnderWay(view: DashboardView): Finding[] {
  const { moves, plan } = view;
  if (moves.length === 0) return [];
  const waiting = plan?.waiting ?? 0;
  const [{ partition, to, from, behind, empty, sentBytes, sizeBytes }] = moves;
  const way = from.length === 0
    ? `to ${list(to)}`
    : to.length === 0
    ? `off ${list(from)}`
    : `from ${list(from)} to ${list(to)}`;
  const progress = sizeBytes !== undefined && sentBytes !== undefined
    ? `${bytes(sentBytes)} of ${bytes(sizeBytes)} are there.`
    : empty
    ? "Its leader prepares a snapshot to send."
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

export function wrongClocks(view: DashboardView): Finding[] {
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

export function versionsApart({ members }: DashboardView): Finding[] {
  const versions = [...new Set(members.flatMap(({ version }) => version ?? []))].sort();
  if (versions.length < 2) return [];
  return [{
    tone: "note",
    what: `The nodes run different versions: ${list(versions)}.`,
    doing: "Neighbouring versions work together while a cluster is upgraded node by node.",
  }];
}

export function fewNodes(view: DashboardView): Finding[] {
  if (view.members.length === 0 || view.members.length > 2) return [];
  return [{
    tone: "note",
    what: view.members.length === 1 ? "There is one node only." : "There are two nodes only.",
    doing: view.members.length === 1
      ? "Nothing is copied elsewhere; with three nodes one may fail."
      : "Each is needed; with three nodes one may fail.",
  }];
}
