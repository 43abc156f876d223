// One simulated machine: a disk that outlives its processes, and the production node that runs on it, life
// after life. Owns starting and ending lives; what a life does comes from src/node alone.

import type { NodeConfig } from "../../src/node/config.ts";
import { type RunningNode, runNode } from "../../src/node/run.ts";
import { NodeDigest } from "../../src/platform/deno/random.ts";
import type { DiskErrorCode, HttpHandler, Log, Platform } from "../../src/platform/ports.ts";
import { Incarnation, type Scheduler, SimClock } from "./clock.ts";
import {
  isProvenDurable,
  type Misdirected,
  misdirectLogWrite,
  rotLog,
  rotSnapshots,
} from "./damage.ts";
import { NO_QUOTA_BYTES, SimDisk } from "./disk.ts";
import type { SimNetwork } from "./network.ts";
import type { SeededRandom } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { Trace } from "./trace.ts";

/** Thrown through a node's code when its process ends itself. */
export class ProcessEnded extends Error {
  override name = "ProcessEnded";
}

/** What a machine needs of the simulation. */
export interface SimHost {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly recorder?: Recorder | undefined;
  readonly syncDelayMsMean: number;
  readonly onLog?: (node: string, message: string, fields: Record<string, unknown>) => void;
  /** A node ended itself, or threw. `expected`: a fault that was injected explains it. */
  onEnd(node: SimNode, reason: string, expected: boolean): void;
}

/** One life of the process. */
export interface Life {
  readonly number: number;
  readonly incarnation: Incarnation;
  readonly clock: SimClock;
  running: RunningNode | undefined;
  handler: HttpHandler | undefined;
  stopping: boolean;
}

export class SimNode {
  readonly name: string;
  readonly config: NodeConfig;
  readonly #host: SimHost;
  #disk: SimDisk;
  readonly #diskRandom: SeededRandom;
  #life: Life | undefined;
  #lives = 0;
  #slowUntilMs = 0;
  #slowMs = 0;
  #failNextSync = false;
  /** The machine loses power when an injected failure ends the process. */
  #powerGoesToo = false;
  /** A write of the log is not where it should be, and nobody knows. */
  #misdirected: Misdirected | undefined;
  wallOffsetMs = 0;
  rate = 1;
  /** Its disk was damaged: its replicas may find that they lost something. */
  mayBeSuspect = false;
  /** When it last took a member for suspect, as its log tells. */
  lastSuspicionMs = -Infinity;
  /** It is not coming back in this run, or has left the cluster. */
  retired = false;

  constructor(host: SimHost, config: NodeConfig) {
    this.#host = host;
    this.name = config.name;
    this.config = config;
    this.#diskRandom = host.random.stream(`disk/${config.name}`);
    this.#disk = this.#newDisk();
  }

