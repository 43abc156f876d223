import { assert, assertEquals } from "@std/assert";
import {
  decodeTransferMessage,
  encodeTransferMessage,
  type SendOutcome,
  SnapshotReceiver,
  SnapshotSender,
  type SnapshotStore,
  type ToReceiver,
  type ToSender,
  type TransferMessage,
} from "../../src/snapshot/mod.ts";
import { Scheduler } from "../sim/clock.ts";
import { chunksOf, readAll, SnapshotRig, source } from "./rig.ts";

const CHUNKS = chunksOf(10, [1000, 700_000, 5, 2_000_000, 0, 300_000]);
const CONTEXT = new Uint8Array([9, 8, 7]);

/** Two nodes and the link between them, 1 ms each way, every message through the codec. */
class Pair {
  readonly scheduler = new Scheduler();
  readonly from: SnapshotRig;
  readonly to: SnapshotRig;
  sender!: SnapshotSender;
  receiver!: SnapshotReceiver;
  receiverStore!: SnapshotStore;
  readonly installed: { index: number; context: Uint8Array }[] = [];
  /** Sees and may replace or (undefined) lose what goes to the receiver. */
  toReceiver: (message: ToReceiver) => ToReceiver | undefined = (message) => message;
  pieceBytes = 0;
  #transfers = 0;

  constructor(seed: string) {
    this.from = new SnapshotRig(`${seed} from`, this.scheduler);
    this.to = new SnapshotRig(`${seed} to`, this.scheduler);
    this.startReceiver();
  }

  startReceiver(): void {
    this.receiverStore = this.to.open();
    this.receiver = new SnapshotReceiver({
      store: this.receiverStore,
      clock: this.to.clock,
      isWanted: ({ group }) => group === 1,
      onInstalled: ({ metadata }, context) => {
        this.installed.push({ index: metadata.index, context });
      },
    });
  }

  send(store: SnapshotStore): Promise<SendOutcome> {
    const sender = new SnapshotSender({
      disk: this.from.disk,
      clock: this.from.clock,
      file: store.latest(1)!,
      transfer: ++this.#transfers,
      context: CONTEXT,
      send: (message) => {
        const delivered = this.toReceiver(message);
        if (delivered === undefined) return true;
        if (delivered.kind === "piece") this.pieceBytes += delivered.bytes.length;
        const bytes = encodeTransferMessage(delivered);
        const { receiver } = this;
        this.scheduler.schedule(1, () => {
          receiver.receive("a", decodeTransferMessage(bytes) as ToReceiver, (reply) => {
            const replyBytes = encodeTransferMessage(reply);
            this.scheduler.schedule(1, () => {
              sender.onReply(decodeTransferMessage(replyBytes) as ToSender);
            });
          });
        });
        return true;
      },
    });
    this.sender = sender;
    return sender.run();
  }

  async storeWithFile(): Promise<SnapshotStore> {
    const store = this.from.open();
    await this.scheduler.settle(store.write(source(10, CHUNKS)));
    return store;
  }
}

Deno.test("a snapshot crosses to another node and is installed whole", async () => {
  const pair = new Pair("plain");
  const store = await pair.storeWithFile();
  const outcome = await pair.scheduler.settle(pair.send(store));
  assertEquals(outcome, { delivered: true, reason: "installed", damaged: false });
  assertEquals(pair.installed, [{ index: 10, context: CONTEXT }]);
  assertEquals(await pair.scheduler.settle(readAll(pair.receiverStore)), CHUNKS);
  pair.to.kill({ powerCut: true });
  pair.startReceiver();
  assertEquals(await pair.scheduler.settle(readAll(pair.receiverStore)), CHUNKS);
});

Deno.test("a transfer that broke off resumes where it was, also after the receiver's crash", async () => {
  const pair = new Pair("resume");
  const store = await pair.storeWithFile();
  const sizeBytes = store.latest(1)!.sizeBytes;
  pair.toReceiver = (message) => {
    if (pair.pieceBytes < sizeBytes / 2) return message;
    pair.sender.cancel("link lost");
    return undefined;
  };
  const broken = await pair.scheduler.settle(pair.send(store));
  assertEquals([broken.delivered, broken.reason], [false, "link lost"]);
  await pair.scheduler.runFor(100);
  pair.receiver.linkLost("a");
  pair.to.kill();
  pair.startReceiver();
  pair.toReceiver = (message) => message;
  const outcome = await pair.scheduler.settle(pair.send(store));
  assert(outcome.delivered, outcome.reason);
  assert(pair.pieceBytes < sizeBytes * 1.1, `${pair.pieceBytes} of ${sizeBytes}`);
  assertEquals(await pair.scheduler.settle(readAll(pair.receiverStore)), CHUNKS);
});

