// What commands, conditions, transactions and scans do, one case each. The rules have rules_test.ts,
// the combinations model_test.ts.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../src/base/assert.ts";
import { CodecError } from "../../src/base/codec.ts";
import { utf8Bytes } from "../../src/base/bytes.ts";
import type { Condition, TxnCompare } from "../../src/store/mod.ts";
import { Driver, put } from "./support.ts";

const absent: Condition = { kind: "absent" };
const present: Condition = { kind: "present" };
const at = (revision: number): Condition => ({ kind: "revision", revision });

Deno.test("Store.apply() creates, replaces, deletes, and reports revisions", () => {
  const driver = new Driver();
  assertEquals(driver.put("a", "1").result, { kind: "put", created: true, revision: 1 });
  assertEquals(driver.put("a", "2").result, { kind: "put", created: false, revision: 2 });
  assertEquals(driver.store.get("a")?.value, "2");
  assertEquals(driver.store.get("a")?.createRevision, 1);
  assertEquals(driver.apply({ kind: "delete", key: "a" }).result, { kind: "deleted", revision: 3 });
  assertEquals(driver.apply({ kind: "delete", key: "a" }).result, { kind: "not-found" });
  assertEquals(driver.store.get("a"), undefined);
  driver.put("a", "3");
  assertEquals(driver.store.get("a")?.createRevision, 5);
});

Deno.test("Store.apply() holds every condition to the live record", () => {
  const driver = new Driver();
  const tried = (condition: Condition) => driver.put("a", "1", { condition }).result;
  assertEquals(tried(present), { kind: "condition-failed", revision: 0 });
  assertEquals(tried(at(0)), { kind: "condition-failed", revision: 0 });
  assertEquals(tried(absent).kind, "put");
  assertEquals(tried(absent), { kind: "condition-failed", revision: 3 });
  assertEquals(tried(at(1)), { kind: "condition-failed", revision: 3 });
  assertEquals(tried(at(3)).kind, "put");
  const removal = (condition: Condition) =>
    driver.apply({ kind: "delete", key: "a", condition }).result;
  assertEquals(removal(at(3)), { kind: "condition-failed", revision: 6 });
  assertEquals(removal(at(6)).kind, "deleted");
  assertEquals(removal(present), { kind: "condition-failed", revision: 0 });
});

Deno.test("Store.apply() changes nothing and shows no event where a condition fails", () => {
  const driver = new Driver();
  driver.put("a", "1", { ttlMs: 100 });
  const before = driver.store.get("a");
  driver.put("a", "2", { condition: absent });
  assertEquals(driver.lastEvents(), []);
  driver.apply({ kind: "touch", key: "a", condition: at(9) });
  driver.apply({ kind: "delete", key: "a", condition: at(9) });
  assertEquals(driver.store.get("a"), before);
});

Deno.test("touch changes the time to live, keeps the value, and makes a revision", () => {
  const driver = new Driver();
  driver.put("a", "1", { ttlMs: 100 }, 1000);
  const touched = driver.apply({ kind: "touch", key: "a", ttlMs: 500 }, 1050).result;
  assertEquals(touched, { kind: "touched", revision: 2 });
  const { value, expiresAtMs, revision, createRevision } = driver.store.get("a")!;
  assertEquals([value, expiresAtMs, revision, createRevision], ["1", 1550, 2, 1]);
  driver.apply({ kind: "touch", key: "a" });
  assertEquals(driver.store.get("a")?.expiresAtMs, undefined);
  assertEquals(driver.apply({ kind: "touch", key: "b" }).result, { kind: "not-found" });
});

