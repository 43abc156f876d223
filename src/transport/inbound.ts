// Connections that peers dialled to this node: checks who they are, then hands their frames on. A peer
// that breaks the protocol loses its connection, with one log line, and disturbs nobody else.

import { BytesReader } from "../base/codec.ts";
import type { NodeId } from "../base/ids.ts";
import { PEER_FRAME_SIZE_BYTES_MAX } from "../base/limits.ts";
import type { Connection } from "../platform/ports.ts";
import { BatchWriter, expectFrame, FrameReader, sendFrame } from "./connection_io.ts";
import { type Frame, FrameType } from "./frame.ts";
import {
  HANDSHAKE_PAYLOAD_BYTES_MAX,
  type Hello,
  proofOf,
  PROTOCOL_VERSION,
  Purpose,
  readHello,
  refusalOf,
  writeRefusal,
  writeWelcome,
} from "./handshake.ts";
import { readMessage } from "./raft_codec.ts";
import type { TransportEnvironment } from "./transport.ts";

const HANDSHAKE_TIMEOUT_MS = 2000;
const CONTROL_TIMEOUT_MS = 10_000;
/** Control calls carry a genesis or a map. */
const CONTROL_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;

/** What an established inbound link delivers. */
export interface InboundEvents {
  onLink(nodeId: NodeId, bootNonce: number): void;
  /** `payload` is a view that is valid during the call only. */
  onFrame(nodeId: NodeId, bootNonce: number, frame: Frame): void;
  onLinkEnd(nodeId: NodeId, bootNonce: number): void;
  onControl(body: Uint8Array): Promise<Uint8Array>;
}

/** Serves one accepted connection to its end. Never rejects. */
export async function serveInbound(
  environment: TransportEnvironment,
  connection: Connection,
  events: InboundEvents,
): Promise<void> {
  let peer: Hello | undefined;
  try {
    const deadline = environment.clock.setTimer(HANDSHAKE_TIMEOUT_MS, () => connection.close());
    try {
      peer = await acceptHandshake(environment, connection);
    } finally {
      deadline.cancel();
    }
    if (peer.purpose === Purpose.Control) {
      await serveControl(environment, connection, events);
    } else {
      await serveLink(connection, peer, events);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    environment.log.log(peer === undefined ? "warn" : "info", "inbound connection ended", {
      remote: connection.remote,
      peer: peer?.nodeId,
      reason,
    });
  } finally {
    connection.close();
  }
}

async function acceptHandshake(
  environment: TransportEnvironment,
  connection: Connection,
): Promise<Hello> {
  const reader = new FrameReader(connection, HANDSHAKE_PAYLOAD_BYTES_MAX);
  const hello = readHello(await expectFrame(reader, FrameType.Hello));
  const refuse = async (reason: string): Promise<never> => {
    await sendFrame(connection, FrameType.Accept, (writer) => writeRefusal(writer, reason));
    throw new Error(`refused: ${reason}`);
  };
  const refusal = refusalOf(hello, environment.clusterId());
  if (refusal !== undefined) return await refuse(refusal);
  const { digest, secret } = environment;
  const acceptor = { nodeId: environment.nodeId, nonce: environment.random.bytes(16) };
  const proof = proofOf(digest, secret, "acceptor", hello, acceptor);
  await sendFrame(connection, FrameType.Welcome, (writer) =>
    writeWelcome(writer, {
      version: PROTOCOL_VERSION,
      bootNonce: environment.bootNonce,
      proof,
      ...acceptor,
    }));
  const theirs = await expectFrame(reader, FrameType.Proof);
  if (!digest.equal(theirs, proofOf(digest, secret, "dialler ", hello, acceptor))) {
    return await refuse("the shared secret does not match");
  }
  await sendFrame(connection, FrameType.Accept, (writer) => writeRefusal(writer, ""));
  return hello;
}

async function serveLink(
  connection: Connection,
  peer: Hello,
  events: InboundEvents,
): Promise<void> {
  const { nodeId, bootNonce } = peer;
  const pongs = new BatchWriter(connection, () => connection.close());
  events.onLink(nodeId, bootNonce);
  try {
    const reader = new FrameReader(connection, PEER_FRAME_SIZE_BYTES_MAX);
    await reader.each((frame) => {
      if (frame.type === FrameType.Ping) {
        pongs.add(FrameType.Pong, () => {});
        pongs.flush();
      } else events.onFrame(nodeId, bootNonce, frame);
    });
  } finally {
    events.onLinkEnd(nodeId, bootNonce);
  }
}

async function serveControl(
  environment: TransportEnvironment,
  connection: Connection,
  events: InboundEvents,
): Promise<void> {
  const deadline = environment.clock.setTimer(CONTROL_TIMEOUT_MS, () => connection.close());
  try {
    const reader = new FrameReader(connection, CONTROL_PAYLOAD_BYTES_MAX);
    const body = (await expectFrame(reader, FrameType.Control)).slice();
    const answer = await events.onControl(body);
    await sendFrame(connection, FrameType.ControlResponse, (writer) => writer.raw(answer));
    // The caller closes; wait for it, so that the answer is not cut off.
    await reader.next().catch(() => {});
  } finally {
    deadline.cancel();
  }
}

/** Calls `onMessage` for each message of a Raft frame. Entries are views on a copy of the payload. */
export function eachRaftMessage(
  payload: Uint8Array,
  onMessage: (
    group: number,
    message: ReturnType<typeof readMessage>["message"],
    wallMs: number,
  ) => void,
): void {
  // Entries outlive the read buffer, so the frame is copied once and they share that copy.
  const reader = new BytesReader(payload.slice());
  const wallMs = reader.f64();
  while (reader.remaining > 0) {
    const { group, message } = readMessage(reader);
    onMessage(group, message, wallMs);
  }
}
