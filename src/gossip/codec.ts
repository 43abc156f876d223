// Bytes of gossip datagrams; PROTOCOL.md has the table. Encoding and decoding only.

import { BytesReader, BytesWriter, CodecError } from "../base/codec.ts";
import type { NodeId } from "../base/ids.ts";
import {
  type Envelope,
  type GossipMessage,
  type News,
  NEWS_PER_MESSAGE_MAX,
  STATUSES,
} from "./types.ts";

/** First byte of a gossip datagram; those of the snapshot transfer begin with 1 to 5. */
export const GOSSIP_DATAGRAM = 0x47;

const KINDS = ["ping", "ack", "pingReq", "nack"] as const;

function writeNodeId(writer: BytesWriter, nodeId: NodeId): void {
  writer.u8(nodeId.length).latin1(nodeId);
}

function readNodeId(reader: BytesReader): NodeId {
  const length = reader.u8();
  if (length === 0) throw new CodecError("an empty node id");
  return reader.latin1(length) as NodeId;
}

export function encodeEnvelope({ message, news }: Envelope): Uint8Array<ArrayBuffer> {
  const writer = new BytesWriter(256);
  writer.u8(GOSSIP_DATAGRAM).u8(KINDS.indexOf(message.kind)).u32(message.sequence);
  if (message.kind === "pingReq") writeNodeId(writer, message.target);
  writer.u8(news.length);
  for (const item of news) writeNews(writer, item);
  return writer.take();
}

function writeNews(writer: BytesWriter, news: News): void {
  writeNodeId(writer, news.nodeId);
  writer.u8(STATUSES.indexOf(news.status));
  writeNodeId(writer, news.by);
  writer.integer(news.incarnation).u32(news.version);
  writer.integer(news.epoch);
  const { requestsPerSecond, leaderCount, replicaCount, logBytes, diskFreeBytes } = news.load;
  writer.u32(requestsPerSecond).u16(leaderCount).u16(replicaCount);
  writer.integer(logBytes).integer(diskFreeBytes);
}

/** Throws CodecError on bytes that no encoder wrote. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const reader = new BytesReader(bytes);
  if (reader.u8() !== GOSSIP_DATAGRAM) throw new CodecError("not a gossip datagram");
  const message = readMessage(reader);
  const count = reader.u8();
  if (count > NEWS_PER_MESSAGE_MAX + 1) throw new CodecError(`${count} news in one datagram`);
  const news = Array.from({ length: count }, () => readNews(reader));
  reader.end();
  return { message, news };
}

function readMessage(reader: BytesReader): GossipMessage {
  const kind = KINDS[reader.u8()];
  const sequence = reader.u32();
  switch (kind) {
    case "ping":
    case "ack":
    case "nack":
      return { kind, sequence };
    case "pingReq":
      return { kind, sequence, target: readNodeId(reader) };
    case undefined:
      throw new CodecError("an unknown kind of gossip");
  }
}

function readNews(reader: BytesReader): News {
  const nodeId = readNodeId(reader);
  const status = STATUSES[reader.u8()];
  if (status === undefined) throw new CodecError("an unknown status");
  return {
    nodeId,
    status,
    by: readNodeId(reader),
    incarnation: reader.integer(),
    version: reader.u32(),
    epoch: reader.integer() as News["epoch"],
    load: {
      requestsPerSecond: reader.u32(),
      leaderCount: reader.u16(),
      replicaCount: reader.u16(),
      logBytes: reader.integer(),
      diskFreeBytes: reader.integer(),
    },
  };
}
