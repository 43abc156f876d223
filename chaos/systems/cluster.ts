// A system whose nodes are processes: starts, breaks and ends them, and knows which of them belong to the cluster.
// What a node's command is and what it says of itself comes from outside.

import { ProxyLinks } from "../links/proxy_links.ts";
import type {
  Ability,
  Feature,
  Links,
  Machines,
  Membership,
  NodeEnd,
  PartitionStatus,
  System,
  SystemNode,
} from "../types.ts";
import { until } from "../wait.ts";
import { type Command, NodeProcess } from "./node_process.ts";
import type { Layout, Place } from "./places.ts";

/** What makes one kind of system. */
export interface SystemKind {
  readonly name: string;
  readonly features: readonly Feature[];
  readonly abilities: readonly Ability[];
  /** Path of the HTTP API that answers 2xx once a node serves. */
  readonly readyPath: string;
  /** The node's command; `joining`: it was no first node of the cluster. */
  command(place: Place, layout: Layout, joining: boolean): Command;
  /** A process that stands between the clients and the nodes, and is no part of what is broken. */
  readonly companion?: Command;
  /** What a node says of its partitions. */
  status(place: Place, layout: Layout): Promise<readonly PartitionStatus[] | undefined>;
  versions(): Promise<Record<string, string>>;
  /** Further parts, where the system has them. */
  readonly machines?: (cluster: Cluster) => Machines;
  readonly membership?: (cluster: Cluster) => Membership;
}

export interface ClusterOptions {
  readonly kind: SystemKind;
  readonly layout: Layout;
  /** The first so many places start as the cluster; the rest are spares. */
  readonly nodes: number;
  readonly seed: number;
  /** Links that are not a proxy's; closed at the end. */
  readonly links?: Links;
  /** Where a node's command runs, if not here. */
  readonly wrap?: (command: Command, place: Place) => Command;
}

const START_TIMEOUT_MS = 40_000;
const PROBE_TIMEOUT_MS = 1000;
/** A node that ended by itself is started again after so long, as a supervisor would. */
const RESTART_DELAY_MS = 500;
/** A node that ends so often while it is waited for will never serve. */
const HOPELESS_ENDS = 6;
/** How much of the end of a log is searched for the reason of an end. */
const LOG_TAIL_BYTES = 16 * 1024;

/** A node as the cluster keeps it. */
export class ClusterNode implements SystemNode {
  readonly place: Place;
  readonly process: NodeProcess;
  down = false;
  /** It ended by itself, and was to be paused when it was to be started again. */
  owedRestart = false;
  /** It was no first node: it has to be told whom to join. */
  joining: boolean;

  constructor(place: Place, joining: boolean, onOwnEnd: (code: number) => void) {
    this.place = place;
    this.process = new NodeProcess(place.logFile, onOwnEnd);
    this.joining = joining;
  }

  get name(): string {
    return this.place.name;
  }

  get http(): string {
    return this.place.clientHttp;
  }

  get directHttp(): string {
    return this.place.http;
  }

  get dataDir(): string {
    return this.place.dataDir;
  }

  get logFile(): string {
    return this.place.logFile;
  }

  get running(): boolean {
    return this.process.running;
  }
}

/** Whether `url` answers 2xx now. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** The last thing that a log says of an error; empty if there is none. */
function lastWords(logFile: string): string {
  const lines = new TextDecoder().decode(Deno.readFileSync(logFile).slice(-LOG_TAIL_BYTES))
    .split("\n");
  const last = lines.findLast((line) => /"level":"error"|^pontoon: |^error|^panic/.test(line));
  return last ?? "";
}

export class Cluster implements System {
  readonly name: string;
  readonly features: ReadonlySet<Feature>;
  readonly abilities: ReadonlySet<Ability>;
  readonly machines: Machines | undefined;
  readonly membership: Membership | undefined;
  readonly layout: Layout;
  readonly ends: NodeEnd[] = [];
  readonly #options: ClusterOptions;
  readonly #everyone: readonly ClusterNode[];
  #members: ClusterNode[];
  #links: Links | undefined;
  #companion: NodeProcess | undefined;

  constructor(options: ClusterOptions) {
    const { kind, layout, nodes } = options;
    this.#options = options;
    this.name = kind.name;
    this.layout = layout;
    this.features = new Set(kind.features);
    const linked: Ability[] = layout.links.length > 0
      ? ["links", "slow-links"]
      : options.links === undefined
      ? []
      : ["links", "packet-loss"];
    if (layout.links.some(({ framed }) => framed)) linked.push("frames");
    this.abilities = new Set([...kind.abilities, ...linked]);
    this.#everyone = layout.places.map((place, i): ClusterNode =>
      new ClusterNode(place, i >= nodes, (code) => this.#endedByItself(this.#everyone[i]!, code))
    );
    this.#members = this.#everyone.slice(0, nodes);
    this.machines = kind.machines?.(this);
    this.membership = kind.membership?.(this);
  }

