// Recorded histories, proofs, limits, and the command line.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { defaultDataFolder, runConformance } from "../cli/conformance.ts";
import {
  appendKvWhole,
  casRegister,
  check,
  checkParallel,
  describeOperation,
  kv,
  modelNamed,
  type NondeterministicModel,
  type Operation,
  register,
} from "../mod.ts";
import { parseArguments, UsageError } from "../cli/options.ts";
import { randomFrom, randomHistory, SHAPES } from "./random_history.ts";

const op = (
  process: number,
  call: number,
  end: number | undefined,
  input: unknown,
  output?: unknown,
  applied?: number,
): Operation => ({
  process,
  call,
  return: end,
  input,
  output,
  ...(applied === undefined ? {} : { applied }),
});

Deno.test("all recorded histories get their verdicts", async () => {
  try {
    Deno.statSync(new URL("verdicts.tsv", defaultDataFolder()));
  } catch {
    if (Deno.env.get("PONTOON_TEST_REQUIRE") === "1") throw new Error("needs the shared histories");
    console.log("skipped: needs the shared histories (PONTOON_SHARED)");
    return;
  }
  const { passed, failures } = await runConformance(defaultDataFolder());
  assertEquals(failures, []);
  assert(passed > 0);
});

Deno.test("a stale read is explained by what the register held", () => {
  const history = [
    op(1, 0, 1, { f: "write", value: 1 }),
    op(1, 2, 3, { f: "write", value: 2 }),
    op(2, 4, 5, { f: "read" }, 1),
    op(3, 6, 7, { f: "read" }, 2),
  ];
  for (const without of [[], ["zones"]] as const) {
    const { verdict, counterexample } = check(history, register(0), { without });
    assertEquals(verdict, "illegal");
    // What came before the write of 2 can't matter: it is named, not part of the proof.
    if (without.length > 0) assertEquals([...counterexample!.operations], [1, 2]);
    assertEquals(counterexample!.blocked, 2);
    assert(counterexample!.minimal && counterexample!.verified);
    assertEquals(counterexample!.states, ["2"]);
    assertStringIncludes(counterexample!.explanation, "read -> 1 (process 2");
    assertStringIncludes(counterexample!.explanation, "write(1) (process 1");
  }
});

Deno.test("an operation of unknown outcome explains a read, or stays out of the order", () => {
  const history = [op(1, 0, undefined, { f: "write", value: 1 }), op(2, 1, 2, { f: "read" }, 1)];
  const seen = check(history, casRegister(0));
  assertEquals([...seen.partitions[0]!.order], [0, 1]);
  const unseen = check([history[0]!, op(2, 1, 2, { f: "read" }, 0)], casRegister(0));
  assertEquals([...unseen.partitions[0]!.order], [1]);
});

Deno.test("an unread unknown write is kept where a failed cas needs it", () => {
  const history = [
    op(1, 0, undefined, { f: "write", value: 7 }),
    { ...op(2, 1, 2, { f: "cas", value: [0, 1] }), failed: true },
  ];
  assertEquals(check(history, casRegister(0)).verdict, "linearizable");
});

Deno.test("an unread unknown put is kept where a 200, a 404 or a 412 needs it", () => {
  const put = op(1, 0, undefined, { f: "put", key: "k", value: 1 });
  const replaced = op(2, 1, 2, { f: "put", key: "k", value: 2 }, { status: 200, revision: 9 });
  assertEquals(check([put, replaced], kv()).verdict, "linearizable");
  assertEquals(check([replaced], kv()).verdict, "illegal");
  const exists = op(2, 1, 2, { f: "put", key: "k", value: 2, ifNoneMatch: "*" }, {
    status: 412,
    revision: 3,
  });
  assertEquals(check([put, exists], kv()).verdict, "linearizable");
  assertEquals(check([exists], kv()).verdict, "illegal");
  const gone = op(3, 3, 4, { f: "get", key: "k" }, { status: 404 });
  const remove = op(4, 0, undefined, { f: "delete", key: "k" });
  const created = op(2, 1, 2, { f: "put", key: "k", value: 2 }, { status: 201, revision: 9 });
  assertEquals(check([remove, created, gone], kv()).verdict, "linearizable");
  assertEquals(check([created, gone], kv()).verdict, "illegal");
});

