// The configuration a replica has applied, with what fences it: the entry that made it and the epoch of
// the map that asked for it. Kept beside Raft's own ConfState in log and snapshots.
//
//   encoding: configuration (transport/raft_codec.ts) | confIndex f64 | confEpoch f64

import { BytesReader, BytesWriter } from "../base/codec.ts";
import type { LogIndex } from "../base/ids.ts";
import type { ConfState } from "../raft/mod.ts";
import { readConfState, writeConfState } from "../raft/conf_state_codec.ts";

export interface AppliedConfiguration {
  readonly confState: ConfState;
  /** Index of the entry that made it; 1 for genesis. */
  readonly confIndex: LogIndex;
  /** Epoch of the map from which it was made; 1 for genesis. */
  readonly confEpoch: LogIndex;
}

export function encodeConfiguration(configuration: AppliedConfiguration): Uint8Array<ArrayBuffer> {
  const writer = new BytesWriter(128);
  writeConfState(writer, configuration.confState);
  return writer.f64(configuration.confIndex).f64(configuration.confEpoch).take();
}

/** Throws CodecError. */
export function decodeConfiguration(bytes: Uint8Array): AppliedConfiguration {
  const reader = new BytesReader(bytes);
  const confState = readConfState(reader);
  const configuration = { confState, confIndex: reader.integer(), confEpoch: reader.integer() };
  reader.end();
  return configuration;
}
