// TLS on real processes: the API and the peer links with certificates, who is refused, and certificates and
// tokens replaced while the node runs.

import { assert, assertEquals } from "@std/assert";
import { freePorts, TestCluster, until } from "../../scripts/bench/support/cluster.ts";
import { lacks } from "../support/needs.ts";

const DAY = "30";

async function openssl(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, stdout: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** A CA and certificates for 127.0.0.1, in a folder of their own. */
class Certificates {
  readonly dir: string;
  readonly ca: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.ca = `${dir}/ca.pem`;
  }

  static async create(): Promise<Certificates> {
    const made = new Certificates(Deno.makeTempDirSync({ prefix: "pontoon-tls-" }));
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    await openssl(
      ...["req", "-x509", ...key, "-keyout", `${made.dir}/ca.key`, "-out", made.ca],
      ...["-days", DAY, "-subj", "/CN=test ca"],
    );
    return made;
  }

  /** `days` may be negative: a certificate that has expired. */
  async issue(name: string, days = 30): Promise<string> {
    const path = `${this.dir}/${name}`;
    const end = new Date(Date.now() + days * 86_400_000);
    const begin = new Date(Math.min(Date.now(), end.getTime()) - 86_400_000);
    const time = (date: Date) => date.toISOString().replace(/[-:T]|\.\d+/g, "").slice(2);
    await openssl(
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", `${path}.key`, "-out", `${path}.csr`, "-subj", `/CN=${name}`],
    );
    Deno.writeTextFileSync(`${this.dir}/index`, "");
    Deno.writeTextFileSync(
      `${this.dir}/ca.conf`,
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${this.dir}/index\nrand_serial=yes\nnew_certs_dir=${this.dir}\n` +
        `policy=p\ndefault_md=sha256\nx509_extensions=e\n[p]\ncommonName=supplied\n` +
        `[e]\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n`,
    );
    await openssl(
      ...["ca", "-batch", "-config", `${this.dir}/ca.conf`, "-cert", this.ca],
      ...["-keyfile", `${this.dir}/ca.key`, "-in", `${path}.csr`, "-out", `${path}.pem`],
      ...["-startdate", time(begin), "-enddate", time(end), "-notext"],
    );
    return path;
  }
}

/** Without keeping connections: each request shakes hands anew. */
async function get(url: string, ca: string, init: RequestInit = {}): Promise<Response> {
  using client = Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(ca)] });
  const response = await fetch(url, { ...init, client });
  return new Response(await response.text(), response);
}

Deno.test({
  name: "a cluster over TLS serves, replaces certificates and tokens, and refuses strangers",
  ignore: lacks("openssl"),
  async fn() {
    const certificates = await Certificates.create();
    const { dir, ca } = certificates;
    const node = await certificates.issue("node");
    const tokenFile = `${dir}/tokens.json`;
    const issueToken = async (name: string): Promise<string> => {
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-A", "scripts/token.ts", name, "--file", tokenFile],
        stderr: "null",
      }).output();
      return new TextDecoder().decode(stdout).trim();
    };
    const first = await issueToken("app");
    assert(
      !Deno.readTextFileSync(tokenFile).includes(first),
      "the file holds a hash, not the token",
    );
    const flags = ["--cert", `${node}.pem`, "--key", `${node}.key`, "--ca", ca];
    await using cluster = TestCluster.start({
      nodes: 3,
      flags: [...flags, "--token-file", tokenFile],
    });
    const [{ http, peer, logFile }] = cluster.nodes;
    const status = async (token: string, path = "/key/a", method = "GET", body?: string) => {
      try {
        const headers = { authorization: `Bearer ${token}` };
        return (await get(`https://${http}${path}`, ca, { method, body, headers })).status;
      } catch {
        return 0;
      }
    };
    await until("ready over TLS", 60_000, async () => await status("", "/health/ready") === 200);
    await until("a write", 10_000, async () => await status(first, "/key/a", "PUT", "1") < 300);
    assertEquals(await status("wrong"), 401);

    // The command line finds its way over TLS too: to the leaders and, for a backup, to each node.
    const kv = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-A", "src/cli/main.ts", "-e", `https://${http}`, ...args],
        env: { DENO_CERT: ca, PONTOON_TOKEN: first },
      }).output();
      assertEquals(code, 0, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    await kv("put", "by-kv", "over TLS");
    assertEquals((await kv("get", "by-kv")).trim(), "over TLS");
    assert(/n3/.test(await kv("endpoint", "status")), "it asks every node");
    await kv("backup", `${dir}/tls.kvb`);
    await kv("verify", `${dir}/tls.kvb`, "--cluster");

    const second = await issueToken("app");
    await until("the new token", 5000, async () => await status(second) === 200);
    assertEquals(await status(first), 401);

    const serialBefore = await serial(http);
    const renewed = await certificates.issue("renewed");
    // Whoever replaces two files is between them for a while; a node must not go down over it.
    Deno.copyFileSync(`${renewed}.key`, `${node}.key`);
    await until("a key of another certificate is refused", 10_000, () => {
      return Deno.readTextFileSync(logFile).includes("the certificates can't be used");
    });
    assertEquals(await status(second), 200);
    assertEquals([await serial(http), await serial(peer, renewed)], [serialBefore, serialBefore]);
    Deno.copyFileSync(`${renewed}.pem`, `${node}.pem`);
    // For some milliseconds, while the listeners change over, there is none to show.
    const isNew = (found: string) => found !== "" && found !== serialBefore;
    await until("the new certificate", 10_000, async () => isNew(await serial(http)));
    assertEquals(await status(second), 200);
    await until(
      "the new certificate among peers",
      10_000,
      async () => isNew(await serial(peer, renewed)),
    );

    const expired = await certificates.issue("expired", -1);
    const stranger = await Certificates.create();
    const foreign = await stranger.issue("foreign");
    const refusals = () => Deno.readTextFileSync(logFile).split('"code":"certificate"').length;
    for (const path of [expired, foreign]) {
      const before = refusals();
      await dialWith(peer, path);
      await until(`${path} is refused and logged`, 10_000, () => refusals() > before);
    }
    assertEquals(await status(second), 200);
    assert(await status(second, "/key/b", "PUT", "2") === 201, "a write after all that");
    for (const made of [dir, stranger.dir]) Deno.removeSync(made, { recursive: true });
  },
});

