// Ships snapshot files between replicas over peer requests: begin, chunks in order each answered before
// the next is sent, finish. One chunk in flight keeps memory small and leaves the link to others; the
// receiver makes the file durable before the Raft message that announces it is taken.
//
//   begin   step u8 = 1 | to f64 | size f64 | point | Raft message as one frame body
//   chunk   step u8 = 2 | transfer f64 | bytes
//   finish  step u8 = 3 | transfer f64
//   answers: JSON {ok, transfer?, reason?}

import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import type { NodeId, PartitionId, ReplicaId } from "../base/ids.ts";
import type { Clock, Log } from "../platform/ports.ts";
import type { Message } from "../raft/mod.ts";
import { decodeConfiguration, encodeConfiguration } from "../replica/configuration.ts";
import type { SnapshotFile, SnapshotPoint } from "../replica/log_port.ts";
import type { CallResult } from "../transport/mod.ts";
import { readMessage, writeMessage } from "../transport/raft_codec.ts";
import { decodePlainAnswer, encodePlainAnswer, RequestKind } from "./forward.ts";
import type { Hosting } from "./hosting.ts";
import type { SnapshotReceiver } from "./snapshot_folder.ts";

const STEP_TIMEOUT_MS = 5000;
/** A transfer that hears nothing for this long is dropped by its receiver. */
const IDLE_TIMEOUT_MS = 15_000;

const enum Step {
  Begin = 1,
  Chunk = 2,
  Finish = 3,
}

interface StepAnswer {
  readonly ok: boolean;
  readonly transfer?: number;
  readonly reason?: string;
}

/** What a transfer needs of the node. */
export interface SnapshotTransferHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly hosting: Hosting;
  request(to: NodeId, body: Uint8Array, budgetMs: number): Promise<CallResult>;
}

function writeBegin(
  partition: PartitionId,
  to: ReplicaId,
  file: SnapshotFile,
  message: Message,
): Uint8Array {
  const configuration = encodeConfiguration(file.point.configuration);
  const writer = new BytesWriter(1024).u8(RequestKind.Snapshot).u32(partition).u8(Step.Begin);
  writer.f64(to).f64(file.sizeBytes).f64(file.point.index).f64(file.point.term);
  writer.u32(configuration.length).raw(configuration);
  writeMessage(writer, partition, message);
  return writer.take();
}

/** Sends one file to a replica; resolves true when it is durable there and its message was taken. */
export async function sendSnapshot(
  host: SnapshotTransferHost,
  nodeId: NodeId,
  partition: PartitionId,
  to: ReplicaId,
  file: SnapshotFile,
  message: Message,
): Promise<boolean> {
  const hosted = host.hosting.get(partition);
  if (hosted === undefined) return false;
  const startedMs = host.clock.monotonicMs();
  const ask = async (body: Uint8Array): Promise<StepAnswer> => {
    const result = await host.request(nodeId, body, STEP_TIMEOUT_MS);
    return result.kind === "answered"
      ? decodePlainAnswer<StepAnswer>(result.body)
      : { ok: false, reason: result.reason };
  };
  try {
    const begun = await ask(writeBegin(partition, to, file, message));
    if (!begun.ok || begun.transfer === undefined) return failed(begun.reason);
    const stepHeader = (step: Step) =>
      new BytesWriter(256 * 1024).u8(RequestKind.Snapshot).u32(partition).u8(step)
        .f64(begun.transfer!);
    for await (const chunk of hosted.snapshots.read(file)) {
      const sent = await ask(stepHeader(Step.Chunk).raw(chunk).take());
      if (!sent.ok) return failed(sent.reason);
    }
    const finished = await ask(stepHeader(Step.Finish).take());
    if (!finished.ok) return failed(finished.reason);
    host.log.log("info", "snapshot sent", {
      partition,
      to: nodeId,
      index: file.point.index,
      sizeBytes: file.sizeBytes,
      durationMs: Math.round(host.clock.monotonicMs() - startedMs),
    });
    return true;
  } catch (cause) {
    return failed(cause instanceof Error ? cause.message : String(cause));
  }

  function failed(reason: string | undefined): false {
    host.log.log("warn", "snapshot was not delivered", { partition, to: nodeId, reason });
    return false;
  }
}

