import { assertEquals } from "@std/assert";
import { utf8Bytes } from "../../src/base/bytes.ts";
import {
  type Command,
  encodeEnvelope,
  type Idempotency,
  imageChunks,
  ImageLoader,
  stampEnvelope,
  stateHash,
  Store,
} from "../../src/store/mod.ts";

/** A store and the index of its last entry, driven through the encoded form. */
class Driver {
  readonly store = new Store();
  index = 0;

  apply(command: Command, timeMs = 0, idempotency?: Idempotency) {
    const data = encodeEnvelope(
      idempotency === undefined ? { timeMs: 0, command } : { timeMs: 0, command, idempotency },
    );
    stampEnvelope(data, timeMs);
    return this.store.apply(++this.index, data);
  }

  put(key: string, value: string, extra: Partial<Command> = {}, timeMs = 0) {
    const command = {
      kind: "put",
      key,
      value: utf8Bytes(value),
      contentType: "text/plain",
      ...extra,
    };
    return this.apply(command as Command, timeMs);
  }
}

Deno.test("Store.apply() creates, replaces, deletes, and reports revisions", () => {
  const driver = new Driver();
  assertEquals(driver.put("a", "1").result, { kind: "put", created: true, revision: 1 });
  assertEquals(driver.put("a", "2").result, { kind: "put", created: false, revision: 2 });
  assertEquals(driver.store.get("a")?.value, "2");
  assertEquals(driver.store.get("a")?.createRevision, 1);
  assertEquals(driver.apply({ kind: "delete", key: "a" }).result, { kind: "deleted", revision: 3 });
  assertEquals(driver.apply({ kind: "delete", key: "a" }).result, { kind: "not-found" });
  assertEquals(driver.store.get("a"), undefined);
});

Deno.test("Store.apply() holds every condition to the live record", () => {
  const driver = new Driver();
  const absent = { condition: { kind: "absent" } } as Partial<Command>;
  const present = { condition: { kind: "present" } } as Partial<Command>;
  assertEquals(driver.put("a", "1", present).result, { kind: "condition-failed", revision: 0 });
  assertEquals(driver.put("a", "1", absent).result.kind, "put");
  assertEquals(driver.put("a", "1", absent).result, { kind: "condition-failed", revision: 2 });
  const at = (revision: number) =>
    ({ condition: { kind: "revision", revision } }) as Partial<Command>;
  assertEquals(driver.put("a", "2", at(1)).result, { kind: "condition-failed", revision: 2 });
  assertEquals(driver.put("a", "2", at(2)).result.kind, "put");
});

Deno.test("Store expires by partition time only, and a new write emits the expiry first", () => {
  const driver = new Driver();
  driver.put("a", "1", { ttlMs: 100 } as Partial<Command>, 1000);
  assertEquals(driver.store.get("a")?.expiresAtMs, 1100);
  driver.apply({ kind: "time" }, 1099);
  assertEquals(driver.store.get("a")?.value, "1");
  driver.apply({ kind: "time" }, 1100);
  assertEquals(driver.store.get("a"), undefined);
  driver.put("a", "2", {}, 1100);
  const events = driver.store.eventsAfter({ revision: 3, subIndex: 0 }, 10)!;
  assertEquals(events.map((event) => [event.subIndex, event.kind]), [[0, "expire"], [1, "put"]]);
  assertEquals(driver.store.get("a")?.expiresAtMs, undefined);
});

Deno.test("Store replays an outcome, refuses another request, forgets what was acknowledged", () => {
  const driver = new Driver();
  const fingerprint = new Uint8Array(16).fill(7);
  const write = { kind: "put", key: "a", value: utf8Bytes("1"), contentType: "t" } as Command;
  const session = (sequence: number, acknowledgedThrough: number): Idempotency => ({
    kind: "session",
    sessionId: "0123456789abcdef0123456789abcdef",
    sequence,
    acknowledgedThrough,
    fingerprint,
  });
  const first = driver.apply(write, 0, session(1, 0));
  const again = driver.apply(write, 0, session(1, 0));
  assertEquals(again, { result: first.result, appliedIndex: 1, replayed: true });
  const other: Idempotency = { ...session(1, 0), fingerprint: new Uint8Array(16) };
  assertEquals(driver.apply(write, 0, other).result.kind, "idempotency-key-reused");
  driver.apply(write, 0, session(2, 1));
  assertEquals(driver.apply(write, 0, session(1, 0)).result.kind, "idempotency-stale");
  const key: Idempotency = { kind: "key", key: "k", fingerprint };
  driver.apply(write, 0, key);
  assertEquals(driver.apply(write, 299_999, key).replayed, true);
  assertEquals(driver.apply(write, 300_000, key).replayed, false);
});

Deno.test("Store's transactions are atomic, ordered and share one revision", () => {
  const driver = new Driver();
  driver.put("{t}a", "1");
  const result = driver.apply({
    kind: "txn",
    compares: [{ target: "value", key: "{t}a", operator: "=", value: utf8Bytes("1") }],
    then: [
      { kind: "put", key: "{t}b", value: utf8Bytes("2"), contentType: "text/plain" },
      { kind: "get", key: "{t}b" },
      { kind: "deleteRange", start: "{t}a", end: "{t}b" },
    ],
    else: [],
  }).result;
  assertEquals(result.kind === "txn" && result.succeeded, true);
  assertEquals(driver.store.get("{t}a"), undefined);
  assertEquals(driver.store.get("{t}b")?.revision, 2);
});

Deno.test("ImageLoader rebuilds the same state from an image", () => {
  const driver = new Driver();
  const fingerprint = new Uint8Array(16).fill(3);
  for (let i = 0; i < 3000; i++) {
    driver.put(
      `key-${i % 700}`,
      `value ${i}`,
      i % 5 ? {} : { ttlMs: 50 + i } as Partial<Command>,
      i,
    );
  }
  driver.apply({ kind: "delete", key: "key-3" }, 3000, { kind: "key", key: "x", fingerprint });
  driver.apply({ kind: "expire", limit: 10 }, 3000);
  const copy = new Store();
  const loader = new ImageLoader(copy);
  for (const chunk of imageChunks(driver.store.freeze())) loader.push(chunk);
  loader.finish();
  assertEquals(stateHash(copy.freeze()), stateHash(driver.store.freeze()));
  assertEquals(copy.nextExpiryMs(), driver.store.nextExpiryMs());
});
