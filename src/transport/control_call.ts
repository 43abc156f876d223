// One request and one reply on a connection of their own, between nodes that need not be in a cluster
// yet: how first nodes find each other and how a new node reaches its first member. Both sides prove
// that they know the secret.

import { concatBytes } from "../base/bytes.ts";
import type { Address, Connection } from "../platform/ports.ts";
import { type Caller, type LinkEnvironment, textOf } from "./environment.ts";
import { FrameReader, FrameType, ProtocolError } from "./frame.ts";
import { FrameBuffer } from "./frame_buffer.ts";
import { dialHandshake, LinkKind, receiveFrame, type Session } from "./handshake.ts";
import {
  CALL_SIZE_BYTES_MAX,
  HANDSHAKE_FRAME_BYTES_MAX,
  HANDSHAKE_TIMEOUT_MS,
} from "./parameters.ts";
import { reasonBytes, ResponseStatus } from "./requests.ts";
import { utf8TextOrUndefined } from "../base/bytes.ts";

const CALL_BUFFER_BYTES = 8 * 1024;

/** The answer to a control call and who gave it. */
export interface CallReply {
  readonly from: Caller;
  readonly body: Uint8Array;
}

async function sendFrame(connection: Connection, type: number, payload: Uint8Array): Promise<void> {
  const out = new FrameBuffer();
  out.append(type, payload);
  await connection.write(out.bytes.subarray(0, out.length));
}

/**
 * Asks whoever listens at `address`. Rejects with an Error naming the address when no reply came within
 * `timeoutMs`, whatever the reason; the call may have been handled then.
 */
export async function callAddress(
  environment: LinkEnvironment,
  address: Address,
  body: Uint8Array,
  timeoutMs: number,
): Promise<CallReply> {
  const { platform, identity, dialOverride } = environment;
  const { clock, network } = platform;
  if (body.length > CALL_SIZE_BYTES_MAX) {
    throw new Error(`Cannot call ${address}: ${body.length} bytes, at most ${CALL_SIZE_BYTES_MAX}`);
  }
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  let connection: Connection | undefined;
  let timer: { cancel(): void } | undefined;
  let late = false;
  try {
    connection = await network.dial(dialOverride(address, undefined), timeoutMs);
    timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
      late = true;
      connection?.close();
    });
    const reader = new FrameReader(CALL_BUFFER_BYTES, HANDSHAKE_FRAME_BYTES_MAX);
    const session = await dialHandshake(connection, reader, identity, platform, LinkKind.Call, "");
    await sendFrame(connection, FrameType.Call, body);
    reader.payloadBytesMax = CALL_SIZE_BYTES_MAX + 1;
    const reply = await receiveFrame(connection, reader);
    if (reply.type !== FrameType.CallReply || reply.payload.length === 0) {
      throw new ProtocolError(`unexpected frame of type ${reply.type} as a reply`);
    }
    const replyBody = reply.payload.slice(1);
    if (reply.payload[0] !== ResponseStatus.Ok) {
      throw new Error(utf8TextOrUndefined(replyBody) ?? "the peer gave no reason");
    }
    return { from: callerOf(session), body: replyBody };
  } catch (cause) {
    const reason = late ? `no reply within ${timeoutMs} ms` : textOf(cause);
    throw new Error(`Cannot call ${address}: ${reason}`, { cause });
  } finally {
    timer?.cancel();
    connection?.close();
  }
}

function callerOf(session: Session): Caller {
  return { nodeId: session.nodeId, clusterId: session.clusterId };
}

/** Serves the one call of an accepted connection, then closes it. Never rejects. */
export async function serveCall(
  environment: LinkEnvironment,
  connection: Connection,
  reader: FrameReader,
  session: Session,
  handler: (body: Uint8Array, caller: Caller) => Promise<Uint8Array>,
): Promise<void> {
  const { clock, log } = environment.platform;
  const timer = clock.setTimer(HANDSHAKE_TIMEOUT_MS, () => connection.close());
  try {
    reader.payloadBytesMax = CALL_SIZE_BYTES_MAX;
    const frame = await receiveFrame(connection, reader);
    timer.cancel();
    if (frame.type !== FrameType.Call) {
      throw new ProtocolError(`unexpected frame of type ${frame.type} as a call`);
    }
    let status: number = ResponseStatus.Ok;
    let body: Uint8Array;
    try {
      body = await handler(frame.payload.slice(), callerOf(session));
    } catch (cause) {
      status = ResponseStatus.Failed;
      body = reasonBytes(textOf(cause));
    }
    await sendFrame(connection, FrameType.CallReply, concatBytes([new Uint8Array([status]), body]));
  } catch (cause) {
    log.log("warn", "control call failed", { remote: connection.remote, reason: textOf(cause) });
  } finally {
    timer.cancel();
    connection.close();
  }
}
