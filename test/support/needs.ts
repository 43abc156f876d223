// Things that some tests need and not every machine has. A test that lacks one says so by name and is
// counted as skipped; with PONTOON_TEST_REQUIRE=1 it fails instead, so that CI can't pass by skipping.

/** Name of a need -> how to find out, and how to get it. */
const NEEDS = {
  chromium: { present: () => isCommand("chromium"), get: "apt-get install chromium" },
  etcd: { present: () => isCommand("etcd"), get: "apt-get install etcd-server" },
  faketime: { present: () => isCommand("faketime"), get: "apt-get install faketime" },
  h2load: { present: () => isCommand("h2load"), get: "apt-get install nghttp2-client" },
  "../shared": { present: () => isThere(sharedDir()), get: "the conformance data beside it" },
} as const;

export type Need = keyof typeof NEEDS;

/** Where conformance data is: PONTOON_SHARED, or `../shared` beside the repository. */
export function sharedDir(): string {
  const beside = decodeURIComponent(new URL("../../../shared", import.meta.url).pathname);
  return Deno.env.get("PONTOON_SHARED") ?? beside;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function isCommand(name: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((dir) => isThere(`${dir}/${name}`));
}

/**
 * For a test's `ignore`: true if `need` is lacking, and says so. Throws instead when tests are required.
 */
export function lacks(need: Need): boolean {
  const { present, get } = NEEDS[need];
  if (present()) return false;
  const message = `skipped: needs ${need} (${get})`;
  if (Deno.env.get("PONTOON_TEST_REQUIRE") === "1") throw new Error(message);
  console.log(message);
  return true;
}
