// Equal entries and equal states at equal indexes, on all replicas and in all their lives: by applying, and by
// loading a snapshot, whose state was noted when it was taken.

import { latin1FromBytes } from "../../../src/base/bytes.ts";
import type { LogIndex } from "../../../src/base/ids.ts";
import { placeOf, type Watched } from "./facts.ts";
import { Violation } from "./violation.ts";

/** States are compared at every index divisible by this, beside those of snapshots. */
const STATE_HASH_INTERVAL = 32;

/**
 * Sees every entry that the replica applies, and every snapshot that it takes. `onEntry` is told of each entry once,
 * by whoever applies it first.
 */
export function tapMachine(
  watched: Watched,
  onEntry: (entry: string, data: Uint8Array) => void,
): void {
  const { replica, facts } = watched;
  const { machine } = replica;
  const apply = machine.apply.bind(machine);
  machine.apply = (index, term, data) => {
    const entry = latin1FromBytes(data);
    const known = facts.entries.get(index);
    if (known === undefined) {
      facts.entries.set(index, entry);
      onEntry(entry, data);
    } else if (known !== entry) {
      const message = `${placeOf(watched)} applies another entry at ${index}`;
      watched.report(new Violation("committed prefix never changes", message));
    }
    const result = apply(index, term, data);
    if (index % STATE_HASH_INTERVAL === 0) checkState(watched, index);
    return result;
  };
  const image = machine.image.bind(machine);
  machine.image = () => {
    checkState(watched, replica.appliedIndex);
    return image();
  };
}

/** The machine stands at `index`, without the help of `machine.apply`. */
export function checkLoadedState(watched: Watched, index: LogIndex): void {
  if (watched.facts.states.has(index)) checkState(watched, index);
}

function checkState(watched: Watched, index: LogIndex): void {
  const { states } = watched.facts;
  const state = watched.replica.machine.stateHash();
  const known = states.get(index);
  if (known === undefined) states.set(index, state);
  else if (known !== state) {
    const message = `${placeOf(watched)}, index ${index}: ${state}, was ${known}`;
    watched.report(new Violation("equal state at equal index", message));
  }
}
