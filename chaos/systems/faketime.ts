// Wall clocks of programs that know nothing of the bench, by libfaketime, if that is installed. It reaches what asks the
// C library for the time; Go programs don't (etcd's clock can't be set this way), and monotonic time stays true.

import { existsSync, writeFileSync } from "node:fs";
import type {
  MachineChange,
  MachineCounters,
  Machines,
  MachineSettings,
  PowerCutLoss,
  SystemNode,
} from "../types.ts";
import type { Cluster, SystemKind } from "./cluster.ts";

/** Where Debian keeps it. */
const LIBRARIES = ["x86_64", "aarch64"].map((machine) =>
  `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`
);
const ASK_TIMEOUT_MS = 2000;

function controlFile(dataDir: string): string {
  return `${dataDir}.faketime`;
}

/** What libfaketime reads: an offset in seconds, and a speed. */
export function faketimeText({ wallOffsetMs = 0, clockRate = 1 }: MachineSettings): string {
  const sign = wallOffsetMs < 0 ? "-" : "+";
  return `${sign}${Math.abs(wallOffsetMs) / 1000} x${clockRate}\n`;
}

/**
 * A kind of system whose clocks can be set; the same kind if libfaketime is not there. Its nodes must tell their clock
 * as `wallMs` at the ready path.
 */
export function withFaketime(kind: SystemKind): SystemKind {
  const library = LIBRARIES.find((path) => existsSync(path));
  if (library === undefined) return kind;
  return {
    ...kind,
    abilities: [...kind.abilities, "clocks"],
    machines: (cluster) => new FaketimeMachines(cluster, kind.readyPath),
    command(place, layout, joining) {
      const command = kind.command(place, layout, joining);
      const control = controlFile(place.dataDir);
      if (!existsSync(control)) writeFileSync(control, faketimeText({}));
      return {
        ...command,
        env: {
          ...command.env,
          LD_PRELOAD: library,
          FAKETIME_TIMESTAMP_FILE: control,
          FAKETIME_NO_CACHE: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        },
      };
    },
  };
}

class FaketimeMachines implements Machines {
  readonly #cluster: Cluster;
  readonly #readyPath: string;
  readonly #settings = new Map<string, MachineSettings>();

  constructor(cluster: Cluster, readyPath: string) {
    this.#cluster = cluster;
    this.#readyPath = readyPath;
  }

  steer(given: SystemNode, change: MachineChange): Promise<void> {
    const node = this.#cluster.own(given);
    const settings = { ...this.#settings.get(node.name), ...change } as MachineSettings;
    this.#settings.set(node.name, settings);
    // In place: the library keeps the file open by name, and the text is one short write.
    writeFileSync(controlFile(node.dataDir), faketimeText(settings));
    return Promise.resolve();
  }

  async counters(node: SystemNode): Promise<MachineCounters> {
    const none = { noSpaceAnswers: 0, delayedSyncs: 0, failedSyncs: 0 };
    try {
      const response = await fetch(`http://${node.directHttp}${this.#readyPath}`, {
        signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
      });
      const { wallMs } = await response.json();
      return { ...none, wallErrorMs: wallMs - Date.now() };
    } catch {
      return { ...none, wallErrorMs: 0 };
    }
  }

  cutPower(): Promise<PowerCutLoss> {
    return Promise.reject(new Error("Cannot cut the power: this system's disks are real ones"));
  }
}
