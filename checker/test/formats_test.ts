// What is read, and what is refused with which line.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  check,
  detectFormat,
  HistoryError,
  HistoryReader,
  kv,
  operationsFrom,
  parseHistory,
  parseModelReference,
  register,
  validateOperations,
} from "../mod.ts";

const EVENTS = `{"process":1,"type":"invoke","input":{"f":"write","value":{"a":[1,null]}}}
{"process":2,"type":"invoke","f":"read"}
{"process":1,"type":"ok","output":null,"applied":4,"partition":2}
{"process":2,"type":"ok","value":{"a":[1,null]}}
{"process":1,"type":"invoke","f":"write","value":3}
`;

function failure(text: string, options = {}): string {
  return (assertThrows(() => parseHistory(text, options), HistoryError) as HistoryError).message;
}

Deno.test("parseHistory() reads NDJSON events in record order", () => {
  const { format, operations } = parseHistory(EVENTS);
  assertEquals(format, "ndjson");
  assertEquals(operations.length, 3);
  const [write, read, open] = operations;
  assertEquals([write!.call, write!.return, write!.applied, write!.partition, write!.line], [
    0,
    2,
    4,
    2,
    1,
  ]);
  assertEquals(read!.output, { a: [1, null] });
  assertEquals(open!.return, undefined);
  assertEquals(check(operations, register()).verdict, "linearizable");
});

Deno.test("HistoryReader gives the same result whatever the chunks", () => {
  const whole = parseHistory(EVENTS).operations;
  for (let size = 1; size < EVENTS.length; size += 7) {
    const reader = new HistoryReader();
    for (let at = 0; at < EVENTS.length; at += size) reader.push(EVENTS.slice(at, at + size));
    assertEquals(reader.end().operations, whole);
  }
});

Deno.test("parseHistory() reads NDJSON of whole operations", () => {
  const { operations } = parseHistory(
    `{"process":"a","call":10,"return":12,"input":{"f":"write","value":1},"output":null}
{"process":"b","call":11,"return":null,"input":{"f":"write","value":2}}
{"process":"a","call":13,"return":14,"type":"fail","input":{"f":"write","value":3}}
`,
  );
  assertEquals(operations.length, 2);
  assertEquals(operations[1]!.return, null);
});

Deno.test("parseHistory() reads EDN over several lines, with comments, tags and sets", () => {
  const { format, operations } = parseHistory(
    `; a comment
[{:process 0, :type :invoke, :f :write, :value "a\\"\\u0041"}
 #_ {:ignored true}
 {:process 0, :type :ok,
  :f :write, :value "a\\"A"} #jepsen.history.Op{:process 1 :type :invoke :f :cas :value [1.5 #{2}]}
 {:process :nemesis, :type :info, :f :kill, :value nil}]`,
  );
  assertEquals(format, "edn");
  assertEquals(operations.map(({ input, line }) => ({ input, line })), [
    { input: { f: "write", value: 'a"A' }, line: 2 },
    { input: { f: "cas", value: [1.5, [2]] }, line: 5 },
  ]);
});

Deno.test("parseHistory() reads EDN maps without an enclosing vector", () => {
  const { operations } = parseHistory(
    "{:type :invoke, :f :read, :value nil, :process 0, :time 1}\n{:type :ok, :f :read, :value 3, :process 0}",
  );
  assertEquals(operations[0]!.output, 3);
});

Deno.test("parseHistory() reads both of Porcupine's logs", () => {
  const etcd = parseHistory(
    "INFO  jepsen.core - not an event\nINFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n" +
      "INFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\nINFO  jepsen.util - 1\t:invoke\t:read\tnil\n" +
      "INFO  jepsen.util - 1\t:fail\t:read\t:timed-out\n",
  );
  assertEquals([etcd.format, etcd.fail], ["porcupine-etcd", "not-equal"]);
  assertEquals(etcd.operations.length, 1);
  assert(etcd.operations[0]!.failed);
  const stores = parseHistory(
    '{:process 0, :type :invoke, :f :get, :key "k", :value nil}\n' +
      '{:process 0, :type :ok, :f :get, :key "k", :value ""}\n',
  );
  assertEquals(stores.format, "porcupine-kv");
  assertEquals(stores.operations[0]!.input, { f: "get", key: "k", value: null });
});

Deno.test("both meanings of fail are an option", () => {
  const text =
    "[{:process 0 :type :invoke :f :cas :value [0 1]} {:process 0 :type :fail :f :cas :value [0 1]}]";
  assertEquals(parseHistory(text).operations.length, 0);
  const [seen] = parseHistory(text, { fail: "not-equal" }).operations;
  assertEquals(seen!.failed, true);
  // Only a failed cas is an observation.
  const read = text.replaceAll(":cas", ":read");
  assertEquals(parseHistory(read, { fail: "not-equal" }).operations.length, 0);
});

