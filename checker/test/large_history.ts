// A history of 10,000 overlapping operations, for the page's test and its benchmark.

import { check } from "../check.ts";
import { appendKv, type Operation } from "../mod.ts";

/** 20 processes appending to 5 keys, with the checker's verdict. */
export function largeHistory() {
  const history: Operation[] = [];
  for (let i = 0; i < 10_000; i++) {
    const process = i % 20;
    const call = Math.floor(i / 20) * 40 + process;
    const input = { f: "append", key: String(process % 5), value: "x" };
    history.push({ process, call, return: call + 20, input });
  }
  const model = appendKv();
  return { history, model, verdict: check(history, model) };
}
