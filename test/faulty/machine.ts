// The machine under a faulty node: what it is told in a control file, and what it tells in a status file. Both are
// replaced as a whole. Looks at the control file a few times a second.

import * as fs from "node:fs";

/** What goes wrong. A field that is absent is as on a healthy machine. */
export interface MachineSettings {
  readonly wallOffsetMs?: number;
  readonly clockRate?: number;
  readonly quotaBytes?: number;
  readonly syncDelayMs?: number;
  readonly syncFails?: boolean;
}

/** The control file: settings, and a number that grows with each change. */
export interface MachineOrder {
  readonly generation: number;
  readonly settings: MachineSettings;
}

/** The status file. */
export interface MachineStatus {
  /** The order that is in force. */
  readonly generation: number;
  readonly pid: number;
  /** Answers "no space", to writes and to questions for the free space. */
  readonly noSpaceAnswers: number;
  readonly delayedSyncs: number;
  readonly failedSyncs: number;
  /** The node's wall clock minus the real one, to 10 ms. */
  readonly wallErrorMs: number;
}

const POLL_MS = 20;

/** Where the two files of a data directory's machine are. */
export function machineFiles(
  dataDir: string,
): { readonly control: string; readonly status: string } {
  const base = dataDir.replace(/\/+$/, "");
  return { control: `${base}.machine.json`, status: `${base}.machine.status.json` };
}

/** Replaces a JSON file in one step. */
export function writeJson(path: string, value: unknown): void {
  fs.writeFileSync(`${path}.new`, JSON.stringify(value));
  fs.renameSync(`${path}.new`, path);
}

/** Reads a JSON file; undefined if there is none. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(fs.readFileSync(path, "utf8"));
  } catch (cause) {
    if ((cause as { code?: string }).code === "ENOENT") return undefined;
    throw cause;
  }
}

export class Machine {
  readonly #dataDir: string;
  readonly #onSettings: (() => void)[] = [];
  settings: MachineSettings = {};
  /** How far the clocks are off now; set by whoever wraps them. */
  wallErrorMs: () => number = () => 0;
  noSpaceAnswers = 0;
  delayedSyncs = 0;
  failedSyncs = 0;
  #generation = -1;
  #told = "";

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#look();
  }

  /** Calls `listener` after every change of settings. */
  onSettings(listener: () => void): void {
    this.#onSettings.push(listener);
  }

  /** Tells the listeners that the settings are other ones. */
  changed(): void {
    for (const listener of this.#onSettings) listener();
  }

  /** Follows the control file from now on, as long as the process lives. */
  follow(): void {
    setInterval(() => this.#look(), POLL_MS);
  }

  #look(): void {
    const order = readJson<MachineOrder>(machineFiles(this.#dataDir).control);
    if (order !== undefined && order.generation !== this.#generation) {
      this.#generation = order.generation;
      this.settings = order.settings;
      this.changed();
    }
    this.#tell();
  }

  #tell(): void {
    const status: MachineStatus = {
      generation: this.#generation,
      pid: Deno.pid,
      noSpaceAnswers: this.noSpaceAnswers,
      delayedSyncs: this.delayedSyncs,
      failedSyncs: this.failedSyncs,
      wallErrorMs: 10 * Math.round(this.wallErrorMs() / 10),
    };
    const text = JSON.stringify(status);
    if (text === this.#told) return;
    this.#told = text;
    writeJson(machineFiles(this.#dataDir).status, status);
  }
}