  #newDisk(): SimDisk {
    return new SimDisk({
      schedule: (delayMs, callback) => {
        this.#life?.incarnation.schedule(delayMs, callback);
      },
      syncDelayMs: () => this.#syncDelayMs(),
    });
  }

  /** False for a machine that nobody has switched on yet. */
  get hasStarted(): boolean {
    return this.#lives > 0;
  }

  /** The life that runs or is paused, if any. */
  get life(): Life | undefined {
    return this.#life;
  }

  #syncDelayMs(): number {
    const exponential = -Math.log(1 - this.#diskRandom.float()) * this.#host.syncDelayMsMean;
    const slow = this.#host.scheduler.nowMs < this.#slowUntilMs ? this.#slowMs : 0;
    return 0.05 + exponential + slow;
  }

  // ----------------------------------------------------------------------------------------- lives

  start(): void {
    if (this.#life !== undefined || this.retired) return;
    if (this.#misdirected !== undefined) {
      // Without proof in the log a lost write looks like one that was never acknowledged: a machine whose
      // disk did that is replaced, not trusted.
      if (isProvenDurable(this.#disk, this.#misdirected)) this.mayBeSuspect = true;
      else this.#replaceDisk();
      this.#misdirected = undefined;
    }
    const { scheduler, network, random, trace } = this.#host;
    const number = ++this.#lives;
    const incarnation = new Incarnation(scheduler, this.name);
    const clock = new SimClock(incarnation);
    clock.wallOffsetMs = this.wallOffsetMs;
    clock.setRate(this.rate);
    const life: Life = {
      number,
      incarnation,
      clock,
      running: undefined,
      handler: undefined,
      stopping: false,
    };
    this.#life = life;
    // What a process throws and does not catch ends it, as it does for real.
    incarnation.onUncaught = (cause) => {
      if (cause instanceof ProcessEnded || incarnation.isDead) return;
      this.#end(life, `uncaught ${cause instanceof Error ? cause.stack : cause}`, false);
    };
    trace.note(scheduler.nowMs, this.name, `start life ${number}`);
    this.#host.recorder?.mark("start", this.name, `life ${number}`);
    this.#disk.onCall = ({ kind }): DiskErrorCode | undefined => {
      const isSync = kind === "sync" || kind === "sync-directory";
      if (!isSync || !this.#failNextSync) return undefined;
      this.#failNextSync = false;
      return "io";
    };
    const platform: Platform = {
      clock,
      random: random.stream(`${this.name}/${number}`),
      disk: this.#disk.mount(),
      network: network.forNode(incarnation),
      http: {
        listen: (address, handler) => {
          life.handler = handler;
          return Promise.resolve({
            address,
            shutdown: () => {
              life.handler = undefined;
              return Promise.resolve();
            },
          });
        },
      },
      log: this.#log({}),
      digest: new NodeDigest(),
      process: {
        fatal: (reason, cause) => {
          const text = `${reason}: ${cause instanceof Error ? cause.stack : cause}`;
          this.#end(life, text, text.includes("injected"));
          throw new ProcessEnded(reason);
        },
      },
    };
    incarnation.run(() => {
      runNode(this.config, platform).then((running) => life.running = running, (cause) => {
        if (incarnation.isDead) return;
        const text = `cannot start: ${cause instanceof Error ? cause.stack : cause}`;
        // Nothing can start on a full disk.
        const full = text.includes("no space left");
        this.#end(life, text, full || text.includes("injected"));
      });
    });
  }

  /** Every file on its disk. */
  files(): Map<string, Uint8Array> {
    return this.#disk.dump();
  }

  #log(fields: Record<string, unknown>): Log {
    const { scheduler, trace } = this.#host;
    return {
      log: (level, message, more) => {
        const all = { ...fields, ...more };
        if (message === "member is suspect") this.lastSuspicionMs = scheduler.nowMs;
        this.#host.onLog?.(this.name, message, all);
        trace.note(scheduler.nowMs, this.name, `${level}: ${message} ${JSON.stringify(all)}`);
      },
      with: (more) => this.#log({ ...fields, ...more }),
    };
  }

  #end(life: Life, reason: string, expected: boolean): void {
    if (life.incarnation.isDead) return;
    this.#host.trace.note(this.#host.scheduler.nowMs, this.name, `ended: ${reason.split("\n")[0]}`);
    this.#kill(life, false);
    this.#disk.crashProcess();
    if (expected && this.#powerGoesToo) this.powerCut(false);
    this.#powerGoesToo = false;
    // So damaged that the node says to come back without its data: whoever runs it does that.
    const hopeless = this.mayBeSuspect && reason.includes("move the data directory away");
    if (hopeless) this.#replaceDisk();
    this.#host.onEnd(this, reason, expected || hopeless);
  }

  #kill(life: Life, silently: boolean): void {
    life.incarnation.kill({ silently });
    this.#host.recorder?.mark("end", this.name, `end of life ${life.number}`);
    if (this.#life === life) this.#life = undefined;
  }

  /** As by SIGKILL: the page cache stays. */
  crash(): void {
    if (this.#life === undefined) return;
    this.#kill(this.#life, false);
    this.#disk.crashProcess();
  }

  /** The machine loses power: a random part of what was not synced stays. */
  powerCut(silent: boolean): void {
    if (this.#life !== undefined) this.#kill(this.#life, silent);
    this.#disk.powerCut(this.#diskRandom);
  }

  /** The machine comes back with an empty disk. */
  wipe(): void {
    this.powerCut(false);
    this.#replaceDisk();
  }

  #replaceDisk(): void {
    this.#disk = this.#newDisk();
    this.#misdirected = undefined;
    this.#host.network.replaced(this.name);
  }

  /** Puts `content` in place of a file's. The process must be down. */
  replaceFile(path: string, content: Uint8Array): void {
    const file = this.#disk.mount().open(path, { truncate: true });
    file.writeSync(content, 0);
    file.syncSync();
    file.close();
    this.mayBeSuspect = true;
  }

  /** Flips bits of what is durable. The process must be down. */
  rot(file: "log" | "snapshot", places: readonly number[]): void {
    const flipped = file === "log" ? rotLog(this.#disk, places) : rotSnapshots(this.#disk, places);
    this.#note(`rot at ${flipped.join(", ") || "nothing"}`);
    if (flipped.length > 0) this.mayBeSuspect = true;
  }

  /** The next write of the log lands elsewhere. */
  misdirect(place: number): void {
    misdirectLogWrite(this.#disk, place, (misdirected, landing) => {
      this.#misdirected = misdirected;
      const { segment, end } = misdirected;
      this.#note(`a write up to ${end} of segment ${segment} landed at ${landing}`);
    });
  }

  /** Whether a misdirected write waits to be found, and would be. */
  get hasProvableDamage(): boolean {
    return this.#misdirected !== undefined && isProvenDurable(this.#disk, this.#misdirected);
  }

  #note(what: string): void {
    this.#host.trace.note(this.#host.scheduler.nowMs, this.name, what);
  }

  /** A graceful stop; the process is gone when it is done. */
  stop(done: () => void): void {
    const life = this.#life;
    if (life?.running === undefined || life.stopping) return done();
    life.stopping = true;
    life.running.stop().then(() => {
      if (this.#life !== life) return;
      this.crash();
      done();
    }, (cause) => {
      if (life.incarnation.isDead) return;
      this.#end(life, `cannot stop: ${cause}`, String(cause).includes("injected"));
    });
  }

  // ---------------------------------------------------------------------------------------- faults

  slowSyncs(delayMs: number, durationMs: number): void {
    this.#slowMs = delayMs;
    this.#slowUntilMs = this.#host.scheduler.nowMs + durationMs;
  }

  /** Of a file or of a folder. `power`: the machine goes down with the process. */
  failNextSync(power: boolean): void {
    this.#failNextSync = true;
    this.#powerGoesToo = power;
  }

  /** Leaves room for `freeBytes` more. */
  limitSpace(freeBytes: number): void {
    this.#disk.quotaBytes = this.#disk.usedBytes() + freeBytes;
  }

  freeSpace(): void {
    this.#disk.quotaBytes = NO_QUOTA_BYTES;
  }

  jumpWall(offsetMs: number): void {
    this.wallOffsetMs = offsetMs;
    if (this.#life !== undefined) this.#life.clock.wallOffsetMs = offsetMs;
  }

  setRate(rate: number): void {
    this.rate = rate;
    this.#life?.clock.setRate(rate);
  }

  /** Ends what would still happen to it. */
  healFaults(): void {
    this.#failNextSync = false;
    this.#slowUntilMs = 0;
    this.#disk.misdirectNextWrite = undefined;
    this.freeSpace();
    this.setRate(1);
    this.#life?.incarnation.resume();
  }
}
