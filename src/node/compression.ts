// Compresses what clients put, once, before it is proposed, where that pays. What it makes is kept as it is
// in logs, memory, snapshots and on links (RULES 24).

import { constants, crc32, zstdCompressSync } from "node:zlib";
import { assert } from "../base/assert.ts";
import type { Command, CommandValue } from "../store/mod.ts";

export interface CompressionOptions {
  /** Values shorter than this stay plain. */
  readonly thresholdBytes: number;
  /** zstd's, 1 to 19. */
  readonly level: number;
}

/** A frame must save at least this share, or reading would pay for nothing. */
const GAIN_MIN = 1 / 8;
/** Of values longer than this a piece is tried first: most of what is that long is compressed already. */
const SAMPLED_FROM_BYTES = 64 * 1024;
const SAMPLE_BYTES = 8 * 1024;

export class Compressor {
  readonly #thresholdBytes: number;
  readonly #params: Record<number, number>;

  constructor({ thresholdBytes, level }: CompressionOptions) {
    assert(thresholdBytes > 0, "an empty value has nothing to compress");
    this.#thresholdBytes = thresholdBytes;
    this.#params = { [constants.ZSTD_c_compressionLevel]: level };
  }

  /** The command with such values compressed as gain by it. */
  pack(command: Command): Command {
    switch (command.kind) {
      case "put": {
        const value = this.value(command.value);
        return value === command.value ? command : { ...command, value };
      }
      case "txn": {
        const packAll = (operations: typeof command.then) =>
          operations.map((operation) =>
            operation.kind === "put"
              ? { ...operation, value: this.value(operation.value) }
              : operation
          );
        return { ...command, then: packAll(command.then), else: packAll(command.else) };
      }
      default:
        return command;
    }
  }

  /** The value, compressed if that pays. */
  value(value: CommandValue): CommandValue {
    if (!(value instanceof Uint8Array) || value.length < this.#thresholdBytes) return value;
    if (value.length > SAMPLED_FROM_BYTES) {
      const middle = value.length >>> 1;
      if (!this.#gains(value.subarray(middle, middle + SAMPLE_BYTES))) return value;
    }
    const zstd = zstdCompressSync(value, { params: this.#params });
    return zstd.length <= value.length * (1 - GAIN_MIN)
      ? { zstd, plainLength: value.length, plainChecksum: crc32(value) }
      : value;
  }

  #gains(sample: Uint8Array): boolean {
    const { length } = zstdCompressSync(sample, { params: this.#params });
    return length <= sample.length * (1 - GAIN_MIN);
  }
}
