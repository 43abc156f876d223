// How nodes come into the cluster and leave it: control calls in, join loop out, admin verbs. Decides
// nothing by itself: every change is a command to the meta group.

import { utf8Bytes } from "../base/bytes.ts";
import type { LogIndex, NodeId } from "../base/ids.ts";
import type { Address, Clock, Log } from "../platform/ports.ts";
import {
  decodeMap,
  encodeMap,
  type MemberDetails,
  type MetaCommand,
  type MetaResult,
} from "../partition/mod.ts";
import { adoptGenesis, askAddress, type NoAnswer, pause } from "./bootstrap.ts";
import {
  type ControlAnswer,
  type ControlQuestion,
  decodeControl,
  encodeControl,
} from "./control.ts";
import { failure } from "./data_partition.ts";
import type { NodeRecord } from "./node_record.ts";
import { type Accepted, acceptedOr } from "./administration.ts";
import type { Failure } from "./service.ts";
import type { Topology } from "./topology.ts";

const MAP_FETCH_INTERVAL_MS = 1000;
const JOIN_INTERVAL_MS = 300;
/** Looks in a row that find the meta group without a leader in reach before its replica here counts as cut off. */
const CUT_OFF_LOOKS = 3;

/** What membership needs of the node. */
export interface MembershipHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly details: MemberDetails;
  readonly topology: Topology;
  stopping(): boolean;
  /** Whether this node follows the map by a meta replica of its own. */
  followsMap(): boolean;
  /** Whether that replica has a leader, and there are links with its node, both ways. */
  hearsMetaLeader(): boolean;
  record(): NodeRecord;
  save(record: NodeRecord): Promise<void>;
  call(address: Address, body: Uint8Array): Promise<Uint8Array>;
  proposeMeta(command: MetaCommand, timeoutMs: number): Promise<MetaResult | Failure>;
  isConnected(nodeId: NodeId): boolean;
  /** Whether this node has to know an epoch that was the map's newest since it started. */
  awaitsNewestMap(): boolean;
  mapWasAt(epoch: LogIndex): void;
}

function isRefused(result: MetaResult | Failure): result is Exclude<MetaResult, { ok: true }> {
  return !result.ok && !("outcome" in result);
}

export class Membership {
  readonly #host: MembershipHost;
  /** A newer map is being asked for. */
  #fetching = false;

  constructor(host: MembershipHost) {
    this.#host = host;
  }

  // ----------------------------------------------------------------------------------- control calls

  /** Answers whoever holds the secret. Never rejects. */
  async onControl(body: Uint8Array): Promise<Uint8Array> {
    const question = decodeControl<ControlQuestion>(body);
    let answer: ControlAnswer;
    try {
      answer = question === undefined
        ? { ok: false, reason: "not a control question" }
        : await this.#answer(question);
    } catch (cause) {
      answer = { ok: false, reason: cause instanceof Error ? cause.message : String(cause) };
    }
    return encodeControl(answer);
  }

  async #answer(question: ControlQuestion): Promise<ControlAnswer> {
    const { nodeId, clusterId, genesis } = this.#host.record();
    switch (question.ask) {
      case "identity":
        return {
          ok: true,
          identity: { nodeId, details: this.#host.details, clusterId, genesis },
        };
      case "genesis": {
        const reason = await adoptGenesis(this.#host, question.genesis);
        return reason === undefined ? { ok: true } : { ok: false, reason };
      }
      case "map":
        return this.#mapAnswer();
      case "join":
        return await this.#admit(question.nodeId, question.details);
      case "adopt":
        return await this.#adopt(question.clusterId, question.map);
      default:
        return { ok: false, reason: "unknown control question" };
    }
  }

  #mapAnswer(): ControlAnswer {
    const { topology } = this.#host;
    const { clusterId } = this.#host.record();
    if (topology.epoch === 0) return { ok: false, reason: "this node knows no map yet" };
    return { ok: true, clusterId, map: new TextDecoder().decode(encodeMap(topology.map)) };
  }

