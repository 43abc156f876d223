// Which test files there are, and which run together.

export interface TestGroup {
  readonly name: string;
  readonly files: readonly string[];
  /** Files of the group may share the machine; tests that spawn clusters may not. */
  readonly parallel: boolean;
  /** The group is ended and counted as failed after this time. */
  readonly secondsMax: number;
}

const ROOTS = ["test", "checker/test", "chaos/test"];
/** Folders whose tests start processes or use all of the machine: one file after the other. */
const SERIAL = new Set(["test/e2e", "test/scripts", "test/sim", "test/chaos", "chaos/test"]);
const SECONDS_MAX = 240;

/** All test files, relative to `root`, sorted. */
export function discover(root: string): string[] {
  const files: string[] = [];
  const walk = (folder: string) => {
    let entries: Deno.DirEntry[];
    try {
      entries = [...Deno.readDirSync(`${root}/${folder}`)];
    } catch {
      return; // not every root is there
    }
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) walk(path);
      else if (entry.name.endsWith("_test.ts")) files.push(path);
    }
  };
  for (const root of ROOTS) walk(root);
  return files.sort();
}

/** One group a folder; quick pure folders together. */
export function groupsOf(files: readonly string[]): TestGroup[] {
  const groups = new Map<string, string[]>();
  for (const file of files) {
    const folder = file.startsWith("checker/") ? "checker" : file.split("/").slice(0, 2).join("/");
    const name = SERIAL.has(folder) || folder === "checker" ? folder : "unit";
    groups.set(name, [...groups.get(name) ?? [], file]);
  }
  return [...groups].map(([name, files]) => ({
    name,
    files,
    parallel: !SERIAL.has(name),
    secondsMax: SECONDS_MAX,
  }));
}
