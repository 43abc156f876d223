// The parts of `deno task cluster` that need no process: flags, the directory's marker, status, stop requests.

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { type Ancestor, ChainJudge, programOf } from "../../scripts/cluster/ancestors.ts";
import { claimDataDir, MARKER_FILE } from "../../scripts/cluster/data_dir.ts";
import {
  type ClusterAnswer,
  isSettled,
  MoveProgress,
} from "../../scripts/cluster/move_progress.ts";
import { lastWords, nodeArguments } from "../../scripts/cluster/node_process.ts";
import { ClusterError, type ClusterOptions, parseOptions } from "../../scripts/cluster/options.ts";
import {
  parsePs,
  parseStatusFiles,
  type ProcessInfo,
} from "../../scripts/cluster/process_table.ts";
import { Screen } from "../../scripts/cluster/screen.ts";
import { isReady, type NodeStatus, statusLine, statusTable } from "../../scripts/cluster/status.ts";
import { StopRequests } from "../../scripts/cluster/stop_requests.ts";

function options(...args: string[]): ClusterOptions {
  const parsed = parseOptions(args);
  assert(parsed !== undefined);
  return parsed;
}

Deno.test("parseOptions() derives addresses and directories", () => {
  const { nodes, fresh } = options("--port", "9000", "--data", "/d");
  assertEquals(fresh, false);
  assertEquals(nodes.map(({ name }) => name), ["n1", "n2", "n3"]);
  assertEquals(nodes[2], {
    name: "n3",
    http: "127.0.0.1:9002",
    peer: "127.0.0.1:10002",
    dataDir: "/d/n3",
    logPath: "/d/n3/node.log",
  });
  assertEquals(parseOptions(["--help"]), undefined);
});

Deno.test("parseOptions() puts peer ports below when there is no room above", () => {
  const [first, second] = options("--port", "64535", "--nodes", "2").nodes;
  assertEquals([first.peer, second.peer], ["127.0.0.1:63535", "127.0.0.1:63536"]);
  assertEquals(options("--port", "64534", "--nodes", "2").nodes[1].peer, "127.0.0.1:65535");
});

Deno.test("parseOptions() refuses what it can't use", () => {
  const wrong = [
    ["--nodes", "0"],
    ["--nodes", "17"],
    ["--nodes", "2.5"],
    ["--nodes", "1e1"],
    ["--port", "0"],
    ["--port", "65534"],
    ["--port", ""],
    ["--data", ""],
    ["--partitions", "0"],
    ["--unknown"],
    ["stray"],
  ];
  for (const args of wrong) {
    assertThrows(() => parseOptions(args), ClusterError, undefined, `${args}`);
  }
});

Deno.test("nodeArguments() keeps a comma in a path from splitting a permission", () => {
  const cluster = options("--data", "/a,b", "--nodes", "1");
  const args = nodeArguments(cluster.nodes[0], cluster);
  assert(args.includes("--allow-write=/a,,b/n1"));
  assert(args.includes("/a,b/n1"));
  assert(!args.includes("-A"));
});

Deno.test("lastWords() finds the fatal line among others", () => {
  const info = '{"level":"info","message":"node started"}';
  const error = '{"level":"error","message":"fatal: Cannot sync","error":"EIO\\n  at x"}';
  assertEquals(lastWords(`${info}\npontoon: no room\n`), "no room");
  assertEquals(lastWords(`${error}\n${info}\n{"level":"err`), "fatal: Cannot sync: EIO");
  assertEquals(
    lastWords(`${info}\nerror: Uncaught Error: x\n    at y\n`),
    "error: Uncaught Error: x",
  );
  assertEquals(lastWords(`${info}\n`), undefined);
});

