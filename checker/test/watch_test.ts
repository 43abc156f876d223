import { assertEquals } from "@std/assert";
import { checkWatch, type WatchedEvent, type WatchedWrite } from "../mod.ts";

const WRITES: WatchedWrite[] = [
  { kind: "put", key: "a", value: 1, revision: 3 },
  { kind: "put", key: "b", value: 2, revision: 5 },
  { kind: "delete", key: "a", revision: 6 },
  { kind: "put", key: "a", value: 4, revision: 9 },
  { kind: "put", key: "c", value: 5 },
];

const EVENTS: WatchedEvent[] = [
  { kind: "put", key: "a", value: 1, revision: 3 },
  { kind: "put", key: "b", value: 2, revision: 5 },
  { kind: "delete", key: "a", revision: 6 },
  { kind: "put", key: "a", value: 4, revision: 9 },
];

const START = { revision: 0 };
const kinds = (...args: Parameters<typeof checkWatch>) =>
  checkWatch(...args).map(({ kind }) => kind);

Deno.test("checkWatch() accepts a whole stream", () => {
  assertEquals(kinds([{ after: START, events: EVENTS, through: 12 }], WRITES), []);
});

Deno.test("checkWatch() accepts an unknown write at most once", () => {
  const seen: WatchedEvent = { kind: "put", key: "c", value: 5, revision: 7 };
  const once = [...EVENTS.slice(0, 3), seen, EVENTS[3]!];
  assertEquals(kinds([{ after: START, events: once }], WRITES), []);
  const twice = [...once, { ...seen, revision: 11 }];
  assertEquals(kinds([{ after: START, events: twice }], WRITES), ["invented"]);
});

Deno.test("checkWatch() names a gap, also at the end and across a resume", () => {
  assertEquals(kinds([{ after: START, events: EVENTS.toSpliced(1, 1) }], WRITES), ["gap"]);
  assertEquals(kinds([{ after: START, events: EVENTS.slice(0, 3), through: 9 }], WRITES), ["gap"]);
  assertEquals(kinds([{ after: START, events: EVENTS.slice(0, 3), through: 8 }], WRITES), []);
  const resumed = [{ after: START, events: EVENTS.slice(0, 1) }, { events: EVENTS.slice(2) }];
  assertEquals(kinds(resumed, WRITES), ["gap"]);
  assertEquals(
    kinds([{ after: START, events: EVENTS.slice(0, 2) }, { events: EVENTS.slice(2) }], WRITES),
    [],
  );
});

Deno.test("checkWatch() names repeats, disorder, inventions and changed values", () => {
  assertEquals(
    kinds([{ after: START, events: EVENTS.slice(0, 2) }, { events: EVENTS.slice(1) }], WRITES),
    ["repeated"],
  );
  assertEquals(
    kinds([{ after: START, events: [EVENTS[0]!, EVENTS[2]!, EVENTS[1]!, EVENTS[3]!] }], WRITES),
    ["gap", "out-of-order"],
  );
  assertEquals(
    kinds([{ after: START, events: [{ kind: "put", key: "z", value: 0, revision: 2 }] }], WRITES),
    ["invented"],
  );
  const changed = EVENTS.with(1, { ...EVENTS[1]!, value: 99 });
  assertEquals(checkWatch([{ after: START, events: changed }], WRITES)[0]!.kind, "different");
});

Deno.test("checkWatch() looks at watched keys only", () => {
  const includes = (key: string) => key === "a";
  const own = EVENTS.filter(({ key }) => key === "a");
  assertEquals(kinds([{ after: START, events: own, through: 20 }], WRITES, { includes }), []);
  assertEquals(kinds([{ after: START, events: EVENTS }], WRITES, { includes }), ["not-watched"]);
});

Deno.test("checkWatch() accepts expiries only where the system expires keys", () => {
  const events: WatchedEvent[] = [...EVENTS, { kind: "expire", key: "a", revision: 10 }];
  assertEquals(kinds([{ after: START, events }], WRITES), ["invented"]);
  assertEquals(kinds([{ after: START, events }], WRITES, { expires: true }), []);
});

Deno.test("checkWatch() tells a transaction's events apart by their number", () => {
  const writes: WatchedWrite[] = [
    { kind: "put", key: "x", value: 1, revision: 4 },
    { kind: "put", key: "y", value: 1, revision: 4 },
  ];
  const events: WatchedEvent[] = [
    { kind: "put", key: "x", value: 1, revision: 4, subIndex: 0 },
    { kind: "put", key: "y", value: 1, revision: 4, subIndex: 1 },
  ];
  assertEquals(kinds([{ after: START, events, through: 5 }], writes), []);
  assertEquals(kinds([{ after: START, events: events.slice(0, 1), through: 5 }], writes), ["gap"]);
  assertEquals(
    kinds(
      [{ after: START, events: events.slice(0, 1) }, { events: events.slice(1), through: 5 }],
      writes,
    ),
    [],
  );
});
