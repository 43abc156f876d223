import { assert, assertEquals, assertThrows } from "@std/assert";
import { APT_PACKAGES, findProgram, needs, needsShared } from "./needs.ts";

/** Runs `body` under another environment variable and returns what it printed. */
function printed(name: string, value: string, body: () => void): string[] {
  const { log } = console;
  const before = Deno.env.get(name);
  const lines: string[] = [];
  console.log = (...parts: unknown[]) => lines.push(parts.join(" "));
  Deno.env.set(name, value);
  try {
    body();
  } finally {
    console.log = log;
    if (before === undefined) Deno.env.delete(name);
    else Deno.env.set(name, before);
  }
  return lines;
}

Deno.test("findProgram() finds what PATH holds and nothing else", () => {
  assert(findProgram("sh")?.endsWith("/sh"));
  assertEquals(findProgram("no-such-program-anywhere"), undefined);
});

Deno.test("needsShared() says what it lacks, or throws where everything is required", () => {
  const lines = printed("PONTOON_TEST_REQUIRE", "", () => {
    assertEquals(needsShared("no/such/folder"), false);
  });
  assertEquals(lines, ["skipped: needs ../shared/no/such/folder"]);
  printed("PONTOON_TEST_REQUIRE", "1", () => {
    assertThrows(() => needsShared("no/such/folder"), Error, "needs ../shared/no/such/folder");
  });
});

Deno.test("needs() names the program and its package", () => {
  if (findProgram("etcd") !== undefined) return assert(needs("etcd"));
  const lines = printed("PONTOON_TEST_REQUIRE", "", () => assertEquals(needs("etcd"), false));
  assertEquals(lines, ["skipped: needs etcd (apt-get install etcd-server)"]);
});

Deno.test(".ci/run installs every package that tests may need", () => {
  const script = Deno.readTextFileSync(new URL("../../.ci/run", import.meta.url));
  const listed = /^packages=\((.*)\)$/m.exec(script)?.[1].split(" ");
  assertEquals(listed?.sort(), APT_PACKAGES);
});

Deno.test(".ci/run and the README give the same test command", () => {
  const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
  const command = /^exec (npx .*)$/m.exec(read(".ci/run"))?.[1];
  assert(command !== undefined);
  assert(read("README.md").includes(`\n${command}\n`));
});
