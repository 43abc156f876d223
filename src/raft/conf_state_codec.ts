// A configuration as bytes: on the wire, in the log and in snapshots.
//
//   voters, learners, votersOutgoing, learnersNext: each count u16 and f64s | autoLeave u8

import type { BytesReader, BytesWriter } from "../base/codec.ts";
import type { ReplicaId } from "../base/ids.ts";
import type { ConfState } from "./types.ts";

export function writeConfState(writer: BytesWriter, confState: ConfState): void {
  writeIds(writer, confState.voters);
  writeIds(writer, confState.learners);
  writeIds(writer, confState.votersOutgoing);
  writeIds(writer, confState.learnersNext);
  writer.u8(confState.autoLeave ? 1 : 0);
}

function writeIds(writer: BytesWriter, ids: readonly ReplicaId[]): void {
  writer.u16(ids.length);
  for (const id of ids) writer.f64(id);
}

/** Throws CodecError. */
export function readConfState(reader: BytesReader): ConfState {
  return {
    voters: readIds(reader),
    learners: readIds(reader),
    votersOutgoing: readIds(reader),
    learnersNext: readIds(reader),
    autoLeave: reader.u8() === 1,
  };
}

function readIds(reader: BytesReader): ReplicaId[] {
  const count = reader.u16();
  const ids = new Array<ReplicaId>(count);
  for (let i = 0; i < count; i++) ids[i] = reader.integer();
  return ids;
}
