// What every part of the transport is given. Types only.

import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Address, Platform } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";
import type { Identity } from "./handshake.ts";

/** The ports that peer links use. */
export type TransportPlatform = Pick<
  Platform,
  "network" | "clock" | "random" | "log" | "digest" | "process"
>;

/** "outbound": the link this node dialled and sends on. "inbound": the one it hears the peer on. */
export type LinkDirection = "outbound" | "inbound";

/** The far end of a control call. */
export interface Caller {
  readonly nodeId: NodeId;
  /** "" while it belongs to no cluster. */
  readonly clusterId: string;
}

/**
 * Where what arrives goes. Calls never overlap. What a synchronous handler throws is a broken
 * invariant and ends the process.
 */
export interface TransportHandlers {
  /** `wallMs` is the sender's wall clock (RULES 18). */
  onRaft(from: NodeId, group: PartitionId, message: Message, wallMs: number): void;
  /** A forwarded request, at most once each. `body` is the callee's. A rejection means "unknown". */
  onRequest(from: NodeId, body: Uint8Array, budgetMs: number): Promise<Uint8Array>;
  /** `body` is the callee's. */
  onSnapshot(from: NodeId, body: Uint8Array): void;
  /** `body` is the callee's. */
  onGossip(from: NodeId, body: Uint8Array): void;
  /** A control call, also from nodes of no cluster; they know the secret, nothing more. */
  onControl(body: Uint8Array, caller: Caller): Promise<Uint8Array>;
  onLinkUp(nodeId: NodeId, direction: LinkDirection): void;
  onLinkDown(nodeId: NodeId, direction: LinkDirection, reason: string): void;
  /** The peer's process is another one than before. Comes before the new link's `onLinkUp`. */
  onPeerRestarted(nodeId: NodeId): void;
}

/** Where to dial instead of `address`; `nodeId` is undefined for control calls. */
export type DialOverride = (address: Address, nodeId: NodeId | undefined) => Address;

export interface LinkEnvironment {
  readonly platform: TransportPlatform;
  readonly identity: Identity;
  readonly dialOverride: DialOverride;
}

/** The text of whatever was thrown. */
export function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