Deno.test("ill-formed lines are errors with their line number", () => {
  const good = '{"process":1,"type":"invoke","f":"read"}';
  assert(failure(`${good}\n\n{"process":1,"type":"ok"\n`).startsWith("line 3: not JSON"));
  assert(failure(`${good}\n{"process":1,"type":"okay"}`).startsWith('line 2: "type" must be'));
  assert(failure(`${good}\n{"type":"ok"}`).startsWith('line 2: an event needs a "process"'));
  assert(failure(`${good}\n[1]`).startsWith("line 2: an event must be a map"));
  assert(failure('{"process":1,"type":"invoke"}').startsWith("line 1: an invocation needs"));
  // Two halves that would join into one whole.
  assert(
    failure(`${good}\n{"process":2,"type":"invoke","f":"read","x":[\n1]}`).startsWith("line 2"),
  );
  assert(
    failure("[{:process 0 :type :invoke :f :read}\n {:process 0 :type}]").startsWith("line 2"),
  );
  assert(failure("[{:process 0 :type :invoke :f :read}\n").startsWith("line 2: the file ends"));
  assert(
    failure("[{:process 0 :type :invoke :f :read}]\n[]").startsWith("line 2: something follows"),
  );
  assert(
    failure("INFO  jepsen.util - 0\t:invoke\t:read\tnil\ngarbage").startsWith("line 2: expected"),
  );
  assert(failure("INFO  jepsen.util - 0\t:began\t:read\tnil").startsWith("line 1: not an event"));
  assert(
    failure('{:process 0 :type :invoke :f :get :key "a"}\n{', { format: "porcupine-kv" })
      .startsWith("line 2"),
  );
});

Deno.test("calls and returns that do not pair up are errors", () => {
  const invoke = '{"process":1,"type":"invoke","f":"read"}\n';
  assertEquals(
    failure(invoke + invoke),
    "line 2: process 1 invokes while its call of line 1 is still open",
  );
  assertEquals(
    failure('{"process":1,"type":"ok","value":3}'),
    'line 1: process 1 has no open call to complete with "ok"',
  );
  assert(
    failure(`${invoke}{"process":1,"type":"ok","f":"write"}`).startsWith(
      "line 2: process 1 completes",
    ),
  );
  assert(
    failure(
      '{"process":1,"type":"invoke","f":"r","sequence":2}\n{"process":1,"type":"ok","sequence":2}',
    )
      .startsWith('line 2: "sequence" must grow'),
  );
});

Deno.test("an empty history is an error, one in which nothing happened is not", () => {
  assertEquals(failure(""), "the history is empty");
  assertEquals(failure("  ; nothing\n"), "the history is empty");
  assertEquals(failure("[]"), "the history is empty: it holds no event");
  assertEquals(parseHistory("[{:process :nemesis :type :info :f :kill}]").operations, []);
  assertThrows(() => check([], register()), HistoryError, "empty");
  assertEquals(check([], register(), { allowEmpty: true }).verdict, "linearizable");
});

Deno.test("detectFormat() refuses what it does not know", () => {
  assertThrows(() => detectFormat("hello"), HistoryError, "the format is none of");
});

Deno.test("validateOperations() refuses overlap within a process and returns before calls", () => {
  const input = { f: "read" };
  assertThrows(
    () =>
      validateOperations([{ process: 1, call: 0, return: 5, input }, {
        process: 1,
        call: 3,
        input,
      }]),
    HistoryError,
    "still open",
  );
  assertThrows(
    () => validateOperations([{ process: 1, call: 4, return: 3, input }]),
    HistoryError,
    "before",
  );
  assertThrows(
    () => validateOperations([{ process: 1, call: NaN, input }]),
    HistoryError,
    "finite",
  );
  validateOperations([{ process: 1, call: 0, input }, { process: 1, call: 3, input }]);
});

Deno.test("check() names the line of an operation its model can't judge", () => {
  const { operations } = parseHistory(
    '{"process":1,"type":"invoke","f":"put","key":"a","value":1}\n{"process":1,"type":"ok","output":{"status":504}}',
  );
  assertThrows(() => check(operations, kv()), HistoryError, "line 1: status 504 decides nothing");
});

Deno.test("operationsFrom() takes events in memory", () => {
  const operations = operationsFrom([
    { process: 1, type: "invoke", f: "write", value: 1 },
    { process: 1, type: "info" },
    { process: 2, type: "invoke", f: "read" },
    { process: 2, type: "ok", value: 1 },
  ]);
  assertEquals(operations.map((operation) => operation.return), [undefined, 3]);
});

Deno.test("parseModelReference() takes names without quotes", () => {
  assertEquals(parseModelReference("multi-register(init={x:0, y:null})"), {
    name: "multi-register",
    init: { x: 0, y: null },
  });
  assertThrows(() => parseModelReference("a(b)"), TypeError);
});
