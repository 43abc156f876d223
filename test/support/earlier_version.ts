// An earlier version of this program, out of the repository's own history, to run beside this one.

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
/** How far back a change of src/ is looked for. */
const COMMITS_MAX = 500;
/** What git says; undefined where it refuses, or is not there. */
function git(args: readonly string[], env: Record<string, string> = {}): string | undefined {
  try {
    const { success, stdout } = new Deno.Command("git", {
      // The owner of the files may be another one than who runs the tests.
      args: ["-c", "safe.directory=*", "-C", ROOT, ...args],
      env,
      stderr: "null",
    }).outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The commit of the version before this one: the newest on the way back from HEAD whose src/ is not the one that is
 * here; PONTOON_EARLIER names another. undefined where the history does not reach so far, or this is no clone.
 */
export function earlierCommit(): string | undefined {
  const named = Deno.env.get("PONTOON_EARLIER");
  if (named !== undefined && named !== "") {
    return git(["rev-parse", "--verify", `${named}^{commit}`]);
  }
  const commits = git(["rev-list", "--first-parent", `--max-count=${COMMITS_MAX}`, "HEAD"]);
  return commits?.split("\n").find((commit) =>
    git(["diff", "--name-only", commit, "--", "src"]) !== ""
  );
}

/** Lays the files of `commit` out below `dir`, which exists. */
export function layOut(commit: string, dir: string): void {
  // An index of its own: the clone's is not touched.
  const env = { GIT_INDEX_FILE: `${dir}/.index` };
  const done = git(["read-tree", commit], env) !== undefined &&
    git(["checkout-index", "--all", `--prefix=${dir}/`], env) !== undefined;
  if (!done) throw new Error(`Cannot lay out commit ${commit} in ${dir}: git refused`);
}
