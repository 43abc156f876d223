// The receiving side of transfers: gathers verified frames in a part file, resumes one that is there, and
// installs it when its footer fits. A file that fails any check never gets its final name.

import type { PartitionId } from "../base/ids.ts";
import { type Clock, DiskError, type DiskFile } from "../platform/ports.ts";
import { SnapshotFileReader } from "./file_reader.ts";
import {
  encodeHeader,
  FOOTER_BYTES,
  FRAME_HEADER_BYTES,
  type FrameAt,
  frameAt,
  FrameChain,
} from "./format.ts";
import type { SnapshotStore } from "./store.ts";
import {
  type Offer,
  type Piece,
  ReceiveState,
  type Refuse,
  type ToReceiver,
  type ToSender,
} from "./transfer.ts";
import { SnapshotError, type SnapshotFile, type SnapshotMetadata } from "./types.ts";

/** Transfers received at once; one more is refused as busy, and tried again by its sender. */
const RECEIVING_MAX = 8;
/** A transfer without a piece for that long gives its place to another one. */
const IDLE_MS_MAX = 10_000;

export interface ReceiverOptions {
  readonly store: SnapshotStore;
  readonly clock: Clock;
  /** Whether this node has a replica that could use the state. */
  readonly isWanted: (metadata: SnapshotMetadata) => boolean;
  /** A received file is durable. `context` is what the sender's replica sent along. */
  readonly onInstalled: (file: SnapshotFile, context: Uint8Array) => void;
}

interface Incoming {
  readonly from: string;
  readonly offer: Offer;
  readonly reply: (message: ToSender) => void;
  readonly path: string;
  state: ReceiveState;
  file: DiskFile;
  chain: FrameChain;
  lastMs: number;
}

export class SnapshotReceiver {
  readonly #options: ReceiverOptions;
  readonly #incoming = new Map<PartitionId, Incoming>();
  /** Messages of one group are handled one after the other. */
  readonly #turns = new Map<PartitionId, Promise<void>>();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /**
   * Takes a message of node `from`; `reply` sends on the link back. Pieces of transfers that nobody
   * accepted are dropped.
   */
  receive(from: string, message: ToReceiver, reply: (message: ToSender) => void): void {
    const group = message.kind === "offer" ? message.metadata.group : this.#groupOf(from, message);
    if (group === undefined) return;
    const turn = (this.#turns.get(group) ?? Promise.resolve()).then(async () => {
      try {
        if (message.kind === "offer") await this.#onOffer(from, message, reply);
        else await this.#onPiece(from, group, message);
      } catch (error) {
        this.#onError(group, error);
      }
    }).finally(() => {
      if (this.#turns.get(group) === turn) this.#turns.delete(group);
    });
    this.#turns.set(group, turn);
  }

  /** Ends what is being received from a node whose link broke; part files stay. */
  linkLost(from: string): void {
    for (const incoming of [...this.#incoming.values()]) {
      if (incoming.from === from) this.#drop(incoming);
    }
  }

  #groupOf(from: string, piece: Piece): PartitionId | undefined {
    for (const [group, incoming] of this.#incoming) {
      if (incoming.from === from && incoming.offer.transfer === piece.transfer) return group;
    }
    return undefined;
  }

  #drop(incoming: Incoming): void {
    const { group } = incoming.offer.metadata;
    if (this.#incoming.get(group) === incoming) this.#incoming.delete(group);
    incoming.file.close();
  }

  async #onOffer(from: string, offer: Offer, reply: Incoming["reply"]): Promise<void> {
    const { store, clock, isWanted } = this.#options;
    const { metadata, transfer } = offer;
    const refuse = (reason: Refuse["reason"]) => reply({ kind: "refuse", transfer, reason });
    const earlier = this.#incoming.get(metadata.group);
    if (earlier !== undefined) {
      this.#drop(earlier);
      // A former leader's, as a rule. Else its sender would wait for a reply until it gives up.
      if (earlier.from !== from || earlier.offer.transfer !== transfer) {
        earlier.reply({ kind: "refuse", transfer: earlier.offer.transfer, reason: "busy" });
      }
    }
    if (!isWanted(metadata)) return refuse("not-wanted");
    if (!this.#hasPlace()) return refuse("busy");
    const path = store.partPath(metadata);
    store.removeParts(metadata.group, path);
    if (store.disk.freeBytes() < offer.sizeBytes) return refuse("no-space");
    const { offset, chain } = await this.#resume(path, metadata);
    const incoming: Incoming = {
      from,
      offer,
      reply,
      path,
      state: new ReceiveState(transfer, offset),
      file: store.disk.open(path),
      chain,
      lastMs: clock.monotonicMs(),
    };
    this.#incoming.set(metadata.group, incoming);
    reply(incoming.state.accept());
  }

