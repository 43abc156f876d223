// Which certificates a node takes, and how its listeners change over to new ones.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { DenoHttpServer, oneAtATime, TlsNetwork, usableTls } from "../../src/platform/deno/mod.ts";
import type { TlsMaterial, TlsSource } from "../../src/platform/deno/mod.ts";
import type { Log } from "../../src/platform/ports.ts";
import { lacks } from "../support/needs.ts";

/** A certificate that signs itself, and its key. */
async function selfSigned(): Promise<TlsMaterial> {
  const dir = Deno.makeTempDirSync({ prefix: "pontoon-tls-" });
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", `${dir}/key`, "-out", `${dir}/cert`, "-days", "2", "-subj", "/CN=test"],
      ...["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"],
    ],
    stdout: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const read = (name: string) => Deno.readTextFileSync(`${dir}/${name}`);
  const material = { cert: read("cert"), key: read("key"), ca: read("cert") };
  Deno.removeSync(dir, { recursive: true });
  return material;
}

class HandSource implements TlsSource {
  readonly #callbacks: ((material: TlsMaterial) => void)[] = [];
  current: TlsMaterial;

  constructor(current: TlsMaterial) {
    this.current = current;
  }

  onChange(callback: (material: TlsMaterial) => void): void {
    this.#callbacks.push(callback);
  }

  change(material: TlsMaterial): void {
    this.current = material;
    for (const callback of this.#callbacks) callback(material);
  }
}

const LOG: Log = { log: () => {}, with: () => LOG };

/** Asks until the answer is the one of the new certificate: nobody else is trusted. */
async function reached(attempt: () => Promise<void>): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (performance.now() > deadlineMs) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "usableTls() refuses what no listener could start on, with the reason",
  ignore: lacks("openssl"),
  async fn() {
    const [one, other] = [await selfSigned(), await selfSigned()];
    assertEquals(usableTls([one.cert, one.key]), { cert: one.cert, key: one.key, ca: undefined });
    assertEquals(usableTls([one.cert, one.key, one.ca!]), one);
    assertEquals(usableTls([one.cert, one.key, one.ca! + other.ca!]).ca, one.ca! + other.ca!);
    const half = (text: string) => text.slice(0, text.length / 2);
    for (
      const [texts, reason] of [
        [[one.cert, other.key], "certificate and key"],
        [[half(one.cert), one.key], "certificate and key"],
        [[one.cert, half(one.key)], "certificate and key"],
        [["", one.key], "certificate and key"],
        [[one.cert, ""], "certificate and key"],
        [[one.cert, one.key, ""], "the CA: it holds no certificate"],
        [[one.cert, one.key, half(one.ca!)], "the CA: it holds no certificate"],
        [[one.cert, one.key, one.ca! + other.ca!.replace("MII", "AAA")], "certificate 2"],
      ] as const
    ) {
      assertThrows(() => usableTls(texts), Error, reason);
    }
  },
});

Deno.test({
  name: "listeners change over to the last of several certificates, and give their address up",
  ignore: lacks("openssl"),
  async fn() {
    const [first, second, third] = [await selfSigned(), await selfSigned(), await selfSigned()];
    const source = new HandSource(first);
    const http = await new DenoHttpServer(source).listen("127.0.0.1:0", () => new Response("here"));
    const peers = new TlsNetwork(source, LOG);
    const accepted = Promise.withResolvers<void>();
    const links = await peers.listen("127.0.0.1:0", (connection) => {
      connection.close();
      accepted.resolve();
    });
    source.change(second);
    source.change(third);
    await reached(async () => {
      using client = Deno.createHttpClient({ caCerts: [third.cert] });
      assertEquals(await (await fetch(`https://${http.address}/`, { client })).text(), "here");
    });
    // The dialling side trusts `third` alone, and shows it.
    await reached(async () => (await peers.dial(links.address, 5000)).close());
    await accepted.promise;
    links.close();
    await http.shutdown(0);
    for (const { address } of [links, http]) {
      const port = Number(address.split(":")[1]);
      await reached(() => Promise.resolve(assert(isFree(port), `${address} is still taken`)));
    }
  },
  // Deno's server ends its connections by itself, a little later.
  sanitizeOps: false,
  sanitizeResources: false,
});

Deno.test("oneAtATime() runs its step once more for any number of calls meanwhile, never two at once", async () => {
  let runs = 0;
  let running = 0;
  const gates: (() => void)[] = [];
  const call = oneAtATime(async () => {
    assertEquals(++running, 1);
    runs++;
    await new Promise<void>((resolve) => gates.push(resolve));
    running--;
  });
  const ended = call();
  for (let i = 0; i < 3; i++) call();
  assertEquals(runs, 1);
  gates.shift()!();
  while (gates.length === 0) await Promise.resolve();
  assertEquals(runs, 2);
  gates.shift()!();
  await ended;
  assertEquals(runs, 2);
  const again = call();
  gates.shift()!();
  await again;
  assertEquals(runs, 3);
});
