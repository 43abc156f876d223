// Who is at the other end: the first frames of every connection. Both sides prove that they know the
// cluster's secret by answering a fresh challenge; the secret itself never travels. Owns the layouts and
// proofs of these frames and the two sides' order of steps.
//
//   dialler                                    acceptor
// The dialler proposes a version in HELLO; an acceptor that speaks it welcomes it in the same, another
// refuses it, and the dialler comes back with an older one.
//
//   HELLO   {magic, version, kind, challenge, wall clock, cluster, node, boot nonce, wanted node}  ->
//        <- WELCOME {version, challenge, wall clock, cluster, node, boot nonce, proof}, or REFUSE
//   PROOF   {proof}  ->
//        <- READY {}, or REFUSE {code, text}
// A dialler that does not want what it finds sends REFUSE in place of PROOF.

import { concatBytes, NO_BYTES, utf8Bytes } from "../base/bytes.ts";
import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import type { NodeId } from "../base/ids.ts";
import type { Clock, Connection, Digest } from "../platform/ports.ts";
import type { TransportEnvironment } from "./environment.ts";
import { type Frame, type FrameReader, FrameType } from "./frame.ts";
import { singleFrame } from "./frame_writer.ts";
import {
  HANDSHAKE_TIMEOUT_MS,
  PEER_PROTOCOL_VERSIONS,
  type ProtocolVersions,
} from "./parameters.ts";
import { readName, readTime, writeName } from "./payload.ts";
import { reasonBytes, reasonText } from "./requests.ts";

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

/** Why a handshake failed; it travels as its place in REFUSAL_CODES. */
export type RefusalCode =
  | "version"
  | "cluster"
  | "not-ready"
  | "wrong-node"
  | "secret"
  | "malformed";

const REFUSAL_CODES: readonly RefusalCode[] = [
  "malformed",
  "version",
  "cluster",
  "not-ready",
  "wrong-node",
  "secret",
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

/** The other side, as it has proved to be. */
export interface Session {
  readonly kind: number;
  /** Of the protocol that is spoken from here on. */
  readonly version: number;
  readonly nodeId: NodeId;
  readonly bootNonce: number;
  readonly clusterId: string;
  /** The other side's wall clock when it introduced itself. */
  readonly wallMs: number;
}

interface Hello {
  readonly kind: number;
  readonly session: Session;
  readonly wantedNodeId: NodeId;
}

/** The versions that a node speaks. */
export function versionsOf({ protocol }: TransportEnvironment): ProtocolVersions {
  return protocol ?? PEER_PROTOCOL_VERSIONS;
}

/** The version to propose after `version` was refused as unknown: the next older; undefined if there is none. */
export function olderVersion(
  environment: TransportEnvironment,
  version: number,
  cause: unknown,
): number | undefined {
  const isUnknown = cause instanceof HandshakeError && cause.byPeer && cause.code === "version";
  return isUnknown && version > versionsOf(environment).oldest ? version - 1 : undefined;
}

function encodeHello(
  environment: TransportEnvironment,
  { kind, wantedNodeId, version }: Dialling,
): Uint8Array<ArrayBuffer> {
  const writer = new BytesWriter(256);
  writer.u32(MAGIC).u16(version).u8(kind);
  writeIntroduction(writer, environment);
  writeName(writer, wantedNodeId);
  return writer.take();
}

function writeIntroduction(writer: BytesWriter, environment: TransportEnvironment): void {
  writer.raw(environment.random.bytes(CHALLENGE_BYTES)).f64(environment.clock.wallMs());
  writeName(writer, environment.clusterId());
  writeName(writer, environment.nodeId);
  writer.f64(environment.bootNonce);
}

function readIntroduction(reader: BytesReader, kind: number, version: number): Session {
  reader.raw(CHALLENGE_BYTES); // proved by the hash over the whole payload
  const wallMs = readTime(reader);
  const clusterId = readName(reader);
  const nodeId = readName(reader);
  return { kind, version, nodeId, bootNonce: reader.integer(), clusterId, wallMs };
}

function checkVersion(version: number, { oldest, newest }: ProtocolVersions, who: string): void {
  if (version >= oldest && version <= newest) return;
  const known = oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;
  throw new HandshakeError(
    "version",
    `${who} speaks peer protocol version ${version}, this node ${known}`,
  );
}

function decodeHello(payload: Uint8Array, versions: ProtocolVersions): Hello {
  const reader = new BytesReader(payload);
  if (reader.u32() !== MAGIC) throw new CodecError("not a Pontoon peer: wrong magic number");
  const version = reader.u16();
  checkVersion(version, versions, "the dialler");
  const kind = reader.u8();
  if (kind !== LinkKind.Link && kind !== LinkKind.Call) {
    throw new CodecError(`connection of unknown kind ${kind}`);
  }
  const session = readIntroduction(reader, kind, version);
  const wantedNodeId = readName(reader);
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
    await this.#connection.write(singleFrame(type, payload));
  }

  /** Runs `steps`; if it is this side that refuses, the other is told why, so that both can log it. */
  async orRefuse(steps: () => Promise<Session>): Promise<Session> {
    try {
      return await steps();
    } catch (cause) {
      if (cause instanceof HandshakeError && !cause.byPeer) {
        await this.send(FrameType.Refuse, encodeRefusal(cause)).catch(() => {});
      }
      throw cause;
    }
  }

  /** A copy of the next frame's payload, which must be of `type`. */
  async receive(type: number): Promise<Uint8Array> {
    const frame = await receiveFrame(this.#connection, this.#reader);
    if (frame.type === FrameType.Refuse) throw refusalOf(frame.payload);
    if (frame.type !== type) {
      throw new CodecError(`unexpected frame of type ${frame.type} in the handshake`);
    }
    return frame.payload.slice();
  }
}

/** Reads until a frame is whole. Throws CodecError, also at the end of the stream. */
export async function receiveFrame(connection: Connection, reader: FrameReader): Promise<Frame> {
  for (;;) {
    const frame = reader.next();
    if (frame !== undefined) return frame;
    const count = await connection.read(reader.room());
    if (count === null) throw new CodecError("the other side closed the connection");
    reader.filled(count);
  }
}

function refusalOf(payload: Uint8Array): HandshakeError {
  const code = REFUSAL_CODES[payload[0]] ?? "malformed";
  const text = reasonText(payload.subarray(1));
  return new HandshakeError(code, `refused by the peer (${code}): ${text}`, true);
}

function encodeRefusal({ code, message }: HandshakeError): Uint8Array {
  return concatBytes([new Uint8Array([REFUSAL_CODES.indexOf(code)]), reasonBytes(message)]);
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
    if (late) throw new CodecError(`no handshake within ${HANDSHAKE_TIMEOUT_MS} ms`);
    throw cause;
  } finally {
    timer.cancel();
  }
}