async function withTempDir(use: (dir: string) => void | Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-parts-" });
  try {
    await use(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("claimDataDir() marks an empty directory, and finds its data again", () =>
  withTempDir((dir) => {
    const data = join(dir, "deep", "data");
    const first = claimDataDir(options("--data", data));
    assertEquals(first.existing, false);
    Deno.mkdirSync(join(data, "n1"));
    first.release();
    const second = claimDataDir(options("--data", data));
    assertEquals(second.existing, true);
    second.release();
  }));

Deno.test("claimDataDir() neither uses nor deletes a directory without the marker", () =>
  withTempDir((dir) => {
    const precious = join(dir, "precious");
    Deno.writeTextFileSync(precious, "x");
    for (const flags of [[], ["--fresh"]]) {
      assertThrows(() => claimDataDir(options("--data", dir, ...flags)), ClusterError, MARKER_FILE);
    }
    assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name), ["precious"]);
    assertThrows(() => claimDataDir(options("--data", precious)), ClusterError, "Cannot use");
    assertEquals(Deno.readTextFileSync(precious), "x");
  }));

Deno.test("claimDataDir() does not trust another program's file of the marker's name", () =>
  withTempDir((dir) => {
    Deno.writeTextFileSync(join(dir, MARKER_FILE), "hello");
    Deno.writeTextFileSync(join(dir, "precious"), "x");
    const args = ["--data", dir, "--fresh"];
    assertThrows(() => claimDataDir(options(...args)), ClusterError, "not a cluster's marker");
    Deno.writeTextFileSync(
      join(dir, MARKER_FILE),
      '{"format":"pontoon-cluster","version":2,"nodes":3}',
    );
    assertThrows(() => claimDataDir(options(...args)), ClusterError, "version 2");
    assertEquals(Deno.readTextFileSync(join(dir, "precious")), "x");
  }));

Deno.test("claimDataDir() with --fresh empties a marked directory, links not followed", () =>
  withTempDir((dir) => {
    const data = join(dir, "data");
    claimDataDir(options("--data", data)).release();
    Deno.writeTextFileSync(join(dir, "outside"), "x");
    Deno.mkdirSync(join(data, "n1"));
    Deno.symlinkSync(dir, join(data, "n1", "link"));
    const claim = claimDataDir(options("--data", data, "--fresh"));
    assertEquals(claim.existing, false);
    claim.release();
    assertEquals([...Deno.readDirSync(data)].map(({ name }) => name), [MARKER_FILE]);
    assertEquals(Deno.readTextFileSync(join(dir, "outside")), "x");
  }));

Deno.test("claimDataDir() refuses fewer nodes, or other ports, than the directory's, but for --fresh", () =>
  withTempDir((dir) => {
    claimDataDir(options("--data", dir, "--port", "7201")).release();
    claimDataDir(options("--data", dir, "--nodes", "3")).release(); // nothing was in it yet
    Deno.mkdirSync(join(dir, "n1"));
    const fewer = ["--data", dir, "--nodes", "2"];
    assertThrows(() => claimDataDir(options(...fewer)), ClusterError, "cluster of 3 nodes");
    const elsewhere = ["--data", dir, "--port", "7101"];
    assertThrows(() => claimDataDir(options(...elsewhere)), ClusterError, "on port 7001");
    claimDataDir(options("--data", dir, "--nodes", "5")).release();
    const three = ["--data", dir, "--nodes", "3"];
    assertThrows(() => claimDataDir(options(...three)), ClusterError, "cluster of 5 nodes");
    const again = claimDataDir(options("--data", dir));
    assertEquals(again.roster, { numbers: [1, 2, 3, 4, 5], highest: 5, first: 3 });
    again.release();
    claimDataDir(options(...fewer, "--fresh")).release();
  }));

function node(name: string, changes: Partial<NodeStatus> = {}): NodeStatus {
  const view = (partition: number) => ({ partition, term: 2, leader: "n1", commitIndex: 7 });
  return { name, pid: 100, state: "ready", partitions: [view(0), view(1)], ...changes };
}

Deno.test("isReady() asks for every node and a leader everywhere", () => {
  assert(isReady([node("n1"), node("n2")]));
  assert(!isReady([node("n1"), node("n2", { state: "not ready" })]));
  assert(!isReady([node("n1", { partitions: node("n1").partitions.slice(0, 1) })]));
  const leaderless = { partition: 1, term: 2, leader: undefined, commitIndex: 7 };
  assert(!isReady([node("n1", { partitions: [node("n1").partitions[0], leaderless] })]));
});

Deno.test("statusTable() shows leader, term and commit index per node within its width", () => {
  const dead = node("n2", { pid: undefined, state: "ended", partitions: [] });
  assertEquals(statusTable([node("n1"), dead], 80, 24), [
    "                  meta                  partition 1",
    "node  pid  state  leader  term  commit  leader  term  commit",
    "n1    100  ready  n1         2       7  n1         2       7",
    "n2      -  ended",
  ]);
  assertEquals(statusTable([node("n1"), dead], 50, 24), [
    "node  pid  state  leads  replicas",
    "n1    100  ready      2         2",
    "n2      -  ended      0         0",
    "",
    "partition  leader  term  commit n1  n2",
    "meta       n1         2          7   -",
    "1          n1         2          7   -",
  ]);
  assert(statusTable([node("n1"), dead], 20, 24).every((line) => line.length <= 20));
});

Deno.test("statusTable() shows a screenful of many partitions, those without a leader among them", () => {
  const partitions = Array.from({ length: 40 }, (_, partition) => ({
    partition,
    term: 1,
    leader: partition === 33 ? undefined : "n1",
    commitIndex: 7,
  }));
  const lines = statusTable([node("n1", { partitions })], 80, 40);
  assertEquals(lines.length, 2 + 1 + 1 + 16 + 1);
  assert(lines.some((line) => line.startsWith("33         -")));
  assertEquals(lines.at(-1), "and 24 more of 40 partitions");
});

Deno.test("statusLine() counts the leaders of many partitions", () => {
  const partitions = Array.from({ length: 6 }, (_, partition) => ({
    partition,
    term: 1,
    leader: partition === 5 ? undefined : partition % 2 === 0 ? "n1" : "n2",
    commitIndex: 7,
  }));
  assertEquals(
    statusLine([node("n1", { partitions }), node("n2", { partitions: [] })], true),
    "status: n1 ready, n2 ready | 6 partitions: leaders n1 3, n2 2, none 1, commits 42 0",
  );
});

Deno.test("statusLine() takes the newest leader anyone knows", () => {
  const stale = node("n2", {
    partitions: [{ partition: 1, term: 1, leader: "n2", commitIndex: 5 }],
  });
  assertEquals(
    statusLine([node("n1"), stale], true),
    "status: n1 ready, n2 ready | meta: leader n1, term 2, commit 7 - | " +
      "partition 1: leader n1, term 2, commit 7 5",
  );
});

function movingView(changes: Partial<ClusterAnswer>): ClusterAnswer {
  const member = (nodeId: string, name: string) => ({ nodeId, name, state: "active", replicas: 3 });
  return {
    name: "n1",
    epoch: 5,
    members: [member("a", "n1"), member("d", "n4")],
    partitions: [],
    routing: [],
    moves: [],
    ...changes,
  };
}

const MOVE = {
  partition: 2,
  beganEpoch: 5,
  adding: ["d"],
  removing: ["a"],
  phase: "learning",
  cancelled: false,
};

Deno.test("MoveProgress says once how each move stands, and when it is done", () => {
  const progress = new MoveProgress();
  const copying = { ...MOVE, progress: [{ nodeId: "d", lag: 12 }] };
  const leader = movingView({ name: "n2", moves: [copying] });
  const other = movingView({ moves: [MOVE] });
  assertEquals(progress.look([other, leader]), ["partition 2: n1 -> n4, copying"]);
  assertEquals(progress.look([other, leader]), []);
  const promoted = movingView({ epoch: 6, moves: [{ ...MOVE, phase: "promoted" }] });
  // A node that lags behind does not unsay what a newer map says.
  assertEquals(progress.look([leader, promoted]), ["partition 2: n1 -> n4, changing voters"]);
  assertEquals(progress.look([movingView({ epoch: 7 })]), ["partition 2: done"]);
  assertEquals(progress.done, 1);
});

Deno.test("isSettled() waits for the planner, and for what it has not begun", () => {
  assert(!isSettled([]));
  assert(!isSettled([movingView({})]));
  assert(!isSettled([movingView({ plan: { waiting: 2, blocked: [] } })]));
  assert(!isSettled([movingView({ moves: [MOVE], plan: { waiting: 0, blocked: [] } })]));
  assert(isSettled([movingView({}), movingView({ plan: { waiting: 0, blocked: [] } })]));
});

function screen(terminal: boolean) {
  let size = { columns: 80, rows: 24 };
  const output = {
    terminal,
    size: () => size,
    text: "",
    write: (text: string) => void (output.text += text),
  };
  return {
    output,
    screen: new Screen(output),
    resize: (columns: number, rows = 24) => void (size = { columns, rows }),
  };
}

Deno.test("Screen prints one plain line a change without a terminal", () => {
  const { output, screen: plain } = screen(false);
  const committed = (commitIndex: number) =>
    node("n1", { partitions: [{ partition: 1, term: 2, leader: "n1", commitIndex }] });
  plain.status([committed(1)], 0);
  plain.status([committed(1)], 6000);
  assertEquals(output.text.split("\n").length, 2);
  plain.status([committed(2)], 6500);
  plain.status([committed(3)], 7000);
  assertEquals(output.text.split("\n").length, 3, "commits alone are worth a line only so often");
  plain.status([{ ...committed(4), state: "not ready" }], 7100);
  assertEquals(output.text.split("\n").length, 4);
  assertEquals(output.text.includes("\x1b"), false);
});

Deno.test("Screen redraws in place in a terminal, below what was printed", () => {
  const { output, screen: live } = screen(true);
  live.status([node("n1")], 0);
  assertEquals(output.text.includes("\x1b"), false);
  output.text = "";
  live.status([node("n1")], 1);
  assertEquals(output.text, "");
  live.print("n2 died");
  assert(output.text.startsWith("\x1b[4A\r\x1b[Jn2 died\n\n"), JSON.stringify(output.text));
  output.text = "";
  live.end();
  live.print("stopped");
  assertEquals(output.text, "stopped\n");
});

Deno.test("Screen erases the rows that a narrower terminal made of its lines", () => {
  const { output, screen: live, resize } = screen(true);
  live.status([node("n1")], 0);
  output.text = "";
  resize(40);
  live.status([node("n1")], 1);
  // An empty line, one of 50 and two of 60 columns: 1 + 2 + 2 + 2 rows.
  assert(output.text.startsWith("\x1b[7A\r\x1b[J"), JSON.stringify(output.text));
});

Deno.test("Screen takes a terminal without a size for one of 80 columns", () => {
  const { output, screen: live, resize } = screen(true);
  resize(0, 0);
  live.status([node("n1")], 0);
  assert(output.text.includes("\nn1    100  ready"), output.text);
  output.text = "";
  live.status([node("n2")], 1);
  assert(output.text.startsWith("\x1b[4A\r\x1b[J"), JSON.stringify(output.text));
});

Deno.test("Screen redraws no more lines than the terminal has rows", () => {
  const { output, screen: live, resize } = screen(true);
  const partitions = Array.from({ length: 9 }, (_, partition) => ({
    partition,
    term: 1,
    leader: partition === 8 ? undefined : "n1",
    commitIndex: 7,
  }));
  resize(80, 12);
  live.status([node("n1", { partitions })], 0);
  const lines = output.text.split("\n");
  assertEquals(lines.length, 12);
  assert(lines.some((line) => line.startsWith("8          -")), "those without a leader first");
  assertEquals(lines.at(-2), "and 4 more of 9 partitions");
  output.text = "";
  resize(80, 4);
  live.status([node("n2", { partitions })], 1);
  assertEquals(output.text.split("\n").length, 4);
});

Deno.test("StopRequests takes signals within 500 ms as one, and later ones as force", () => {
  const requests = new StopRequests();
  assertEquals(requests.signal(1000), "stop");
  assertEquals(requests.signal(1499), "nothing");
  assertEquals(requests.orphaned(3000), "nothing");
  assertEquals(requests.signal(4000), "force");
  const orphan = new StopRequests();
  assertEquals([orphan.orphaned(0), orphan.signal(100), orphan.signal(5000)], [
    "stop",
    "nothing",
    "force",
  ]);
});

Deno.test("programOf() knows the chain of an npm launcher", () => {
  assertEquals(programOf(["npm exec deno@2.9.6 task cluster"]), "launcher");
  assertEquals(programOf(["node", "/usr/bin/npx", "-y", "deno"]), "launcher");
  assertEquals(programOf(["/usr/bin/node", "/npm/bin/npx-cli.js"]), "launcher");
  assertEquals(programOf(["sh", "-c", "'deno' task cluster"]), "shell");
  assertEquals(programOf(["deno", "task", "cluster"]), "other");
  assertEquals(programOf(["node", "/x/bin/deno.cjs"]), "other");
  assertEquals(programOf(["-bash"]), undefined);
  assertEquals(programOf(["bash"]), undefined);
  assertEquals(programOf(["sshd: user"]), undefined);
  assertEquals(programOf([]), undefined);
});

const TASK = 30, SHELL = 20, NPX = 10;
const CHAIN: Ancestor[] = [
  { pid: TASK, parentPid: SHELL, program: "other" },
  { pid: SHELL, parentPid: NPX, program: "shell" },
  { pid: NPX, parentPid: 5, program: "launcher" },
];

function reading(changes: Record<number, Partial<ProcessInfo> | undefined> = {}) {
  const table = new Map<number, ProcessInfo>();
  for (const { pid, parentPid } of CHAIN) {
    if (pid in changes && changes[pid] === undefined) continue;
    const info = { pid, parentPid, alive: true, paused: false, sleeps: 4 };
    table.set(pid, { ...info, ...changes[pid] });
  }
  return table;
}

Deno.test("ChainJudge sees each way a launcher ends", () => {
  const verdict = (changes: Parameters<typeof reading>[0]) => {
    const judge = new ChainJudge(CHAIN);
    assertEquals(judge.judge(reading(), true), undefined);
    assertEquals(judge.judge(reading({ [NPX]: { parentPid: 1 } }), true), undefined);
    return judge.judge(reading(changes), true) ?? "";
  };
  assertStringIncludes(verdict({ [NPX]: undefined }), "gone");
  assertStringIncludes(verdict({ [NPX]: { alive: false } }), "gone");
  assertStringIncludes(verdict({ [SHELL]: { parentPid: 1 } }), "gone");
  assertStringIncludes(verdict({ [TASK]: { parentPid: 1 } }), "gone");
  assertStringIncludes(verdict({ [SHELL]: { sleeps: 5 } }), "interrupted");
  assertEquals(verdict({ [TASK]: { sleeps: 500 }, [NPX]: { sleeps: 500 } }), "");
});

Deno.test("ChainJudge takes no pause for an interrupt", () => {
  const judge = new ChainJudge(CHAIN);
  judge.judge(reading(), true);
  assertEquals(judge.judge(reading({ [SHELL]: { sleeps: 5 } }), false), undefined);
  assertEquals(judge.judge(reading({ [SHELL]: { sleeps: 5 } }), true), undefined);
  const paused = { [TASK]: { paused: true }, [SHELL]: { sleeps: 6 } };
  assertEquals(judge.judge(reading(paused), true), undefined);
  assertEquals(judge.judge(reading({ [SHELL]: { sleeps: 7 } }), true), undefined);
});

Deno.test("parseStatusFiles() and parsePs() read what the system prints", () => {
  const status = (pid: number, state: string) =>
    `Name:\tsh\nUmask:\t0022\nState:\t${state}\nTgid:\t${pid}\nPid:\t${pid}\nPPid:\t7\n` +
    "TracerPid:\t0\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
  const text = status(41, "S (sleeping)") + status(42, "Z (zombie)") + status(43, "T (stopped)");
  const files = parseStatusFiles(text);
  assertEquals(files[0], { pid: 41, parentPid: 7, alive: true, paused: false, sleeps: 12 });
  assertEquals(files.map(({ alive }) => alive), [true, false, true]);
  assertEquals(files.map(({ paused }) => paused), [false, false, true]);
  assertEquals(parsePs("  41     7 Ss\n  42     7 Z+\n"), [
    { pid: 41, parentPid: 7, alive: true, paused: false, sleeps: undefined },
    { pid: 42, parentPid: 7, alive: false, paused: false, sleeps: undefined },
  ]);
  assertEquals(parseStatusFiles(""), []);
});
