// What is shipped: `deno task build`'s file starts a node from a foreign folder with the very command lines of the
// Dockerfile and the systemd unit, and the files below scripts/deploy agree with each other and with the node.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePorts, isReady, until } from "../../scripts/bench/support/cluster.ts";
import { buildPontoon } from "../../scripts/build.ts";

const ROOT = new URL("../../", import.meta.url);
const START_TIMEOUT_MS = 60_000;
const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

/** Lines that end in a backslash go on in the next. */
function joined(text: string): string[] {
  return text.replaceAll(/\\\n\s*/g, " ").split("\n").filter((line) => !/^\s*(#|$)/.test(line));
}

const dockerfile = joined(read("scripts/deploy/Dockerfile"));
const unit = joined(read("scripts/deploy/pontoon.service"));
const compose = read("scripts/deploy/compose.yaml");

function instructions(name: string): string[] {
  return dockerfile.filter((line) => line.startsWith(`${name} `))
    .map((line) => line.slice(name.length + 1));
}

function setting(name: string): string | undefined {
  return unit.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** How the container and the service start a node, `deno` first. */
const imageCommand: string[] = JSON.parse(instructions("ENTRYPOINT")[0]);
const unitCommand = setting("ExecStart")!.split(/\s+/).filter((word) =>
  word !== "$PONTOON_OPTIONS"
);

/** A folder with the built file in it, and nothing else of this repository. */
async function shipped(): Promise<string> {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-shipped-" });
  await buildPontoon(`${dir}/pontoon.js`);
  return dir;
}

function run(dir: string, args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: dir,
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", HOME: dir, DENO_DIR: `${dir}/cache` },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("the built file starts a node anywhere, as the image and the unit start it", async () => {
  const dir = await shipped();
  try {
    for (const [name, command] of Object.entries({ imageCommand, unitCommand })) {
      const data = `${dir}/${name}`;
      const words = command.slice(1).map((word) =>
        word.replace(/(?:\/opt|\/usr\/local\/lib)\/pontoon\/pontoon\.js/, `${dir}/pontoon.js`)
          .replace(/\/data\b|\/var\/lib\/pontoon\b/, data)
      );
      const [http, peer] = freePorts(2).map((port) => `127.0.0.1:${port}`);
      const options = ["--name", "n1", "--http", http, "--peer", peer, "--lifeline", "stdin"];
      const child = run(dir, [...words, ...options]);
      const output = Promise.all(
        [child.stdout, child.stderr].map((out) => new Response(out).text()),
      );
      try {
        await until(`${name} is ready`, START_TIMEOUT_MS, () => isReady(http));
        const put = await fetch(`http://${http}/key/k`, { method: "PUT", body: "v" });
        await put.body?.cancel();
        assertEquals(put.status, 201);
        assertEquals(await (await fetch(`http://${http}/key/k?raw`)).text(), "v");
        child.kill("SIGTERM");
        assertEquals((await child.status).code, 0, (await output)[1]);
      } finally {
        await child.stdin.close().catch(() => {});
        await child.status;
        await output;
      }
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("the built file holds the tools beside the node, and imports nothing but Deno", async () => {
  const dir = await shipped();
  try {
    const call = async (...args: string[]) => {
      const child = run(dir, ["run", "--no-prompt", "--no-config", "--cached-only", ...args]);
      await child.stdin.close();
      const { code, stdout, stderr } = await child.output();
      return { code, stdout: text(stdout), stderr: text(stderr) };
    };
    const rights = ["--allow-read", `--allow-write=${dir}`];
    const made = await call(...rights, "pontoon.js", "token", "me", "--file", `${dir}/tokens.json`);
    assertEquals(made.code, 0, made.stderr);
    assertMatch(made.stdout, /^pontoon_[\w-]{43}\n$/);
    assertEquals(JSON.parse(Deno.readTextFileSync(`${dir}/tokens.json`)).tokens[0].name, "me");
    const kv = await call(
      "--allow-net",
      "--allow-env",
      "--allow-read",
      "pontoon.js",
      "kv",
      "--help",
    );
    assertEquals([kv.code, /^Usage: kv/.test(kv.stdout)], [0, true]);
    assertEquals((await call("pontoon.js", "--help")).code, 0);
    assertEquals((await call("pontoon.js", "nonsense")).code, 64);
    assertEquals((await call("pontoon.js")).code, 64);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("the image runs what it needs and no more", () => {
  const stages = instructions("FROM");
  assertEquals(stages, ["denoland/deno:2.9.6 AS build", "denoland/deno:2.9.6"]);
  const last = dockerfile.slice(dockerfile.lastIndexOf(`FROM ${stages[1]}`));
  const user = /^USER (\d+):\d+$/.exec(last.find((line) => line.startsWith("USER")) ?? "");
  assert(user !== null && user[1] !== "0", "the image must not run as root");
  assert(last.includes(`RUN install -d -o ${user[1]} -g ${user[1]} -m 0700 /data`));
  assertEquals(instructions("VOLUME"), ['["/data"]']);
  assertEquals(instructions("EXPOSE"), ["7001 8001"]);
  assertEquals(instructions("STOPSIGNAL"), ["SIGTERM"]);
  assertMatch(instructions("HEALTHCHECK")[0], /127\.0\.0\.1:7001\/health\/ready/);
  assertEquals(instructions("ADD"), []);
  assertEquals(instructions("CMD"), ['["--help"]']);
  for (const source of instructions("COPY").filter((line) => !line.startsWith("--from"))) {
    for (const path of source.split(" ").slice(0, -1)) {
      assert(Deno.statSync(new URL(path, ROOT)), path);
      const ignored = read("scripts/deploy/Dockerfile.dockerignore").split("\n");
      assert(ignored.includes(`!${path.replace(/\/$/, "")}`), `${path} does not reach the build`);
    }
  }
});

Deno.test("image, unit and task give a node the same engine settings", () => {
  const settings = (words: readonly string[]) =>
    words.filter((word) => /^--(?:v8-flags|allow-net|allow-sys)/.test(word)).toSorted();
  const task: string = JSON.parse(read("deno.json")).tasks.node;
  assertEquals(settings(imageCommand), settings(task.split(" ")));
  assertEquals(settings(unitCommand), settings(task.split(" ")));
  assertEquals(setting("Restart"), "always");
  // main.ts's exit codes for wrong options and an unusable data directory.
  assertEquals(setting("RestartPreventExitStatus"), "64 73");
});

Deno.test("compose starts three nodes of one cluster, each told of where it is reached", () => {
  const nodes = [...compose.matchAll(/^ {2}(n\d):\n((?: {4}.*\n)+)/gm)];
  assertEquals(nodes.map(([, name]) => name), ["n1", "n2", "n3"]);
  const lists = new Set<string>();
  for (const [i, [, name, body]] of nodes.entries()) {
    const flags = new Map(
      [...body.matchAll(/^ {6}- --([\w-]+)=(.+)$/gm)].map(([, flag, value]) => [flag, value]),
    );
    assertEquals(flags.get("name"), name);
    assertEquals(flags.get("advertise-peer"), `${name}:8001`);
    assertEquals(flags.get("advertise-http"), `localhost:${7001 + i}`);
    assert(body.includes(`"127.0.0.1:${7001 + i}:7001"`), "published where it says");
    assert(body.includes(`- ${name}:/data`), "a volume of its own");
    assert(flags.has("secret-file") && flags.has("token-file"), "closed to strangers");
    lists.add(flags.get("initial")!);
  }
  assertEquals([...lists], ["n1=n1:8001,n2=n2:8001,n3=n3:8001"]);
});

Deno.test("every option that the deployment files name is one of the node's", () => {
  const help = read("src/main.ts");
  const files = [compose, read("scripts/deploy/node.env")].map((file) => joined(file).join("\n"));
  const named = files.flatMap((file) => [...file.matchAll(/(?<=[\s=])--([a-z][\w-]*)/g)])
    .map(([option]) => option).filter((option) => option !== "--build" && option !== "--wait");
  assert(named.length > 20);
  for (const option of new Set(named)) {
    assertMatch(help, new RegExp(`^ {2}(?:.* )?${option} [A-Z]`, "m"));
  }
});
