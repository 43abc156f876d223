// Micro benchmark of the consensus core alone: propose -> commit -> apply on three cores in one process,
// with storage in memory and messages passed by reference. Everything a node adds is missing.
// deno run scripts/bench/raft.ts [--seconds N]

import {
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  MemoryStorage,
  NO_DATA,
  RawNode,
} from "../../src/raft/mod.ts";

const VALUE = new Uint8Array(128);

class Replica {
  readonly storage = new MemoryStorage();
  readonly raw: RawNode;
  applied = 0;
  reads = 0;

  constructor(id: number) {
    const confState = {
      voters: [1, 2, 3],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    this.storage.applySnapshot({ data: NO_DATA, metadata: { index: 1, term: 1, confState } });
    this.raw = new RawNode({
      id,
      storage: this.storage,
      random: (bound) => id % bound,
      electionTicks: 10,
      heartbeatTicks: 1,
      applied: 1,
      asyncStorageWrites: true,
      preVote: true,
      checkQuorum: true,
      maxMessageBytes: 1 << 20,
      maxInflightMessages: 256,
      maxInflightBytes: 16 << 20,
      maxUncommittedBytes: 64 << 20,
    });
  }

  /** Does all pending work at once, as if every write were durable when it is ordered. */
  pump(replicas: readonly Replica[]): boolean {
    if (!this.raw.hasReady()) return false;
    const ready = this.raw.ready();
    this.reads += ready.readStates.length;
    for (const m of ready.messages) {
      if (m.to === LOCAL_APPEND_THREAD) {
        if (m.term !== 0) {
          this.storage.setHardState({ term: m.term, vote: m.vote, commit: m.commit });
        }
        this.storage.append(m.entries);
      } else if (m.to === LOCAL_APPLY_THREAD) {
        this.applied += m.entries.length;
      } else {
        replicas[m.to - 1].raw.step(m);
        continue;
      }
      for (const response of m.responses) replicas[response.to - 1].raw.step(response);
    }
    return true;
  }

  compact(): void {
    const { applied } = this.raw;
    if (applied - this.storage.firstIndex() > 20_000) this.storage.compact(applied - 10_000);
  }
}

function group(): Replica[] {
  const replicas = [1, 2, 3].map((id) => new Replica(id));
  replicas[0].raw.campaign();
  settle(replicas);
  return replicas;
}

function settle(replicas: readonly Replica[]): void {
  for (let busy = true; busy;) {
    busy = false;
    for (const replica of replicas) {
      if (replica.pump(replicas)) busy = true;
    }
  }
}

/** Runs `round` for about `seconds` and returns units a second; `round` returns units done. */
function rate(seconds: number, round: () => number): number {
  for (const end = performance.now() + 300; performance.now() < end;) round();
  let units = 0;
  const start = performance.now();
  while (performance.now() < start + seconds * 1000) units += round();
  return units / ((performance.now() - start) / 1000);
}

function benchPuts(seconds: number, batch: number, size: number): number {
  const replicas = group();
  const data = new Uint8Array(size);
  const batchData = Array.from({ length: batch }, () => data);
  return rate(seconds, () => {
    replicas[0].raw.proposeBatch(batchData);
    settle(replicas);
    for (const replica of replicas) replica.compact();
    return batch;
  });
}

function benchReads(seconds: number): number {
  const replicas = group();
  let context = 0;
  return rate(seconds, () => {
    replicas[0].raw.readIndex(++context);
    settle(replicas);
    return 1;
  });
}

function benchIdleTicks(seconds: number): number {
  const replicas = group();
  return rate(seconds, () => {
    for (const { raw } of replicas) raw.tick();
    settle(replicas);
    return 1;
  });
}

function main(): void {
  const given = Deno.args.indexOf("--seconds");
  const seconds = given < 0 ? 1 : Number(Deno.args[given + 1]);
  const rows: [string, number][] = [];
  for (const batch of [1, 8, 64, 256]) {
    rows.push([`puts, ${batch} a batch (3 replicas)`, benchPuts(seconds, batch, VALUE.length)]);
  }
  rows.push(["read rounds (3 replicas)", benchReads(seconds)]);
  rows.push(["heartbeat rounds (3 replicas)", benchIdleTicks(seconds)]);
  for (const [name, perSecond] of rows) {
    const us = (1e6 / perSecond).toFixed(2);
    console.log(
      `${name.padEnd(34)} ${Math.round(perSecond).toLocaleString("en")}/s  ${us} us each`,
    );
  }
}

if (import.meta.main) main();
