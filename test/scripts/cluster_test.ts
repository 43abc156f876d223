// `deno task cluster` as a user runs it: whatever ends it, no node is left; what keeps it from starting is
// one clear line.

import { assertEquals, assertMatch } from "@std/assert";
import { freePorts, until } from "../../scripts/bench/support/cluster.ts";

const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname);
const START_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 20_000;

interface Running {
  readonly child: Deno.ChildProcess;
  readonly dir: string;
  readonly port: number;
  output(): string;
}

/** Starts `launcher` ("task" or "npx") with one node, and waits for `cluster ready`. */
async function start(launcher: "task" | "npx"): Promise<Running> {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-cluster-" });
  // Peer ports lie 1000 above, so the port must leave room.
  const port = freePorts(20).find((free) => free < 60_000)!;
  const args = ["task", "cluster", "--nodes", "1", "--port", String(port), "--data", `${dir}/data`];
  const [command, prefix] = launcher === "npx"
    ? ["npx", ["-y", "deno@2.9.6"]]
    : [Deno.execPath(), []];
  const child = new Deno.Command(command, {
    args: [...prefix, ...args],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  let text = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  collect(child.stdout);
  collect(child.stderr);
  await until("cluster ready", START_TIMEOUT_MS, () => text.includes("cluster ready"));
  return { child, dir, port, output: () => text };
}

/** Processes whose command line names `marker`. */
function processesWith(marker: string): { pid: number; command: string }[] {
  const { stdout } = new Deno.Command("ps", { args: ["-A", "-o", "pid=,args="] }).outputSync();
  return new TextDecoder().decode(stdout).split("\n").flatMap((line) => {
    const match = /^\s*(\d+)\s+(.*)$/.exec(line);
    return match !== null && match[2].includes(marker)
      ? [{ pid: Number(match[1]), command: match[2] }]
      : [];
  });
}

async function endsWith(
  launcher: "task" | "npx",
  target: "launcher" | "runner",
  signal: Deno.Signal,
): Promise<void> {
  const { child, dir } = await start(launcher);
  try {
    const runner = processesWith(dir).find(({ command }) =>
      / run .*scripts\/cluster\.ts/.test(command)
    );
    Deno.kill(target === "launcher" ? child.pid : runner!.pid, signal);
    await until("nothing is left", END_TIMEOUT_MS, () => processesWith(dir).length === 0);
  } finally {
    for (const { pid } of processesWith(dir)) Deno.kill(pid, "SIGKILL");
    await child.status;
    Deno.removeSync(dir, { recursive: true });
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const) {
  Deno.test(`cluster leaves nothing behind when the runner gets ${signal}`, async () => {
    await endsWith("task", "runner", signal);
  });
  Deno.test(`cluster leaves nothing behind when the task gets ${signal}`, async () => {
    await endsWith("task", "launcher", signal);
  });
}

// npx itself ignores a SIGINT that is sent to it alone; a terminal sends it to the whole group.
for (const signal of ["SIGTERM", "SIGHUP", "SIGKILL"] as const) {
  Deno.test(`cluster leaves nothing behind when npx gets ${signal}`, async () => {
    await endsWith("npx", "launcher", signal);
  });
}

async function fails(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "cluster", ...args],
    cwd: ROOT,
    stdin: "null",
  }).output();
  assertEquals(code, 1);
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("cluster names a taken port in one line", async () => {
  const [port] = freePorts(1);
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-cluster-" });
  try {
    const base = Math.min(port, 64_000);
    const text = await fails(["--nodes", "1", "--port", String(base), "--data", `${dir}/data`]);
    if (base === port) assertMatch(text.trim(), /^pontoon: port \d+ is taken.*$/);
  } finally {
    listener.close();
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("cluster names a locked data directory in one line", async () => {
  const { child, dir } = await start("task");
  try {
    const port = freePorts(20).find((free) => free < 60_000)!;
    const text = await fails(["--nodes", "1", "--port", String(port), "--data", `${dir}/data`]);
    assertMatch(text, /pontoon: n1: Cannot use data directory .*another process holds its lock/);
  } finally {
    Deno.kill(child.pid, "SIGTERM");
    await until("nothing is left", END_TIMEOUT_MS, () => processesWith(dir).length === 0);
    await child.status;
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("cluster --fresh deletes only a folder of its own", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-cluster-" });
  try {
    Deno.writeTextFileSync(`${dir}/precious`, "mine");
    const port = freePorts(20).find((free) => free < 60_000)!;
    const text = await fails(["--nodes", "1", "--port", String(port), "--data", dir, "--fresh"]);
    assertMatch(text, /was not made by this command/);
    assertEquals(Deno.readTextFileSync(`${dir}/precious`), "mine");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
