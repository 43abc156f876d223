// Writing a snapshot and loading one take a share of the event loop, in short stretches, however long they are.

import { assert, assertEquals } from "@std/assert";
import type { Clock, DiskFile, TimerHandle } from "../../src/platform/ports.ts";
import type { StateMachine } from "../../src/replica/machine.ts";
import type { GroupSnapshots, SnapshotFile } from "../../src/replica/log_port.ts";
import { StateLoading } from "../../src/replica/state_loading.ts";
import { SnapshotFileWriter } from "../../src/snapshot/file_writer.ts";
import { source } from "./rig.ts";

/** Time that passes by work and by timers only; remembers the stretches of work between timers. */
class WorkClock implements Clock {
  nowMs = 0;
  pausedMs = 0;
  stretchMs = 0;
  longestMs = 0;
  monotonicMs = () => this.nowMs;
  wallMs = () => this.nowMs;
  defer = (callback: () => void): TimerHandle => this.setTimer(0, callback);
  setTimer = (delayMs: number, callback: () => void): TimerHandle => {
    queueMicrotask(() => {
      this.nowMs += delayMs;
      this.pausedMs += delayMs;
      this.stretchMs = 0;
      callback();
    });
    return { cancel: () => {} };
  };

  work(durationMs: number): void {
    this.nowMs += durationMs;
    this.stretchMs += durationMs;
    this.longestMs = Math.max(this.longestMs, this.stretchMs);
  }
}

const CHUNKS = 200;
const CHUNK_MS = 0.4;
const CHUNK = new Uint8Array(1000).fill(7);

Deno.test("SnapshotFileWriter works for a moment at a time and leaves three quarters to others", async () => {
  const clock = new WorkClock();
  const file = {
    write: () => Promise.resolve(),
    sync: () => Promise.resolve(),
  } as unknown as DiskFile;
  function* chunks(): Iterator<Uint8Array> {
    for (let i = 0; i < CHUNKS; i++) {
      clock.work(CHUNK_MS);
      yield CHUNK;
    }
  }
  const pace = { clock, bytesPerSecondMax: Infinity };
  const writer = new SnapshotFileWriter(file, pace, () => Promise.resolve());
  const sizeBytes = await writer.write({ ...source(1, []), chunks }, () => false);
  assert(sizeBytes! > CHUNKS * CHUNK.length);
  assert(clock.longestMs <= 3 * CHUNK_MS + 1e-6, `${clock.longestMs} ms at a stretch`);
  assert(clock.pausedMs >= 0.95 * 3 * CHUNKS * CHUNK_MS, `${clock.pausedMs} ms of pauses`);
});

Deno.test("StateLoading loads for a moment at a time and leaves two thirds to others", async () => {
  const clock = new WorkClock();
  let pushed = 0;
  const machine = {
    beginLoad: () => ({
      push: () => {
        pushed++;
        clock.work(CHUNK_MS);
      },
      finish: () => {},
    }),
  } as unknown as StateMachine<unknown>;
  const snapshots = {
    read: async function* () {
      for (let i = 0; i < CHUNKS; i++) yield await Promise.resolve(CHUNK);
    },
  } as unknown as GroupSnapshots;
  const fail = (reason: string): never => {
    throw new Error(reason);
  };
  const loading = new StateLoading(machine, snapshots, clock, fail, false);
  const file = { point: { index: 5 } } as SnapshotFile;
  await new Promise<void>((resolve) => loading.load(file, () => resolve()));
  assertEquals(pushed, CHUNKS);
  assert(clock.longestMs <= 3 * CHUNK_MS + 1e-6, `${clock.longestMs} ms at a stretch`);
  assert(clock.pausedMs >= 0.95 * 2 * CHUNKS * CHUNK_MS, `${clock.pausedMs} ms of pauses`);
});
