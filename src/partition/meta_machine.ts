// The meta group's state machine: the cluster map, changed by committed commands and by nothing else.
// Pure and deterministic: every replica that has applied the same entries holds the same map.

import { assert, InvariantError, unreachable } from "../base/assert.ts";
import { concatBytes } from "../base/bytes.ts";
import { type LogIndex, META_PARTITION, type Term } from "../base/ids.ts";
import { SNAPSHOT_CHUNK_BYTES } from "../base/limits.ts";
import { addMember, removeMember, setMemberState, updateMember } from "./apply_members.ts";
import { beginMove, cancelMove, recordConfiguration } from "./apply_moves.ts";
import { preferZone } from "./apply_preference.ts";
import { decodeCommand, type MetaCommand } from "./commands.ts";
import { hashBytes, hexOfHash } from "./hash.ts";
import { type ClusterMap, MapIndex } from "./map.ts";
import { contradictionInEntry, decodeMap, encodeMap } from "./map_codec.ts";
import type { MetaResult, Outcome } from "./result.ts";

/** What `command` at log index `index` does to `map`. Pure; for planning and tests as for apply. */
export function applyCommand(map: ClusterMap, index: LogIndex, command: MetaCommand): Outcome {
  switch (command.kind) {
    case "addMember":
      return addMember(map, index, command);
    case "updateMember":
      return updateMember(map, index, command);
    case "drainMember":
      return setMemberState(map, index, command.nodeId, "draining");
    case "leaveMember":
      return setMemberState(map, index, command.nodeId, "leaving");
    case "stayMember":
      return setMemberState(map, index, command.nodeId, "active");
    case "removeMember":
      return removeMember(map, index, command.nodeId);
    case "beginMove":
      return beginMove(map, index, command);
    case "cancelMove":
      return cancelMove(map, index, command);
    case "preferZone":
      return preferZone(map, index, command);
    case "recordConfiguration":
      return recordConfiguration(map, index, command);
    default:
      return unreachable(command);
  }
}

/**
 * Holds the map of the entries applied so far.
 *
 * *Contract:* `apply` is called once for every committed normal entry with data, in index order.
 */
export class MetaMachine {
  #map: ClusterMap;
  #index: MapIndex;

  /** Starts from the genesis map, or, on a node that joins, from {@linkcode UNKNOWN_MAP} until a
   * snapshot is loaded. */
  constructor(map: ClusterMap) {
    this.#map = map;
    this.#index = new MapIndex(map);
  }

  /** Immutable; a new object for every epoch. */
  get map(): ClusterMap {
    return this.#map;
  }

  /** Look-ups on {@linkcode MetaMachine.map}. */
  get index(): MapIndex {
    return this.#index;
  }

  /** Applies an encoded {@linkcode MetaCommand}. Throws InvariantError on bytes nobody encoded. */
  apply(index: LogIndex, _term: Term, data: Uint8Array): MetaResult {
    assert(this.#map.epoch > 0, "a snapshot comes before entries where there was no genesis");
    assert(index > this.#map.epoch, "meta entries are applied in order");
    const command = decodeCommitted(data);
    const outcome = applyCommand(this.#map, index, command);
    if (outcome.kind === "refused") {
      return { ok: false, code: outcome.code, detail: outcome.detail };
    }
    if (outcome.kind === "map") this.#replace(outcome.map);
    return { ok: true, changed: outcome.kind === "map", epoch: this.#map.epoch };
  }

  /** The state as it is now; later entries do not show. */
  image(): { chunks(): Iterator<Uint8Array> } {
    const map = this.#map;
    return { chunks: () => chunksOf(map) };
  }

  /** Builds the state from an image's chunks; it is replaced when `finish` returns. */
  beginLoad(): { push(chunk: Uint8Array): void; finish(): void } {
    const chunks: Uint8Array[] = [];
    return {
      push: (chunk) => void chunks.push(chunk),
      finish: () => this.#replace(decodeMap(concatBytes(chunks))),
    };
  }

  /** 16 hex digits; equal maps, equal hashes. */
  stateHash(): string {
    return hexOfHash(hashBytes(encodeMap(this.#map)));
  }

  #replace(map: ClusterMap): void {
    const memberIds = new Set(map.members.map((member) => member.nodeId));
    for (const entry of map.partitions) {
      if (entry === this.#map.partitions[entry.partition] && entry.partition !== META_PARTITION) {
        continue;
      }
      const wrong = contradictionInEntry(entry, memberIds);
      assert(wrong === undefined, `the map contradicts itself: ${wrong}`);
    }
    this.#map = map;
    this.#index = new MapIndex(map);
  }
}

/** A committed entry that this version can't read must stop it: skipping would fork the map. */
function decodeCommitted(data: Uint8Array): MetaCommand {
  try {
    return decodeCommand(data);
  } catch (error) {
    throw new InvariantError(`Cannot apply a committed entry of the meta group: ${error}`);
  }
}

function* chunksOf(map: ClusterMap): Generator<Uint8Array, void> {
  const bytes = encodeMap(map);
  for (let at = 0; at < bytes.length; at += SNAPSHOT_CHUNK_BYTES) {
    yield bytes.subarray(at, at + SNAPSHOT_CHUNK_BYTES);
  }
}