/** Serial number of the certificate that an address shows. */
async function serial(address: string, certificate?: string): Promise<string> {
  const own = certificate === undefined ? "" : ` -cert ${certificate}.pem -key ${certificate}.key`;
  const { stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      `openssl s_client -connect ${address}${own} </dev/null 2>/dev/null | openssl x509 -noout -serial`,
    ],
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** Shakes hands with a certificate that the node should not trust. */
async function dialWith(address: string, certificate: string): Promise<void> {
  await new Deno.Command("sh", {
    args: [
      "-c",
      `(sleep 0.3) | openssl s_client -connect ${address} -cert ${certificate}.pem -key ${certificate}.key`,
    ],
    stdout: "null",
    stderr: "null",
  }).output();
}

Deno.test("a node serves other machines only with tokens and a peer secret, or when told to", async () => {
  await using cluster = TestCluster.start({ nodes: 0 });
  const ports = freePorts(2);
  const refused = async (words: string, ...flags: string[]) => {
    const { code, stderr } = await cluster.runOnce(["--data", `${cluster.dir}/x`, ...flags]);
    assertEquals(code, 64, stderr);
    assert(stderr.includes(words), stderr);
  };
  await refused("--secret-file", "--peer", `0.0.0.0:${ports[0]}`);
  await refused("--token-file", "--http", `0.0.0.0:${ports[1]}`);
  await refused("--token-file", "--http", `[::]:${ports[1]}`);
  // Asking for it is not enough: what was given must be usable.
  const empty = `${cluster.dir}/empty`;
  Deno.writeTextFileSync(empty, "");
  await refused("JSON", "--http", `0.0.0.0:${ports[1]}`, "--token-file", empty);
  await refused("is empty", "--peer", `0.0.0.0:${ports[0]}`, "--secret-file", empty);
  await refused("certificate and key", "--cert", empty, "--key", empty);
});
