// Says whether what a test needs from outside the repository is there. A lack must never pass unnoticed: it is
// printed in the form that the test runner counts, or is a failure where PONTOON_TEST_REQUIRE=1.

const INSTALL = {
  chromium: { programs: ["chromium"], apt: "chromium" },
  etcd: { programs: ["etcd"], apt: "etcd-server" },
  faketime: { programs: ["faketime"], apt: "faketime" },
  h2load: { programs: ["h2load"], apt: "nghttp2-client" },
  ip: { programs: ["ip", "tc"], apt: "iproute2" },
  nft: { programs: ["nft"], apt: "nftables" },
} as const;

/** A program that some tests need and that a machine may lack. */
export type Program = keyof typeof INSTALL;

/** The Debian packages that hold all programs which tests may need. */
export const APT_PACKAGES: readonly string[] = Object.values(INSTALL).map(({ apt }) => apt).sort();

const ROOT = new URL("../../", import.meta.url);

/** Where Debian keeps what an ordinary user's PATH leaves out. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/sbin"];

function isFile(path: string | URL): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function isFolder(path: URL): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Full path of a program, or undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat(SYSTEM_FOLDERS);
  return folders.filter((folder) => folder !== "").map((folder) => `${folder}/${name}`).find(
    isFile,
  );
}

function lack(what: string): false {
  const reason = `needs ${what}`;
  if (Deno.env.get("PONTOON_TEST_REQUIRE") === "1") throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return false;
}

/**
 * Whether a test may go on. Use it as its first line: `if (!needs("etcd")) return;`.
 *
 * @returns false after printing `skipped: needs X (apt-get install Y)`
 * @throws instead, where PONTOON_TEST_REQUIRE=1
 */
export function needs(program: Program): boolean {
  const { programs, apt } = INSTALL[program];
  const missing = programs.find((name) => findProgram(name) === undefined);
  return missing === undefined || lack(`${missing} (apt-get install ${apt})`);
}

/** The folder of shared data beside the repository, or the one that PONTOON_SHARED names; ends in a slash. */
export function sharedFolder(): URL {
  const named = Deno.env.get("PONTOON_SHARED");
  return named === undefined ? new URL("../shared/", ROOT) : new URL(`file://${named}/`);
}

/**
 * Like {@link needs}, for a folder of the shared data.
 *
 * @param folder for example `conformance/etcd-raft`
 */
export function needsShared(folder: string): boolean {
  return isFolder(new URL(`${folder}/`, sharedFolder())) || lack(`../shared/${folder}`);
}
