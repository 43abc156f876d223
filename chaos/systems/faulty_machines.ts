// The machines of test/faulty/node.ts, steered through their files.

import {
  machineFiles,
  type MachineStatus,
  readJson,
  writeJson,
} from "../../test/faulty/machine.ts";
import { cutPower } from "../../test/faulty/power_cut.ts";
import type {
  MachineChange,
  MachineCounters,
  Machines,
  MachineSettings,
  PowerCutLoss,
  Random,
  SystemNode,
} from "../types.ts";
import { until } from "../wait.ts";
import type { Cluster } from "./cluster.ts";

const STEER_TIMEOUT_MS = 5000;

export class FaultyMachines implements Machines {
  readonly #cluster: Cluster;
  readonly #settings = new Map<string, MachineSettings>();
  #generation = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async steer(given: SystemNode, change: MachineChange): Promise<void> {
    const node = this.#cluster.own(given);
    const generation = ++this.#generation;
    const { control, status } = machineFiles(node.dataDir);
    // JSON leaves out what is undefined.
    const settings = { ...this.#settings.get(node.name), ...change } as MachineSettings;
    this.#settings.set(node.name, settings);
    writeJson(control, { generation, settings });
    // A node that is down goes by it from its start on.
    await until(`the machine of ${node.name} is steered`, STEER_TIMEOUT_MS, () => {
      if (!node.running || node.down) return true;
      return (readJson<MachineStatus>(status)?.generation ?? -1) >= generation;
    });
  }

  counters(given: SystemNode): Promise<MachineCounters> {
    const none = { noSpaceAnswers: 0, delayedSyncs: 0, failedSyncs: 0, wallErrorMs: 0 };
    const { status } = machineFiles(this.#cluster.own(given).dataDir);
    return Promise.resolve(readJson<MachineStatus>(status) ?? none);
  }

  async cutPower(given: SystemNode, random: Random): Promise<PowerCutLoss> {
    await this.#cluster.kill(given);
    return cutPower(this.#cluster.own(given).dataDir, random);
  }
}
