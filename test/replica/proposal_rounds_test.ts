// When the groups of a node propose, and that they do so together: no group waits for long, whatever the
// others and the log do.

import { assertEquals } from "@std/assert";
import { HOLD_MS_MAX } from "../../src/replica/batch_fill.ts";
import { ProposalRounds, type RoundMember } from "../../src/replica/proposal_rounds.ts";
import { Incarnation, Scheduler, SimClock } from "../sim/clock.ts";

/** A log whose sync is under way until `end` is called. */
class SlowLog {
  isSyncing = false;
  #callbacks: (() => void)[] = [];

  afterSync(callback: () => void): void {
    if (this.isSyncing) this.#callbacks.push(callback);
    else callback();
  }

  /** One sync has ended, and, as on a busy node, the next one begun. */
  end(): void {
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}

/** A group that proposes what it has whenever it may. */
class Group implements RoundMember {
  queued = 0;
  waiting = 0;
  /** Sizes of its batches. */
  readonly batches: number[] = [];
  asked = 0;
  readonly #rig: Rig;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  wake(): void {
    this.#rig.clock.defer(() => this.turn());
  }

  join(): void {
    this.#rig.joined.add(this);
  }

  enqueue(count: number): void {
    this.queued += count;
    this.#rig.rounds.note(this, this.queued, this.waiting);
  }

  turn(): void {
    const { rounds, log } = this.#rig;
    if (this.queued > 0 && rounds.opens(this, log)) {
      this.batches.push(this.queued);
      this.waiting += this.queued;
      this.queued = 0;
    }
    rounds.note(this, this.queued, this.waiting);
  }

  commit(): void {
    this.waiting = 0;
    this.turn();
  }
}

class Rig {
  readonly scheduler = new Scheduler();
  readonly clock = new SimClock(new Incarnation(this.scheduler, "a"));
  readonly rounds = new ProposalRounds(this.clock);
  readonly log = new SlowLog();
  /** Who joins the turn under way. */
  readonly joined = new Set<Group>();

  groups(count: number): Group[] {
    return Array.from({ length: count }, () => new Group(this));
  }

  /** A turn of these groups and of all that they ask along. */
  turn(...groups: Group[]): void {
    for (const group of groups) this.joined.add(group);
    for (const group of this.joined) {
      this.joined.delete(group);
      group.turn();
    }
  }

  /** Lets time pass; what joins outside of a turn gets one. */
  async run(durationMs: number): Promise<void> {
    const endMs = this.scheduler.nowMs + durationMs;
    while (this.scheduler.nowMs < endMs) {
      await this.scheduler.runFor(0.25);
      this.turn();
    }
  }
}

Deno.test("a single proposal goes at once", () => {
  const rig = new Rig();
  const [a] = rig.groups(1);
  a.enqueue(1);
  rig.turn(a);
  assertEquals(a.batches, [1]);
});

Deno.test("what other groups hold back goes along with a round that is full", async () => {
  const rig = new Rig();
  const [a, b, c] = rig.groups(3);
  a.enqueue(8);
  rig.turn(a);
  assertEquals(a.batches, [8]);
  b.enqueue(1);
  rig.turn(b);
  c.enqueue(2);
  rig.turn(c);
  assertEquals([b.batches, c.batches], [[], []], "eight wait for their commit");
  c.enqueue(3);
  rig.turn(c);
  assertEquals([b.batches, c.batches], [[1], [5]]);
  await rig.run(10);
  assertEquals([a.batches, b.batches, c.batches], [[8], [1], [5]]);
});

Deno.test("a group without a quorum holds the others back for a moment only", async () => {
  const rig = new Rig();
  const [stuck, other] = rig.groups(2);
  stuck.enqueue(100);
  rig.turn(stuck);
  for (let i = 1; i <= 3; i++) {
    other.enqueue(1);
    rig.turn(other);
    await rig.run(HOLD_MS_MAX + 0.5);
    assertEquals(other.batches.length, i);
  }
});

Deno.test("proposals wait for the sync under way and for no second one", async () => {
  const rig = new Rig();
  const [a, b] = rig.groups(2);
  rig.log.isSyncing = true;
  a.enqueue(1);
  b.enqueue(1);
  rig.turn(a, b);
  assertEquals([a.batches, b.batches], [[], []]);
  rig.log.end();
  rig.turn();
  await rig.run(0.5);
  assertEquals([a.batches, b.batches], [[1], [1]], "though the log syncs again");
  a.enqueue(1);
  rig.turn(a);
  assertEquals(a.batches, [1]);
});

Deno.test("a full round waits for no sync", () => {
  const rig = new Rig();
  const [a, b] = rig.groups(2);
  rig.log.isSyncing = true;
  a.enqueue(40);
  b.enqueue(40);
  rig.turn(a, b);
  assertEquals([a.batches, b.batches], [[40], [40]]);
});

Deno.test("a group that ends while others look for more leaves them nothing to wait for", async () => {
  const rig = new Rig();
  const [a, b] = rig.groups(2);
  a.enqueue(9);
  rig.turn(a);
  a.commit();
  a.enqueue(1);
  rig.turn(a);
  b.enqueue(1);
  rig.turn(b);
  assertEquals([a.batches, b.batches], [[9], []]);
  a.queued = 0;
  rig.rounds.leave(a);
  await rig.run(2);
  assertEquals(b.batches, [1]);
});

Deno.test("a group that may not propose for a while leaves the others nothing to wait for", async () => {
  const rig = new Rig();
  const [a, b] = rig.groups(2);
  a.enqueue(9);
  rig.turn(a);
  a.commit();
  a.enqueue(1);
  rig.turn(a);
  b.enqueue(1);
  rig.turn(b);
  assertEquals([a.batches, b.batches], [[9], []]);
  a.turn = () => {};
  rig.rounds.note(a, 0, 0);
  await rig.run(2);
  assertEquals([a.batches, b.batches], [[9], [1]]);
});
