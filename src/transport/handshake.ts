// Who is at the other end: the first frames of every connection. Both sides prove that they know the
// cluster's secret by answering a fresh challenge; the secret itself never travels. Owns the layouts and
// proofs of these frames and the two sides' order of steps.
//
//   dialler                                    acceptor
//   HELLO   {magic, version, kind, challenge, wall clock, cluster, node, boot nonce, wanted node}  ->
//        <- WELCOME {version, challenge, wall clock, cluster, node, boot nonce, proof}, or REFUSE
//   PROOF   {proof}  ->
//        <- READY {}, or REFUSE {code, text}

import { assert } from "../base/assert.ts";
import { concatBytes, utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";
import type { NodeId } from "../base/ids.ts";
import type { Clock, Connection, Digest, Random } from "../platform/ports.ts";
import { type Frame, FrameReader, FrameType, ProtocolError } from "./frame.ts";
import { FrameBuffer } from "./frame_buffer.ts";
import { HANDSHAKE_TIMEOUT_MS, PEER_PROTOCOL_VERSION } from "./parameters.ts";
import { PayloadReader } from "./payload_reader.ts";

/** "PNTN". */
const MAGIC = 0x504e_544e;
const CHALLENGE_BYTES = 32;
const PROOF_BYTES = 32;

/** What a connection is for. */
export const LinkKind = {
  /** Frames from dialler to acceptor, both in one cluster. */
  Link: 1,
  /** One control call; the callers need not be in a cluster yet. */
  Call: 2,
} as const;

/** Why a handshake failed. The numbers of those that travel are protocol. */
export type RefusalCode =
  | "version"
  | "cluster"
  | "not-ready"
  | "wrong-node"
  | "secret"
  | "overloaded"
  | "malformed";

const REFUSAL_CODES: readonly RefusalCode[] = [
  "malformed",
  "version",
  "cluster",
  "not-ready",
  "wrong-node",
  "secret",
  "overloaded",
];

/** The other side is no peer of ours, or says that we are none of its. */
export class HandshakeError extends Error {
  override name = "HandshakeError";
  readonly code: RefusalCode;
  /** True if the other side refused us, false if we refuse it. */
  readonly byPeer: boolean;
  constructor(code: RefusalCode, message: string, byPeer = false) {
    super(message);
    this.code = code;
    this.byPeer = byPeer;
  }
}

/** This node, as it introduces itself. */
export interface Identity {
  readonly nodeId: NodeId;
  /** Drawn at each start of the process; printable ASCII, at most 64 characters. */
  readonly bootNonce: string;
  /** The cluster this node belongs to; "" while it belongs to none. */
  readonly clusterId: () => string;
  /** Shared by all nodes of a cluster; empty if none is configured. */
  readonly secret: Uint8Array;
}

export interface HandshakePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly digest: Digest;
}

/** The other side, as it has proved to be. */
export interface Session {
  readonly kind: number;
  readonly nodeId: NodeId;
  readonly bootNonce: string;
  readonly clusterId: string;
  /** The other side's wall clock when it introduced itself. */
  readonly wallMs: number;
}

interface Hello {
  readonly kind: number;
  readonly session: Session;
  readonly wantedNodeId: NodeId;
}

function writeName(out: FrameBuffer, name: string): void {
  const bytes = utf8Bytes(name);
  assert(bytes.length <= 255 && /^[\x20-\x7e]*$/.test(name), `not a short ASCII name: ${name}`);
  out.u8(bytes.length);
  out.raw(bytes);
}

function encodeHello(
  identity: Identity,
  ports: HandshakePorts,
  kind: number,
  wantedNodeId: NodeId,
): Uint8Array {
  const out = new FrameBuffer();
  out.u32(MAGIC);
  out.u16(PEER_PROTOCOL_VERSION);
  out.u8(kind);
  writeIntroduction(out, identity, ports);
  writeName(out, wantedNodeId);
  return out.bytes.slice(0, out.length);
}

function writeIntroduction(out: FrameBuffer, identity: Identity, ports: HandshakePorts): void {
  out.raw(ports.random.bytes(CHALLENGE_BYTES));
  out.f64(ports.clock.wallMs());
  writeName(out, identity.clusterId());
  writeName(out, identity.nodeId);
  writeName(out, identity.bootNonce);
}

