// SWIM with Lifeguard's corrections: who of the members answers, told by infection. Synchronous; time
// and randomness are handed in. It informs: who is a member, and what follows from a silence, is decided
// by the meta group alone (RULES 10).

import { assert } from "../base/assert.ts";
import type { LogIndex, NodeId } from "../base/ids.ts";
import type { Random } from "../platform/ports.ts";
import { MemberTable } from "./member_table.ts";
import { Probe } from "./probe.ts";
import { Suspicions } from "./suspicions.ts";
import {
  type Envelope,
  FIGURES_INTERVAL_MS,
  type GossipMessage,
  INDIRECT_PROBES,
  type LoadFigures,
  type MemberNews,
  type News,
  NO_LOAD,
  PROBE_INTERVAL_MS,
  PROBE_TIMEOUT_MS,
  type Status,
  UNWELLNESS_MAX,
} from "./types.ts";

/** Refutations that one life may make before its incarnations reach those of the next. */
const INCARNATIONS_PER_LIFE = 2 ** 26;

export interface GossipOptions {
  readonly nodeId: NodeId;
  /** Starts of this node so far: a later life's word overrides an earlier one's. */
  readonly boots: number;
  readonly random: Random;
  /** Best effort; false when nothing was sent. */
  readonly send: (to: NodeId, envelope: Envelope) => boolean;
  readonly onStatus: (nodeId: NodeId, status: Status, before: Status) => void;
  /** Somebody knows a map of this epoch, which is newer than all heard of before. */
  readonly onEpoch: (epoch: LogIndex, from: NodeId) => void;
}

export class Gossip {
  readonly #options: GossipOptions;
  readonly #table = new MemberTable();
  readonly #suspicions = new Suspicions();
  /** Pings made for others: own sequence -> who asked, and under which number. */
  readonly #relayed = new Map<number, { to: NodeId; sequence: number; untilMs: number }>();
  /** Members still to be probed in this pass over all of them (SWIM §4.3). */
  #order: NodeId[] = [];
  #probe: Probe | undefined;
  #nextRoundMs = 0;
  #lastTickMs: number | undefined;
  #sequence = 0;
  /** 0 while well; slows own probes down while this node itself seems to be the slow one. */
  #unwellness = 0;
  #own: News;
  #toldFiguresMs = -Infinity;
  #newestEpoch = 0 as LogIndex;