interface IncomingTransfer {
  readonly from: NodeId;
  readonly partition: PartitionId;
  readonly point: SnapshotPoint;
  readonly message: Message;
  readonly receiver: SnapshotReceiver;
  lastHeardMs: number;
  /** A step is being carried out: the next must wait for its answer. */
  busy: boolean;
}

/** The receiving side, for all groups of a node. */
export class SnapshotInbox {
  readonly #host: SnapshotTransferHost;
  readonly #transfers = new Map<number, IncomingTransfer>();
  #nextTransfer = 1;

  constructor(host: SnapshotTransferHost) {
    this.#host = host;
  }

  /** Takes one step of a transfer; `reader` stands behind the request's kind. */
  async onStep(from: NodeId, reader: BytesReader): Promise<Uint8Array> {
    return encodePlainAnswer(await this.#step(from, reader));
  }

  async #step(from: NodeId, reader: BytesReader): Promise<StepAnswer> {
    const partition = reader.u32();
    const step = reader.u8();
    if (step === Step.Begin) return this.#begin(from, partition, reader);
    const id = reader.integer();
    const transfer = this.#transfers.get(id);
    if (transfer === undefined || transfer.from !== from || transfer.partition !== partition) {
      return { ok: false, reason: "no such transfer" };
    }
    if (transfer.busy) return { ok: false, reason: "steps of a transfer come one by one" };
    transfer.lastHeardMs = this.#host.clock.monotonicMs();
    transfer.busy = true;
    try {
      if (step === Step.Chunk) {
        await transfer.receiver.push(reader.raw(reader.remaining));
        return { ok: true };
      }
      if (step !== Step.Finish) throw new CodecError(`unknown snapshot step ${step}`);
      return await this.#finish(id, transfer);
    } catch (cause) {
      this.#drop(id, transfer);
      return { ok: false, reason: cause instanceof Error ? cause.message : String(cause) };
    } finally {
      transfer.busy = false;
    }
  }

  #begin(from: NodeId, partition: PartitionId, reader: BytesReader): StepAnswer {
    const to = reader.integer();
    reader.integer(); // the size, for logs of other versions
    const index = reader.integer();
    const term = reader.integer();
    const configuration = decodeConfiguration(reader.raw(reader.u32()));
    const { message } = readMessage(reader);
    const hosted = this.#host.hosting.get(partition);
    if (hosted === undefined || hosted.kind === "suspect" || hosted.replicaId !== to) {
      return { ok: false, reason: "the replica is not here" };
    }
    // A newer transfer of a group replaces an unfinished one.
    for (const [id, transfer] of this.#transfers) {
      if (transfer.partition === partition) this.#drop(id, transfer);
    }
    const point = { index, term, configuration };
    const id = this.#nextTransfer++;
    this.#transfers.set(id, {
      from,
      partition,
      point,
      message,
      receiver: hosted.snapshots.receive(point),
      lastHeardMs: this.#host.clock.monotonicMs(),
      busy: false,
    });
    return { ok: true, transfer: id };
  }

  async #finish(id: number, transfer: IncomingTransfer): Promise<StepAnswer> {
    await transfer.receiver.finish();
    this.#transfers.delete(id);
    const hosted = this.#host.hosting.get(transfer.partition);
    if (hosted === undefined || hosted.kind === "suspect") {
      return { ok: false, reason: "the replica is gone" };
    }
    if (hosted.replicaId === transfer.message.to) {
      hosted.replica.receiveSnapshot(transfer.message, this.#host.clock.wallMs());
    }
    return { ok: true };
  }

  /** Drops transfers that were given up by their senders. Call now and then. */
  expire(): void {
    const oldestMs = this.#host.clock.monotonicMs() - IDLE_TIMEOUT_MS;
    for (const [id, transfer] of this.#transfers) {
      if (transfer.lastHeardMs < oldestMs && !transfer.busy) this.#drop(id, transfer);
    }
  }

  #drop(id: number, transfer: IncomingTransfer): void {
    this.#transfers.delete(id);
    transfer.receiver.abort();
  }
}
