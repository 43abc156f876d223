// `deno task cluster`: a whole cluster on this machine, one process a node, until Ctrl-C. Starts, watches
// and ends node processes; knows nothing of what is inside them.

import { until } from "./cluster/wait.ts";
import { ClusterNode, nodePlans, UsageProblem } from "./cluster/node_process.ts";
import { HELP, parseOptions } from "./cluster/options.ts";
import { watchEnd } from "./cluster/lifetime.ts";
import { prepareData } from "./cluster/data_folder.ts";
import { StatusView } from "./cluster/status_view.ts";

const READY_TIMEOUT_MS = 60_000;
const STATUS_INTERVAL_MS = 500;

function fail(message: string): never {
  console.error(`pontoon: ${message}`);
  Deno.exit(1);
}

const options = (() => {
  try {
    return parseOptions(Deno.args);
  } catch (cause) {
    return fail(cause instanceof Error ? cause.message : String(cause));
  }
})();
if (options === undefined) {
  console.log(HELP);
  Deno.exit(0);
}

let nodes: ClusterNode[];
try {
  const plans = nodePlans(options);
  prepareData(options.data, options.fresh);
  nodes = plans.map((plan) => new ClusterNode(plan, plans));
} catch (cause) {
  if (!(cause instanceof UsageProblem)) throw cause;
  fail(cause.message);
}

let stopping: Promise<void> | undefined;
/** Ends every node: gracefully first, at once when asked again. */
function stop(force: boolean): Promise<void> {
  if (force) { for (const node of nodes) node.kill(); }
  return stopping ??= (async () => {
    display.view?.close();
    console.log("stopping the cluster");
    await Promise.all(nodes.map((node) => node.stop()));
    Deno.exit(exitCode);
  })();
}

let exitCode = 0;
/** The live view, once the cluster is ready. */
const display: { view?: StatusView } = {};
watchEnd(stop);

for (const node of nodes) {
  node.start((reason) => {
    if (stopping !== undefined) return;
    const line = `${node.plan.name} died (${reason}); its log: ${node.plan.logFile}`;
    if (display.view === undefined) {
      console.error(`pontoon: ${node.lastError() ?? line}`);
      exitCode = 1;
      stop(false);
    } else display.view.say(line);
  });
}

try {
  await until(READY_TIMEOUT_MS, async () => {
    const ready = await Promise.all(nodes.map((node) => node.isReady()));
    return ready.every(Boolean);
  });
} catch {
  if (stopping === undefined) {
    console.error(`pontoon: not ready within ${READY_TIMEOUT_MS / 1000} s; see the node logs:`);
    for (const { plan } of nodes) console.error(`  ${plan.logFile}`);
    exitCode = 1;
    stop(false);
  }
  await stopping;
}

const [first] = nodes;
const last = nodes.at(-1)!;
console.log("cluster ready");
for (const { plan } of nodes) {
  console.log(`  ${plan.name}  http://${plan.http}  log ${plan.logFile}`);
}
console.log("");
console.log("try:");
console.log(`  curl -X PUT --data-binary hello http://${first.plan.http}/key/greeting`);
console.log(`  curl http://${last.plan.http}/key/greeting`);
console.log(`  curl http://${first.plan.http}/cluster`);
console.log("");

const view = new StatusView(nodes);
display.view = view;
while (stopping === undefined) {
  await view.update();
  await new Promise((resolve) => setTimeout(resolve, STATUS_INTERVAL_MS));
}
await stopping;
