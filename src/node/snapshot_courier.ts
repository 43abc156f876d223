// Carries snapshot files between nodes: puts the transfer protocol (snapshot/transfer.ts) on the links'
// datagrams and hands what arrives to its replica. A Raft message travels with each file; the receiving
// core hears it only when the file is durable.

import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import type { NodeId, PartitionId } from "../base/ids.ts";
import type { Clock, Log } from "../platform/ports.ts";
import { type Message, MessageType } from "../raft/mod.ts";
import {
  decodeTransferMessage,
  encodeTransferMessage,
  Gate,
  type SnapshotFile,
  type SnapshotMetadata,
  SnapshotReceiver,
  SnapshotSender,
  type SnapshotStore,
  type TransferMessage,
} from "../snapshot/mod.ts";
import { readMessage, writeMessage } from "../transport/raft_codec.ts";
import type { Hosting } from "./hosting.ts";
import type { SnapshotSend } from "./node_report.ts";

/** What the courier needs of the node. */
export interface CourierHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: SnapshotStore;
  hosting(): Hosting | undefined;
  /** False when the link took nothing. */
  send(to: NodeId, body: Uint8Array): boolean;
}

/** Snapshots on their way from this node at a time; each keeps to a byte rate. */
const SNAPSHOT_TRANSFERS_MAX = 2;

interface Sending {
  readonly to: NodeId;
  readonly partition: PartitionId;
  readonly sizeBytes: number;
  readonly sender: SnapshotSender;
}

export class SnapshotCourier {
  readonly #host: CourierHost;
  readonly #receiver: SnapshotReceiver;
  /** Many groups may need one at once, as after a join: the rest of the node goes on meanwhile. */
  readonly #gate = new Gate(SNAPSHOT_TRANSFERS_MAX);
  readonly #sending = new Map<number, Sending>();
  #nextTransfer = 1;
  #stopped = false;

  constructor(host: CourierHost) {
    this.#host = host;
    this.#receiver = new SnapshotReceiver({
      store: host.store,
      clock: host.clock,
      isWanted: ({ group }) => {
        const hosted = host.hosting()?.get(group);
        return hosted !== undefined && hosted.kind !== "suspect";
      },
      onInstalled: (file, context) => this.#onInstalled(file, context),
    });
  }

  /** Ships `file` and with it `message`, when its turn comes; resolves true when the receiver holds it durably. */
  ship(to: NodeId, partition: PartitionId, file: SnapshotFile, message: Message): Promise<boolean> {
    return this.#gate.run(() => this.#ship(to, partition, file, message));
  }

  async #ship(
    to: NodeId,
    partition: PartitionId,
    file: SnapshotFile,
    message: Message,
  ): Promise<boolean> {
    if (this.#stopped) return false;
    const { clock, log, store, send } = this.#host;
    const writer = new BytesWriter(512);
    writeMessage(writer, partition, message);
    const transfer = this.#nextTransfer++;
    const startedMs = clock.monotonicMs();
    const sender = new SnapshotSender({
      disk: store.disk,
      clock,
      file,
      transfer,
      context: writer.take(),
      send: (step) => send(to, encodeTransferMessage(step)),
    });
    this.#sending.set(transfer, { to, partition, sizeBytes: file.sizeBytes, sender });
    const { delivered, reason, damaged } = await sender.run();
    this.#sending.delete(transfer);
    if (damaged) store.markDamaged(file);
    const { index } = file.metadata;
    log.log(delivered ? "info" : "warn", delivered ? "snapshot sent" : "snapshot not delivered", {
      partition,
      to,
      index,
      sizeBytes: file.sizeBytes,
      durationMs: Math.round(clock.monotonicMs() - startedMs),
      ...(delivered ? {} : { reason }),
    });
    return delivered;
  }

  /** What is on its way now. */
  sends(): SnapshotSend[] {
    return [...this.#sending.values()].map(({ partition, to, sizeBytes, sender }) => ({
      partition,
      to,
      sentBytes: sender.sentBytes,
      sizeBytes,
    }));
  }

  /** A datagram of the transfer protocol from a peer. Throws on bytes that no peer sends. */
  onDatagram(from: NodeId, body: Uint8Array): void {
    const message: TransferMessage | undefined = decodeTransferMessage(body);
    if (message === undefined) throw new CodecError("a malformed snapshot message");
    // What can't be used at the end is refused at the start.
    if (message.kind === "offer") contextOf(message.context, message.metadata);
    switch (message.kind) {
      case "offer":
      case "piece":
        return this.#receiver.receive(from, message, (reply) => {
          this.#host.send(from, encodeTransferMessage(reply));
        });
      default: {
        const sending = this.#sending.get(message.transfer);
        if (sending?.to === from) sending.sender.onReply(message);
      }
    }
  }

  /** No traffic flows to or from the node any more. */
  linkLost(nodeId: NodeId): void {
    this.#receiver.linkLost(nodeId);
    this.answersLost(nodeId);
  }

  /** The node's answers do not arrive, and one may be lost for good: Raft asks what it has got. */
  answersLost(nodeId: NodeId): void {
    for (const { to, sender } of this.#sending.values()) {
      if (to === nodeId) sender.cancel("the link that answers come over was lost");
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const { sender } of this.#sending.values()) sender.cancel("the node is stopping");
  }

  #onInstalled(file: SnapshotFile, context: Uint8Array): void {
    const message = contextOf(context, file.metadata);
    const hosted = this.#host.hosting()?.get(file.metadata.group);
    if (hosted === undefined || hosted.kind === "suspect") return;
    if (hosted.replicaId !== message.to) return;
    hosted.replica.receiveSnapshot(message, this.#host.clock.wallMs());
  }
}

/** The Raft message that a snapshot file comes with. Throws CodecError. */
function contextOf(context: Uint8Array, file: SnapshotMetadata): Message {
  const reader = new BytesReader(context);
  const { group, message } = readMessage(reader);
  reader.end();
  const named = message.snapshot?.metadata;
  if (message.type !== MessageType.Snapshot || group !== file.group || named === undefined) {
    throw new CodecError("a snapshot offer without its message");
  }
  if (named.index !== file.index || named.term !== file.term) {
    throw new CodecError("a snapshot offer whose message is about another file");
  }
  return message;
}
