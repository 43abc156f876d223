// The cluster's state while it runs: a few lines redrawn in place on a terminal, else one plain line for
// each change. Reads nodes' own `/cluster`.

import type { ClusterNode, NodeStatus } from "./node_process.ts";

interface Shown {
  readonly node: ClusterNode;
  status: NodeStatus | undefined;
}

export class StatusView {
  readonly #shown: Shown[];
  readonly #terminal = Deno.stdout.isTerminal();
  #drawnLines = 0;
  #lastLine = "";
  #closed = false;

  constructor(nodes: readonly ClusterNode[]) {
    this.#shown = nodes.map((node) => ({ node, status: undefined }));
  }

  /** Asks the nodes and shows what is new. */
  async update(): Promise<void> {
    await Promise.all(this.#shown.map(async (shown) => {
      shown.status = await shown.node.status();
    }));
    if (this.#closed) return;
    if (this.#terminal) this.#draw();
    else this.#report();
  }

  /** Says something that happened. */
  say(line: string): void {
    this.#erase();
    console.log(line);
    if (this.#terminal) this.#draw();
  }

  /** Leaves the last state standing. */
  close(): void {
    this.#closed = true;
  }

  #line({ node, status }: Shown): string {
    const { name, http } = node.plan;
    const head = `${name.padEnd(4)} ${http.padEnd(15)}`;
    if (!node.isRunning) return `${head} not running`;
    if (status === undefined) return `${head} does not answer`;
    const role = status.leads ? "leader  " : "follower";
    const health = status.health === "ok" ? "" : `  ${status.health}`;
    return `${head} ${role}  term ${status.term}  commit ${status.commitIndex}${health}`;
  }

  #erase(): void {
    if (this.#drawnLines === 0) return;
    Deno.stdout.writeSync(new TextEncoder().encode(`\x1b[${this.#drawnLines}A\x1b[J`));
    this.#drawnLines = 0;
  }

  #draw(): void {
    this.#erase();
    for (const shown of this.#shown) console.log(this.#line(shown));
    this.#drawnLines = this.#shown.length;
  }

  /** Commit indexes change all the time, so only leader, term and liveness make a line. */
  #report(): void {
    const leader = this.#shown.find(({ status }) => status?.leads);
    const down = this.#shown.filter(({ node, status }) => !node.isRunning || status === undefined)
      .map(({ node }) => node.plan.name);
    const line =
      (leader === undefined
        ? "no leader"
        : `leader ${leader.node.plan.name}, term ${leader.status!.term}`) +
      (down.length === 0 ? "" : `, down: ${down.join(" ")}`);
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    console.log(line);
  }
}
