// What a random group is made of: a seeded generator, a state machine, a disk.

import { type ConfState, type Entry, MemoryStorage, type Snapshot } from "../../src/raft/mod.ts";

/** Mulberry32: uniform integers from a 32-bit seed. */
export function generator(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

/** A state machine that is the hash of all it has applied, with its configuration. */
export interface Machine {
  index: number;
  term: number;
  hash: number;
  confState: ConfState;
}

/** The state after `entry`. */
export function mix(hash: number, entry: Entry): number {
  let h = Math.imul(hash ^ entry.index, 0x9e3779b1) ^ Math.imul(entry.term, 0x85ebca6b);
  for (const byte of entry.data) h = Math.imul(h ^ byte, 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
}

export function encodeHash(hash: number): Uint8Array {
  return new Uint8Array(new Uint32Array([hash]).buffer);
}

export function decodeHash(data: Uint8Array): number {
  return new Uint32Array(data.slice().buffer)[0];
}

/** Stable storage that hands out a snapshot only to members of its configuration. */
export class Disk extends MemoryStorage {
  /** Someone needs a newer snapshot than there is. */
  wanted = false;

  override snapshot(to?: number): Snapshot | null {
    const snapshot = super.snapshot();
    if (snapshot === null || snapshot.metadata.index === 0) return null;
    const { voters, learners, votersOutgoing } = snapshot.metadata.confState;
    const member = to === undefined ||
      [voters, learners, votersOutgoing].some((ids) => ids.includes(to));
    this.wanted ||= !member;
    return member ? snapshot : null;
  }
}
