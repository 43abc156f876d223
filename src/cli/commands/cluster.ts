// `member`, `partition`, `endpoint`: who is in the cluster, who holds and leads what, and how each node is.

import { type Command, InvalidArgumentError } from "commander";
import type { ClusterView } from "../../client/mod.ts";
import type { Context } from "../context.ts";
import { EXIT, Exit } from "../exit.ts";
import { durationText, tableLines } from "../format.ts";
import { askAll, endpointsOf } from "../nodes.ts";
import type { Run } from "../program.ts";
import { hashEndpoints } from "./hash.ts";

export function addClusterCommands(program: Command, run: Run): void {
  const member = program.command("member").summary(
    "who is in the cluster: list, add, remove, drain",
  )
    .description("Lists and changes the members of the cluster.");
  member.command("list").description("Lists the members.").action(run(listMembers));
  member.command("add").argument("<peer>", "peer address of a running node: HOST:PORT")
    .description("Takes in a running node that belongs to no cluster.")
    .action(run(async (context, [peer]) => {
      await (await context.kv()).admin.add(peer);
      accepted(context, `${peer} is taken in`);
    }));
  member.command("remove").argument("<node>", "name or nodeId")
    .description("Moves a member's replicas elsewhere, and then lets it go.")
    .action(run(async (context, [node]) => {
      await (await context.kv()).admin.remove(node);
      accepted(context, `${node} is let go once its replicas are elsewhere`);
    }));
  member.command("drain").argument("<node>", "name or nodeId")
    .description("Moves a member's replicas elsewhere; it stays a member.")
    .option("--undo", "take a drain or a removal back")
    .action(run(async (context, [node], { undo }: { undo?: boolean }) => {
      const { admin } = await context.kv();
      await (undo ? admin.activate(node) : admin.drain(node));
      accepted(context, undo ? `${node} takes replicas again` : `${node} is being drained`);
    }));
  const partition = program.command("partition")
    .summary("who holds and leads what: list, move, transfer")
    .description("Lists partitions, moves replicas and hands leaderships over.");
  partition.command("list").description("Lists the partitions.").action(run(listPartitions));
  partition.command("move").argument("<partition>", "its number", parsePartition)
    .requiredOption("--from <node>", "name or nodeId of the member that gives its replica up")
    .requiredOption("--to <node>", "name or nodeId of the member that gets one")
    .description("Moves a replica of a partition from one member to another.")
    .action(run(async (context, [id], { from, to }: { from: string; to: string }) => {
      await (await context.kv()).admin.move(Number(id), from, to);
      accepted(context, `partition ${id} moves from ${from} to ${to}`);
    }));
  partition.command("transfer").argument("<partition>", "its number", parsePartition)
    .argument("<node>", "name or nodeId of the member that shall lead")
    .description("Hands the leadership of a partition over.")
    .action(run(async (context, [id, node]) => {
      await (await context.kv()).admin.transfer(Number(id), node);
      accepted(context, `${node} leads partition ${id}`);
    }));
  const endpoint = program.command("endpoint").summary("how each node is: health, status, hash")
    .description("Asks the nodes themselves: those of --endpoints, and all members they know.");
  endpoint.command("health").description("Is each node ready? Exit code 5 if one is not.")
    .action(run(health));
  endpoint.command("status").description("What each node says of itself.").action(run(status));
  endpoint.command("hash")
    .description(
      "Compares the replicas' state hashes at equal log positions. Exit code 1 if two differ.",
    )
    .option("--partition <n>", "this partition only", parsePartition)
    .action(run((context, _, options: { partition?: number }) => hashEndpoints(context, options)));
}

function parsePartition(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It takes a partition's number.");
}

function accepted(context: Context, words: string): void {
  if (context.form() === "json") context.print(JSON.stringify({ accepted: true }));
  else context.print(`accepted: ${words}`);
}

/** Rows as a table or as JSON lines. */
function print(
  context: Context,
  columns: Parameters<typeof tableLines>[0],
  rows: Record<string, unknown>[],
): void {
  if (context.form() === "json") {
    for (const row of rows) context.print(JSON.stringify(row));
    return;
  }
  const cells = rows.map((row) =>
    Object.values(row).map((value) => value === undefined ? "-" : String(value))
  );
  if (context.form() === "raw") {
    for (const line of cells) context.print(line.join("\t"));
    return;
  }
  for (const line of tableLines(columns, cells)) context.print(line);
}

async function listMembers(context: Context): Promise<void> {
  const view = await (await context.kv()).admin.view();
  const leads = (nodeId: string) => view.routing.filter(({ leader }) => leader === nodeId).length;
  const holds = (nodeId: string) =>
    view.routing.filter(({ replicas }) => replicas.includes(nodeId)).length;
  print(
    context,
    [
      { title: "NAME" },
      { title: "HTTP" },
      { title: "PEER" },
      { title: "STATE" },
      { title: "REACHABLE" },
      { title: "LEADS", right: true },
      { title: "HOLDS", right: true },
      { title: "NODE ID" },
    ],
    view.members.map(({ nodeId, name, http, peer, state, reachable }) => ({
      name,
      http,
      peer,
      state,
      reachable: reachable ? "yes" : "no",
      leads: leads(nodeId),
      holds: holds(nodeId),
      nodeId,
    })),
  );
}

