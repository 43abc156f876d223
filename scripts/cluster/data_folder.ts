// The folder that holds the nodes' data directories. Only a folder that bears our marker is ever deleted.

import { UsageProblem } from "./node_process.ts";

const MARKER = "PONTOON-CLUSTER";

/** Creates the folder; with `fresh` empties it first. Throws UsageProblem. */
export function prepareData(folder: string, fresh: boolean): void {
  const marker = `${folder}/${MARKER}`;
  const there = exists(folder);
  if (there && !exists(marker) && [...Deno.readDirSync(folder)].length > 0) {
    throw new UsageProblem(
      `${folder} was not made by this command (it has no ${MARKER}); choose another --data`,
    );
  }
  if (there && fresh) Deno.removeSync(folder, { recursive: true });
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(marker, "Data of `deno task cluster`; --fresh deletes this folder.\n");
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
