// `deno task sim`: runs seeds and says which fail.

import { parseArgs } from "node:util";
import { drawSchedule } from "./schedule.ts";
import { runSchedule } from "./run.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seeds: { type: "string", default: "1..100" },
    seed: { type: "string" },
    minutes: { type: "string" },
    nodes: { type: "string" },
    out: { type: "string" },
    "stop-after": { type: "string", default: "1" },
  },
});
const [low, high] = values.seed !== undefined
  ? [Number(values.seed), Number(values.seed)]
  : values.seeds.split("..").map(Number);
const nodes = values.nodes === undefined ? undefined : Number(values.nodes);
const untilMs = performance.now() + Number(values.minutes ?? Infinity) * 60_000;
const startedMs = performance.now();
let simulatedMs = 0, failures = 0, done = 0, operations = 0, unknown = 0, undecided = 0;
for (let seed = low; seed <= high && performance.now() < untilMs; seed++) {
  const result = await runSchedule(drawSchedule(seed, nodes), values.seed !== undefined);
  done++;
  simulatedMs += result.simulatedMs;
  operations += result.operations;
  unknown += result.unknown;
  if (result.undecided) undecided++;
  if (result.failure !== undefined) {
    failures++;
    console.log(
      `seed ${seed} FAILED (${result.failure.invariant}): ${result.failure.message.slice(0, 1500)}`,
    );
    console.log(
      `  replay: deno task sim --seed ${seed}${nodes === undefined ? "" : ` --nodes ${nodes}`}`,
    );
  }
  if (values.seed !== undefined && values.out !== undefined) {
    Deno.mkdirSync(values.out, { recursive: true });
    Deno.writeTextFileSync(`${values.out}/events.txt`, result.lines.join("\n"));
    Deno.writeTextFileSync(
      `${values.out}/schedule.json`,
      JSON.stringify(drawSchedule(seed, nodes), null, 2),
    );
    Deno.writeTextFileSync(`${values.out}/history.json`, JSON.stringify(result.history));
  }
  if (failures >= Number(values["stop-after"])) break;
  if (done % 20 === 0 || seed === high) {
    const wallSeconds = (performance.now() - startedMs) / 1000;
    console.log(
      `${done} seeds, ${failures} failed, ${operations} operations (${unknown} unknown, ` +
        `${undecided} histories undecided), ` +
        `${(simulatedMs / 1000 / wallSeconds).toFixed(1)} simulated s/s, trace ${result.traceHash}`,
    );
  }
}
if (failures > 0) Deno.exit(1);