function readIntroduction(reader: PayloadReader, kind: number): Session {
  reader.skip(CHALLENGE_BYTES);
  const wallMs = reader.finite();
  const clusterId = reader.name();
  const nodeId = reader.name();
  const bootNonce = reader.name();
  return { kind, nodeId, bootNonce, clusterId, wallMs };
}

function checkVersion(version: number, who: string): void {
  if (version === PEER_PROTOCOL_VERSION) return;
  throw new HandshakeError(
    "version",
    `${who} speaks peer protocol version ${version}, this node version ${PEER_PROTOCOL_VERSION}`,
  );
}

function decodeHello(payload: Uint8Array): Hello {
  const reader = new PayloadReader(payload);
  if (reader.u32() !== MAGIC) throw new ProtocolError("not a Pontoon peer: wrong magic number");
  checkVersion(reader.u16(), "the dialler");
  const kind = reader.u8();
  if (kind !== LinkKind.Link && kind !== LinkKind.Call) {
    throw new ProtocolError(`malformed payload: connection of kind ${kind}`);
  }
  const session = readIntroduction(reader, kind);
  const wantedNodeId = reader.name();
  reader.end();
  return { kind, session, wantedNodeId };
}

/** What the proofs cover: both introductions, so that none can be replayed or reflected. */
function proofOf(
  role: "acceptor" | "dialler",
  hello: Uint8Array,
  welcome: Uint8Array,
  secret: Uint8Array,
  digest: Digest,
): Uint8Array {
  return digest.hmacSha256(secret, concatBytes([utf8Bytes(`pontoon ${role}\0`), hello, welcome]));
}

/** A connection during its handshake: whole frames in, whole frames out, all within a time limit. */
class Conversation {
  readonly #connection: Connection;
  readonly #reader: FrameReader;

  constructor(connection: Connection, reader: FrameReader) {
    this.#connection = connection;
    this.#reader = reader;
  }

  async send(type: number, payload: Uint8Array): Promise<void> {
    const out = new FrameBuffer();
    out.append(type, payload);
    await this.#connection.write(out.bytes.subarray(0, out.length));
  }

