// When a replica takes a snapshot, and which one it sends to a follower that needs one. At most one is written at a
// time. It must never go on sending a file that did not help.

import { assert } from "../base/assert.ts";
import type { LogIndex, ReplicaId, Term } from "../base/ids.ts";
import { type Message, MessageType, newMessage, NO_DATA } from "../raft/mod.ts";
import type { SnapshotPoint } from "./log_port.ts";
import type { StateMachine } from "./machine.ts";
import type { ReplicaOptions } from "./options.ts";
import { metadataOf } from "./window_storage.ts";

/** Pause after a snapshot that could not be written: a full disk is not helped by trying at once. */
const RETRY_MS = 1000;

type Options = Pick<
  ReplicaOptions<unknown>,
  "id" | "snapshots" | "log" | "links" | "logger" | "clock" | "wake" | "snapshotLogBytes"
>;

export interface SnapshottingReplica {
  readonly machine: StateMachine<unknown>;
  /** Where its state stands. */
  point(): SnapshotPoint;
  /** Whether that state is whole. */
  serving(): boolean;
  stopped(): boolean;
  term(): Term;
  /** What became of a snapshot that the core asked for. */
  sent(to: ReplicaId, delivered: boolean): void;
}

export class Snapshotting {
  readonly #options: Options;
  readonly #replica: SnapshottingReplica;
  /** Index of the snapshot that a replica without its state was last sent. */
  readonly #helped = new Map<ReplicaId, LogIndex>();
  #writing = false;
  #wanted = false;

  constructor(options: Options, replica: SnapshottingReplica) {
    this.#options = options;
    this.#replica = replica;
  }

  /** Whether one is being written. */
  get writing(): boolean {
    return this.#writing;
  }

  /** Take one soon, though the log's length does not ask for it. */
  want(): void {
    this.#wanted = true;
  }

  /** Begins one if one is due. */
  maybeTake(): void {
    const { log, snapshots, snapshotLogBytes, logger, clock, wake } = this.#options;
    if (this.#writing || !this.#replica.serving()) return;
    if (log.bytesSinceSnapshot < snapshotLogBytes && !this.#wanted) return;
    this.#wanted = false;
    const point = this.#replica.point();
    const { latest } = snapshots;
    if (latest !== undefined && latest.point.index >= point.index) return;
    this.#writing = true;
    const done = () => {
      this.#writing = false;
      wake();
    };
    this.#take(point).then(done, (cause) => {
      // A replica that was removed meanwhile has lost its files, and needs no snapshot.
      if (this.#replica.stopped()) return;
      logger.log("error", "snapshot failed", { error: String(cause) });
      clock.setTimer(RETRY_MS, done);
    });
  }

  async #take(point: SnapshotPoint): Promise<void> {
    const image = this.#replica.machine.image();
    await this.#options.snapshots.write(point, image.chunks());
    if (!this.#replica.stopped()) this.#options.log.snapshotTaken(point);
  }

  /** Carries out the core's order to send one. */
  send(message: Message): void {
    const { snapshots, links, wake } = this.#options;
    const file = snapshots.latest;
    assert(file !== undefined && message.snapshot !== null, "a snapshot was promised to the core");
    const snapshot = { ...message.snapshot, metadata: metadataOf(file.point) };
    links.sendSnapshot(message.to, file, { ...message, snapshot }).then((delivered) => {
      if (this.#replica.stopped()) return;
      this.#replica.sent(message.to, delivered);
      wake();
    });
  }

  /**
   * Helps a follower that has lost its state, though not its log: with what there is, or soon will be. The
   * follower's own log goes on from there, so how far back this one reaches does not matter.
   */
  sendLatest(to: ReplicaId): void {
    const { id, snapshots, links, wake } = this.#options;
    const file = snapshots.latest;
    // Who asks again though it has this one stands behind it: only a newer one helps.
    const isOld = file !== undefined && this.#helped.get(to) === file.point.index &&
      file.point.index < this.#replica.point().index;
    if (file === undefined || isOld) {
      this.#wanted = true;
      return wake();
    }
    this.#helped.set(to, file.point.index);
    const message = newMessage(MessageType.Snapshot, to, id);
    message.term = this.#replica.term();
    message.snapshot = { data: NO_DATA, metadata: metadataOf(file.point) };
    links.sendSnapshot(to, file, message);
  }
}
