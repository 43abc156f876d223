// The first words on a peer connection. Both sides name protocol, cluster and themselves, and prove that
// they hold the shared secret without sending it; whoever differs is refused with the reason.
//
//   dialler -> Hello   magic "PNTN" u32 | version u16 | purpose u8 (1 link, 2 control call)
//                      | cluster id u8 length | node id 16 | boot nonce f64 | dialler's nonce 16
//   acceptor-> Welcome version u16 | node id 16 | boot nonce f64 | acceptor's nonce 16 | proof 32
//              or Accept with a refusal
//   dialler -> Proof   proof 32
//   acceptor-> Accept  refusal text: u16 length, UTF-8; empty means accepted
//
//   proof = HMAC-SHA-256(secret, side ("dialler " or "acceptor") | both nonces | both node ids | cluster)

import { bytesFromHex, concatBytes, hexFromBytes, utf8Bytes } from "../base/bytes.ts";
import { BytesReader, type BytesWriter, CodecError } from "../base/codec.ts";
import type { NodeId } from "../base/ids.ts";
import type { Digest } from "../platform/ports.ts";
import { assert } from "../base/assert.ts";

export const PROTOCOL_VERSION = 1;
const MAGIC = 0x504e544e;
const NONCE_BYTES = 16;
/** No handshake frame is longer; a stranger can't make the node hold more. */
export const HANDSHAKE_PAYLOAD_BYTES_MAX = 1024;

export const enum Purpose {
  Link = 1,
  Control = 2,
}

export interface Hello {
  readonly version: number;
  readonly purpose: Purpose;
  /** Empty while the node belongs to no cluster. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly bootNonce: number;
  readonly nonce: Uint8Array;
}

export interface Welcome {
  readonly version: number;
  readonly nodeId: NodeId;
  readonly bootNonce: number;
  readonly nonce: Uint8Array;
  readonly proof: Uint8Array;
}

function nodeIdBytes(nodeId: NodeId): Uint8Array {
  const bytes = bytesFromHex(nodeId);
  assert(bytes !== undefined && bytes.length === 16, "a node id has 32 hex digits");
  return bytes;
}

export function writeHello(writer: BytesWriter, hello: Hello): void {
  writer.u32(MAGIC).u16(hello.version).u8(hello.purpose);
  writer.u8(hello.clusterId.length).latin1(hello.clusterId);
  writer.raw(nodeIdBytes(hello.nodeId)).f64(hello.bootNonce).raw(hello.nonce);
}

export function readHello(payload: Uint8Array): Hello {
  const reader = new BytesReader(payload);
  if (reader.u32() !== MAGIC) throw new CodecError("not a Pontoon peer");
  const version = reader.u16();
  const purpose = reader.u8();
  if (purpose !== Purpose.Link && purpose !== Purpose.Control) {
    throw new CodecError(`connection for unknown purpose ${purpose}`);
  }
  return {
    version,
    purpose,
    clusterId: reader.latin1(reader.u8()),
    nodeId: hexFromBytes(reader.raw(16)),
    bootNonce: reader.integer(),
    nonce: reader.raw(NONCE_BYTES).slice(),
  };
}

export function writeWelcome(writer: BytesWriter, welcome: Welcome): void {
  writer.u16(welcome.version).raw(nodeIdBytes(welcome.nodeId)).f64(welcome.bootNonce);
  writer.raw(welcome.nonce).raw(welcome.proof);
}

export function readWelcome(payload: Uint8Array): Welcome {
  const reader = new BytesReader(payload);
  return {
    version: reader.u16(),
    nodeId: hexFromBytes(reader.raw(16)),
    bootNonce: reader.integer(),
    nonce: reader.raw(NONCE_BYTES).slice(),
    proof: reader.raw(32).slice(),
  };
}

export function writeRefusal(writer: BytesWriter, reason: string): void {
  const text = utf8Bytes(reason).subarray(0, 512);
  writer.u16(text.length).raw(text);
}

/** The reason for a refusal; empty means accepted. */
export function readRefusal(payload: Uint8Array): string {
  const reader = new BytesReader(payload);
  return new TextDecoder().decode(reader.raw(reader.u16()));
}

/** What one side must send to show that it holds `secret`. */
export function proofOf(
  digest: Digest,
  secret: Uint8Array,
  side: "dialler " | "acceptor",
  dialler: { readonly nodeId: NodeId; readonly nonce: Uint8Array; readonly clusterId: string },
  acceptor: { readonly nodeId: NodeId; readonly nonce: Uint8Array },
): Uint8Array<ArrayBuffer> {
  return digest.hmacSha256(
    secret,
    concatBytes([
      utf8Bytes(side),
      dialler.nonce,
      acceptor.nonce,
      nodeIdBytes(dialler.nodeId),
      nodeIdBytes(acceptor.nodeId),
      utf8Bytes(dialler.clusterId),
    ]),
  );
}

/** Why a Hello is refused, or undefined. `clusterId` is our own, empty if we have none yet. */
export function refusalOf(hello: Hello, clusterId: string): string | undefined {
  if (hello.version !== PROTOCOL_VERSION) {
    return `peer protocol ${hello.version} is not spoken here, only ${PROTOCOL_VERSION}`;
  }
  if (hello.purpose === Purpose.Control) return undefined;
  if (clusterId === "") return "this node belongs to no cluster yet";
  if (hello.clusterId !== clusterId) {
    return `this node belongs to cluster ${clusterId}, not ${hello.clusterId || "(none)"}`;
  }
  return undefined;
}