Deno.test("witness first accepts an order only if it fits, and falls back otherwise", () => {
  const put = (process: number, at: number, value: number, revision: number, applied: number) =>
    op(process, at, at + 1, { f: "put", key: "k", value }, {
      status: revision === 1 ? 201 : 200,
      revision,
    }, applied);
  const right = [put(1, 0, 1, 1, 1), put(2, 2, 2, 2, 2)];
  assertEquals(check(right, kv()).partitions[0]!.method, "witness");
  // Wrong hints on a right history: still linearizable, by search.
  const misled = [put(1, 0, 1, 1, 5), put(2, 2, 2, 2, 4)];
  const verdict = check(misled, kv());
  assertEquals([verdict.verdict, verdict.partitions[0]!.method], ["linearizable", "search"]);
});

Deno.test("limits end in unknown, with a reason", () => {
  const history = hardAndEasy().filter(({ input }) => (input as { key: string }).key === "hard");
  const model = modelNamed({ name: "append-kv" });
  const bySteps = check(history, model, { stepsMax: 10_000 });
  assertEquals(bySteps.verdict, "unknown");
  assertStringIncludes(bySteps.reason!, "steps");
  const byMemory = check(history, model, { memoryBytes: 2e6 });
  assertEquals(byMemory.verdict, "unknown");
  assertStringIncludes(byMemory.reason!, "memory");
  let now = 0;
  const byTime = check(history, model, { timeoutMs: 50, clock: () => now += 10 });
  assertEquals(byTime.verdict, "unknown");
  assertStringIncludes(byTime.reason!, "time");
});

/** One hard key, and one whose refutation is a single read. */
function hardAndEasy(): Operation[] {
  const history: Operation[] = [];
  for (let i = 0; i < 40; i++) {
    const input = { f: "append", key: "hard", value: String.fromCharCode(97 + (i % 26)) };
    history.push(op(i, i, 1000 + i, input));
  }
  history.push(op(60, 2000, 2001, { f: "get", key: "hard" }, "!"));
  history.push(op(61, 0, 1, { f: "append", key: "easy", value: "x" }));
  for (let i = 0; i < 60; i++) {
    history.push(op(62, 10 + 2 * i, 11 + 2 * i, { f: "get", key: "easy" }, i < 59 ? "x" : "y"));
  }
  return history;
}

Deno.test("an easy refutation is not hidden behind a hard partition", async () => {
  const model = modelNamed({ name: "append-kv" });
  const options = { stepsMax: 2_000_000, minimize: "none" } as const;
  assertEquals(check(hardAndEasy(), model, options).verdict, "illegal");
  const { verdict } = await checkParallel(hardAndEasy(), { name: "append-kv" }, {
    ...options,
    jobs: 2,
  });
  assertEquals(verdict, "illegal");
});

Deno.test("threads give the verdict that one thread gives", async () => {
  const history = hardAndEasy().filter(({ input }) => (input as { key: string }).key === "hard");
  // Two hard keys: each goes to a thread of its own and runs out of steps.
  const two = [
    ...history,
    ...history.map((operation) => ({
      ...operation,
      process: Number(operation.process) + 100,
      input: { ...operation.input as object, key: "hard too" },
    })),
  ];
  const verdict = await checkParallel(two, { name: "append-kv" }, { jobs: 2, stepsMax: 200_000 });
  assertEquals(verdict.verdict, "unknown");
  assertEquals(verdict.partitions.length, 2);
  assertStringIncludes(verdict.reason!, "2 of 2 partitions undecided: steps");
});

Deno.test("independence is found where the model declares none", () => {
  const history = hardAndEasy().filter(({ input }) => (input as { key: string }).key === "easy");
  const other = history.slice(0, 3).map((operation) => ({
    ...operation,
    process: Number(operation.process) + 100,
    input: { ...operation.input as object, key: "b" },
  }));
  const found = check([...history, ...other], appendKvWhole());
  assertEquals(found.partitions.length, 2);
  const whole = check([...history, ...other], appendKvWhole(), { without: ["independence"] });
  assertEquals(whole.partitions.length, 1);
  assertEquals(found.verdict, whole.verdict);
});

Deno.test("non-deterministic models are checked over sets of states", () => {
  // A coin that may land on either side each time it is tossed.
  const coin: NondeterministicModel<string, Operation<string, string>> = {
    name: "coin",
    init: () => "heads",
    hash: (state) => state,
    steps: (state, { input, output }) =>
      input === "toss" ? ["heads", "tails"] : state === output ? [state] : [],
    describe: ({ input, output }) => `${input} -> ${output}`,
    describeState: (state) => state,
  };
  const look = (call: number, output: string) => op(1, call, call + 1, "look", output);
  const toss = op(2, 10, 11, "toss");
  assertEquals(check([look(0, "heads"), toss, look(12, "tails")], coin).verdict, "linearizable");
  assertEquals(check([look(0, "tails"), toss], coin).verdict, "illegal");
  const { verdict, counterexample } = check([toss, look(12, "tails"), look(14, "heads")], coin);
  assertEquals(verdict, "illegal");
  assertStringIncludes(counterexample!.explanation, "tails");
});

