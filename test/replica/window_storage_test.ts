// What one group keeps of its log in memory, and for whom.

import { assertEquals } from "@std/assert";
import { EntryType } from "../../src/raft/mod.ts";
import type { GroupSnapshots, SnapshotFile } from "../../src/replica/log_port.ts";
import { WindowStorage } from "../../src/replica/window_storage.ts";

const FOLLOWER = 2;
const ENTRY_BYTES = 840;
/** What one entry counts, with its overhead. */
const HELD_BYTES = 1000;
const LIMITS = { bytesMax: 10 * HELD_BYTES, helpingBytesMax: 100 * HELD_BYTES };
const CONF_STATE = {
  voters: [1, FOLLOWER, 3],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** A log that entries are appended and applied to, of a leader whose follower matches up to `match`. */
class Fixture {
  match: number | undefined = 0;
  wanted = 0;
  #latest: SnapshotFile | undefined;
  readonly storage: WindowStorage;

  constructor() {
    const point = this.#point(0);
    const hardState = { term: 1, vote: 1, commit: 0 };
    const latest = () => this.#latest;
    const snapshots = {
      get latest() {
        return latest();
      },
    } as GroupSnapshots;
    const recovered = { hardState, snapshot: point, entries: [] };
    this.storage = new WindowStorage(recovered, snapshots, () => this.wanted++);
  }

  #point(index: number) {
    const configuration = { confState: CONF_STATE, confIndex: 0, confEpoch: 0 };
    return { index, term: 1, configuration };
  }

  snapshotAt(index: number): void {
    this.#latest = { point: this.#point(index), sizeBytes: 1 };
  }

  /** Entries up to `last` come and are applied, one at a time. */
  growTo(last: number): void {
    for (let index = this.storage.lastIndex() + 1; index <= last; index++) {
      const data = new Uint8Array(ENTRY_BYTES);
      this.storage.append([{ index, term: 1, type: EntryType.Normal, data }]);
      this.storage.trim(index, LIMITS, (id) => id === FOLLOWER ? this.match : undefined);
    }
  }

  get kept(): number {
    return this.storage.lastIndex() - this.storage.firstIndex() + 1;
  }
}

Deno.test("trim() keeps no more than the window while nobody needs a snapshot", () => {
  const log = new Fixture();
  log.growTo(1000);
  assertEquals(log.kept <= 10, true);
});

Deno.test("trim() keeps what follows a snapshot until the follower that was promised it has caught up", () => {
  const log = new Fixture();
  log.growTo(50);
  assertEquals(log.storage.snapshot(FOLLOWER), null);
  assertEquals(log.wanted, 1);
  log.growTo(70); // it is being written
  log.snapshotAt(50);
  assertEquals(log.storage.snapshot(FOLLOWER)?.metadata.index, 50);
  log.growTo(100); // it is being sent
  assertEquals(log.storage.firstIndex(), 51);
  assertEquals(log.storage.term(50), 1);
  log.match = 50;
  log.growTo(110);
  assertEquals(log.storage.firstIndex(), 51);
  log.match = 108;
  log.growTo(111);
  assertEquals(log.kept <= 10, true);
});

Deno.test("trim() gives up whom the larger bound does not help, and who is gone or follows no more", () => {
  for (
    const end of [
      (log: Fixture) => log.growTo(400),
      (log: Fixture) => log.storage.giveUp(FOLLOWER),
      (log: Fixture) => log.match = undefined,
    ]
  ) {
    const log = new Fixture();
    log.growTo(50);
    log.snapshotAt(50);
    log.storage.snapshot(FOLLOWER);
    log.growTo(100);
    assertEquals(log.storage.firstIndex(), 51);
    end(log);
    log.growTo(log.storage.lastIndex() + 1);
    assertEquals(log.kept <= 11, true, `${log.kept} are kept`);
  }
});
