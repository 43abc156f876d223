import { assert, assertEquals, assertThrows } from "@std/assert";
import { APT_PACKAGES, findProgram, lacks, sharedDir } from "./needs.ts";

/** Runs `body` under other environment variables and returns what it printed. */
function printed(variables: Record<string, string>, body: () => void): string[] {
  const { log } = console;
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  const lines: string[] = [];
  console.log = (...parts: unknown[]) => lines.push(parts.join(" "));
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  try {
    body();
  } finally {
    console.log = log;
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
  return lines;
}

Deno.test("findProgram() finds what PATH holds and nothing else", () => {
  assert(findProgram("sh")?.endsWith("/sh"));
  assertEquals(findProgram("no-such-program-anywhere"), undefined);
});

Deno.test("sharedDir() lies beside the repository unless a variable names it", () => {
  printed({ PONTOON_SHARED: "/elsewhere" }, () => assertEquals(sharedDir(), "/elsewhere"));
});

Deno.test("lacks() says what is missing, or throws where everything is required", () => {
  const reason = "needs ../shared (or its path in PONTOON_SHARED)";
  const PONTOON_SHARED = "/no/such/folder";
  const lines = printed({ PONTOON_SHARED, PONTOON_TEST_REQUIRE: "" }, () => {
    assertEquals(lacks("../shared"), true);
  });
  assertEquals(lines, [`skipped: ${reason}`]);
  printed({ PONTOON_SHARED, PONTOON_TEST_REQUIRE: "1" }, () => {
    assertThrows(() => lacks("../shared"), Error, reason);
  });
  printed({ PONTOON_SHARED: "/", PONTOON_TEST_REQUIRE: "1" }, () => {
    assertEquals(lacks("../shared"), false);
  });
});

Deno.test("lacks() names the package of a missing program", () => {
  if (findProgram("faketime") !== undefined) return assertEquals(lacks("faketime"), false);
  const lines = printed({ PONTOON_TEST_REQUIRE: "" }, () => assert(lacks("faketime")));
  assertEquals(lines, ["skipped: needs faketime (apt-get install faketime)"]);
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
