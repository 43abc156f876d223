// What this node believes of each member, and what of it is still to be passed on (SWIM §4.1, §4.2).
// Pure bookkeeping: which belief wins, and how often it travels. Sends and times nothing.

import type { NodeId } from "../base/ids.ts";
import {
  type MemberNews,
  MEMBERS_MAX,
  type News,
  NEWS_PER_MESSAGE_MAX,
  NO_LOAD,
  RETRANSMIT_MULTIPLIER,
  type Status,
  STATUSES,
} from "./types.ts";

/** Leaves room for one that the sender adds. */
const PICKED_MAX = NEWS_PER_MESSAGE_MAX - 1;

/** Whether belief `a` overrides belief `b` of the same node. */
function overrides(a: Pick<News, "incarnation" | "status">, b: typeof a): boolean {
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  return STATUSES.indexOf(a.status) > STATUSES.indexOf(b.status);
}

function isFresher(a: News, b: News): boolean {
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  return a.version > b.version;
}

export class MemberTable {
  readonly #members = new Map<NodeId, MemberNews>();
  /** How often the present belief of a node was passed on; those told often enough are not in it. */
  readonly #told = new Map<NodeId, number>();
  /** Where the round of what nobody asked for goes on. */
  #filler: NodeId[] = [];

  /** Sets who is watched; beliefs of others are dropped, new ones count as alive until told otherwise. */
  setMembers(nodeIds: readonly NodeId[], nowMs: number): void {
    const wanted = new Set(nodeIds.slice(0, MEMBERS_MAX));
    for (const nodeId of this.#members.keys()) {
      if (wanted.has(nodeId)) continue;
      this.#members.delete(nodeId);
      this.#told.delete(nodeId);
    }
    for (const nodeId of wanted) {
      if (this.#members.has(nodeId)) continue;
      this.#members.set(nodeId, {
        nodeId,
        status: "alive",
        by: nodeId,
        incarnation: 0,
        version: 0,
        epoch: 0 as News["epoch"],
        load: NO_LOAD,
        sinceMs: nowMs,
      });
    }
  }

  get size(): number {
    return this.#members.size;
  }

  get(nodeId: NodeId): MemberNews | undefined {
    return this.#members.get(nodeId);
  }

  all(): IterableIterator<MemberNews> {
    return this.#members.values();
  }

  /**
   * Takes a belief in if it is news. Returns the status it replaced if the status changed. Beliefs of
   * nodes that are not watched are ignored: who is a member is the map's business.
   */
  take(news: News, nowMs: number): Status | undefined {
    const known = this.#members.get(news.nodeId);
    if (known === undefined) return undefined;
    const newer = overrides(news, known);
    const fresher = isFresher(news, known);
    if (!newer && !fresher) return undefined;
    const { status, by, incarnation } = newer ? news : known;
    const figures = fresher ? news : known;
    const changed = status !== known.status;
    const turned = (status === "alive") !== (known.status === "alive");
    this.#members.set(news.nodeId, {
      nodeId: news.nodeId,
      status,
      by,
      incarnation,
      version: figures.version,
      epoch: figures.epoch,
      load: figures.load,
      sinceMs: turned ? nowMs : known.sinceMs,
    });
    this.#told.set(news.nodeId, 0);
    return changed ? known.status : undefined;
  }

  /** Passes the belief on anew, as seen by another member. */
  retell(nodeId: NodeId, by: NodeId): void {
    const known = this.#members.get(nodeId);
    if (known === undefined) return;
    this.#members.set(nodeId, { ...known, by });
    this.#told.set(nodeId, 0);
  }

  /** The next news to pass on: what was told least often first, then one old belief in turn. */
  pick(): News[] {
    const limit = RETRANSMIT_MULTIPLIER * Math.ceil(Math.log2(this.size + 1));
    const fresh = [...this.#told].sort((a, b) => a[1] - b[1]).slice(0, PICKED_MAX);
    const picked: News[] = [];
    for (const [nodeId, times] of fresh) {
      picked.push(this.#members.get(nodeId)!);
      if (times + 1 >= limit) this.#told.delete(nodeId);
      else this.#told.set(nodeId, times + 1);
    }
    if (picked.length < PICKED_MAX) this.#addFiller(picked);
    return picked;
  }

  /** Infection may miss somebody; what circulates for ever reaches everybody in the end. */
  #addFiller(picked: News[]): void {
    for (let tries = 0; tries < this.size; tries++) {
      if (this.#filler.length === 0) this.#filler = [...this.#members.keys()];
      const member = this.#members.get(this.#filler.pop()!);
      if (member === undefined || picked.includes(member)) continue;
      picked.push(member);
      return;
    }
  }
}
