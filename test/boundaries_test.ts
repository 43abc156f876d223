// The house rules about who imports whom and who may touch the outside world, over every source file; and planted
// violations, so that a rule which no longer bites is noticed.

import { assert, assertEquals } from "@std/assert";
import { findViolations } from "./support/boundaries.ts";

const ROOT = new URL("../", import.meta.url);

function* sourceFiles(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

function isThere(folder: string): boolean {
  try {
    return Deno.statSync(new URL(folder, ROOT)).isDirectory;
  } catch {
    return false;
  }
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

function messages(path: string, source: string): string[] {
  return findViolations(path, source).map(({ message }) => message);
}

for (const folder of ["src", "checker", "chaos"].filter(isThere)) {
  Deno.test(`every file of ${folder}/ keeps to the boundaries`, () => {
    const broken: string[] = [];
    let files = 0;
    for (const path of sourceFiles(folder)) {
      // A package's tests may look at fixtures and helpers beside them.
      if (path.startsWith("checker/test/")) continue;
      files++;
      for (const { line, message } of findViolations(path, read(path))) {
        broken.push(`${path}:${line}: ${message}`);
      }
    }
    assert(files > 0);
    assertEquals(broken, []);
  });
}

Deno.test("no file names a path of somebody's machine", () => {
  const folders = ["src", "checker", "chaos", "test", "scripts"].filter(isThere);
  const paths = folders.flatMap((folder) => [...sourceFiles(folder)]);
  const named = /["'`](?:file:\/\/)?\/(?:home|root|Users|work)\//;
  assertEquals(paths.filter((path) => named.test(read(path))), []);
});

Deno.test("findViolations() reports imports against the arrows", () => {
  assertEquals(messages("src/raft/x.ts", 'import { A } from "../wal/mod.ts";'), [
    "raft/ may not import wal/",
  ]);
  assertEquals(messages("src/wal/x.ts", 'import type { A } from "../node/node.ts";'), [
    "wal/ may not import node/",
  ]);
  assertEquals(messages("src/wal/x.ts", 'export * from "../platform/deno/mod.ts";'), [
    "wal/ may import of platform/ the ports only: src/platform/deno/mod.ts",
  ]);
  assertEquals(messages("src/replica/x.ts", 'await import("../http/app.ts");'), [
    "replica/ may not import http/",
  ]);
  assertEquals(messages("src/node/x.ts", 'import "../../test/support/needs.ts";'), [
    "src/ imports nothing outside of itself: test/support/needs.ts",
  ]);
  assertEquals(messages("src/node/router.ts", 'import { A } from "../http/app.ts";'), [
    "node/ may not import http/",
  ]);
  assertEquals(messages("checker/check.ts", 'import { A } from "../src/base/bytes.ts";'), [
    "checker/ stands alone: src/base/bytes.ts",
  ]);
  assertEquals(messages("chaos/run.ts", 'import { A } from "../src/client/mod.ts";'), [
    "chaos/ knows nodes from outside only: src/client/mod.ts",
  ]);
});

Deno.test("findViolations() reports ambient time, randomness and I/O", () => {
  const planted = [
    ["Date.now();", "Date"],
    ["const now = new Date();", "Date"],
    ["performance.now();", "performance"],
    ["setTimeout(() => {}, 1);", "setTimeout"],
    ["const later = setInterval;", "setInterval"],
    ["crypto.randomUUID();", "crypto"],
    ["Deno.readFileSync('x');", "Deno"],
    ["let file: Deno.FsFile;", "Deno"],
    ["globalThis.Date;", "globalThis"],
    ["fetch('http://x');", "fetch"],
    ["const all = { Date };", "Date"],
  ];
  for (const folder of ["raft", "wal", "transport", "replica", "store", "node", "http"]) {
    for (const [source, name] of planted) {
      const expected = [`${folder}/ may not use ${name}: take a port`];
      assertEquals(messages(`src/${folder}/x.ts`, source), expected, source);
    }
    assertEquals(messages(`src/${folder}/x.ts`, "Math.random();").length, 1);
    assertEquals(messages(`src/${folder}/x.ts`, 'Math["random"]();').length, 1);
  }
});

Deno.test("findViolations() reports modules that reach the outside world", () => {
  const one = (source: string) => assertEquals(messages("src/wal/x.ts", source).length, 1, source);
  one('import { readFileSync } from "node:fs";');
  one('import { deflate } from "node:zlib";');
  one('import * as zlib from "node:zlib";');
  one('import "node:timers";');
  one('import { Hono } from "hono";');
});

Deno.test("findViolations() reports promises in pure folders", () => {
  for (const folder of ["raft", "store", "partition", "base"]) {
    assertEquals(messages(`src/${folder}/x.ts`, "export async function f() {}").length, 1);
    assertEquals(messages(`src/${folder}/x.ts`, "const f = async () => {};").length, 1);
    assertEquals(messages(`src/${folder}/x.ts`, "await x;").length, 1);
  }
});

Deno.test("findViolations() lets pass what only looks like a violation", () => {
  const harmless = [
    '// Date.now() and import "../node/node.ts"',
    'const text = "Deno.exit(0); setTimeout";',
    "app.fetch(request);",
    "class A { process = 1; fetch() {} }",
    "interface A { readonly process: Process; fetch(): void }",
    "function stop({ process }: Ports) { process.fatal(); }",
    "const { process, log } = platform; process.fatal();",
    "Math.floor(1.5);",
    'import { crc32 } from "node:zlib";',
    'import { Buffer } from "node:buffer";',
    'import type { Clock } from "../platform/ports.ts";',
    'import { assert } from "../base/assert.ts";',
    "export async function f() { await x; }",
  ];
  for (const source of harmless) assertEquals(messages("src/transport/x.ts", source), [], source);
  assertEquals(messages("src/main.ts", "Deno.exit(0);"), []);
  assertEquals(messages("src/node/run.ts", 'import { createApp } from "../http/app.ts";'), []);
  assertEquals(messages("src/store/x.ts", 'import tree from "sorted-btree/bulk-load";'), []);
});
