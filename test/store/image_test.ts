// Images of a state: the same bytes for the same state, whole after loading, refused when damaged.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CodecError } from "../../src/base/codec.ts";
import { InvariantError } from "../../src/base/assert.ts";
import { ImageLoader, Store } from "../../src/store/mod.ts";
import { bareKey, Driver, imageOf, inSession, loaded, put, testSeed } from "./support.ts";

/** A state with something of everything. */
function variedDriver(keys: number): Driver {
  const driver = new Driver();
  for (let i = 0; i < keys * 3; i++) {
    const key = `key-${(i * 7919) % keys}`;
    const extra = { contentType: `type/${i % 3}`, ...(i % 5 === 0 ? { ttlMs: 500 + i } : {}) };
    driver.put(key, `välue ${i}`, extra, i);
  }
  for (let i = 1; i < 40; i++) {
    driver.apply(put(`s${i}`, ""), driver.timeMs, inSession(i % 7, i, Math.max(0, i - 20)));
    driver.apply({ kind: "delete", key: `s${i - 1}` }, driver.timeMs, bareKey(`key ${i}`));
  }
  driver.apply(
    {
      kind: "txn",
      compares: [],
      then: [{ kind: "get", key: "s39" }, { kind: "deleteRange", start: "key-1", end: "key-2" }],
      else: [],
    },
    driver.timeMs,
    inSession(8, 1),
  );
  driver.apply({ kind: "expire", limit: 10 });
  return driver;
}

Deno.test("ImageLoader rebuilds the same state, which then goes on the same way", () => {
  const driver = variedDriver(700);
  const copy = loaded(imageOf(driver.store));
  assertEquals(imageOf(copy), imageOf(driver.store));
  assertEquals(copy.nextExpiryMs(), driver.store.nextExpiryMs());
  assertEquals([copy.size, copy.timeMs], [driver.store.size, driver.store.timeMs]);
  assertEquals([...copy.scan("", undefined)], [...driver.store.scan("", undefined)]);
  const twin = new Driver();
  twin.store = copy;
  twin.index = driver.index;
  for (const one of [driver, twin]) {
    one.apply({ kind: "expire", limit: 100 }, 5000);
    one.put("key-5", "new");
    one.advance(400_000);
  }
  assertEquals(twin.hash(), driver.hash());
});

Deno.test("imageChunks() yields bounded chunks of an empty and of a large state", () => {
  assertEquals(loaded(imageOf(new Store())).size, 0);
  const driver = new Driver();
  for (let i = 0; i < 5000; i++) driver.put(`key-${i}`, "v".repeat(300));
  const chunks = imageOf(driver.store);
  assert(chunks.length > 10);
  for (const chunk of chunks) assert(chunk.length < 132 * 1024, `${chunk.length}`);
});

Deno.test("stateHash() differs when any one thing does", () => {
  const changes: ((driver: Driver) => void)[] = [
    () => {},
    (driver) => driver.put("a", "2"),
    (driver) => driver.put("a", "1", { contentType: "u" }),
    (driver) => driver.put("a", "1", { ttlMs: 5 }),
    (driver) => driver.put("b", "1"),
    (driver) => driver.advance(1),
    (driver) => driver.apply({ kind: "delete", key: "a" }),
    (driver) => driver.apply({ kind: "time" }, 0, bareKey("k")),
    (driver) => driver.apply({ kind: "time" }, 0, bareKey("k", 2)),
    (driver) => driver.apply({ kind: "time" }, 0, inSession(1, 1)),
    (driver) => driver.apply({ kind: "time" }, 0, inSession(1, 2)),
  ];
  const hashes = changes.map((change) => {
    const driver = new Driver();
    driver.put("a", "1");
    change(driver);
    return driver.hash();
  });
  assertEquals(new Set(hashes).size, hashes.length);
  for (const hash of hashes) assert(/^[0-9a-f]{16}$/.test(hash));
});

Deno.test("ImageLoader refuses an image cut at any chunk or byte, and leaves the state alone", () => {
  const driver = variedDriver(60);
  const [chunk, ...more] = imageOf(driver.store);
  assertEquals(more, []);
  for (let length = 0; length < chunk.length; length += length < 300 ? 1 : 97) {
    const store = new Store();
    const loader = new ImageLoader(store);
    assertThrows(() => {
      loader.push(chunk.subarray(0, length));
      loader.finish();
    }, CodecError);
    assertEquals(store.size, 0);
  }
});

Deno.test("ImageLoader refuses chunks that are missing, doubled or out of order", () => {
  const driver = new Driver();
  for (let i = 0; i < 3000; i++) driver.put(`key-${i}`, "v".repeat(200));
  const chunks = imageOf(driver.store);
  const orders = [
    chunks.toSpliced(1, 1),
    chunks.toSpliced(1, 0, chunks[1]),
    [chunks[0], chunks[2], chunks[1], ...chunks.slice(3)],
    chunks.slice(1),
    chunks.slice(0, -1),
    [...chunks, chunks[0]],
  ];
  for (const order of orders) assertThrows(() => loaded(order), CodecError);
});

Deno.test("ImageLoader throws nothing but CodecError, on any bytes", () => {
  const chunk = imageOf(variedDriver(30).store)[0];
  const tryLoad = (bytes: Uint8Array) => {
    try {
      loaded([bytes]);
    } catch (error) {
      assert(error instanceof CodecError && !(error instanceof InvariantError), String(error));
    }
  };
  const seed = testSeed();
  const damage = fc.array(fc.tuple(fc.nat(chunk.length - 1), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(damage, (flips) => {
      const bytes = chunk.slice();
      for (const [at, flip] of flips) bytes[at] ^= flip;
      tryLoad(bytes);
    }),
    { seed, numRuns: 1500 },
  );
  const tail = fc.tuple(fc.integer({ min: 2, max: 8 }), fc.uint8Array({ maxLength: 100 }));
  fc.assert(
    fc.property(tail, ([item, rest]) => {
      tryLoad(Uint8Array.of(1, 1, ...new Array(24).fill(0), item, ...rest));
    }),
    { seed, numRuns: 2000 },
  );
});

Deno.test("ImageLoader refuses a format that it does not know", () => {
  const chunk = imageOf(new Store())[0];
  chunk[1] = 9;
  assertThrows(() => loaded([chunk]), CodecError, "format 9");
});