  constructor(options: GossipOptions) {
    assert(Number.isSafeInteger(options.boots) && options.boots >= 0, "boots count starts");
    this.#options = options;
    this.#own = {
      nodeId: options.nodeId,
      status: "alive",
      by: options.nodeId,
      incarnation: (options.boots + 1) * INCARNATIONS_PER_LIFE,
      version: 0,
      epoch: 0 as LogIndex,
      load: NO_LOAD,
    };
  }

  /** The node's belief of every other member. */
  members(): MemberNews[] {
    return [...this.#table.all()].filter(({ nodeId }) => nodeId !== this.#options.nodeId);
  }

  statusOf(nodeId: NodeId): Status | undefined {
    return this.#table.get(nodeId)?.status;
  }

  get unwellness(): number {
    return this.#unwellness;
  }

  /** Who is a member, by the map. The node itself may be among them. */
  setMembers(nodeIds: readonly NodeId[], nowMs: number): void {
    this.#table.setMembers([...new Set([...nodeIds, this.#options.nodeId])], nowMs);
    this.#table.take(this.#own, nowMs);
    this.#suspicions.keep((nodeId) => this.#table.get(nodeId) !== undefined);
  }

  /** What this node says of itself; told when the epoch moves, else every few seconds at most. */
  setFigures(epoch: LogIndex, load: LoadFigures, nowMs: number): void {
    const moved = epoch !== this.#own.epoch;
    if (!moved && nowMs - this.#toldFiguresMs < FIGURES_INTERVAL_MS) return;
    this.#toldFiguresMs = nowMs;
    this.#own = { ...this.#own, epoch, load, version: this.#own.version + 1 };
    this.#newestEpoch = Math.max(this.#newestEpoch, epoch) as LogIndex;
    this.#table.take(this.#own, nowMs);
  }

  /** A link to the member came up: asks it at once instead of when its turn comes. */
  contact(nodeId: NodeId): void {
    if (this.#table.get(nodeId) !== undefined) this.#send(nodeId, this.#message("ping"));
  }

  // ------------------------------------------------------------------------------------------- time

  /** Drives probes and suspicions; call several times a round. */
  tick(nowMs: number): void {
    const gapMs = nowMs - (this.#lastTickMs ?? nowMs);
    this.#lastTickMs = nowMs;
    if (gapMs > PROBE_INTERVAL_MS) this.#wokeUp(gapMs, nowMs);
    this.#expireRelays(nowMs);
    this.#tickProbe(nowMs);
    for (const nodeId of this.#suspicions.due(nowMs)) this.#declareDead(nodeId, nowMs);
    if (nowMs >= this.#nextRoundMs) this.#startRound(nowMs);
  }

  /** This node did not run: what it did not hear in that time says nothing about others. */
  #wokeUp(gapMs: number, nowMs: number): void {
    this.#probe = undefined;
    this.#suspicions.postpone(gapMs);
    this.#unwellness = Math.min(UNWELLNESS_MAX, this.#unwellness + 1);
    this.#nextRoundMs = nowMs;
  }

  #expireRelays(nowMs: number): void {
    for (const [sequence, relay] of this.#relayed) {
      if (nowMs < relay.untilMs) continue;
      this.#relayed.delete(sequence);
      this.#send(relay.to, { kind: "nack", sequence: relay.sequence });
    }
  }

  #startRound(nowMs: number): void {
    this.#nextRoundMs = nowMs + PROBE_INTERVAL_MS * (1 + this.#unwellness);
    const target = this.#nextTarget();
    if (target === undefined) return;
    const ping = this.#message("ping");
    this.#probe = new Probe(
      target,
      ping.sequence,
      nowMs + PROBE_TIMEOUT_MS * (1 + this.#unwellness),
      this.#nextRoundMs,
    );
    this.#send(target, ping);
  }

  #nextTarget(): NodeId | undefined {
    for (let pass = 0; pass < 2; pass++) {
      for (let nodeId = this.#order.pop(); nodeId !== undefined; nodeId = this.#order.pop()) {
        if (this.#table.get(nodeId) !== undefined) return nodeId;
      }
      this.#order = this.#shuffled(this.members().map(({ nodeId }) => nodeId));
    }
    return undefined;
  }

  #shuffled(nodeIds: NodeId[]): NodeId[] {
    for (let i = nodeIds.length - 1; i > 0; i--) {
      const j = this.#options.random.int(i + 1);
      [nodeIds[i], nodeIds[j]] = [nodeIds[j], nodeIds[i]];
    }
    return nodeIds;
  }

  #tickProbe(nowMs: number): void {
    const probe = this.#probe;
    if (probe === undefined) return;
    if (probe.isIndirectDue(nowMs)) {
      const helpers = this.#shuffled(
        this.members().filter(({ nodeId, status }) => nodeId !== probe.target && status === "alive")
          .map(({ nodeId }) => nodeId),
      ).slice(0, INDIRECT_PROBES);
      const { target, sequence } = probe;
      probe.askedHelpers(
        helpers.filter((to) => this.#send(to, { kind: "pingReq", sequence, target })).length,
      );
    }
    if (!probe.isOver(nowMs)) return;
    this.#probe = undefined;
    // Helpers that did not even say "no" mean that it may be this node which hears nothing.
    const delta = probe.helperCount === 0 ? 1 : probe.helperCount - probe.nackCount;
    this.#unwellness = Math.min(UNWELLNESS_MAX, this.#unwellness + delta);
    const member = this.#table.get(probe.target);
    if (member === undefined || member.status === "dead") return;
    const by = this.#options.nodeId;
    this.#take({ ...member, status: "suspect", by }, by, nowMs);
  }

  #declareDead(nodeId: NodeId, nowMs: number): void {
    const member = this.#table.get(nodeId);
    if (member?.status !== "suspect") return;
    this.#take({ ...member, status: "dead" }, this.#options.nodeId, nowMs);
  }

  // -------------------------------------------------------------------------------------- messages

  /** What a member sent. */
  receive(from: NodeId, { message, news }: Envelope, nowMs: number): void {
    for (const item of news) this.#take(item, from, nowMs);
    switch (message.kind) {
      case "ping":
        return void this.#send(from, { kind: "ack", sequence: message.sequence });
      case "ack":
        return this.#answered(message.sequence);
      case "pingReq":
        return this.#pingFor(from, message.sequence, message.target, nowMs);
      case "nack":
        if (this.#probe?.sequence === message.sequence) this.#probe.nacked();
    }
  }

  #pingFor(to: NodeId, sequence: number, target: NodeId, nowMs: number): void {
    if (target === this.#options.nodeId) return void this.#send(to, { kind: "ack", sequence });
    if (this.#table.get(target) === undefined) {
      return void this.#send(to, { kind: "nack", sequence });
    }
    const ping = this.#message("ping");
    // One member has one probe at a time, so more than a few each is nobody's honest need.
    if (this.#relayed.size < 4 * this.#table.size) {
      this.#relayed.set(ping.sequence, { to, sequence, untilMs: nowMs + PROBE_TIMEOUT_MS });
      this.#send(target, ping);
    }
  }

  /** By the target itself or through a helper: late or not, one word is as good as the other. */
  #answered(sequence: number): void {
    const relay = this.#relayed.get(sequence);
    if (relay !== undefined) {
      this.#relayed.delete(sequence);
      return void this.#send(relay.to, { kind: "ack", sequence: relay.sequence });
    }
    if (this.#probe?.sequence !== sequence) return;
    this.#probe = undefined;
    this.#unwellness = Math.max(0, this.#unwellness - 1);
  }

  #take(news: News, from: NodeId, nowMs: number): void {
    if (news.nodeId === this.#options.nodeId) return this.#heardOfSelf(news, nowMs);
    if (news.epoch > this.#newestEpoch) {
      this.#newestEpoch = news.epoch;
      this.#options.onEpoch(news.epoch, from);
    }
    const before = this.#table.take(news, nowMs);
    const now = this.#table.get(news.nodeId);
    if (now === undefined) return;
    if (now.status === "suspect") {
      if (news.status === "suspect" && news.incarnation === now.incarnation) {
        const { nodeId, incarnation } = now;
        const confirmed = this.#suspicions
          .raise(nodeId, incarnation, news.by, this.#table.size, nowMs);
        if (confirmed) this.#table.retell(nodeId, news.by);
      }
    } else {
      this.#suspicions.clear(now.nodeId);
    }
    if (before !== undefined) this.#options.onStatus(now.nodeId, now.status, before);
  }

  /** Somebody believes that this node is gone: it says, louder, that it is not. */
  #heardOfSelf(news: News, nowMs: number): void {
    if (news.status === "alive" || news.incarnation < this.#own.incarnation) return;
    this.#own = { ...this.#own, incarnation: news.incarnation + 1, version: 1 };
    this.#unwellness = Math.min(UNWELLNESS_MAX, this.#unwellness + 1);
    this.#table.take(this.#own, nowMs);
  }

  #message(kind: "ping"): GossipMessage {
    this.#sequence = this.#sequence + 1 >>> 0;
    return { kind, sequence: this.#sequence };
  }

  /** Every message says that its sender lives, whatever else it carries along. */
  #send(to: NodeId, message: GossipMessage): boolean {
    const news = this.#table.pick().filter(({ nodeId }) => nodeId !== this.#options.nodeId);
    // A suspect must hear of it to refute it (Lifeguard's "buddy" rule).
    const target = this.#table.get(to);
    if (target !== undefined && target.status !== "alive" && !news.some((n) => n.nodeId === to)) {
      news.push(target);
    }
    return this.#options.send(to, { message, news: [this.#own, ...news] });
  }
}