/** Names of members by nodeId. */
export function namesOf(view: ClusterView): (nodeId: string | undefined) => string {
  const names = new Map(view.members.map(({ nodeId, name }) => [nodeId, name]));
  return (nodeId) => nodeId === undefined ? "none" : names.get(nodeId) ?? nodeId;
}

async function listPartitions(context: Context): Promise<void> {
  await context.kv(); // says why if there is no cluster
  const answers = await askAll<ClusterView>(context, await endpointsOf(context), "/cluster");
  const views = answers.flatMap(({ body }) => body === undefined ? [] : [body]);
  if (views.length === 0) throw new Exit(EXIT.unavailable, "No node answers");
  const newest = views.reduce((best, view) => view.epoch > best.epoch ? view : best);
  const name = namesOf(newest);
  print(
    context,
    [
      { title: "PARTITION", right: true },
      { title: "LEADER" },
      { title: "REPLICAS" },
      { title: "TERM", right: true },
      { title: "COMMIT", right: true },
      { title: "LAG", right: true },
      { title: "HEALTH" },
      { title: "SLOTS" },
    ],
    newest.routing.map(({ partition, slots, replicas, leader }) => {
      // The leader's own view knows most.
      const views_ = views.filter(({ nodeId }) => nodeId === leader);
      const seen = [...views_, ...views].flatMap(({ partitions }) => partitions)
        .find((one) => one.partition === partition);
      const lags = seen?.replicas.map(({ lag }) => lag ?? 0) ?? [];
      return {
        partition,
        leader: name(leader),
        replicas: replicas.map(name).join(","),
        term: seen?.term,
        commit: seen?.commitIndex,
        lag: lags.length === 0 ? undefined : Math.max(...lags),
        health: seen?.health,
        slots: slots.map(([start, end]) => `${start}-${end - 1}`).join(","),
      };
    }),
  );
}

async function health(context: Context): Promise<void> {
  const endpoints = await endpointsOf(context);
  const answers = await askAll<{ ready: boolean; reason: string }>(
    context,
    endpoints,
    "/health/ready",
  );
  print(
    context,
    [{ title: "ENDPOINT" }, { title: "READY" }, { title: "TOOK" }, { title: "REASON" }],
    answers.map(({ endpoint, body, error, durationMs }) => ({
      endpoint: endpoint.url,
      ready: body?.ready ? "yes" : "no",
      took: durationText(durationMs),
      reason: error ?? body?.reason ?? "",
    })),
  );
  const bad = answers.filter(({ body }) => !body?.ready).length;
  if (bad > 0) throw new Exit(EXIT.unavailable, `${bad} of ${answers.length} nodes are not ready`);
}

async function status(context: Context): Promise<void> {
  const endpoints = await endpointsOf(context);
  const answers = await askAll<ClusterView>(context, endpoints, "/cluster");
  print(
    context,
    [
      { title: "ENDPOINT" },
      { title: "NAME" },
      { title: "VERSION" },
      { title: "EPOCH", right: true },
      { title: "LEADS", right: true },
      { title: "REPLICAS", right: true },
      { title: "COMMITTED", right: true },
      { title: "BEHIND", right: true },
      { title: "PROBLEM" },
    ],
    answers.map(({ endpoint, body, error }) => {
      if (body === undefined) return { ...NO_STATUS, endpoint: endpoint.url, problem: error };
      const data = body.partitions.filter(({ partition }) => partition > 0);
      const sick = data.filter(({ health }) => health !== "ok");
      return {
        endpoint: endpoint.url,
        name: body.name,
        version: body.version,
        epoch: body.epoch,
        leads: data.filter(({ leaderNodeId }) => leaderNodeId === body.nodeId).length,
        replicas: data.length,
        committed: data.reduce((sum, { commitIndex }) => sum + commitIndex, 0),
        behind: data.reduce((sum, one) => sum + one.commitIndex - one.appliedIndex, 0),
        problem: sick.map(({ partition, health }) => `${partition}: ${health}`).join(", "),
      };
    }),
  );
  const down = answers.filter(({ body }) => body === undefined).length;
  if (down > 0) {
    throw new Exit(EXIT.unavailable, `${down} of ${answers.length} nodes do not answer`);
  }
}

const NO_STATUS: Record<string, unknown> = {
  endpoint: "",
  name: undefined,
  version: undefined,
  epoch: undefined,
  leads: undefined,
  replicas: undefined,
  committed: undefined,
  behind: undefined,
  problem: "",
};
