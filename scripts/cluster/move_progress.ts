// What `cluster:add` and `cluster:remove` say while replicas move: successive views of the cluster in, lines
// out. Pure: asks nobody, knows no time.

/** As `GET /cluster` tells, as far as it is looked at here. */
export interface ClusterAnswer {
  readonly name: string;
  readonly epoch: number;
  readonly members: readonly {
    readonly nodeId: string;
    readonly name: string;
    readonly state: string;
    readonly replicas: number;
  }[];
  readonly partitions: readonly {
    readonly partition: number;
    readonly replicas: readonly { readonly nodeId: string; readonly lag?: number }[];
  }[];
  readonly routing: readonly { readonly partition: number; readonly leader?: string }[];
  readonly moves: readonly {
    readonly partition: number;
    readonly beganEpoch: number;
    readonly adding: readonly string[];
    readonly removing: readonly string[];
    readonly phase: string;
    readonly cancelled: boolean;
    readonly progress?: readonly { readonly nodeId: string; readonly lag: number }[];
    readonly waitingFor?: string;
  }[];
  readonly plan?: {
    readonly waiting: number;
    readonly blocked: readonly { readonly partition: number; readonly reason: string }[];
  };
}

type Move = ClusterAnswer["moves"][number];

/** Tells what changed from view to view. */
export class MoveProgress {
  #known = new Map<string, { readonly move: Move; readonly line: string }>();
  #blocked = "";
  #names = new Map<string, string>();
  #done = 0;

  /** Moves that ended while this looked. */
  get done(): number {
    return this.#done;
  }

  /** The lines to print for the newest views, one of each node that answered. */
  look(views: readonly ClusterAnswer[]): string[] {
    const newest = newestOf(views);
    if (newest === undefined) return [];
    for (const { nodeId, name } of newest.members) this.#names.set(nodeId, name);
    const lines: string[] = [];
    const moves = new Map(
      newest.moves.map((move) => [`${move.partition} ${move.beganEpoch}`, move]),
    );
    for (const [id, { move }] of this.#known) {
      if (moves.has(id)) continue;
      this.#known.delete(id);
      this.#done++;
      lines.push(`partition ${partitionName(move.partition)}: done`);
    }
    for (const [id, move] of moves) {
      const line = this.#lineOf(move, views);
      if (this.#known.get(id)?.line !== line) lines.push(line);
      this.#known.set(id, { move, line });
    }
    const plan = views.find((view) => view.plan !== undefined)?.plan;
    const blocked = plan?.blocked[0];
    const words = blocked && `partition ${blocked.partition} can't move yet: ${blocked.reason}`;
    if (words !== undefined && words !== this.#blocked) lines.push(words);
    this.#blocked = words ?? "";
    return lines;
  }

  #name(nodeId: string): string {
    return this.#names.get(nodeId) ?? nodeId.slice(0, 8);
  }

  #lineOf(move: Move, views: readonly ClusterAnswer[]): string {
    const names = (ids: readonly string[]) => ids.map((id) => this.#name(id)).join(", ");
    const what = move.removing.length === 0
      ? `a replica for ${names(move.adding)}`
      : move.adding.length === 0
      ? `${names(move.removing)} gives its replica up`
      : `${names(move.removing)} -> ${names(move.adding)}`;
    return `partition ${partitionName(move.partition)}: ${what}, ${stateOf(move, views)}`;
  }
}

function stateOf(
  { partition, beganEpoch, phase, cancelled }: Move,
  views: readonly ClusterAnswer[],
) {
  if (cancelled) return "being taken back";
  if (phase === "promoted") return "changing voters";
  const told = views.flatMap(({ moves }) => moves)
    .find((one) => one.partition === partition && one.beganEpoch === beganEpoch && one.progress);
  const lag = Math.max(0, ...told?.progress?.map((one) => one.lag) ?? []);
  return lag > 0 ? "copying" : "learning";
}

function partitionName(partition: number): string {
  return partition === 0 ? "0 (map)" : String(partition);
}

/** The view by the newest map. */
export function newestOf(views: readonly ClusterAnswer[]): ClusterAnswer | undefined {
  return views.reduce<ClusterAnswer | undefined>(
    (newest, view) => newest === undefined || view.epoch > newest.epoch ? view : newest,
    undefined,
  );
}

/** Whether nothing moves and nothing waits to move, as far as the views tell; the planner must be heard. */
export function isSettled(views: readonly ClusterAnswer[]): boolean {
  const plan = views.find((view) => view.plan !== undefined)?.plan;
  return plan?.waiting === 0 && newestOf(views)?.moves.length === 0;
}
