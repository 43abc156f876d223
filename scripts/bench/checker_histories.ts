// Synthetic histories for the benchmark, from a simulated store: linearizable by construction. Deterministic.

import type { Operation } from "../../checker/mod.ts";

type Draft = {
  process: number;
  call: number;
  return: number | undefined;
  input: Record<string, unknown>;
  output: unknown;
};

/** A process between its call, the moment its request takes effect, and its return. */
interface Slot {
  process: number;
  phase: "idle" | "called" | "applied";
  operation: Draft | undefined;
  /** No answer comes back … */
  unknown: boolean;
  /** … and then the request may have got lost on the way there. */
  lost: boolean;
}

function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Runs `count` requests by `processes` concurrent clients, a share of them never answered. */
function simulate(
  count: number,
  processes: number,
  unknownShare: number,
  request: (random: () => number) => Record<string, unknown>,
  apply: (input: Record<string, unknown>) => unknown,
): Operation[] {
  const random = numbers(1);
  const operations: Draft[] = [];
  const slots: Slot[] = Array.from({ length: processes }, (_, process) => ({
    process,
    phase: "idle",
    operation: undefined,
    unknown: false,
    lost: false,
  }));
  let clock = 0;
  let busy = 0;
  while (operations.length < count || busy > 0) {
    const slot = slots[Math.floor(random() * processes)]!;
    if (slot.phase === "idle") {
      if (operations.length >= count) continue;
      const input = request(random);
      slot.operation = {
        process: slot.process,
        call: clock++,
        return: undefined,
        input,
        output: undefined,
      };
      operations.push(slot.operation);
      slot.unknown = random() < unknownShare;
      slot.lost = slot.unknown && random() < 0.5;
      slot.phase = "called";
      busy++;
    } else if (slot.phase === "called") {
      if (!slot.lost) slot.operation!.output = apply(slot.operation!.input);
      slot.phase = "applied";
    } else {
      if (slot.unknown) {
        slot.operation!.output = undefined;
        // A client that got no answer goes on under a new name, as Jepsen's do.
        slot.process += processes;
      } else slot.operation!.return = clock++;
      slot.phase = "idle";
      busy--;
    }
  }
  return operations;
}

/** One register, half reads, half writes of values never used before. Starts at 0. */
export function registerHistory(
  count: number,
  processes: number,
  unknownShare: number,
): Operation[] {
  let value = 0;
  let fresh = 1;
  return simulate(
    count,
    processes,
    unknownShare,
    (random) => random() < 0.5 ? { f: "read" } : { f: "write", value: fresh++ },
    (input) => {
      if (input.f === "read") return value;
      value = input.value as number;
      return null;
    },
  );
}

/** A store with revisions: half gets, the rest puts, conditional puts and deletes. */
export function kvHistory(
  count: number,
  processes: number,
  keys: number,
  unknownShare: number,
): Operation[] {
  const store = new Map<unknown, { value: unknown; revision: number }>();
  let revision = 0;
  let fresh = 1;
  return simulate(
    count,
    processes,
    unknownShare,
    (random) => {
      const key = `k${Math.floor(random() * keys)}`;
      const kind = random();
      if (kind < 0.5) return { f: "get", key };
      if (kind < 0.55) return { f: "delete", key };
      const put = { f: "put", key, value: `v${fresh++}` };
      return kind < 0.6 ? { ...put, ifMatch: store.get(key)?.revision ?? 1 } : put;
    },
    (input) => {
      const held = store.get(input.key);
      if (input.f === "get") {
        return held === undefined ? { status: 404 } : { status: 200, ...held };
      }
      revision++;
      if (input.f === "delete") {
        store.delete(input.key);
        return held === undefined ? { status: 404 } : { status: 200, revision };
      }
      if (input.ifMatch !== undefined && input.ifMatch !== held?.revision) {
        return { status: 412, revision: held?.revision ?? 0 };
      }
      store.set(input.key, { value: input.value, revision });
      return { status: held === undefined ? 201 : 200, revision };
    },
  );
}

/** Appends, puts and gets of `clients` clients over ten keys, like Porcupine's c50 logs. */
export function independentKeysHistory(clients: number, count: number): Operation[] {
  const store = new Map<unknown, string>();
  let fresh = 0;
  return simulate(
    count,
    clients,
    0,
    (random) => {
      const key = String(Math.floor(random() * 10));
      const kind = random();
      if (kind < 0.475) return { f: "get", key };
      return { f: kind < 0.95 ? "append" : "put", key, value: `x ${fresh++} y` };
    },
    (input) => {
      const held = store.get(input.key) ?? "";
      if (input.f === "get") return held;
      store.set(input.key, input.f === "put" ? input.value as string : held + input.value);
      return null;
    },
  );
}

/** Writes the history as events, in the order of their places in the record. */
export async function toNdjson(history: readonly Operation[], path: string): Promise<void> {
  const events: (readonly [number, string])[] = [];
  for (const { process, call, return: end, input, output } of history) {
    events.push([call, JSON.stringify({ process, type: "invoke", input })]);
    if (typeof end === "number") {
      events.push([end, JSON.stringify({ process, type: "ok", output })]);
    }
  }
  events.sort(([a], [b]) => a - b);
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const encoder = new TextEncoder();
  for (let from = 0; from < events.length; from += 20_000) {
    const lines = events.slice(from, from + 20_000).map(([, line]) => `${line}\n`).join("");
    let bytes = encoder.encode(lines);
    while (bytes.length > 0) bytes = bytes.subarray(file.writeSync(bytes));
  }
}
