// The surfaces that need no process: every decoder of what comes over a link, from a disk, from a file or in a
// header. The errors that each documents are listed with it; everything else that is thrown is a finding.

import { CodecError } from "../../src/base/codec.ts";
import { BlockReader } from "../../src/backup/mod.ts";
import * as documents from "../../src/backup/documents.ts";
import { decodeChanges, decodeRecords } from "../../src/backup/records.ts";
import { decodeEnvelope as decodeGossip, Gossip, GOSSIP_DATAGRAM } from "../../src/gossip/mod.ts";
import { TokenFileError, TokenTable } from "../../src/http/access/mod.ts";
import { readWatchCursor } from "../../src/http/positions.ts";
import { decodeControl } from "../../src/node/control.ts";
import {
  decodePlainAnswer,
  decodeReadAnswer,
  decodeWriteAnswer,
  openRequest,
  readable,
  RequestKind,
} from "../../src/node/forward.ts";
import { decodePageAnswer, readPageRequest } from "../../src/node/page_codec.ts";
import { decodeEventsAnswer, readEventsRequest } from "../../src/node/watch_codec.ts";
import {
  applyCommand,
  decodeCommand,
  decodeGenesis,
  decodeMap,
  encodeCommand,
  encodeMap,
  PartitionFormatError,
} from "../../src/partition/mod.ts";
import { decodeConfChange, decodeConfChangeV2 } from "../../src/raft/mod.ts";
import { SnapshotError, SnapshotStore } from "../../src/snapshot/mod.ts";
import { decodeTransferMessage } from "../../src/snapshot/transfer_codec.ts";
import { decodeEnvelope, imageChunks, ImageLoader, Store } from "../../src/store/mod.ts";
import { FRAME_HEADER_BYTES, FrameReader, writeFrameHeader } from "../../src/transport/frame.ts";
import { readRaftFrame } from "../../src/transport/raft_codec.ts";
import { readRequest, readResponse } from "../../src/transport/requests.ts";
import { Wal, WalError } from "../../src/wal/mod.ts";
import { clusterOf, memberDetails, nodeId } from "../partition/support.ts";
import { SimDisk } from "../sim/disk.ts";
import { SeededRandom } from "../sim/random.ts";
import { SnapshotRig } from "../snapshot/rig.ts";
import { Ended, WalRig } from "../wal/rig.ts";
import { httpSurface } from "./http_surface.ts";
import { FrameType, type Recording } from "./recording.ts";
import type { Surface } from "./surface.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Runs `take`; the documented errors are as good as success. */
// deno-lint-ignore no-explicit-any -- any class of errors
function allowing(errors: readonly (new (...args: any[]) => Error)[], take: () => void): void {
  try {
    take();
  } catch (error) {
    if (!errors.some((known) => error instanceof known)) throw error;
  }
}

export function surfacesOf(recording: Recording): Surface[] {
  const payloads = (type: number) => [...recording.frames.get(type) ?? []];
  const requests = payloads(FrameType.Request).map((payload) => readRequest(payload).body.slice());
  const answers = payloads(FrameType.Response).flatMap((payload) => {
    const { result } = readResponse(payload, false);
    return result.kind === "answered" ? [result.body] : [];
  });
  const datagrams = payloads(FrameType.Datagram);
  const envelopes = requests.filter((body) => body[0] === RequestKind.Write)
    .map((body) => body.slice(5));
  return [
    frames(recording),
    {
      name: "raft",
      corpus: payloads(FrameType.Raft),
      take: (input) => allowing([CodecError], () => readRaftFrame(input, false)),
    },
    { name: "requests", corpus: requests, take: takeRequest },
    {
      name: "answers",
      corpus: answers,
      take: (input) => {
        for (
          const decode of [
            decodeWriteAnswer,
            decodeReadAnswer,
            decodePageAnswer,
            decodeEventsAnswer,
            decodePlainAnswer,
          ]
        ) readable<unknown>(decode, input);
      },
    },
    {
      name: "transfers",
      corpus: datagrams.filter((body) => body[0] !== GOSSIP_DATAGRAM),
      take: (input) => void decodeTransferMessage(input),
    },
    gossip(datagrams.filter((body) => body[0] === GOSSIP_DATAGRAM)),
    {
      name: "control",
      corpus: [...payloads(FrameType.Call), ...payloads(FrameType.CallReply)],
      take: (input) => void decodeControl(input),
    },
    maps(),
    commands(),
    {
      name: "configurations",
      corpus: payloads(FrameType.Raft).flatMap((payload) =>
        readRaftFrame(payload, false).messages.flatMap(({ message }) =>
          message.entries.filter(({ type }) => type !== 0).map(({ data }) => data.slice())
        )
      ),
      take: (input) => {
        allowing([RangeError], () => decodeConfChange(input));
        allowing([RangeError], () => decodeConfChangeV2(input));
      },
    },
    { name: "entries", corpus: envelopes, take: takeEntry },
    images(envelopes),
    logs(recording),
    snapshots(recording),
    backups(),
    cursors(),
    tokens(),
    httpSurface(),
  ];
}

