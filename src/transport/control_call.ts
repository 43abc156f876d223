// One request and one reply on a connection of their own, between nodes that need not be in a cluster
// yet: how first nodes find each other and how a new node reaches its first member. Both sides prove
// that they know the secret.

import { concatBytes } from "../base/bytes.ts";
import { CodecError } from "../base/codec.ts";
import type { Address, Connection, TimerHandle } from "../platform/ports.ts";
import { type Caller, textOf, type TransportEnvironment } from "./environment.ts";
import { FrameReader, FrameType } from "./frame.ts";
import { singleFrame } from "./frame_writer.ts";
import {
  dialHandshake,
  LinkKind,
  olderVersion,
  receiveFrame,
  type Session,
  versionsOf,
} from "./handshake.ts";
import {
  CALL_SIZE_BYTES_MAX,
  DIAL_TIMEOUT_MS,
  HANDSHAKE_FRAME_BYTES_MAX,
  HANDSHAKE_TIMEOUT_MS,
} from "./parameters.ts";
import { reasonBytes, reasonText, ResponseStatus } from "./requests.ts";

const CALL_BUFFER_BYTES = 8 * 1024;

/**
 * Asks whoever listens at `address`. Rejects with an Error naming the address when no reply came within
 * `timeoutMs`, whatever the reason; the call may have been handled then.
 */
export async function callAddress(
  environment: TransportEnvironment,
  address: Address,
  body: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array> {
  const { clock, network } = environment;
  if (body.length > CALL_SIZE_BYTES_MAX) {
    throw new Error(`Cannot call ${address}: ${body.length} bytes, at most ${CALL_SIZE_BYTES_MAX}`);
  }
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  let connection: Connection | undefined;
  let timer: TimerHandle | undefined;
  let late = false;
  try {
    const target = environment.dialOverride(undefined, address);
    let reader: FrameReader;
    for (let version = versionsOf(environment).newest;;) {
      const leftMs = Math.max(1, deadlineMs - clock.monotonicMs());
      connection = await network.dial(target, Math.min(leftMs, DIAL_TIMEOUT_MS));
      timer ??= clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
        late = true;
        connection?.close();
      });
      reader = new FrameReader(CALL_BUFFER_BYTES, HANDSHAKE_FRAME_BYTES_MAX);
      try {
        const dialling = { kind: LinkKind.Call, wantedNodeId: "", version };
        await dialHandshake(connection, reader, environment, dialling);
        break;
      } catch (cause) {
        const older = olderVersion(environment, version, cause);
        if (older === undefined) throw cause;
        version = older;
      }
    }
    await connection.write(singleFrame(FrameType.Call, body));
    reader.payloadBytesMax = CALL_SIZE_BYTES_MAX + 1;
    const reply = await receiveFrame(connection, reader);
    if (reply.type !== FrameType.CallReply || reply.payload.length === 0) {
      throw new CodecError(`unexpected frame of type ${reply.type} as a reply`);
    }
    const replyBody = reply.payload.slice(1);
    if (reply.payload[0] !== ResponseStatus.Ok) {
      throw new Error(reasonText(replyBody));
    }
    return replyBody;
  } catch (cause) {
    const reason = late ? `no reply within ${timeoutMs} ms` : textOf(cause);
    throw new Error(`Cannot call ${address}: ${reason}`, { cause });
  } finally {
    timer?.cancel();
    connection?.close();
  }
}

/** Serves the one call of an accepted connection, then closes it. Never rejects. */
export async function serveCall(
  environment: TransportEnvironment,
  connection: Connection,
  reader: FrameReader,
  session: Session,
  handler: (body: Uint8Array, caller: Caller) => Promise<Uint8Array>,
): Promise<void> {
  const { clock, log } = environment;
  const timer = clock.setTimer(HANDSHAKE_TIMEOUT_MS, () => connection.close());
  try {
    reader.payloadBytesMax = CALL_SIZE_BYTES_MAX;
    const frame = await receiveFrame(connection, reader);
    timer.cancel();
    if (frame.type !== FrameType.Call) {
      throw new CodecError(`unexpected frame of type ${frame.type} as a call`);
    }
    let status: number = ResponseStatus.Ok;
    let body: Uint8Array;
    try {
      const { nodeId, clusterId } = session;
      body = await handler(frame.payload.slice(), { nodeId, clusterId });
    } catch (cause) {
      status = ResponseStatus.Failed;
      body = reasonBytes(textOf(cause));
    }
    const reply = concatBytes([new Uint8Array([status]), body]);
    await connection.write(singleFrame(FrameType.CallReply, reply));
  } catch (cause) {
    log.log("warn", "control call failed", { remote: connection.remote, reason: textOf(cause) });
  } finally {
    timer.cancel();
    connection.close();
  }
}
