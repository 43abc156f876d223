// `deno task test:conformance [--data DIR] [--only NAME]`: a line per script, then the totals.

import { defaultDataFolder, hasData, runAll } from "./runner.ts";

function main(args: string[]): number {
  const options = new Map<string, string>();
  while (args[0] === "--") args.shift();
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i].split("=", 2);
    if (name === "--help" || name === "-h") {
      console.log("usage: deno task test:conformance [--data DIR] [--only NAME]");
      return 0;
    }
    if (name !== "--data" && name !== "--only") {
      console.error(`unknown argument ${args[i]}; try --help`);
      return 2;
    }
    const value = inline ?? args[++i];
    if (value === undefined) {
      console.error(`${name} needs a value`);
      return 2;
    }
    options.set(name, value);
  }
  const folder = options.get("--data") ?? defaultDataFolder();
  if (!hasData(folder)) {
    const required = options.has("--data") || Deno.env.get("PONTOON_TEST_REQUIRE") === "1";
    console.log(`skipped: needs ../shared/conformance (looked in ${folder})`);
    return required ? 1 : 0;
  }
  let passed = 0;
  let failed = 0;
  for (const { name, failure } of runAll(folder, options.get("--only"))) {
    if (failure === null) {
      passed++;
      console.log(`ok      ${name}`);
    } else {
      failed++;
      console.log(`FAILED  ${name}\n${failure.replaceAll(/^/gm, "        ")}`);
    }
  }
  if (passed + failed === 0) {
    console.log(`no script is called ${options.get("--only")}`);
    failed++;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(main([...Deno.args]));
