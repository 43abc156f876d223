import { assert, assertEquals } from "@std/assert";
import { NodeRecordKeeper } from "../../src/node/node_record.ts";

/** A log that keeps nothing but node records. */
function memoryLog() {
  const nodeRecords = new Map<number, Uint8Array<ArrayBuffer>>();
  return {
    nodeRecords,
    wal: {
      nodeId: "00000000000000000000000000000001",
      putNodeRecord: (kind: number, bytes: Uint8Array<ArrayBuffer>, done?: () => void) => {
        nodeRecords.set(kind, bytes);
        done?.();
      },
      flush: () => {},
    },
  };
}

Deno.test("boot nonces ascend, whatever the clock does", async () => {
  const { wal, nodeRecords } = memoryLog();
  const first = (await NodeRecordKeeper.open(wal, { nodeRecords }, 5000)).record;
  const second = (await NodeRecordKeeper.open(wal, { nodeRecords }, 1000)).record;
  const third = (await NodeRecordKeeper.open(wal, { nodeRecords }, 9000.5)).record;
  assertEquals([first, second, third].map(({ boots }) => boots), [1, 2, 3]);
  assertEquals([first, second, third].map(({ bootNonce }) => bootNonce), [5000, 5001, 9000]);
});

Deno.test("a boot nonce ascends though the record of the last one is lost", async () => {
  const before = memoryLog();
  const known = (await NodeRecordKeeper.open(before.wal, before, 5000)).record;
  const after = memoryLog();
  const anew = (await NodeRecordKeeper.open(after.wal, after, 6000)).record;
  assertEquals(anew.boots, known.boots);
  assert(anew.bootNonce > known.bootNonce);
});