  #hasPlace(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    for (const incoming of [...this.#incoming.values()]) {
      if (nowMs - incoming.lastMs > IDLE_MS_MAX) this.#drop(incoming);
    }
    return this.#incoming.size < RECEIVING_MAX;
  }

  /** Cuts the part file back to its last whole frame, or begins it. */
  async #resume(
    path: string,
    metadata: SnapshotMetadata,
  ): Promise<{ offset: number; chain: FrameChain }> {
    const { disk } = this.#options.store;
    const header = encodeHeader(metadata);
    const seed = new DataView(header.buffer).getUint32(header.length - 4, true);
    if (disk.exists(path)) {
      try {
        const reader = new SnapshotFileReader(disk, path);
        try {
          if (reader.header.seed === seed) {
            while ((await reader.next()).kind === "frame");
            const part = disk.open(path);
            part.truncateSync(reader.offset);
            part.close();
            return { offset: reader.offset, chain: reader.chain };
          }
        } finally {
          reader.close();
        }
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error;
      }
    }
    const part = disk.open(path, { create: true, truncate: true });
    await part.write(header, 0);
    part.close();
    return { offset: header.length, chain: new FrameChain(seed) };
  }

  async #onPiece(from: string, group: PartitionId, piece: Piece): Promise<void> {
    const incoming = this.#incoming.get(group);
    if (incoming === undefined || incoming.from !== from) return;
    incoming.lastMs = this.#options.clock.monotonicMs();
    const verdict = incoming.state.judge(piece);
    if (verdict === "reply") incoming.reply(incoming.state.accept());
    if (verdict !== "take") return;
    const whole = piece.last
      ? piece.bytes.length === FOOTER_BYTES && incoming.chain.closedBy(piece.bytes)
      : acceptFrames(piece.bytes, incoming.chain);
    if (!whole) return this.#refuse(incoming, "damaged");
    await incoming.file.write(piece.bytes, piece.offset);
    incoming.state.took(piece.bytes.length);
    if (piece.last) await this.#install(incoming);
    else incoming.reply(incoming.state.accept());
  }

  async #install(incoming: Incoming): Promise<void> {
    const { store, onInstalled } = this.#options;
    const { offer, path, file } = incoming;
    await store.sync(file);
    const installed = await store.install(path, offer.metadata, incoming.state.expected);
    this.#drop(incoming);
    onInstalled(installed, offer.context);
    incoming.reply({ kind: "done", transfer: offer.transfer });
  }

  /** What was received so far is of no use. */
  #refuse(incoming: Incoming, reason: Refuse["reason"]): void {
    this.#drop(incoming);
    this.#options.store.discard(incoming.path);
    incoming.reply({ kind: "refuse", transfer: incoming.offer.transfer, reason });
  }

  #onError(group: PartitionId, error: unknown): void {
    const incoming = this.#incoming.get(group);
    if (!(error instanceof DiskError)) throw error;
    if (incoming === undefined) return;
    this.#refuse(incoming, error.code === "no-space" ? "no-space" : "damaged");
  }
}

/** Whole frames back to back, each with a checksum that holds. */
function acceptFrames(bytes: Uint8Array, chain: FrameChain): boolean {
  for (let offset = 0; offset < bytes.length;) {
    if (offset + FRAME_HEADER_BYTES > bytes.length) return false;
    const frame: FrameAt | "footer" | undefined = frameAt(bytes, offset);
    if (frame === undefined || frame === "footer") return false;
    const start = offset + FRAME_HEADER_BYTES;
    const data = bytes.subarray(start, start + frame.dataBytes);
    if (data.length !== frame.dataBytes || !chain.accept(frame, data)) return false;
    offset = start + frame.dataBytes;
  }
  return true;
}
