// One directed link inside the proxy: its listener, its open connections, and the effect that rules over them.

import { createServer, type Server, type Socket } from "node:net";
import type { LinkEffect, Random } from "../types.ts";
import { swallows } from "./lane.ts";
import type { LateFrames } from "./late_frames.ts";
import { noCounters, type ProxiedLink } from "./messages.ts";
import { Relay, type RelayLink } from "./relay.ts";

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/** Value of a header line in the head of a request, lower case; undefined if it is not in these bytes. */
function headerIn(chunk: Uint8Array, header: string): string | undefined {
  const text = new TextDecoder("latin1").decode(chunk.subarray(0, HEAD_BYTES_MAX));
  const line = text.split("\r\n").find((one) => one.toLowerCase().startsWith(`${header}:`));
  return line?.slice(header.length + 1).trim().toLowerCase();
}

/** How much of what comes is searched for a header line. */
const HEAD_BYTES_MAX = 8192;

export class LinkProxy implements RelayLink {
  readonly counters = noCounters();
  readonly late: LateFrames;
  readonly framed: boolean;
  readonly random: Random;
  readonly #link: ProxiedLink;
  readonly #relays = new Set<Relay>();
  /** Connections that were accepted while nothing passed; nobody answers them. */
  readonly #stranded = new Set<Socket>();
  readonly #server: Server;
  #effect: LinkEffect | undefined;
  #resetTimer: ReturnType<typeof setTimeout> | undefined;

  readonly recognise?: RelayLink["recognise"];

  /**
   * `late` holds what is to reach the link's acceptor late, by whatever link. `siblings` share the link's address: their
   * connections come in here, and go to the one whose dialler is recognised.
   */
  constructor(
    link: ProxiedLink,
    late: LateFrames,
    random: Random,
    siblings: ReadonlyMap<string, LinkProxy> = new Map(),
  ) {
    this.#link = link;
    if (siblings.size > 0) {
      this.recognise = (relay, chunk) => {
        const sibling = siblings.get(headerIn(chunk, link.dialler!.header) ?? "");
        if (sibling !== undefined) sibling.#adopt(relay, this);
      };
    }
    this.late = late;
    this.framed = link.framed;
    this.random = random;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  get effect(): LinkEffect | undefined {
    return this.#effect;
  }

  /** Resolves when the link listens; rejects if its address is taken. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(hostAndPort(this.#link.listen), () => resolve());
    });
  }

  /** Puts an effect in force instead of the one before. */
  set(effect: LinkEffect | undefined): void {
    this.#effect = effect;
    clearTimeout(this.#resetTimer);
    if (effect?.kind !== "repeat") this.late.clear();
    if (effect?.kind !== "blackhole") this.#resetTainted();
    if (effect?.kind === "reset") this.#resetAll();
    if (effect?.kind === "flaky") this.#resetAtRandom(effect.meanMs);
    if (effect?.kind === "repeat") this.#resetAtRandom(effect.renewMs);
    for (const relay of this.#relays) relay.release();
  }

  closed(relay: Relay): void {
    this.#relays.delete(relay);
  }

  #adopt(relay: Relay, from: LinkProxy): void {
    from.#relays.delete(relay);
    this.#relays.add(relay);
    relay.moveTo(this);
    if (this.#effect?.kind !== "reset") return;
    this.counters.refusedConnections++;
    relay.reset();
  }

  #accept(near: Socket): void {
    const blackholed = swallows(this.#effect, "forward");
    if (!blackholed && this.#effect?.kind !== "reset") {
      const target = hostAndPort(this.#link.target);
      this.#relays.add(new Relay(this, near, target));
      return;
    }
    this.counters.refusedConnections++;
    near.on("error", () => {});
    if (!blackholed) {
      near.resetAndDestroy();
      return;
    }
    this.#stranded.add(near);
    near.on("data", (chunk: Uint8Array) => this.counters.swallowedBytes += chunk.length);
    near.on("close", () => this.#stranded.delete(near));
  }

  /** What was swallowed is lost: no stream that missed it may go on. */
  #resetTainted(): void {
    for (const relay of [...this.#relays].filter(({ tainted }) => tainted)) this.#reset(relay);
    for (const near of this.#stranded) near.resetAndDestroy();
  }

  #resetAll(): void {
    for (const relay of [...this.#relays]) this.#reset(relay);
  }

  #reset(relay: Relay): void {
    this.counters.resets++;
    relay.reset();
  }

  /** Waits are exponential, so that no moment is safer than another. */
  #resetAtRandom(meanMs: number): void {
    const waitMs = -Math.log(1 - this.random()) * meanMs;
    this.#resetTimer = setTimeout(() => {
      this.#resetAll();
      this.#resetAtRandom(meanMs);
    }, waitMs);
  }
}
