// Bytes of the transfer's messages, for links that carry opaque bodies. Encoding and decoding only.
//
// | kind   | byte 0 | then, little-endian                                                        |
// | ------ | ------ | -------------------------------------------------------------------------- |
// | offer  | 1      | f64 transfer, u32 group, f64 index, f64 term, f64 size, u32 length and bytes of the configuration, u32 length and bytes of the context |
// | piece  | 2      | f64 transfer, f64 offset, u8 last, the rest is bytes                       |
// | accept | 3      | f64 transfer, f64 offset                                                   |
// | done   | 4      | f64 transfer                                                               |
// | refuse | 5      | f64 transfer, u8 reason                                                    |

import type { Refuse, TransferMessage } from "./transfer.ts";

const KIND = { offer: 1, piece: 2, accept: 3, done: 4, refuse: 5 } as const;
/** Two configurations of as many replicas as there may be take far less. */
const CONF_STATE_BYTES_MAX = 64 * 1024;
const REASONS: readonly Refuse["reason"][] = ["busy", "no-space", "damaged", "not-wanted"];

export function encodeTransferMessage(message: TransferMessage): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(messageBytes(message));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, KIND[message.kind]);
  view.setFloat64(1, message.transfer, true);
  switch (message.kind) {
    case "offer": {
      const { metadata, sizeBytes, context } = message;
      view.setUint32(9, metadata.group, true);
      view.setFloat64(13, metadata.index, true);
      view.setFloat64(21, metadata.term, true);
      view.setFloat64(29, sizeBytes, true);
      view.setUint32(37, metadata.confState.length, true);
      bytes.set(metadata.confState, 41);
      const at = 41 + metadata.confState.length;
      view.setUint32(at, context.length, true);
      bytes.set(context, at + 4);
      break;
    }
    case "piece":
      view.setFloat64(9, message.offset, true);
      view.setUint8(17, message.last ? 1 : 0);
      bytes.set(message.bytes, 18);
      break;
    case "accept":
      view.setFloat64(9, message.offset, true);
      break;
    case "refuse":
      view.setUint8(9, REASONS.indexOf(message.reason));
      break;
    case "done":
      break;
  }
  return bytes;
}

function messageBytes(message: TransferMessage): number {
  switch (message.kind) {
    case "offer":
      return 45 + message.metadata.confState.length + message.context.length;
    case "piece":
      return 18 + message.bytes.length;
    case "accept":
      return 17;
    case "done":
      return 9;
    case "refuse":
      return 10;
  }
}

/** The message, or undefined for bytes that no encoder wrote. Views into `bytes` are returned. */
export function decodeTransferMessage(bytes: Uint8Array): TransferMessage | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 9) return undefined;
  const transfer = wholeNumber(view, 1);
  if (transfer === undefined) return undefined;
  switch (view.getUint8(0)) {
    case KIND.offer: {
      if (bytes.length < 45) return undefined;
      const confStateBytes = view.getUint32(37, true);
      const confStateEnd = 41 + confStateBytes;
      if (confStateBytes > CONF_STATE_BYTES_MAX || confStateEnd + 4 > bytes.length) {
        return undefined;
      }
      if (confStateEnd + 4 + view.getUint32(confStateEnd, true) !== bytes.length) return undefined;
      const index = wholeNumber(view, 13);
      const term = wholeNumber(view, 21);
      const sizeBytes = wholeNumber(view, 29);
      if (index === undefined || term === undefined || sizeBytes === undefined) return undefined;
      return {
        kind: "offer",
        transfer,
        metadata: {
          group: view.getUint32(9, true),
          index,
          term,
          confState: bytes.slice(41, confStateEnd),
        },
        sizeBytes,
        context: bytes.slice(confStateEnd + 4),
      };
    }
    case KIND.piece: {
      const offset = bytes.length < 18 ? undefined : wholeNumber(view, 9);
      if (offset === undefined) return undefined;
      return {
        kind: "piece",
        transfer,
        offset,
        last: view.getUint8(17) === 1,
        bytes: bytes.subarray(18),
      };
    }
    case KIND.accept: {
      const offset = bytes.length === 17 ? wholeNumber(view, 9) : undefined;
      return offset === undefined ? undefined : { kind: "accept", transfer, offset };
    }
    case KIND.done:
      return bytes.length === 9 ? { kind: "done", transfer } : undefined;
    case KIND.refuse: {
      const reason = bytes.length === 10 ? REASONS[view.getUint8(9)] : undefined;
      return reason === undefined ? undefined : { kind: "refuse", transfer, reason };
    }
    default:
      return undefined;
  }
}

/** The number at `at`, if it is a whole one in 0..2^53-1. */
function wholeNumber(view: DataView, at: number): number | undefined {
  const value = view.getFloat64(at, true);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
