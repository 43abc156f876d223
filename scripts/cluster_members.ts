// `deno task cluster:add` and `deno task cluster:remove NAME`: one node more or less in a cluster that
// `deno task cluster` runs, showing the replicas move until they have. Ctrl-C only ends the showing.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { RemoteControl } from "./cluster/control_server.ts";
import { askLocal } from "./cluster/local_http.ts";
import { type ClusterAnswer, isSettled, MoveProgress, newestOf } from "./cluster/move_progress.ts";
import { ClusterError, type NodeSpec } from "./cluster/options.ts";

const HELP = `deno task cluster:add: one node more in a running local cluster
deno task cluster:remove NAME: one node less

  --data DIR   the cluster's directory, as deno task cluster was given it   [.pontoon]
  --help
`;

const POLL_INTERVAL_MS = 200;
const ADMISSION_TIMEOUT_MS = 60_000;
const ADMIN_TIMEOUT_MS = 12_000;
/** Nothing moves for so many looks: what was to move has moved. */
const QUIET_LOOKS = 4;

const pause = (delayMs: number) => new Promise((done) => setTimeout(done, delayMs));

async function viewsOf(nodes: readonly NodeSpec[]): Promise<ClusterAnswer[]> {
  const answers = await Promise.all(nodes.map(async ({ http }) => {
    try {
      const { status, body } = await askLocal(http, "/cluster");
      return status === 200 ? [JSON.parse(body) as ClusterAnswer] : [];
    } catch {
      return [];
    }
  }));
  return answers.flat();
}

/** Prints what moves until `isDone`; returns the number of moves that ended. */
async function showMoves(
  nodes: readonly NodeSpec[],
  isDone: (views: readonly ClusterAnswer[]) => boolean,
): Promise<number> {
  const progress = new MoveProgress();
  for (let quiet = 0; quiet < QUIET_LOOKS; await pause(POLL_INTERVAL_MS)) {
    const views = await viewsOf(nodes);
    for (const line of progress.look(views)) console.log(line);
    quiet = isDone(views) ? quiet + 1 : 0;
  }
  return progress.done;
}

async function add(dataDir: string): Promise<void> {
  const control = new RemoteControl(dataDir);
  const spec = await control.add();
  const nodes = await control.nodes();
  console.log(`${spec.name} starts: http://${spec.http}, log ${spec.logPath}`);
  const member = (views: readonly ClusterAnswer[]) =>
    newestOf(views)?.members.find(({ name }) => name === spec.name);
  const deadlineMs = performance.now() + ADMISSION_TIMEOUT_MS;
  while (member(await viewsOf(nodes)) === undefined) {
    if (performance.now() > deadlineMs) {
      throw new ClusterError(`${spec.name} was not admitted; its log is ${spec.logPath}`);
    }
    await pause(POLL_INTERVAL_MS);
  }
  console.log(`${spec.name} is a member`);
  const done = await showMoves(nodes, isSettled);
  const views = await viewsOf(nodes);
  const total = newestOf(views)?.members.reduce((sum, { replicas }) => sum + replicas, 0);
  console.log(`${spec.name} holds ${member(views)?.replicas} of ${total} replicas, ${done} moves`);
}

async function remove(dataDir: string, name: string): Promise<void> {
  const control = new RemoteControl(dataDir);
  const nodes = await control.nodes();
  if (!nodes.some((node) => node.name === name)) {
    const names = nodes.map((node) => node.name).join(", ");
    throw new ClusterError(`there is no node ${name}; there are ${names}`);
  }
  const others = nodes.filter((node) => node.name !== name);
  await askToLeave(others.length === 0 ? nodes : others, name);
  console.log(`${name} leaves`);
  const done = await showMoves(others, (views) => {
    const newest = newestOf(views);
    return newest !== undefined && !newest.members.some((member) => member.name === name);
  });
  await control.remove(name);
  console.log(`${name} is gone, ${done} moves; its directory may be deleted`);
}

async function askToLeave(nodes: readonly NodeSpec[], name: string): Promise<void> {
  let reason = "no other node answers";
  for (const { http } of nodes) {
    try {
      const { status, body } = await askLocal(http, "/cluster/members", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ action: "remove", node: name }),
        timeoutMs: ADMIN_TIMEOUT_MS,
      });
      if (status === 200) return;
      reason = JSON.parse(body).detail;
      if (status < 500) break;
    } catch {
      // The next one may answer.
    }
  }
  throw new ClusterError(`${name} stays: ${reason}`);
}

async function main([verb, ...args]: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      data: { type: "string", default: ".pontoon" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const dataDir = resolve(values.data);
  if (verb === "add" && positionals.length === 0) return await add(dataDir);
  if (verb === "remove" && positionals.length === 1) return await remove(dataDir, positionals[0]);
  throw new ClusterError(
    verb === "remove"
      ? "cluster:remove takes one name, such as n2 (--help)"
      : "cluster:add takes no name: nodes are numbered (--help)",
  );
}

try {
  await main(Deno.args);
  Deno.exit(0);
} catch (cause) {
  const message = cause instanceof Error ? cause.message : String(cause);
  console.error(`pontoon: ${message.split("\n")[0]}`);
  Deno.exit(1);
}