function frames({ frames }: Recording): Surface {
  const corpus: Uint8Array[] = [];
  for (const [type, payloads] of frames) {
    for (const payload of payloads.slice(0, 20)) {
      const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
      frame.set(payload, FRAME_HEADER_BYTES);
      writeFrameHeader(frame, type, payload.length);
      corpus.push(frame);
    }
  }
  return {
    name: "frames",
    corpus,
    take: (input) =>
      allowing([CodecError], () => {
        const reader = new FrameReader(4096, 64 * 1024);
        for (let at = 0; at < input.length;) {
          const room = reader.room();
          if (room.length === 0) throw new Error("no room for what comes next");
          const part = input.subarray(at, at + Math.min(room.length, 1 + (at * 7) % 900));
          room.set(part);
          reader.filled(part.length);
          at += part.length;
          while (reader.next() !== undefined);
        }
      }),
  };
}

function takeRequest(input: Uint8Array<ArrayBuffer>): void {
  allowing([CodecError], () => {
    const { kind, reader } = openRequest(input);
    switch (kind) {
      case RequestKind.Page:
        reader.u32();
        return void readPageRequest(reader);
      case RequestKind.Events:
        reader.u32();
        return void readEventsRequest(reader);
      case RequestKind.Write:
        reader.u32();
        return void decodeEnvelope(reader.raw(reader.remaining));
      case RequestKind.Meta:
        return allowing(
          [PartitionFormatError],
          () => void decodeCommand(reader.raw(reader.remaining)),
        );
    }
  });
}

/** What a leader would let into the log is applied by everybody: it must apply. */
function takeEntry(input: Uint8Array<ArrayBuffer>): void {
  const store = new Store();
  let isEntry = false;
  allowing([CodecError], () => {
    decodeEnvelope(input);
    isEntry = true;
  });
  if (!isEntry) return;
  store.apply(7, input);
  store.apply(8, input);
  store.apply(9, input);
}

function gossip(corpus: Uint8Array[]): Surface {
  const own = nodeId(1);
  const gossip = new Gossip({
    nodeId: own,
    boots: 1,
    random: new SeededRandom(1),
    send: () => true,
    onStatus: () => {},
    onEpoch: () => {},
  });
  let nowMs = 0;
  return {
    name: "gossip",
    corpus,
    take: (input) =>
      allowing([CodecError], () => {
        gossip.receive(nodeId(2), decodeGossip(input), nowMs);
        nowMs += 10;
        gossip.tick(nowMs);
      }),
  };
}

function maps(): Surface {
  const map = clusterOf(4, 3);
  return {
    name: "maps",
    corpus: [encodeMap(map)],
    take: (input) => {
      allowing([PartitionFormatError], () => decodeMap(input));
      allowing([PartitionFormatError], () => decodeGenesis(input));
    },
  };
}

/** A command that decodes is applied by the whole meta group: it changes the map or is refused. */
function commands(): Surface {
  const map = clusterOf(4, 3);
  const [{ nodeId: member }] = map.members;
  const corpus = [
    encodeCommand({ kind: "addMember", nodeId: nodeId(9), details: memberDetails(9) }),
    encodeCommand({ kind: "leaveMember", nodeId: member }),
    encodeCommand({ kind: "updateMember", nodeId: member, details: memberDetails(8) }),
  ];
  return {
    name: "commands",
    corpus,
    take: (input) => {
      let command: ReturnType<typeof decodeCommand> | undefined;
      allowing([PartitionFormatError], () => command = decodeCommand(input));
      if (command === undefined) return;
      const result = applyCommand(map, map.epoch + 1, command);
      if (result.kind === "map") decodeMap(encodeMap(result.map));
    },
  };
}

