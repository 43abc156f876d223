// What a failing seed leaves behind: its schedule, an event a line, the calls of the clients and a picture.

import { renderDiagram } from "./diagram.ts";
import type { RunResult } from "./run.ts";
import type { SimSchedule } from "./schedule.ts";

/** Writes schedule.json, events.txt, calls.ndjson and messages.svg of a recorded run to `folder`. */
export function writeReport(folder: string, schedule: SimSchedule, result: RunResult): void {
  Deno.mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => Deno.writeTextFileSync(`${folder}/${name}`, text);
  write("schedule.json", JSON.stringify(schedule, null, 2) + "\n");
  const { failure } = result;
  const verdict = failure === undefined
    ? "no property is broken"
    : `${failure.invariant}: ${failure.message}`;
  write("events.txt", `${result.lines.join("\n")}\n\n${verdict}\n`);
  write("calls.ndjson", result.calls.map((call) => JSON.stringify(call)).join("\n") + "\n");
  const { recorder } = result;
  if (recorder !== undefined) {
    const nodes = Array.from({ length: schedule.options.nodes }, (_, i) => `n${i}`);
    const title = `seed ${schedule.seed}: ${failure?.invariant ?? "no property is broken"}`;
    write("messages.svg", renderDiagram({ title, nodes, recorder, endMs: result.simulatedMs }));
  }
}
