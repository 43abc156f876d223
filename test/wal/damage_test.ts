import { assert, assertEquals, assertRejects } from "@std/assert";
import { crc32 } from "node:zlib";
import { WalError } from "../../src/wal/mod.ts";
import {
  decodeCommit,
  FRAME_HEADER_BYTES,
  FrameType,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "../../src/wal/format.ts";
import { scanLog } from "../../src/wal/recovery.ts";
import { SimDisk } from "../sim/disk.ts";
import { describeModel, describeRecovered, LogModel } from "./model.ts";
import { type Opened, WalRig } from "./rig.ts";

const SEGMENT_BYTES = 8 * 1024;
const OPTIONS = { segmentSizeBytes: SEGMENT_BYTES };

interface Frame {
  readonly type: FrameType;
  readonly group: number;
  readonly segment: number;
  readonly offset: number;
  readonly end: number;
  /** Groups its batch's commit frame names. */
  readonly named: readonly number[];
  /** Position of its batch among all. */
  readonly batch: number;
}

interface Recorded {
  readonly disk: SimDisk;
  readonly model: LogModel;
  readonly frames: readonly Frame[];
  /** Segments and where their content ends. */
  readonly ends: ReadonlyMap<number, number>;
}

function framesOf(disk: SimDisk): { frames: Frame[]; ends: Map<number, number> } {
  const frames: Frame[] = [];
  const ends = new Map<number, number>();
  let batches = 0;
  const scan = scanLog(disk, "wal", {
    onBatch(segment, reader, batch) {
      const named = [...batch.commit.groups.keys()];
      for (const offset of reader.frames(batch.start, batch.end)) {
        const at = reader.at(offset);
        const end = offset + FRAME_HEADER_BYTES + reader.view.getUint32(at + 4, true);
        const type = reader.view.getUint8(at + 8) as FrameType;
        if (type === FrameType.Commit) assert(decodeCommit(reader.view, at) !== undefined);
        const group = reader.view.getUint32(at + 12, true);
        frames.push({ type, group, segment, offset, end, named, batch: batches });
      }
      batches++;
      ends.set(segment, batch.end);
    },
  });
  assertEquals(scan.damages, []);
  return { frames, ends };
}

/** A log that was closed gracefully, so that all of it lies before the mark. */
async function record(seed: string, records: number): Promise<Recorded> {
  const model = new LogModel();
  const rig = new WalRig(seed);
  const { wal } = await rig.open(OPTIONS);
  for (let i = 0; i < records; i++) {
    model.appendRandom(wal, rig.random, 30);
    if (rig.random.int(3) === 0) await rig.settle(wal, 2);
  }
  await rig.close(wal);
  rig.disk.crashProcess();
  return { disk: rig.disk.clone(), model, ...framesOf(rig.disk) };
}

async function reopen(disk: SimDisk): Promise<{ rig: WalRig; opened: Opened }> {
  const rig = new WalRig("reopen", {}, disk);
  return { rig, opened: await rig.open(OPTIONS) };
}

function namedAfter(
  frames: readonly Frame[],
  damaged: Frame,
  group: number,
  type: FrameType,
): boolean {
  return frames.some((frame) =>
    frame.type === type && frame.group === group && frame.batch > damaged.batch
  );
}

/** False when a later checkpoint shows that the lost batch itself deleted the group. */
function stillThere(frames: readonly Frame[], damaged: Frame, group: number): boolean {
  const later = frames.find(({ type, batch }) =>
    type === FrameType.CheckpointBegin && batch > damaged.batch
  );
  if (later === undefined) return true;
  return frames.some((frame) =>
    frame.batch === later.batch && frame.type === FrameType.GroupState && frame.group === group
  );
}

function suspects({ recovered }: Opened): number[] {
  return [...recovered.groups.values()].filter(({ suspect }) => suspect !== null)
    .map(({ group }) => group).sort();
}

/** Whatever is not suspect must be as it was. */
function assertOthersWhole(opened: Opened, model: LogModel, context: string): void {
  const expected = describeModel(model.current);
  const found = describeRecovered(opened);
  for (const [id, { suspect }] of opened.recovered.groups) {
    if (suspect === null) {
      assertEquals(found.get(`group ${id}`), expected.get(`group ${id}`), context);
    }
  }
}

const segmentPath = (sequence: number) => `wal/${segmentName(sequence)}`;

Deno.test("a flipped bit before the mark makes suspect whom the batch names, or all", async () => {
  const { disk, model, frames } = await record("flips", 90);
  const types = new Set(frames.map(({ type }) => type));
  assertEquals([...types].sort(), [1, 2, 3, 4, 5, 6, 7, 8, 9], "every kind of frame is there");
  for (const frame of frames) {
    const { type, segment, offset, end, named } = frame;
    // Every byte of the header, and every ninth of the payload.
    for (let at = offset; at < end; at += at < offset + FRAME_HEADER_BYTES ? 1 : 9) {
      const context = `bit of byte ${at} of segment ${segment}, a ${FrameType[type]} frame`;
      const damaged = disk.clone();
      damaged.rot(segmentPath(segment), at, 1 << (at % 8));
      const { opened } = await reopen(damaged);
      assert(opened.recovered.damages.length > 0, context);
      const groups = opened.recovered.damages[0].groups;
      if (type === FrameType.Commit) {
        assertEquals(groups, null, context);
      } else {
        assertEquals([...groups!].sort(), [...named].sort(), context);
        // A replica that was created later is another one, whatever became of the group before.
        const expected = named.filter((group) =>
          !namedAfter(frames, frame, group, FrameType.Created) &&
          !namedAfter(frames, frame, group, FrameType.Tombstone) &&
          stillThere(frames, frame, group)
        );
        assertEquals(suspects(opened), expected.sort(), context);
      }
      assertOthersWhole(opened, model, context);
    }
  }
});

Deno.test("suspicion outlives restarts, and the damaged segment's removal", async () => {
  const { disk, frames } = await record("suspicion stays", 60);
  const { segment, offset } = frames.findLast(({ type }) => type === FrameType.Commit)!;
  disk.rot(segmentPath(segment), offset + 20, 1);
  const { rig, opened } = await reopen(disk);
  const before = suspects(opened);
  assertEquals(before, [...opened.recovered.groups.keys()].sort());
  assert(before.length > 0);
  // The way out: each replica is replaced under a new replicaId, and the new one is whole.
  const [first, ...rest] = before;
  const { replicaId } = opened.recovered.groups.get(first)!;
  opened.wal.removeGroup(first, replicaId);
  opened.wal.createGroup(first, replicaId + 100);
  await rig.close(opened.wal);
  rig.kill();
  const again = await rig.open(OPTIONS);
  assertEquals(suspects(again), rest);
  assertEquals(again.recovered.groups.get(first)!.replicaId, replicaId + 100);
  await rig.close(again.wal);
});

Deno.test("damage behind the mark is corruption when a later batch proves it, else a torn tail", async () => {
  const model = new LogModel();
  const rig = new WalRig("torn");
  const { wal } = await rig.open(OPTIONS);
  await rig.scheduler.runFor(500);
  model.appendRandom(wal, rig.random);
  for (let batch = 0; batch < 4; batch++) {
    for (let i = 0; i < 3; i++) model.appendRandom(wal, rig.random, 20);
    await rig.settle(wal, 2);
  }
  rig.disk.crashProcess();
  const { frames } = framesOf(rig.disk);
  const last = frames.at(-1)!.batch;
  assert(frames.filter(({ batch }) => batch === last).length > 2);
  for (const { batch, segment, offset, end, type } of frames) {
    for (let at = offset; at < end; at += 3) {
      const damaged = rig.disk.clone();
      damaged.rot(segmentPath(segment), at, 1 << (at % 8));
      const { opened } = await reopen(damaged);
      const context = `byte ${at} in batch ${batch} of ${last}`;
      if (batch < last) {
        assert(opened.recovered.damages.length > 0, context);
        if (type === FrameType.Commit) assertEquals(opened.recovered.damages[0].groups, null);
        continue;
      }
      assertEquals(opened.recovered.damages, [], context);
      assert(opened.recovered.tail.torn, context);
      const found = new LogModel();
      found.states.length = 0;
      found.states.push(...model.states);
      found.matchRecovered(opened, context);
      assertEquals(suspects(opened), []);
    }
  }
});

Deno.test("a flipped bit where nothing is stored changes nothing", async () => {
  const { disk, model, ends } = await record("blank", 40);
  const [segment, end] = [...ends].at(-1)!;
  for (const offset of [64, 1000, SEGMENT_HEADER_BYTES - 1, end + 8, end + 500]) {
    const damaged = disk.clone();
    damaged.rot(segmentPath(segment), offset, 2);
    const { opened } = await reopen(damaged);
    assertEquals(opened.recovered.damages, []);
    assertEquals(describeRecovered(opened), describeModel(model.current));
  }
});

Deno.test("a damaged segment header makes all groups suspect", async () => {
  const { disk, ends } = await record("headers", 60);
  for (const segment of ends.keys()) {
    for (const offset of [0, 9, 13, 20, 33, 41, 61]) {
      const damaged = disk.clone();
      damaged.rot(segmentPath(segment), offset, 8);
      if (ends.size === 1) {
        await assertRejects(() => reopen(damaged), WalError);
        continue;
      }
      const { opened } = await reopen(damaged);
      assert(opened.recovered.damages.length > 0, `segment ${segment} byte ${offset}`);
      assertEquals(opened.recovered.damages[0].groups, null);
    }
  }
});

Deno.test("missing segments are corruption: in the middle, at the end, all of them", async () => {
  const { disk, ends } = await record("missing", 150);
  const sequences = [...ends.keys()];
  assert(sequences.length >= 3, `${sequences}`);
  for (const sequence of sequences.slice(1)) {
    const damaged = disk.clone();
    damaged.remove(segmentPath(sequence));
    const { opened } = await reopen(damaged);
    assert(opened.recovered.damages.length > 0, `segment ${sequence}`);
    assertEquals(suspects(opened), [...opened.recovered.groups.keys()].sort());
  }
  const none = disk.clone();
  for (const name of none.list("wal")) if (name !== "mark") none.remove(`wal/${name}`);
  const error = await assertRejects(() => reopen(none), WalError);
  assertEquals(error.code, "identity-lost");
});

Deno.test("an older copy of the last segment does not pass for the newest", async () => {
  const rig = new WalRig("older copy");
  const model = new LogModel();
  const { wal } = await rig.open(OPTIONS);
  for (let i = 0; i < 5; i++) model.appendRandom(wal, rig.random);
  await rig.settle(wal, 2000);
  const older = rig.disk.dump().get(segmentPath(1))!;
  for (let i = 0; i < 5; i++) model.appendRandom(wal, rig.random);
  await rig.close(wal);
  rig.disk.crashProcess();
  rig.disk.open(segmentPath(1)).writeSync(older, 0);
  const { opened } = await reopen(rig.disk);
  assertEquals(suspects(opened), [...opened.recovered.groups.keys()].sort());
});

Deno.test("one damaged slot of the mark is survived, two make all groups suspect", async () => {
  const { disk, model } = await record("mark", 40);
  for (const slots of [[0], [4096], [0, 4096]]) {
    const damaged = disk.clone();
    for (const slot of slots) damaged.rot("wal/mark", slot + 30, 1);
    const { rig, opened } = await reopen(damaged);
    if (slots.length === 1) {
      assertEquals(opened.recovered.damages, []);
      assertEquals(describeRecovered(opened), describeModel(model.current));
      continue;
    }
    assertEquals(suspects(opened), [...opened.recovered.groups.keys()].sort());
    rig.kill();
    assertEquals(suspects(await rig.open(OPTIONS)), suspects(opened));
  }
  disk.remove("wal/mark");
  const { opened } = await reopen(disk);
  assertEquals(suspects(opened), [...opened.recovered.groups.keys()].sort());
});

Deno.test("a misdirected write is found at both places it damaged", async () => {
  const rig = new WalRig("misdirected");
  const model = new LogModel();
  const { wal } = await rig.open(OPTIONS);
  for (let i = 0; i < 10; i++) model.appendRandom(wal, rig.random);
  await rig.settle(wal, 2);
  rig.disk.misdirectNextWrite = (_path, offset) => offset - 200;
  model.appendRandom(wal, rig.random);
  await rig.settle(wal, 2);
  model.appendRandom(wal, rig.random);
  await rig.close(wal);
  rig.disk.crashProcess();
  const { opened } = await reopen(rig.disk);
  assert(opened.recovered.damages.length > 0);
  assertEquals(suspects(opened), [...opened.recovered.groups.keys()].sort());
});

Deno.test("a format of the future and another node's segment are refused by name", async () => {
  const { disk } = await record("future", 30);
  const name = disk.list("wal")[0];
  const future = disk.clone();
  const file = future.open(`wal/${name}`);
  const preamble = new Uint8Array(16);
  file.readSync(preamble, 0);
  new DataView(preamble.buffer).setUint32(8, 2, true);
  new DataView(preamble.buffer).setUint32(12, crc32(preamble.subarray(0, 12)), true);
  file.writeSync(preamble, 0);
  const error = await assertRejects(() => reopen(future), WalError);
  assertEquals(error.code, "newer-version");
  assert(error.message.includes(name) && error.message.includes("version 2"), error.message);

  const other = await record("another node", 120);
  const foreign = disk.clone();
  const [sequence] = [...other.ends.keys()].slice(-1);
  foreign.open(segmentPath(sequence), { create: true, truncate: true })
    .writeSync(other.disk.dump().get(segmentPath(sequence))!, 0);
  assertEquals((await assertRejects(() => reopen(foreign), WalError)).code, "foreign-segment");
});
