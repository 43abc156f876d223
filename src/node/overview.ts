// What this node knows of all others for people to look at: their reports, asked for over the links once a second
// while somebody looks and never otherwise. Informs; nothing here decides anything.

import type { NodeId } from "../base/ids.ts";
import type { Clock } from "../platform/ports.ts";
import type { CallResult } from "../transport/mod.ts";
import { decodePlainAnswer, encodeReportRequest, readable } from "./forward.ts";
import { type Happening, HAPPENINGS_KEPT_MAX, type Journal } from "./journal.ts";
import type { NodeReport } from "./node_report.ts";

const INTERVAL_MS = 1_000;
/** After a change the others are asked at once, but no more often than this. */
const INTERVAL_MIN_MS = 200;
const ANSWER_TIMEOUT_MS = 1_000;

/** What the overview needs of the node. */
export interface OverviewHost {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly nodeId: NodeId;
  /** Nodes of all members. */
  members(): readonly NodeId[];
  isUp(nodeId: NodeId): boolean;
  request(to: NodeId, body: Uint8Array, budgetMs: number): Promise<CallResult>;
  /** This node's report, but for what is new in its journal. */
  report(): Omit<NodeReport, "happenings" | "changes">;
}

/** A member's last report. */
export interface KnownReport {
  readonly report: NodeReport;
  /** Since it came. */
  readonly ageMs: number;
}

interface Heard {
  report: NodeReport;
  atMs: number;
  /** Happenings of its life, by id. */
  readonly happenings: Map<number, Happening>;
}

export class Overview {
  readonly #host: OverviewHost;
  readonly #followers = new Set<() => void>();
  readonly #heard = new Map<NodeId, Heard>();
  readonly #pending = new Set<NodeId>();
  #nextMs = 0;
  #lastMs = -Infinity;

  constructor(host: OverviewHost) {
    this.#host = host;
  }

  /**
   * Keeps the reports fresh until the returned function is called, and calls `onChange` whenever this node
   * learns of another leader, link, member state or map: often many times in a turn.
   */
  follow(onChange: () => void): () => void {
    // Every follower is one of its own, also if two hand in the same function.
    const follower = () => onChange();
    this.#followers.add(follower);
    this.#nextMs = 0;
    return () => {
      this.#followers.delete(follower);
      if (this.#followers.size === 0) this.#heard.clear();
    };
  }

  /** Something that is looked at has changed. */
  changed(): void {
    if (this.#followers.size === 0) return;
    this.#nextMs = Math.min(this.#nextMs, this.#lastMs + INTERVAL_MIN_MS);
    for (const follower of this.#followers) follower();
  }

  /** Call at every tick of the node. */
  tick(): void {
    const { clock, members, isUp, nodeId } = this.#host;
    if (this.#followers.size === 0) return;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + INTERVAL_MS;
    this.#lastMs = nowMs;
    const present = new Set(members());
    for (const known of this.#heard.keys()) if (!present.has(known)) this.#heard.delete(known);
    for (const other of present) {
      if (other !== nodeId && isUp(other) && !this.#pending.has(other)) this.#ask(other);
    }
  }

  /** By node, this one included. */
  reports(): Map<NodeId, KnownReport> {
    const { nodeId, clock } = this.#host;
    const nowMs = clock.monotonicMs();
    const known = new Map<NodeId, KnownReport>([[nodeId, {
      report: this.own(Infinity),
      ageMs: 0,
    }]]);
    for (const [other, { report, atMs }] of this.#heard) {
      known.set(other, { report, ageMs: nowMs - atMs });
    }
    return known;
  }

  /** What happened, as this node and those that report tell it; by their wall clocks, oldest first. */
  happenings(): Happening[] {
    const all = this.#host.journal.since(0);
    for (const { happenings } of this.#heard.values()) all.push(...happenings.values());
    return all.sort((a, b) => a.atMs - b.atMs).slice(-HAPPENINGS_KEPT_MAX);
  }

  /** This node's report for another one, whose position in the journal is `change`. */
  own(change: number): NodeReport {
    const { journal, report } = this.#host;
    const happenings = change === Infinity ? [] : journal.ownSince(change);
    return { ...report(), happenings, changes: journal.changes };
  }

  async #ask(to: NodeId): Promise<void> {
    const { request, clock } = this.#host;
    const heard = this.#heard.get(to);
    this.#pending.add(to);
    const body = encodeReportRequest(heard?.report.boots ?? 0, heard?.report.changes ?? 0);
    const result = await request(to, body, ANSWER_TIMEOUT_MS);
    this.#pending.delete(to);
    if (result.kind !== "answered" || this.#followers.size === 0) return;
    const report = readable(decodePlainAnswer<Partial<NodeReport>>, result.body);
    // A node of another version answers that it does not know the question.
    if (report === undefined || !isReport(report)) return;
    this.#take(to, report, clock.monotonicMs());
  }

  #take(from: NodeId, report: NodeReport, atMs: number): void {
    let heard = this.#heard.get(from);
    if (heard === undefined || heard.report.boots !== report.boots) {
      // What its earlier life told stays with the map's and the gossip's news of it.
      heard = { report, atMs, happenings: new Map() };
      this.#heard.set(from, heard);
    }
    heard.report = report;
    heard.atMs = atMs;
    for (const happening of report.happenings) heard.happenings.set(happening.id, happening);
    for (const id of heard.happenings.keys()) {
      if (heard.happenings.size <= HAPPENINGS_KEPT_MAX) break;
      heard.happenings.delete(id);
    }
  }
}

/** As far as this node would stumble over what is missing. */
function isReport(report: Partial<NodeReport>): report is NodeReport {
  const { uptimeMs, happenings, replicas, sends } = report;
  return typeof uptimeMs === "number" && [happenings, replicas, sends].every(Array.isArray) &&
    happenings!.every((one) => typeof one?.id === "number");
}
