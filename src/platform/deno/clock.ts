// Clock over performance.now, Date.now and timers.

import { clearImmediate, setImmediate } from "node:timers";
import type { Clock, TimerHandle } from "../ports.ts";

/** The machine's clocks. */
export class DenoClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const id = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(id) };
  }

  defer(callback: () => void): TimerHandle {
    const id = setImmediate(callback);
    return { cancel: () => clearImmediate(id) };
  }
}
