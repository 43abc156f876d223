// What a run was made with, for its report: this repository's state, the operating system, the machine.

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** The commit, with `-dirty` if files differ from it; undefined outside a repository. */
async function commit(): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["-C", ROOT, "describe", "--always", "--dirty", "--abbrev=10"],
      stdout: "piped",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    // Without git there is no commit to tell.
    return undefined;
  }
}

export async function benchVersions(): Promise<Record<string, string>> {
  const known = await commit();
  return {
    ...(known === undefined ? {} : { commit: known }),
    os: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    cores: String(navigator.hardwareConcurrency),
  };
}