/** What a dialler wants. */
export interface Dialling {
  readonly kind: number;
  /** Who should be there; "" takes anyone (calls only). */
  readonly wantedNodeId: NodeId;
  /** The version to propose, one of {@linkcode versionsOf}. */
  readonly version: number;
}

/**
 * The dialler's side. Rejects with HandshakeError, CodecError or what the connection rejects with;
 * the connection is closed then. See {@linkcode olderVersion} for what may follow.
 */
export function dialHandshake(
  connection: Connection,
  reader: FrameReader,
  environment: TransportEnvironment,
  dialling: Dialling,
): Promise<Session> {
  return withinTimeLimit(connection, environment.clock, async () => {
    const conversation = new Conversation(connection, reader);
    return await conversation.orRefuse(() => introduce(conversation, environment, dialling));
  });
}

async function introduce(
  conversation: Conversation,
  environment: TransportEnvironment,
  dialling: Dialling,
): Promise<Session> {
  const { kind, wantedNodeId, version } = dialling;
  const hello = encodeHello(environment, dialling);
  await conversation.send(FrameType.Hello, hello);
  const welcome = await conversation.receive(FrameType.Welcome);
  const fields = new BytesReader(welcome);
  checkVersion(fields.u16(), { oldest: version, newest: version }, "the acceptor");
  const session = readIntroduction(fields, kind, version);
  const introduction = welcome.subarray(0, welcome.length - PROOF_BYTES);
  const proof = fields.raw(PROOF_BYTES);
  fields.end();
  const { secret, digest } = environment;
  const expected = proofOf("acceptor", hello, introduction, secret, digest);
  if (!digest.equal(proof, expected)) {
    throw new HandshakeError("secret", "the acceptor does not know our secret");
  }
  if (wantedNodeId !== "" && session.nodeId !== wantedNodeId) {
    throw new HandshakeError("wrong-node", `node ${session.nodeId} answers for ${wantedNodeId}`);
  }
  if (kind === LinkKind.Link && session.clusterId !== environment.clusterId()) {
    throw new HandshakeError("cluster", `the acceptor is in cluster "${session.clusterId}"`);
  }
  await conversation.send(
    FrameType.Proof,
    proofOf("dialler", hello, welcome, secret, digest),
  );
  await conversation.receive(FrameType.Ready);
  return session;
}

/** The acceptor's side. Rejects as {@linkcode dialHandshake}, having told the dialler why. */
export function acceptHandshake(
  connection: Connection,
  reader: FrameReader,
  environment: TransportEnvironment,
): Promise<Session> {
  return withinTimeLimit(connection, environment.clock, async () => {
    const conversation = new Conversation(connection, reader);
    return await conversation.orRefuse(async () => {
      const hello = await conversation.receive(FrameType.Hello);
      const { session, kind, wantedNodeId } = decodeHello(hello, versionsOf(environment));
      refuseStranger(session, kind, wantedNodeId, environment);
      const writer = new BytesWriter(256).u16(session.version);
      writeIntroduction(writer, environment);
      const introduction = writer.take();
      const { secret, digest } = environment;
      const welcome = concatBytes([
        introduction,
        proofOf("acceptor", hello, introduction, secret, digest),
      ]);
      await conversation.send(FrameType.Welcome, welcome);
      const proof = await conversation.receive(FrameType.Proof);
      const expected = proofOf("dialler", hello, welcome, secret, digest);
      if (!digest.equal(proof, expected)) {
        throw new HandshakeError("secret", "the dialler does not know our secret");
      }
      await conversation.send(FrameType.Ready, NO_BYTES);
      return session;
    });
  });
}

function refuseStranger(
  session: Session,
  kind: number,
  wantedNodeId: NodeId,
  environment: TransportEnvironment,
): void {
  if (wantedNodeId !== "" && wantedNodeId !== environment.nodeId) {
    throw new HandshakeError(
      "wrong-node",
      `this is node ${environment.nodeId}, not ${wantedNodeId}`,
    );
  }
  if (kind !== LinkKind.Link) return;
  const clusterId = environment.clusterId();
  if (wantedNodeId === "") throw new CodecError("a link must name whom it wants");
  if (session.nodeId === environment.nodeId) {
    throw new HandshakeError("wrong-node", `node ${environment.nodeId} dialled itself`);
  }
  if (clusterId === "") throw new HandshakeError("not-ready", "this node is in no cluster yet");
  if (session.clusterId !== clusterId) {
    throw new HandshakeError(
      "cluster",
      `this node is in cluster "${clusterId}", the dialler in "${session.clusterId}"`,
    );
  }
}
