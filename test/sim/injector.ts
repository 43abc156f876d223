// Does faults to a running cluster. Each ends by itself, or is undone by `heal`.

import type { NodeId, PartitionId } from "../../src/base/ids.ts";
import type { MemberChange } from "../../src/node/service.ts";
import type { Scheduler } from "./clock.ts";
import type { Fault, Target } from "./faults.ts";
import type { SimNetwork } from "./network.ts";
import type { Recorder } from "./recorder.ts";
import type { SimNode } from "./sim_node.ts";
import type { Trace } from "./trace.ts";

/** How often a misdirected write is looked after, and an unheard order to a member repeated. */
const LOOK_MS = 50;
const ORDER_RETRY_MS = 500;

export interface Scene {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly nodes: readonly SimNode[];
  readonly trace: Trace;
  readonly recorder: Recorder | undefined;
}

export class Injector {
  readonly #scene: Scene;
  #healed = false;
  /** Nodes that are being emptied, to be taken back. */
  readonly #drained = new Set<SimNode>();
  /** Nodes that were told to leave. */
  readonly leaving = new Set<SimNode>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Does `fault` now, unless everything has been healed. */
  inject(fault: Fault): void {
    if (this.#healed) return;
    const { scheduler, trace, recorder } = this.#scene;
    trace.note(scheduler.nowMs, "fault", JSON.stringify(fault));
    const { kind, atMs: _, ...rest } = fault;
    recorder?.mark("fault", undefined, `${kind} ${JSON.stringify(rest).replaceAll('"', "")}`);
    this.#do(fault);
  }

  /** Ends all faults and starts all nodes, but `lost` ones. */
  heal(lost: SimNode | undefined): void {
    const { scheduler, network, nodes, trace } = this.#scene;
    this.#healed = true;
    trace.note(scheduler.nowMs, "sim", "healed");
    this.#scene.recorder?.mark("fault", undefined, "everything heals");
    network.healAll();
    if (lost !== undefined) {
      lost.crash();
      lost.retired = true;
    }
    for (const node of nodes) {
      node.healFaults();
      if (node.hasStarted) node.start();
    }
    for (const node of this.#drained) this.#takeBack(node);
  }

  #after(delayMs: number, action: () => void): void {
    this.#scene.scheduler.schedule(delayMs, action);
  }

  /** `action` after `delayMs`, unless everything has been healed by then. */
  #undo(delayMs: number, action: () => void): void {
    this.#after(delayMs, () => {
      if (!this.#healed) action();
    });
  }

  #node(target: Target): SimNode {
    const { nodes } = this.#scene;
    if (typeof target === "number") return nodes[target];
    const leads = ({ life }: SimNode) => {
      const hosted = life?.running?.node.hosting?.get(target.leaderOf);
      return hosted !== undefined && hosted.kind !== "suspect" && hosted.replica.isLeader;
    };
    return nodes.find(leads) ?? nodes[0];
  }

  #do(fault: Fault): void {
    switch (fault.kind) {
      case "crash":
      case "power-cut":
      case "crash-all":
      case "stop":
      case "pause":
      case "wipe":
      case "rot":
      case "misdirect":
        return this.#doToProcess(fault);
      case "partition":
      case "isolate":
      case "bridge":
      case "ring":
      case "one-way":
      case "clog":
      case "slow-link":
      case "refuse":
      case "reset":
      case "late-frames":
        return this.#doToNetwork(fault);
      case "wall-jump":
        return this.#scene.nodes[fault.node].jumpWall(fault.offsetMs);
      case "clock-rate":
        return this.#scene.nodes[fault.node].setRate(fault.rate);
      case "slow-sync":
        return this.#node(fault.node).slowSyncs(fault.delayMs, fault.durationMs);
      case "sync-failure":
        return this.#node(fault.node).failNextSync(fault.power);
      case "disk-full": {
        const node = this.#node(fault.node);
        node.limitSpace(fault.freeBytes);
        return this.#undo(fault.durationMs, () => node.freeSpace());
      }
      case "snapshot":
        for (const hosted of this.#node(fault.node).life?.running?.node.hosting?.all() ?? []) {
          if (hosted.kind !== "suspect") hosted.replica.wantSnapshot();
        }
        return;
      case "transfer":
        return this.#transferAll(this.#scene.nodes[fault.to].name);
      case "join":
        return this.#scene.nodes[fault.node].start();
      case "remove":
        return this.#tellToLeave(this.#scene.nodes[fault.node]);
      case "move":
        return this.#move(fault);
      case "drain":
        return this.#drain(this.#scene.nodes[fault.node], fault.durationMs);
    }
  }

  #doToProcess(fault: Fault & { kind: ProcessKind }): void {
    const { nodes } = this.#scene;
    switch (fault.kind) {
      case "crash":
      case "power-cut": {
        const node = this.#node(fault.node);
        if (fault.kind === "crash") node.crash();
        else node.powerCut(fault.silent);
        return this.#after(fault.downMs, () => node.start());
      }
      case "crash-all": {
        const down = nodes.filter((node) => node.hasStarted);
        for (const node of down) {
          if (fault.power) node.powerCut(true);
          else node.crash();
        }
        return this.#after(fault.downMs, () => down.forEach((node) => node.start()));
      }
      case "stop": {
        const node = this.#node(fault.node);
        return node.stop(() => this.#after(fault.downMs, () => node.start()));
      }
      case "pause": {
        const paused = this.#node(fault.node).life?.incarnation;
        paused?.pause();
        return this.#after(fault.durationMs, () => paused?.resume());
      }
      case "wipe":
        nodes[fault.node].wipe();
        return this.#after(fault.downMs, () => nodes[fault.node].start());
      case "rot": {
        const node = nodes[fault.node];
        if (fault.power) node.powerCut(false);
        else node.crash();
        node.rot(fault.file, fault.places);
        return this.#after(fault.downMs, () => node.start());
      }
      case "misdirect": {
        const node = nodes[fault.node];
        node.misdirect(fault.place);
        return this.#crashOnceProvable(node, fault.downMs);
      }
    }
  }

  #crashOnceProvable(node: SimNode, downMs: number): void {
    this.#undo(LOOK_MS, () => {
      if (!node.hasProvableDamage) return this.#crashOnceProvable(node, downMs);
      node.crash();
      this.#after(downMs, () => node.start());
    });
  }

  #doToNetwork(fault: Fault & { kind: NetworkKind }): void {
    const { network, nodes } = this.#scene;
    const all = nodes.map((node) => node.name);
    switch (fault.kind) {
      case "partition":
        return this.#split(all, fault.durationMs, (a, b) => {
          return fault.left.includes(a) !== fault.left.includes(b);
        });
      case "bridge":
        return this.#split(all, fault.durationMs, (a, b) => {
          return a !== fault.node && b !== fault.node &&
            fault.left.includes(a) !== fault.left.includes(b);
        });
      case "ring":
        return this.#split(all, fault.durationMs, (a, b) => {
          const apart = Math.abs(a - b);
          return apart > 1 && apart < all.length - 1;
        });
      case "isolate": {
        const { name } = this.#node(fault.node);
        const others = all.filter((other) => other !== name);
        for (const other of others) {
          if (fault.lost !== "received") network.dropPackets(name, other);
          if (fault.lost !== "sent") network.dropPackets(other, name);
        }
        return this.#undo(fault.durationMs, () => {
          for (const other of others) this.#healBoth(name, other);
        });
      }
      case "one-way": {
        const [from, to] = [all[fault.from], all[fault.to]];
        network.dropPackets(from, to);
        return this.#undo(fault.durationMs, () => this.#healBoth(from, to));
      }
      case "clog":
        network.blackhole(all[fault.from], all[fault.to]);
        return this.#undo(
          fault.durationMs,
          () => network.heal(all[fault.from], all[fault.to]),
        );
      case "slow-link":
        network.slow(all[fault.from], all[fault.to], fault.delayMs);
        return this.#undo(
          fault.durationMs,
          () => network.slow(all[fault.from], all[fault.to], 0),
        );
      case "refuse":
        network.refuse(all[fault.from], all[fault.to]);
        return this.#undo(
          fault.durationMs,
          () => network.heal(all[fault.from], all[fault.to]),
        );
      case "reset":
        return network.reset(all[fault.from], all[fault.to]);
      case "late-frames": {
        const { name } = this.#node(fault.from);
        const others = all.filter((other) => other !== name);
        for (const other of others) network.repeatFrames(name, other, fault.chance);
        return this.#undo(fault.durationMs, () => {
          for (const other of others) network.repeatFrames(name, other, 0);
        });
      }
    }
  }

  /** Silences the paths between all nodes that `apart` tells apart. */
  #split(
    names: readonly string[],
    durationMs: number,
    apart: (a: number, b: number) => boolean,
  ): void {
    const { network } = this.#scene;
    const cut: [string, string][] = [];
    for (let a = 0; a < names.length; a++) {
      for (let b = 0; b < a; b++) {
        if (!apart(a, b)) continue;
        network.partition([names[a]], [names[b]]);
        cut.push([names[a], names[b]]);
      }
    }
    this.#undo(durationMs, () => {
      for (const [a, b] of cut) this.#healBoth(a, b);
    });
  }

  #healBoth(a: string, b: string): void {
    this.#scene.network.heal(a, b);
    this.#scene.network.heal(b, a);
  }

  /** Every leader is told to hand over to `to`. */
  #transferAll(to: string): void {
    for (const { life } of this.#scene.nodes) {
      const node = life?.running?.node;
      if (life === undefined || node === undefined) continue;
      life.incarnation.run(() => {
        for (const { partition } of node.hosting?.all() ?? []) {
          node.api.transferLeadership(partition, to, { forward: "never", timeoutMs: 1000 });
        }
      });
    }
  }

  /** Some node that would carry an order of its operator out. */
  #hearer(except?: SimNode): SimNode | undefined {
    return this.#scene.nodes.find((node) =>
      node !== except && node.life?.running?.node.api.ready().ready
    );
  }

  #move({ partition, leaving, arriving, againMs }: Fault & { kind: "move" }): void {
    const map = this.#hearer()?.life?.running?.node.topology.map;
    if (map === undefined) return;
    const holders = map.partitions[partition]?.replicas.map(({ nodeId }) => nodeId) ?? [];
    const others = map.members.map(({ nodeId }) => nodeId).filter((id) => !holders.includes(id));
    if (holders.length === 0 || others.length === 0) return;
    const from = holders[leaving % holders.length];
    const to = others[arriving % others.length];
    this.#orderMove(partition, from, to);
    if (againMs !== undefined) this.#undo(againMs, () => this.#orderMove(partition, from, to));
  }

  /** Refused or unheard, it is forgotten. */
  #orderMove(partition: PartitionId, from: NodeId, to: NodeId): void {
    const life = this.#hearer()?.life;
    life?.incarnation.run(() => {
      const options = { forward: "forward", timeoutMs: 2000 } as const;
      life.running?.node.api.moveReplica(partition, from, to, options);
    });
  }

  #drain(node: SimNode, durationMs: number): void {
    if (this.leaving.has(node) || this.#drained.has(node)) return;
    const life = this.#hearer()?.life;
    if (life === undefined) return;
    this.#drained.add(node);
    life.incarnation.run(() => {
      const options = { forward: "forward", timeoutMs: 2000 } as const;
      life.running?.node.api.changeMembers({ kind: "drain", node: node.name }, options);
    });
    this.#undo(durationMs, () => this.#takeBack(node));
  }

  #takeBack(node: SimNode): void {
    this.#drained.delete(node);
    // One that is to leave stays on its way out.
    if (!this.leaving.has(node)) this.#order({ kind: "activate", node: node.name });
  }

  #tellToLeave(leaving: SimNode): void {
    this.leaving.add(leaving);
    this.#order({ kind: "remove", node: leaving.name }, leaving);
  }

  /** Repeated until somebody has heard it: a member that can't leave may do so once the cluster is healed. */
  #order(change: MemberChange, except?: SimNode): void {
    let answered = false;
    const retry = () => {
      if (answered) return;
      answered = true;
      this.#after(ORDER_RETRY_MS, () => this.#order(change, except));
    };
    const life = this.#hearer(except)?.life;
    if (life === undefined) return retry();
    life.incarnation.run(() => {
      const options = { forward: "forward", timeoutMs: 2000 } as const;
      life.running?.node.api.changeMembers(change, options).then((result) => {
        if (!result.ok && result.code !== "unknown-member") retry();
        answered = true;
      });
    });
    life.incarnation.onDeath(retry);
  }
}

type ProcessKind =
  | "crash"
  | "power-cut"
  | "crash-all"
  | "stop"
  | "pause"
  | "wipe"
  | "rot"
  | "misdirect";
type NetworkKind =
  | "partition"
  | "isolate"
  | "bridge"
  | "ring"
  | "one-way"
  | "clog"
  | "slow-link"
  | "refuse"
  | "reset"
  | "late-frames";
