// Reading and writing frames on one connection. Owns its buffers; knows nothing of what frames mean.

import { BytesWriter, CodecError } from "../base/codec.ts";
import type { Connection } from "../platform/ports.ts";
import { beginFrame, endFrame, type Frame, FrameBuffer, type FrameType } from "./frame.ts";

/** Reads frames one by one, during a handshake, and then all of them to a handler. */
export class FrameReader {
  readonly #connection: Connection;
  readonly #buffer: FrameBuffer;

  constructor(connection: Connection, payloadBytesMax: number) {
    this.#connection = connection;
    this.#buffer = new FrameBuffer(payloadBytesMax);
  }

  /** The next frame; its payload is valid until the next call. Throws at the end of the stream. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#buffer.next();
      if (frame !== undefined) return frame;
      await this.#fill();
    }
  }

  /** Hands every frame to `onFrame` until the connection ends or a frame is malformed: then throws. */
  async each(onFrame: (frame: Frame) => void): Promise<never> {
    for (;;) {
      for (let frame = this.#buffer.next(); frame !== undefined; frame = this.#buffer.next()) {
        onFrame(frame);
      }
      await this.#fill();
    }
  }

  async #fill(): Promise<void> {
    const count = await this.#connection.read(this.#buffer.space());
    if (count === null) throw new Error("the connection was closed");
    this.#buffer.filled(count);
  }
}

/** Expects a frame of one type during a handshake. */
export async function expectFrame(reader: FrameReader, type: FrameType): Promise<Uint8Array> {
  const frame = await reader.next();
  if (frame.type !== type) throw new CodecError(`frame ${frame.type} where ${type} was due`);
  return frame.payload;
}

/** Sends one frame by itself; for handshakes and control calls. */
export async function sendFrame(
  connection: Connection,
  type: FrameType,
  write: (writer: BytesWriter) => void,
): Promise<void> {
  const writer = new BytesWriter(512);
  const mark = beginFrame(writer, type);
  write(writer);
  endFrame(writer, mark);
  await connection.write(writer.take());
}

/**
 * Gathers frames and writes them in batches: while one batch is on its way the next gathers.
 *
 * *Invariant:* frames leave in the order they were added.
 */
export class BatchWriter {
  readonly #connection: Connection;
  readonly #onBroken: (cause: unknown) => void;
  /** Two buffers take turns: one is being written, the other gathers. */
  #gathering = new BytesWriter(64 * 1024);
  #idle = new BytesWriter(64 * 1024);
  #writing = false;
  #broken = false;
  /** Bytes added since the start; a frame was begun to be sent once `#sent` passes its beginning. */
  #added = 0;
  #sent = 0;

  constructor(connection: Connection, onBroken: (cause: unknown) => void) {
    this.#connection = connection;
    this.#onBroken = onBroken;
  }

  /** Bytes that wait, those being written not counted. */
  get waitingBytes(): number {
    return this.#gathering.length;
  }

  /** Stream position behind everything handed to the connection so far. */
  get sentPosition(): number {
    return this.#sent;
  }

  /** Adds a frame; returns the stream position at which it begins. */
  add(type: FrameType, write: (writer: BytesWriter) => void): number {
    const position = this.#added;
    const before = this.#gathering.length;
    const mark = beginFrame(this.#gathering, type);
    write(this.#gathering);
    endFrame(this.#gathering, mark);
    this.#added += this.#gathering.length - before;
    return position;
  }

  /** Starts writing unless a write is under way (then it goes on by itself). */
  flush(): void {
    if (this.#writing || this.#broken || this.#gathering.length === 0) return;
    const batch = this.#gathering;
    this.#gathering = this.#idle;
    this.#idle = batch;
    this.#writing = true;
    this.#sent += batch.length;
    this.#connection.write(batch.view()).then(() => {
      batch.clear();
      this.#writing = false;
      this.flush();
    }, (cause) => {
      this.#broken = true;
      this.#onBroken(cause);
    });
  }
}