  get nodes(): readonly ClusterNode[] {
    return this.#members;
  }

  /** Nodes outside the cluster. */
  get spares(): readonly ClusterNode[] {
    return this.#everyone.filter((node) => !this.#members.includes(node));
  }

  get links(): Links | undefined {
    return this.#links;
  }

  async start(): Promise<void> {
    const { layout, seed, links } = this.#options;
    this.#links = links ??
      (layout.links.length > 0 ? await ProxyLinks.start(layout.links, seed) : undefined);
    for (const node of this.#members) await this.restart(node);
    await this.#startCompanion();
    await this.ready(START_TIMEOUT_MS);
  }

  async #startCompanion(): Promise<void> {
    const { companion } = this.#options.kind;
    if (companion === undefined) return;
    const { logFile } = this.#members[0]!;
    this.#companion = new NodeProcess(
      `${logFile.slice(0, logFile.lastIndexOf("/"))}/companion.log`,
    );
    this.#companion.start(companion);
    const urls = this.#members.map(({ http }) => `http://${http}/health/ready`);
    await until("the companion serves", START_TIMEOUT_MS, async () => {
      return (await Promise.all(urls.map(answers))).every(Boolean);
    });
  }

  restart(given: SystemNode): Promise<void> {
    const node = this.own(given);
    const { kind, layout, wrap } = this.#options;
    const command = kind.command(node.place, layout, node.joining);
    node.process.start(wrap === undefined ? command : wrap(command, node.place));
    node.down = false;
    node.owedRestart = false;
    return Promise.resolve();
  }

  async kill(given: SystemNode): Promise<void> {
    const node = this.own(given);
    node.down = true;
    node.owedRestart = false;
    await node.process.kill();
  }

  async terminate(given: SystemNode, timeoutMs: number): Promise<number> {
    const node = this.own(given);
    node.down = true;
    return await node.process.terminate(timeoutMs);
  }

  async pause(given: SystemNode): Promise<void> {
    const node = this.own(given);
    node.down = true;
    await node.process.pause();
  }

  resume(given: SystemNode): void {
    const node = this.own(given);
    node.process.resume();
    node.down = false;
    if (node.owedRestart) this.restart(node);
  }

  async ready(timeoutMs: number): Promise<void> {
    const { readyPath } = this.#options.kind;
    const before = this.ends.length;
    const serves = (node: ClusterNode) => {
      const ends = this.ends.slice(before).filter((end) => end.node === node.name);
      if (ends.length < HOPELESS_ENDS) return answers(`http://${node.directHttp}${readyPath}`);
      throw new Error(`${node.name} ends at each start: ${ends.at(-1)!.reason}`);
    };
    await Promise.all(
      this.#members.map((node) =>
        until(`${node.name} serves (${node.logFile})`, timeoutMs, () => serves(node))
      ),
    );
  }

  async status(given: SystemNode): Promise<readonly PartitionStatus[] | undefined> {
    const node = this.own(given);
    if (!node.running || node.down) return undefined;
    try {
      return await this.#options.kind.status(node.place, this.layout);
    } catch {
      return undefined;
    }
  }

  async leader(): Promise<SystemNode | undefined> {
    const said = await Promise.all(this.#members.map((node) => this.status(node)));
    const firsts = said.flatMap((status) => status?.slice(0, 1) ?? [])
      .filter(({ leader }) => leader !== undefined)
      .sort((a, b) => b.term - a.term);
    return this.#members.find(({ name }) => name === firsts[0]?.leader);
  }

  versions(): Promise<Readonly<Record<string, string>>> {
    return this.#options.kind.versions();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#everyone.map((node) => this.kill(node)));
    await this.#companion?.kill();
    await (this.#links ?? this.#options.links)?.close();
  }

  #endedByItself(node: ClusterNode, code: number): void {
    this.ends.push({
      node: node.name,
      atMs: performance.now(),
      code,
      reason: lastWords(node.logFile),
    });
    setTimeout(() => {
      if (node.down) node.owedRestart = true;
      else this.restart(node);
    }, RESTART_DELAY_MS);
  }

  // ---------------------------------------------------------------------------- for the system's parts

  own(node: SystemNode): ClusterNode {
    const own = this.#everyone.find(({ name }) => name === node.name);
    if (own === undefined) throw new Error(`Cannot find node ${node.name} in ${this.name}`);
    return own;
  }

  /** A spare node has become a member. */
  admit(node: ClusterNode): void {
    node.joining = true;
    this.#members.push(node);
  }

  /** A member is one no longer. */
  dismiss(node: ClusterNode): void {
    this.#members = this.#members.filter((one) => one !== node);
  }
}