  /** A copy of the next frame's payload, which must be of `type`. */
  async receive(type: number): Promise<Uint8Array> {
    const frame = await receiveFrame(this.#connection, this.#reader);
    if (frame.type === FrameType.Refuse) throw refusalOf(frame.payload);
    if (frame.type !== type) {
      throw new ProtocolError(`unexpected frame of type ${frame.type} in the handshake`);
    }
    return frame.payload.slice();
  }
}

/** Reads until a frame is whole. Throws ProtocolError, also at the end of the stream. */
export async function receiveFrame(connection: Connection, reader: FrameReader): Promise<Frame> {
  for (;;) {
    const frame = reader.next();
    if (frame !== undefined) return frame;
    const count = await connection.read(reader.room());
    if (count === null) throw new ProtocolError("the other side closed the connection");
    reader.filled(count);
  }
}

function refusalOf(payload: Uint8Array): HandshakeError {
  const reader = new PayloadReader(payload);
  const code = REFUSAL_CODES[reader.u8()] ?? "malformed";
  const text = utf8TextOrUndefined(reader.rest()) ?? "";
  return new HandshakeError(code, `refused by the peer (${code}): ${text}`, true);
}

function encodeRefusal(error: HandshakeError): Uint8Array {
  return concatBytes([
    new Uint8Array([REFUSAL_CODES.indexOf(error.code)]),
    utf8Bytes(error.message),
  ]);
}

/** Closes the connection, and so fails `work`, if that takes longer than a handshake may. */
async function withinTimeLimit<T>(
  connection: Connection,
  clock: Clock,
  work: () => Promise<T>,
): Promise<T> {
  let late = false;
  const timer = clock.setTimer(HANDSHAKE_TIMEOUT_MS, () => {
    late = true;
    connection.close();
  });
  try {
    return await work();
  } catch (cause) {
    connection.close();
    if (late) throw new ProtocolError(`no handshake within ${HANDSHAKE_TIMEOUT_MS} ms`);
    throw cause;
  } finally {
    timer.cancel();
  }
}

/**
 * The dialler's side. Rejects with HandshakeError, ProtocolError or what the connection rejects with;
 * the connection is closed then.
 *
 * @param wantedNodeId who should be there; "" takes anyone (calls only)
 */
export function dialHandshake(
  connection: Connection,
  reader: FrameReader,
  identity: Identity,
  ports: HandshakePorts,
  kind: number,
  wantedNodeId: NodeId,
): Promise<Session> {
  return withinTimeLimit(connection, ports.clock, async () => {
    const conversation = new Conversation(connection, reader);
    const hello = encodeHello(identity, ports, kind, wantedNodeId);
    await conversation.send(FrameType.Hello, hello);
    const welcome = await conversation.receive(FrameType.Welcome);
    const fields = new PayloadReader(welcome);
    checkVersion(fields.u16(), "the acceptor");
    const session = readIntroduction(fields, kind);
    const introduction = welcome.subarray(0, welcome.length - PROOF_BYTES);
    const proof = fields.raw(PROOF_BYTES);
    fields.end();
    const { secret } = identity;
    const expected = proofOf("acceptor", hello, introduction, secret, ports.digest);
    if (!ports.digest.equal(proof, expected)) {
      throw new HandshakeError("secret", "the acceptor does not know our secret");
    }
    if (wantedNodeId !== "" && session.nodeId !== wantedNodeId) {
      throw new HandshakeError("wrong-node", `node ${session.nodeId} answers for ${wantedNodeId}`);
    }
    if (kind === LinkKind.Link && session.clusterId !== identity.clusterId()) {
      throw new HandshakeError("cluster", `the acceptor is in cluster "${session.clusterId}"`);
    }
    await conversation.send(
      FrameType.Proof,
      proofOf("dialler", hello, welcome, secret, ports.digest),
    );
    await conversation.receive(FrameType.Ready);
    return session;
  });
}

/** The acceptor's side. Rejects as {@linkcode dialHandshake}, having told the dialler why. */
export function acceptHandshake(
  connection: Connection,
  reader: FrameReader,
  identity: Identity,
  ports: HandshakePorts,
): Promise<Session> {
  return withinTimeLimit(connection, ports.clock, async () => {
    const conversation = new Conversation(connection, reader);
    try {
      const hello = await conversation.receive(FrameType.Hello);
      const { session, kind, wantedNodeId } = decodeHello(hello);
      refuseStranger(session, kind, wantedNodeId, identity);
      const out = new FrameBuffer();
      out.u16(PEER_PROTOCOL_VERSION);
      writeIntroduction(out, identity, ports);
      const introduction = out.bytes.slice(0, out.length);
      const { secret } = identity;
      const welcome = concatBytes([
        introduction,
        proofOf("acceptor", hello, introduction, secret, ports.digest),
      ]);
      await conversation.send(FrameType.Welcome, welcome);
      const proof = await conversation.receive(FrameType.Proof);
      const expected = proofOf("dialler", hello, welcome, secret, ports.digest);
      if (!ports.digest.equal(proof, expected)) {
        throw new HandshakeError("secret", "the dialler does not know our secret");
      }
      await conversation.send(FrameType.Ready, new Uint8Array(0));
      return session;
    } catch (cause) {
      if (cause instanceof HandshakeError && !cause.byPeer) {
        await conversation.send(FrameType.Refuse, encodeRefusal(cause)).catch(() => {});
      }
      throw cause;
    }
  });
}

function refuseStranger(
  session: Session,
  kind: number,
  wantedNodeId: NodeId,
  identity: Identity,
): void {
  if (wantedNodeId !== "" && wantedNodeId !== identity.nodeId) {
    throw new HandshakeError("wrong-node", `this is node ${identity.nodeId}, not ${wantedNodeId}`);
  }
  if (kind !== LinkKind.Link) return;
  const clusterId = identity.clusterId();
  if (wantedNodeId === "") throw new ProtocolError("malformed payload: a link wants nobody");
  if (session.nodeId === identity.nodeId) {
    throw new HandshakeError("wrong-node", `node ${identity.nodeId} dialled itself`);
  }
  if (clusterId === "") throw new HandshakeError("not-ready", "this node is in no cluster yet");
  if (session.clusterId !== clusterId) {
    throw new HandshakeError(
      "cluster",
      `this node is in cluster "${clusterId}", the dialler in "${session.clusterId}"`,
    );
  }
}
