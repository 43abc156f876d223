// Backup files on disk: written by appending blocks, read by scanning them. Owns the digest over the whole
// file and what counts as its end. Nothing that was written is ever changed, but what follows the last whole
// block may be cut off.

import { createHash, type Hash } from "node:crypto";
import { dirname } from "node:path";
import {
  type Block,
  BlockReader,
  BlockType,
  encodeBlock,
  encodeDocument,
  type FileTrailer,
} from "../../backup/mod.ts";
import { CodecError } from "../../base/codec.ts";
import { BackupState } from "./state.ts";

const READ_SIZE_BYTES = 1024 * 1024;

/** A block and where the next one begins. */
export interface ReadBlock {
  readonly block: Block;
  readonly endBytes: number;
}

/**
 * The blocks of a file from `offset` on, where block `sequence` begins. Returns how many bytes behind the last
 * one make no whole block. Throws CodecError.
 */
export function* readBlocks(
  path: string,
  offset = 0,
  sequence = 0,
): Generator<ReadBlock, number> {
  using file = Deno.openSync(path);
  file.seekSync(offset, Deno.SeekMode.Start);
  const reader = new BlockReader(sequence, offset);
  for (;;) {
    for (let block = reader.next(); block !== undefined; block = reader.next()) {
      yield { block, endBytes: reader.offset };
    }
    const bytes = new Uint8Array(READ_SIZE_BYTES);
    const count = file.readSync(bytes);
    if (count === null) return reader.pendingBytes;
    reader.push(bytes.subarray(0, count));
  }
}

/** What a scan found. */
export interface Scan {
  readonly state: BackupState;
  /** Every byte of the whole blocks. */
  readonly digest: Hash;
  /** Up to here the file is whole and says what a backup would. */
  readonly endBytes: number;
  /** Number of the block that comes next. */
  readonly sequence: number;
  /** What is wrong behind that; undefined if the file ends there. */
  readonly damage: string | undefined;
}

/** Reads a whole file and checks everything in it. `onBlock` sees the good blocks. */
export function scanBackup(
  path: string,
  onBlock: (read: ReadBlock, state: BackupState) => void = () => {},
): Scan {
  const state = new BackupState();
  const digest = createHash("sha256");
  let endBytes = 0;
  let sequence = 0;
  let damage: string | undefined;
  const blocks = readBlocks(path);
  try {
    for (;;) {
      const { done, value } = blocks.next();
      if (done) {
        if (value > 0) damage = `block ${sequence} at byte ${endBytes} is cut off`;
        break;
      }
      take(state, value.block, digest, endBytes);
      onBlock(value, state);
      digest.update(encodeBlock(value.block));
      endBytes = value.endBytes;
      sequence++;
    }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    damage = error.message;
  }
  return { state, digest, endBytes, sequence, damage };
}

function take(state: BackupState, block: Block, digest: Hash, offset: number): void {
  const where = `block ${block.sequence} at byte ${offset}`;
  try {
    state.take(block);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new CodecError(`${where}: ${error.message}`);
  }
  if (state.trailer === undefined) return;
  const sha256 = digest.copy().digest("hex");
  if (state.trailer.sha256 === sha256) return;
  throw new CodecError(`${where}: the file's SHA-256 is ${sha256}, not ${state.trailer.sha256}`);
}

/** Appends blocks. What it was given is safe after `sync`. */
export class BackupWriter implements Disposable {
  readonly state: BackupState;
  readonly #file: Deno.FsFile;
  readonly #digest: Hash;
  #sequence: number;
  #sizeBytes: number;

  private constructor(path: string, scan: Scan | undefined) {
    this.state = scan?.state ?? new BackupState();
    this.#digest = scan?.digest ?? createHash("sha256");
    this.#sequence = scan?.sequence ?? 0;
    this.#sizeBytes = scan?.endBytes ?? 0;
    this.#file = Deno.openSync(path, { write: true, create: true });
    this.#file.truncateSync(this.#sizeBytes);
    this.#file.seekSync(this.#sizeBytes, Deno.SeekMode.Start);
  }

  /** An empty file; what was there is gone. */
  static create(path: string): BackupWriter {
    const writer = new BackupWriter(path, undefined);
    // A file whose folder does not know of it is not there after a power cut.
    using folder = Deno.openSync(dirname(path));
    folder.syncSync();
    return writer;
  }

  /** Goes on behind the last good block. */
  static resume(path: string, scan: Scan): BackupWriter {
    return new BackupWriter(path, scan);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Throws CodecError, with nothing written, for a block that can't come here. */
  append(type: BlockType, partition: number, run: number, payload: Uint8Array<ArrayBuffer>): void {
    const block: Block = { type, partition, run, sequence: this.#sequence, payload };
    this.state.take(block);
    const bytes = encodeBlock(block);
    for (let written = 0; written < bytes.length;) {
      written += this.#file.writeSync(bytes.subarray(written));
    }
    this.#digest.update(bytes);
    this.#sequence++;
    this.#sizeBytes += bytes.length;
  }

  /** Ends the file. */
  finish(finishedMs: number): void {
    const { state } = this;
    const trailer: FileTrailer = {
      finishedMs,
      partitions: state.summaries(),
      content: state.content(),
      sha256: this.#digest.copy().digest("hex"),
    };
    this.append(BlockType.Trailer, 0, 0, encodeDocument(trailer));
    this.sync();
  }

  sync(): void {
    this.#file.syncSync();
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