Deno.test("taking a read away keeps a linearizable history linearizable, for every model", () => {
  const seed = Number(Deno.env.get("PONTOON_TEST_SEED") ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  for (const [name, shape] of Object.entries(SHAPES)) {
    for (let i = 0; i < 200; i++) {
      const history = randomHistory(shape, random, 12);
      if (check(history, shape.model, { minimize: "none" }).verdict !== "linearizable") continue;
      const at = Math.floor(random() * history.length);
      // An observer can go, and any answer can be forgotten.
      const forgotten = history.with(at, { ...history[at]!, return: undefined });
      const cut = shape.model.observes?.(history[at]!) ? history.toSpliced(at, 1) : forgotten;
      const options = { allowEmpty: true, minimize: "none" } as const;
      assertEquals(
        check(cut, shape.model, options).verdict,
        "linearizable",
        `${name}, seed ${seed}`,
      );
      assertEquals(
        check(forgotten, shape.model, options).verdict,
        "linearizable",
        `${name}, seed ${seed}`,
      );
    }
  }
});

Deno.test("describeOperation() names process and place", () => {
  assertEquals(
    describeOperation(register(), op(3, 4, 5, { f: "write", value: 1 })),
    "write(1) (process 3, called at 4)",
  );
});

Deno.test("parseArguments() reads every option and refuses the rest", () => {
  const options = parseArguments(
    [
      "h.edn",
      "--model",
      "cas-register(init=0)",
      "--init=5",
      "--timeout",
      "2m",
      "--memory=2GB",
      "--jobs",
      "3",
      "--json",
    ],
  );
  assert(options !== "help");
  assertEquals(options.model, { name: "cas-register", init: 5 });
  assertEquals([options.timeoutMs, options.memoryBytes, options.jobs, options.json], [
    120_000,
    2e9,
    3,
    true,
  ]);
  for (
    const bad of [["x"], ["--model", "kv"], ["x", "--model", "no"], [
      "x",
      "--model",
      "kv",
      "--timeout",
      "9",
    ], ["x", "--odd"]]
  ) {
    let error: unknown;
    try {
      parseArguments(bad);
    } catch (caught) {
      error = caught;
    }
    assert(error instanceof UsageError, bad.join(" "));
  }
});

Deno.test("the command's exit codes are 0, 1, 2 and 64", async () => {
  const folder = await Deno.makeTempDir();
  const main = new URL("../cli/main.ts", import.meta.url).pathname;
  const run = async (text: string, ...args: string[]) => {
    await Deno.writeTextFile(`${folder}/h.ndjson`, text);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-read",
        "--allow-write",
        main,
        `${folder}/h.ndjson`,
        "--model",
        "register",
        ...args,
      ],
    }).output();
    return { code, out: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
  };
  try {
    const write = '{"process":1,"call":0,"return":1,"input":{"f":"write","value":1}}\n';
    const read = (value: number) =>
      `{"process":1,"call":2,"return":3,"input":{"f":"read"},"output":${value}}\n`;
    assertEquals((await run(write + read(1))).code, 0);
    const illegal = await run(write + read(2), "--json", "--html", `${folder}/page.html`);
    assertEquals(illegal.code, 1);
    assertEquals(JSON.parse(illegal.out).counterexample.blocked, 1);
    assertStringIncludes(await Deno.readTextFile(`${folder}/page.html`), "Not linearizable");
    const bad = await run(`${write}oops\n`);
    assertEquals(bad.code, 64);
    assertStringIncludes(bad.error, "line 2: not JSON");
    let hard = "";
    for (let i = 0; i < 40; i++) {
      hard += `{"process":${i},"call":0,"return":9,"input":{"f":"write","value":${i % 20}}}\n`;
    }
    hard += '{"process":41,"call":10,"return":11,"input":{"f":"read"},"output":0}\n';
    hard += '{"process":41,"call":12,"return":13,"input":{"f":"read"},"output":77}\n';
    const unknown = await run(hard, "--timeout", "50ms", "--json");
    assert([1, 2].includes(unknown.code));
    assertEquals(JSON.parse(unknown.out).verdict, unknown.code === 1 ? "illegal" : "unknown");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