  async #admit(nodeId: NodeId, details: MemberDetails): Promise<ControlAnswer> {
    if (this.#host.record().clusterId === "") {
      return { ok: false, reason: "this node belongs to no cluster itself" };
    }
    const command: MetaCommand = { kind: "addMember", nodeId, details };
    const result = await this.#host.proposeMeta(command, 5000);
    if (result.ok) return this.#mapAnswer();
    if (isRefused(result) && result.code === "conflict") await this.#retireLost(nodeId, details);
    return { ok: false, reason: result.detail };
  }

  /**
   * Another node answers under a member's name and peer address: that member's data directory was wiped
   * or lost. A wiped node is a new node (RULES 7), so the old one is taken out first.
   */
  async #retireLost(nodeId: NodeId, details: MemberDetails): Promise<void> {
    const old = this.#host.topology.map.members.find((member) =>
      member.nodeId !== nodeId && member.name === details.name && member.peer === details.peer
    );
    if (old === undefined || old.state === "leaving" || this.#host.isConnected(old.nodeId)) return;
    this.#host.log.log("warn", "a member came back without its data: the old one leaves", {
      name: old.name,
      nodeId: old.nodeId,
    });
    await this.#host.proposeMeta({ kind: "leaveMember", nodeId: old.nodeId }, 5000);
  }

  async #adopt(clusterId: string, map: string): Promise<ControlAnswer> {
    const record = this.#host.record();
    if (record.clusterId !== "" && record.clusterId !== clusterId) {
      return { ok: false, reason: `this node belongs to cluster ${record.clusterId}` };
    }
    const decoded = decodeMap(utf8Bytes(map));
    if (decoded.clusterId !== clusterId) return { ok: false, reason: "the map is another's" };
    if (record.clusterId === "") await this.#host.save({ ...record, clusterId });
    this.#host.topology.offer(decoded);
    return { ok: true };
  }

  // ---------------------------------------------------------------------------------------- joining

  /** Asks `seeds` for admission until one of them has seen to it. */
  async join(seeds: readonly Address[]): Promise<void> {
    let lastReason = "";
    for (let i = 0; !this.#host.stopping(); i++) {
      const { nodeId, clusterId } = this.#host.record();
      if (clusterId !== "") return;
      const seed = seeds[i % seeds.length];
      const question = { ask: "join", nodeId, details: this.#host.details } as const;
      let why: NoAnswer | undefined;
      const answer = await askAddress(this.#host, seed, question, (found) => why = found);
      if (answer?.ok && answer.clusterId !== undefined && answer.map !== undefined) {
        await this.#adopt(answer.clusterId, answer.map);
        this.#host.log.log("info", "joined", { clusterId: answer.clusterId });
        return;
      }
      const reason = why?.reason ?? answer?.reason ?? `${seed} gives no answer that makes sense`;
      const level = why?.refused ? "warn" : "info";
      if (reason !== lastReason) this.#host.log.log(level, "not yet admitted", { seed, reason });
      lastReason = reason;
      await pause(this.#host.clock, JOIN_INTERVAL_MS);
    }
  }

  /** Gossip says that `from` follows a newer map: fetches it, unless this node will learn it by Raft. */
  async newerMapExists(epoch: LogIndex, from: NodeId): Promise<void> {
    const { topology, followsMap, record } = this.#host;
    const address = topology.member(from)?.peer;
    if (this.#fetching || followsMap() || epoch <= topology.epoch || address === undefined) return;
    if (record().clusterId === "") return;
    this.#fetching = true;
    await this.#fetchMap(address);
    this.#fetching = false;
  }

  async #fetchMap(address: Address): Promise<void> {
    const answer = await askAddress(this.#host, address, { ask: "map" });
    const ours = answer?.clusterId === this.#host.record().clusterId;
    if (answer?.ok && ours && answer.map !== undefined) {
      this.#host.topology.offer(decodeMap(utf8Bytes(answer.map)));
    }
  }

  /**
   * Keeps the map fresh while this node has no meta replica to follow it by, or one that is cut off: where
   * the nodes of all voters were replaced meanwhile, it does not know the leader's address, and its
   * answers reach nobody; where it was removed itself, nobody talks to it any more.
   */
  async followMap(seeds: readonly Address[]): Promise<void> {
    let leaderless = 0;
    for (let i = 0; !this.#host.stopping(); i++) {
      leaderless = this.#host.hearsMetaLeader() ? 0 : leaderless + 1;
      const follows = this.#host.followsMap() && leaderless < CUT_OFF_LOOKS;
      if (!follows && this.#host.record().clusterId !== "") {
        const { topology } = this.#host;
        const own = this.#host.record().nodeId;
        const known = topology.map.members.filter((member) => member.nodeId !== own)
          .map((member) => member.peer);
        const sources = known.length > 0 ? known : seeds;
        if (sources.length > 0) await this.#fetchMap(sources[i % sources.length]);
      }
      await pause(this.#host.clock, MAP_FETCH_INTERVAL_MS);
    }
  }

  /**
   * Tells the meta group when this node's addresses or labels are not what the map says, or when it must be
   * asked how new the map is.
   */
  async announceDetails(): Promise<void> {
    while (!this.#host.stopping()) {
      const { nodeId } = this.#host.record();
      const member = this.#host.topology.member(nodeId);
      if (member !== undefined) {
        const { details } = this.#host;
        const same = (Object.keys(details) as (keyof MemberDetails)[])
          .every((field) => details[field] === member[field]);
        if (same && !this.#host.awaitsNewestMap()) return;
        const result = await this.#host.proposeMeta(
          { kind: "updateMember", nodeId, details },
          5000,
        );
        if (result.ok) this.#host.mapWasAt(result.epoch);
      }
      await pause(this.#host.clock, MAP_FETCH_INTERVAL_MS);
    }
  }

  /** Admits the node that listens for peers at `peer` and belongs to no other cluster. */
  async admit(peer: Address, timeoutMs: number): Promise<Accepted | Failure> {
    const { topology } = this.#host;
    const answer = await askAddress(this.#host, peer, { ask: "identity" });
    if (answer?.identity === undefined) {
      return failure("unknown-member", "none", `no Pontoon node answers at ${peer}`);
    }
    const { nodeId, details, clusterId } = answer.identity;
    if (clusterId !== "" && clusterId !== topology.map.clusterId) {
      return failure("conflict", "none", `${peer} belongs to cluster ${clusterId}`);
    }
    const command: MetaCommand = { kind: "addMember", nodeId, details };
    const added = acceptedOr(await this.#host.proposeMeta(command, timeoutMs));
    if (!added.ok) return added;
    const map = new TextDecoder().decode(encodeMap(topology.map));
    await askAddress(this.#host, peer, {
      ask: "adopt",
      clusterId: topology.map.clusterId,
      map,
    });
    return added;
  }
}
