// A node as src/main.ts starts it, on a machine that misbehaves when it is told to: see machine.ts for the files that
// steer it, power_cut.ts for what its disk loses. Takes the arguments of src/main.ts; --data must be given.

import { startNode } from "../../src/main.ts";
import { FaultyClock } from "./faulty_clock.ts";
import { FaultyDisk } from "./faulty_disk.ts";
import { Machine } from "./machine.ts";
import { UndoJournal } from "./undo_journal.ts";

const dataDir = Deno.args[Deno.args.indexOf("--data") + 1];
if (dataDir === undefined || !Deno.args.includes("--data")) {
  console.error("a faulty node needs --data DIR");
  Deno.exit(64);
}

await startNode(Deno.args, (platform) => {
  const machine = new Machine(dataDir);
  const disk = new FaultyDisk(platform.disk, dataDir, machine, new UndoJournal(dataDir));
  const clock = new FaultyClock(platform.clock, machine);
  machine.follow();
  return { ...platform, disk, clock };
});
