// What every part of the transport is given, and what it gives. Types only.

import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Address, Clock, Digest, Log, Network, Process, Random } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";
import type { ProtocolVersions } from "./parameters.ts";

/** What the parts of the transport share. */
export interface TransportEnvironment {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: Digest;
  readonly log: Log;
  readonly process: Process;
  /** 1..64 printable ASCII characters. */
  readonly nodeId: NodeId;
  /** Ascends with each start of this node. */
  readonly bootNonce: number;
  /** Shared by all nodes of a cluster; empty if none is configured. 16 random bytes are wise. */
  readonly secret: Uint8Array;
  /** Our cluster; "" before there is one: then only control calls are made and served. */
  readonly clusterId: () => string;
  /** Versions that this node speaks to its peers; by default those of the program. */
  readonly protocol?: ProtocolVersions;
  /** Asks for `Transport.flush()` at the end of this turn. */
  readonly scheduleFlush: () => void;
  /**
   * Where to dial instead of `address`, for proxies and address translation. Control calls are made
   * by address alone: their `nodeId` is undefined.
   */
  readonly dialOverride: (nodeId: NodeId | undefined, address: Address) => Address;
}

/** "outbound": the link this node dialled and sends on. "inbound": the one it hears the peer on. */
export type LinkDirection = "outbound" | "inbound";

/** The far end of a control call. */
export interface Caller {
  readonly nodeId: NodeId;
  /** "" while it belongs to no cluster. */
  readonly clusterId: string;
}

/**
 * What the transport delivers. Calls never overlap. A synchronous handler may throw CodecError on bytes
 * that no peer sends, which costs their link; anything else it throws ends the process.
 */
export interface TransportHandlers {
  /** `wallMs` is the sender's wall clock (RULES 18). */
  onRaft(from: NodeId, group: PartitionId, message: Message, wallMs: number): void;
  /** Runs `deliver`, which hands over all that one read of a link brought. By default at once. */
  onRead?(deliver: () => void): void;
  /** Runs a peer's request, at most once each. `body` is the callee's. A rejection means "unknown". */
  onRequest(from: NodeId, body: Uint8Array, budgetMs: number): Promise<Uint8Array>;
  /** Answers a control call, from whoever holds the secret. What it rejects with is the answer. */
  onControl(body: Uint8Array, caller: Caller): Promise<Uint8Array>;
  /** `body` is the callee's. */
  onDatagram(from: NodeId, body: Uint8Array): void;
  onLinkUp(nodeId: NodeId, direction: LinkDirection): void;
  onLinkDown(nodeId: NodeId, direction: LinkDirection, reason: string): void;
  /** The peer's process is another one than before. Comes before the new link's `onLinkUp`. */
  onPeerRestarted?(nodeId: NodeId): void;
}

/** The text of whatever was thrown. */
export function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