Deno.test("lost pieces are sent again", async () => {
  const pair = new Pair("loss");
  const store = await pair.storeWithFile();
  let count = 0;
  pair.toReceiver = (message) =>
    message.kind === "piece" && ++count % 4 === 0 ? undefined : message;
  const outcome = await pair.scheduler.settle(pair.send(store));
  assert(outcome.delivered, outcome.reason);
  assertEquals(await pair.scheduler.settle(readAll(pair.receiverStore)), CHUNKS);
});

Deno.test("a sender without replies gives up; one with a damaged file says so", async () => {
  const pair = new Pair("silence");
  const store = await pair.storeWithFile();
  pair.toReceiver = () => undefined;
  const silent = await pair.scheduler.settle(pair.send(store));
  assertEquals([silent.delivered, silent.reason], [false, "no reply"]);
  pair.toReceiver = (message) => message;
  const file = store.latest(1)!;
  pair.from.disk.rot(file.path, file.sizeBytes / 2 | 0, 16);
  const damaged = await pair.scheduler.settle(pair.send(store));
  assertEquals([damaged.delivered, damaged.damaged], [false, true]);
  assertEquals(pair.installed, []);
  assertEquals(pair.receiverStore.latest(1), undefined);
});

Deno.test("a receiver refuses damaged pieces, unwanted groups and what it has no room for", async () => {
  const pair = new Pair("refuse");
  const store = await pair.storeWithFile();
  pair.toReceiver = (message) => {
    if (message.kind !== "piece") return message;
    const bytes = message.bytes.slice();
    bytes[bytes.length >> 1] ^= 1;
    return { ...message, bytes };
  };
  const outcome = await pair.scheduler.settle(pair.send(store));
  assertEquals(outcome.reason, "refused: damaged");
  assertEquals(pair.to.disk.list("snapshots"), []);
  pair.toReceiver = (message) =>
    message.kind === "offer"
      ? { ...message, metadata: { ...message.metadata, group: 5 } }
      : message;
  assertEquals((await pair.scheduler.settle(pair.send(store))).reason, "refused: not-wanted");
  pair.toReceiver = (message) => message;
  pair.to.disk.quotaBytes = 10_000;
  assertEquals((await pair.scheduler.settle(pair.send(store))).reason, "refused: no-space");
  assertEquals(pair.installed, []);
});

Deno.test("a receiver that crashes at any disk call ends up with the whole file or none", async () => {
  for (let call = 1;; call++) {
    const pair = new Pair(`crash ${call}`);
    const store = await pair.storeWithFile();
    let calls = 0;
    pair.to.disk.onCall = () => {
      if (++calls === call) pair.to.kill({ powerCut: true });
      return undefined;
    };
    const first = pair.send(store);
    await pair.scheduler.runFor(300);
    pair.to.disk.onCall = undefined;
    if (calls < call) {
      assert((await pair.scheduler.settle(first)).delivered);
      return;
    }
    pair.sender.cancel("the peer died");
    await pair.scheduler.settle(first);
    pair.startReceiver();
    const survived = await pair.scheduler.settle(readAll(pair.receiverStore));
    if (survived !== undefined) assertEquals(survived, CHUNKS);
    else assertEquals(pair.installed, []);
    assert((await pair.scheduler.settle(pair.send(store))).delivered);
    assertEquals(await pair.scheduler.settle(readAll(pair.receiverStore)), CHUNKS);
  }
});

Deno.test("decodeTransferMessage() inverts encodeTransferMessage() and refuses everything else", () => {
  const metadata = { group: 3, index: 2 ** 40, term: 7, confState: new Uint8Array([1, 2]) };
  const messages: TransferMessage[] = [
    { kind: "offer", transfer: 5, metadata, sizeBytes: 2 ** 33, context: CONTEXT },
    { kind: "piece", transfer: 5, offset: 2 ** 34, last: true, bytes: CONTEXT },
    { kind: "accept", transfer: 5, offset: 12 },
    { kind: "done", transfer: 5 },
    { kind: "refuse", transfer: 5, reason: "no-space" },
  ];
  for (const message of messages) {
    const bytes = encodeTransferMessage(message);
    assertEquals(decodeTransferMessage(bytes), message);
    assertEquals(decodeTransferMessage(bytes.subarray(0, 8)), undefined);
    if (message.kind !== "piece") {
      assertEquals(decodeTransferMessage(bytes.subarray(0, bytes.length - 1)), undefined);
    }
  }
  assertEquals(decodeTransferMessage(new Uint8Array(20)), undefined);
});
