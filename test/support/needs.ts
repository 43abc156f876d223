// Things that some tests need and not every machine has. A lack must never pass unnoticed: it is printed in the
// form that the test runner counts as a skip, and with PONTOON_TEST_REQUIRE=1 it is a failure.

const ROOT = new URL("../../", import.meta.url);

/** Name of a need -> the program to look for and the Debian package that holds it. */
const PROGRAMS = {
  chromium: { program: "chromium", apt: "chromium" },
  etcd: { program: "etcd", apt: "etcd-server" },
  faketime: { program: "faketime", apt: "faketime" },
  h2load: { program: "h2load", apt: "nghttp2-client" },
  node: { program: "node", apt: "nodejs" },
  nft: { program: "nft", apt: "nftables" },
  openssl: { program: "openssl", apt: "openssl" },
  tc: { program: "tc", apt: "iproute2" },
} as const;

/** A program, or the folder of shared data. */
export type Need = keyof typeof PROGRAMS | "../shared";

/** The Debian packages of all programs that tests may need, sorted; but Node, which `npx` came with. */
export const APT_PACKAGES: readonly string[] = Object.values(PROGRAMS).map(({ apt }) => apt)
  .filter((apt) => apt !== PROGRAMS.node.apt).sort();

/** Where Debian keeps what an ordinary user's PATH leaves out. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/sbin"];

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Full path of a program, or undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat(SYSTEM_FOLDERS);
  return folders.filter((folder) => folder !== "").map((folder) => `${folder}/${name}`)
    .find(isThere);
}

/** Where conformance data is: PONTOON_SHARED, or `../shared` beside the repository. No slash at its end. */
export function sharedDir(): string {
  return Deno.env.get("PONTOON_SHARED") ??
    decodeURIComponent(new URL("../shared", ROOT).pathname);
}

function reasonOf(need: Need): string | undefined {
  if (need === "../shared") {
    return isThere(sharedDir()) ? undefined : "needs ../shared (or its path in PONTOON_SHARED)";
  }
  const { program, apt } = PROGRAMS[need];
  return findProgram(program) === undefined
    ? `needs ${program} (apt-get install ${apt})`
    : undefined;
}

/**
 * Whether something is lacking, for a test's `ignore`: `Deno.test({ name, ignore: lacks("etcd"), fn })`.
 *
 * @returns true after printing `skipped: needs X (apt-get install Y)`
 * @throws instead, where PONTOON_TEST_REQUIRE=1, so that the file fails to load
 */
export function lacks(need: Need): boolean {
  const reason = reasonOf(need);
  if (reason === undefined) return false;
  if (Deno.env.get("PONTOON_TEST_REQUIRE") === "1") throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return true;
}
