// Keeps what a diagram of a run shows: messages between nodes with the times of their journey, elections,
// lives and faults. Looks only; a run with a recorder is the same run.

import { GOSSIP_DATAGRAM } from "../../src/gossip/mod.ts";
import { FRAME_HEADER_BYTES, FrameType } from "../../src/transport/frame.ts";
import { readRaftFrame } from "../../src/transport/raft_codec.ts";
import { type Message, MessageType } from "../../src/raft/mod.ts";
import type { Scheduler } from "./clock.ts";
import type { Sent } from "./connection.ts";
import type { DirectedLink } from "./link.ts";
import type { SimNode } from "./sim_node.ts";

/** What a message is, as a diagram colours it. */
export type MessageKind = "vote" | "append" | "answer" | "heartbeat" | "snapshot" | "request";

export interface RecordedMessage extends Sent {
  readonly from: string;
  readonly to: string;
  readonly sentMs: number;
  /** Undefined if it never arrived. */
  deliveredMs: number | undefined;
  readonly kind: MessageKind;
  readonly label: string;
}

/** Something that a node did or that was done to it. */
export interface RecordedMark {
  readonly atMs: number;
  /** Undefined for what concerns all. */
  readonly node: string | undefined;
  readonly kind: "leader" | "start" | "end" | "fault" | "failure";
  readonly label: string;
}

/** Older messages than so many are forgotten. */
const MESSAGES_MAX = 4000;

export class Recorder {
  readonly #scheduler: Scheduler;
  #messages: RecordedMessage[] = [];
  readonly #marks: RecordedMark[] = [];
  /** Term in which a node was last seen to lead, by node and partition. */
  readonly #led = new Map<string, number>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get messages(): readonly RecordedMessage[] {
    return this.#messages;
  }

  get marks(): readonly RecordedMark[] {
    return this.#marks;
  }

  mark(kind: RecordedMark["kind"], node: string | undefined, label: string): void {
    this.#marks.push({ atMs: this.#scheduler.nowMs, node, kind, label });
  }

  /** Notes who has come to lead what. Call after events. */
  look(nodes: readonly SimNode[]): void {
    for (const { name, life } of nodes) {
      for (const hosted of life?.running?.node.hosting?.all() ?? []) {
        if (hosted.kind === "suspect" || !hosted.replica.isLeader) continue;
        const key = `${name}/${hosted.partition}`;
        if (this.#led.get(key) === hosted.replica.term) continue;
        this.#led.set(key, hosted.replica.term);
        this.mark("leader", name, `leads p${hosted.partition} in term ${hosted.replica.term}`);
      }
    }
  }

  /** Takes whole frames that a link's dialler (`forward`), or its acceptor, has sent. */
  sent(link: DirectedLink, forward: boolean, bytes: Uint8Array): Sent | undefined {
    const described = describeFrames(bytes);
    if (described === undefined) return undefined;
    const message: RecordedMessage = {
      from: forward ? link.from : link.to,
      to: forward ? link.to : link.from,
      sentMs: this.#scheduler.nowMs,
      deliveredMs: undefined,
      ...described,
    };
    this.#messages.push(message);
    if (this.#messages.length > 2 * MESSAGES_MAX) {
      this.#messages = this.#messages.slice(-MESSAGES_MAX);
    }
    return message;
  }
}

/** The most telling of the frames in `bytes`; undefined if there is nothing but keepalive. */
function describeFrames(bytes: Uint8Array): { kind: MessageKind; label: string } | undefined {
  const labels: string[] = [];
  let kind: MessageKind = "heartbeat";
  const raise = (other: MessageKind) => {
    if (RANK.indexOf(other) > RANK.indexOf(kind)) kind = other;
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.length;) {
    const end = at + FRAME_HEADER_BYTES + view.getUint32(at);
    const type = view.getUint8(at + 4);
    if (type === FrameType.Raft) {
      const frame = readRaftFrame(bytes.slice(at + FRAME_HEADER_BYTES, end), true);
      for (const { group, message } of frame.messages) {
        labels.push(`p${group} ${labelOf(message)}`);
        raise(kindOf(message));
      }
    } else if (type === FrameType.Request || type === FrameType.Response) {
      labels.push(type === FrameType.Request ? "request" : "response");
      raise("request");
    } else if (type === FrameType.Datagram) {
      if (view.getUint8(at + FRAME_HEADER_BYTES) === GOSSIP_DATAGRAM) labels.push("gossip");
      else {
        labels.push("snapshot piece");
        raise("snapshot");
      }
    }
    at = end;
  }
  return labels.length === 0 ? undefined : { kind, label: labels.join(", ") };
}

/** The kinds, the least telling first. */
const RANK: readonly MessageKind[] = [
  "heartbeat",
  "request",
  "answer",
  "append",
  "snapshot",
  "vote",
];

function kindOf({ type, entries }: Message): MessageKind {
  switch (type) {
    case MessageType.Vote:
    case MessageType.PreVote:
    case MessageType.VoteResponse:
    case MessageType.PreVoteResponse:
    case MessageType.TimeoutNow:
      return "vote";
    case MessageType.Snapshot:
      return "snapshot";
    case MessageType.Append:
      return entries.length > 0 ? "append" : "heartbeat";
    case MessageType.AppendResponse:
      return "answer";
    default:
      return "heartbeat";
  }
}

function labelOf(message: Message): string {
  const { type, term, index, entries, reject, commit } = message;
  const parts = [`${MessageType[type]} t${term}`];
  if (index > 0) parts.push(`i${index}`);
  if (entries.length > 0) parts.push(`+${entries.length}`);
  if (type === MessageType.Append) parts.push(`c${commit}`);
  if (reject) parts.push("refused");
  return parts.join(" ");
}
