// When compressing values pays: puts and gets of one JSON document a second, log bytes a put and the size of
// a state of many, plain against zstd, by length. Off and on run in turns on the same machine.
//
//   deno run -A scripts/bench/compression.ts [--sizes 1024,4096,16384,65536] [--seconds 2] [--nodes 3]

import { parseArgs } from "node:util";
import { peakResidentBytes, TestCluster } from "./support/cluster.ts";
import { h2load } from "./support/h2load.ts";

const CONNECTIONS = 16;
/** Keys of the state whose memory is compared. */
const STATE_KEYS = 2000;

/** JSON as services store it: names repeat, numbers don't. */
function document(sizeBytes: number, salt = 0): string {
  let text = "[";
  for (let i = salt; text.length < sizeBytes; i++) {
    const item = {
      id: i,
      user: `user-${i * 7919 % 10_007}`,
      active: i % 3 === 0,
      score: Math.sin(i),
    };
    text += JSON.stringify(item) + ",";
  }
  return text.slice(0, sizeBytes - 1) + "]";
}

interface Sample {
  readonly puts: number;
  readonly gets: number;
  readonly zstdGets: number;
  readonly stateBytes: number;
}

async function fill(http: string, sizeBytes: number): Promise<void> {
  const workers = Array.from({ length: CONNECTIONS }, async (_, worker) => {
    for (let i = worker; i < STATE_KEYS; i += CONNECTIONS) {
      const response = await fetch(`http://${http}/key/k${i}`, {
        method: "PUT",
        body: document(sizeBytes, i * 13),
        headers: { "content-type": "text/plain" },
      });
      await response.body?.cancel();
    }
  });
  await Promise.all(workers);
}

async function measure(
  sizeBytes: number,
  compression: string,
  nodes: number,
  seconds: number,
): Promise<Sample> {
  const flags = ["--compression", compression, "--compression-threshold", "1"];
  await using cluster = TestCluster.start({ nodes, flags });
  await cluster.ready();
  const leader = await cluster.leaderOf("bench");
  const bodyFile = `${cluster.dir}/body`;
  Deno.writeTextFileSync(bodyFile, document(sizeBytes));
  const url = `http://${leader.http}/key/bench?raw`;
  const load = { url, connections: CONNECTIONS, seconds, http1: true };
  const putLoad = { ...load, url: url.replace("?raw", ""), bodyFile, method: "PUT" as const };
  const puts = await h2load({ ...putLoad, headers: ["content-type: text/plain"] });
  const gets = await h2load(load);
  const zstdGets = await h2load({ ...load, headers: ["accept-encoding: zstd"] });
  const before = peakResidentBytes(leader.process!.pid);
  await fill(leader.http, sizeBytes);
  const stateBytes = peakResidentBytes(leader.process!.pid) - before;
  return {
    puts: puts.perSecond,
    gets: gets.perSecond,
    zstdGets: zstdGets.perSecond,
    stateBytes,
  };
}

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "1024,4096,16384,65536" },
    seconds: { type: "string", default: "2" },
    nodes: { type: "string", default: "3" },
  },
});
console.log("bytes    kind   puts/s   gets/s   gets/s taking zstd   growth by 2000 keys");
for (const sizeBytes of values.sizes.split(",").map(Number)) {
  for (const kind of ["off", "zstd"]) {
    const sample = await measure(sizeBytes, kind, Number(values.nodes), Number(values.seconds));
    const { puts, gets, zstdGets, stateBytes } = sample;
    const cells = [
      String(sizeBytes).padEnd(8),
      kind.padEnd(5),
      puts.toFixed(0).padStart(7),
      gets.toFixed(0).padStart(8),
      zstdGets.toFixed(0).padStart(12),
      `${(stateBytes / 1e6).toFixed(0)} MB`.padStart(24),
    ];
    console.log(cells.join(" "));
  }
}
