// Histories as files: what the recorder writes, the checker and Jepsen's readers can read.

import { assertEquals } from "@std/assert";
import { check, kv, parseHistory } from "../../checker/mod.ts";
import { ednOf } from "../../chaos/report/edn.ts";
import { EventParser } from "../../chaos/workloads/event_stream.ts";
import { kvCall } from "../../chaos/workloads/kv_calls.ts";
import { Recorder } from "../../chaos/workloads/recorder.ts";

function recorded(): string[] {
  const lines: string[] = [];
  let now = 0;
  const recorder = new Recorder(() => now += 1.5, (line) => lines.push(line));
  const first = recorder.process();
  const second = recorder.process();
  const put = recorder.invoke(first, 0, kvCall({ f: "put", key: "a", value: 1 }), "n1");
  const lost = recorder.invoke(
    second,
    1,
    kvCall({ f: "put", key: "a", value: 2 }, { kind: "write" }),
    "n2",
  );
  const output = { status: 201, revision: 4 };
  recorder.complete(put, { type: "ok", output, applied: 4, partition: "1" }, 1);
  const fault = {
    kind: "kill",
    targets: ["n1"],
    atMs: 0,
    untilMs: Infinity,
    bit: true,
    detail: "",
  };
  recorder.fault(fault, "start");
  recorder.complete(lost, { type: "info", error: 'no "answer"' }, 2);
  recorder.fault(fault, "heal");
  const get = recorder.invoke(first, 0, kvCall({ f: "get", key: "a" }), "n1");
  recorder.complete(get, { type: "ok", output: { status: 200, value: 1, revision: 4 } }, 1);
  const refused = recorder.invoke(first, 0, kvCall({ f: "delete", key: "a" }), "n1");
  recorder.complete(refused, { type: "fail", error: "503 no-leader" }, 1);
  return lines;
}

Deno.test("a recorded history is read back by the checker, from NDJSON and from EDN alike", () => {
  const lines = recorded();
  const ndjson = parseHistory(lines.join("\n"), { format: "ndjson" });
  const edn = parseHistory(ednOf(lines), { format: "edn" });
  assertEquals(ndjson.operations.length, 3);
  const plain = (operations: typeof edn.operations) =>
    operations.map(({ process, input, output, applied }) => ({ process, input, output, applied }));
  assertEquals(plain(edn.operations), plain(ndjson.operations));
  assertEquals(check(edn.operations, kv()).verdict, "linearizable");
});

Deno.test("a history in EDN is one that Jepsen's tools know", () => {
  const lines = ednOf(recorded()).trimEnd().split("\n");
  assertEquals(
    lines[0]!.startsWith(
      '{:index 0, :time 1500000, :process 0, :type :invoke, :f :put, :value ["a" 1]',
    ),
    true,
  );
  assertEquals(
    lines.filter((line) => line.includes(":process :nemesis")).map((line) => line.slice(0, 90)),
    [
      '{:index 3, :time 6000000, :process :nemesis, :type :info, :f :start-kill, :value ["n1"]}',
      '{:index 5, :time 9000000, :process :nemesis, :type :info, :f :heal-kill, :value ["n1"]}',
    ],
  );
  assertEquals(lines.every((line) => line.startsWith("{") && line.endsWith("}")), true);
});

Deno.test("EventParser takes a stream in any pieces", () => {
  const text =
    ': hello\n\nevent: put\nid: c1\ndata: {"a":\ndata: 1}\n\nevent: bye\r\ndata: x\r\n\r\n';
  for (const size of [1, 2, 7, 1000]) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) {
      events.push(...parser.push(text.slice(at, at + size)));
    }
    assertEquals(events, [
      { event: "put", data: '{"a":\n1}', id: "c1" },
      { event: "bye", data: "x", id: undefined },
    ]);
  }
});