Deno.test("txn takes one branch, in order, and shares one revision", () => {
  const driver = new Driver();
  driver.put("{t}a", "1");
  const compares: TxnCompare[] = [
    { target: "value", key: "{t}a", operator: "=", value: utf8Bytes("1") },
  ];
  const applied = driver.apply({
    kind: "txn",
    compares,
    then: [
      { kind: "put", key: "{t}b", value: utf8Bytes("2"), contentType: "text/plain" },
      { kind: "get", key: "{t}b" },
      { kind: "deleteRange", start: "{t}a", end: "{t}b" },
      { kind: "get", key: "{t}a" },
      { kind: "delete", key: "{t}a" },
    ],
    else: [{ kind: "delete", key: "{t}b" }],
  });
  assert(applied.result.kind === "txn");
  assertEquals(applied.result.succeeded, true);
  const record = driver.store.get("{t}b");
  assertEquals(applied.result.results, [
    { kind: "put", created: true, revision: 2 },
    { kind: "get", revision: 2, record: record! },
    { kind: "deleteRange", deletedCount: 1 },
    { kind: "get", revision: 0 },
    { kind: "delete", deleted: false, revision: 2 },
  ]);
  assertEquals(driver.lastEvents(), ["put {t}b", "delete {t}a"]);
  const second = driver.apply({
    kind: "txn",
    compares,
    then: [],
    else: [{ kind: "delete", key: "{t}b" }],
  });
  assert(second.result.kind === "txn" && !second.result.succeeded);
  assertEquals(driver.store.size, 0);
});

Deno.test("txn compares a missing key as revision 0, and its value with nothing", () => {
  const driver = new Driver();
  driver.put("a", "m");
  const holds = (compare: TxnCompare) => {
    const { result } = driver.apply({ kind: "txn", compares: [compare], then: [], else: [] });
    assert(result.kind === "txn");
    return result.succeeded;
  };
  const value = (key: string, operator: "=" | "!=" | "<" | ">", text: string) =>
    holds({ target: "value", key, operator, value: utf8Bytes(text) });
  assertEquals(["=", "!=", "<", ">"].map((one) => value("no", one as "=", "")), [
    false,
    true,
    false,
    false,
  ]);
  assertEquals([value("a", "<", "n"), value("a", ">", "mm"), value("a", ">", "")], [
    true,
    false,
    true,
  ]);
  const revision = (key: string, operator: "=" | "<", expected: number) =>
    holds({ target: "createRevision", key, operator, revision: expected });
  assertEquals([revision("no", "=", 0), revision("a", "=", 1), revision("a", "<", 1)], [
    true,
    true,
    false,
  ]);
});

Deno.test("Store.scan() returns [start, end) in byte order, or its reverse", () => {
  const driver = new Driver();
  const keys = ["\x00", "a", "aa", "b", "\x7f", "\x80", "\xff", "\xff\xff"];
  for (const key of [...keys].reverse()) driver.put(key);
  const scan = (start: string, end?: string, reverse?: boolean) =>
    [...driver.store.scan(start, end, reverse)].map((record) => record.key);
  assertEquals(scan(""), keys);
  assertEquals(scan("", undefined, true), [...keys].reverse());
  assertEquals(scan("aa", "\x80"), ["aa", "b", "\x7f"]);
  assertEquals(scan("aa", "\x80", true), ["\x7f", "b", "aa"]);
  assertEquals(scan("aa", "aaa", true), ["aa"]);
  assertEquals(scan("b", "b"), []);
  assertEquals(scan("c", "b", true), []);
  assertEquals([...new Driver().store.scan("", "z", true)], []);
});

Deno.test("Store.scan() shows the state of its call, not of its first step", () => {
  const driver = new Driver();
  driver.put("a", "1");
  const scan = driver.store.scan("", undefined);
  driver.put("a", "2");
  driver.put("b", "2");
  assertEquals([...scan].map((record) => record.value), ["1"]);
});

Deno.test("Store.listen() is called with every event, in order", () => {
  const driver = new Driver();
  const heard: unknown[] = [];
  driver.store.listen((event) => heard.push(event));
  driver.put("a", "1", { ttlMs: 10 });
  driver.put("a", "2", {}, 10);
  driver.apply({ kind: "delete", key: "a" });
  assertEquals(heard, driver.store.eventsAfter({ revision: 0, subIndex: 0 }, 10));
  driver.store.listen(undefined);
  driver.put("a", "3");
  assertEquals(heard.length, 4);
});

Deno.test("Store.apply() refuses an index that it has applied, and bytes of nobody", () => {
  const driver = new Driver();
  driver.put("a");
  assertThrows(
    () => driver.store.applyEnvelope(1, { timeMs: 0, command: put("a") }),
    InvariantError,
  );
  assertThrows(() => driver.store.apply(2, new Uint8Array(20)), CodecError);
});