function images(envelopes: readonly Uint8Array[]): Surface {
  const store = new Store();
  envelopes.forEach((envelope, i) => store.apply(i + 1, envelope));
  const corpus = [...imageChunks(store.freeze())].map((chunk) => chunk.slice());
  return {
    name: "images",
    corpus,
    take: (input) =>
      allowing([CodecError], () => {
        const loader = new ImageLoader(new Store());
        loader.push(input);
        loader.finish();
      }),
  };
}

/** A disk with the recorded files, of which `input` replaces the one at `path`. */
function diskWith(
  files: ReadonlyMap<string, Uint8Array>,
  path: string,
  input: Uint8Array,
): SimDisk {
  const disk = new SimDisk();
  const mounted = disk.mount();
  for (const [name, content] of files) {
    const parts = name.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      mounted.mkdir(parts.slice(0, depth).join("/"));
    }
    const file = mounted.open(name, { create: true });
    file.writeSync(name === path ? input : content, 0);
    file.syncSync();
    file.close();
  }
  disk.crashProcess();
  return disk;
}

/** Recovery of a log of which one file is anything at all. */
function logs({ files }: Recording): Surface {
  const paths = [...files.keys()].filter((path) =>
    path.startsWith("wal/") && !path.endsWith("LOCK")
  );
  let turn = 0;
  return {
    name: "logs",
    corpus: paths.map((path) => files.get(path)!),
    take: async (input) => {
      const rig = new WalRig("logs", {}, diskWith(files, paths[turn++ % paths.length], input));
      try {
        const { wal, recovered } = await Wal.open(rig.options({ segmentSizeBytes: 64 * 1024 }));
        await recovered.replay(() => {});
        await rig.close(wal);
      } catch (error) {
        if (!(error instanceof WalError || error instanceof Ended)) throw error;
      }
    },
  };
}

/** A store of snapshots of which one file is anything at all. */
function snapshots({ files }: Recording): Surface {
  const paths = [...files.keys()].filter((path) => path.startsWith("snapshots/"));
  let turn = 0;
  return {
    name: "snapshots",
    corpus: paths.map((path) => files.get(path)!),
    take: async (input) => {
      const disk = diskWith(files, paths[turn++ % paths.length], input);
      const { clock, process } = new SnapshotRig("snapshots");
      try {
        const store = SnapshotStore.open({ disk: disk.mount(), clock, process, log: SILENT });
        for (let group = 0; group < 4; group++) {
          const file = store.latest(group);
          if (file !== undefined) { for await (const _ of store.read(file)); }
        }
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error;
      }
    },
  };
}

const SILENT = { log() {}, with: () => SILENT };

function backups(): Surface {
  const file = Deno.readFileSync(new URL("../formats/v1/backup.kvb", import.meta.url));
  const payloads: { type: number; payload: Uint8Array }[] = [];
  const reader = new BlockReader();
  reader.push(file);
  for (let block = reader.next(); block !== undefined; block = reader.next()) {
    payloads.push({ type: block.type, payload: block.payload.slice() });
  }
  const decoders = [
    documents.decodeHeader,
    documents.decodeBegin,
    documents.decodeEnd,
    documents.decodeChangesGone,
    documents.decodeTrailer,
    decodeRecords,
    decodeChanges,
  ];
  return {
    name: "backups",
    corpus: [file, ...payloads.map(({ payload }) => payload)],
    take: (input) => {
      allowing([CodecError], () => {
        const blocks = new BlockReader();
        blocks.push(input);
        while (blocks.next() !== undefined);
      });
      for (const decode of decoders) allowing([CodecError], () => void decode(input));
    },
  };
}

function cursors(): Surface {
  return {
    name: "cursors",
    corpus: ["AQEBAQ", "AgMBAgMEBQ", "BAAB"].map((text) => encoder.encode(text)),
    take: (input) => void readWatchCursor(decoder.decode(input)),
  };
}

function tokens(): Surface {
  const entry = { name: "a", sha256: "0".repeat(64), roles: ["read"], prefixes: ["x"] };
  return {
    name: "tokens",
    corpus: [encoder.encode(JSON.stringify({ tokens: [entry, { ...entry, name: "b" }] }))],
    take: (input) => allowing([TokenFileError], () => void TokenTable.parse(decoder.decode(input))),
  };
}
