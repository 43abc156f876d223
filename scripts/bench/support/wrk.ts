// Runs wrk, which loads one address from one thread: at random over given paths, so that requests in step
// with each other don't all meet the same partition.

/** All requests are made before the first is sent: the nodes share their cores with this. */
const SCRIPT = `
local requests = {}
function init(args)
  math.randomseed(tonumber(args[1]))
  local file = io.open(args[4])
  local body = file:read("*a")
  file:close()
  if body == "" then body = nil end
  for path in io.lines(args[3]) do
    table.insert(requests, wrk.format(args[2], path, { ["content-type"] = "text/plain" }, body))
  end
end
function request() return requests[math.random(#requests)] end
function done(summary)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("RESULT %d %d %d\\n", summary.requests, errors.status + broken, summary.duration))
end
`;

export interface WrkLoad {
  /** host:port */
  readonly host: string;
  readonly paths: readonly string[];
  readonly method: "PUT" | "GET";
  readonly body?: string;
  readonly connections: number;
  readonly seconds: number;
  /** Of the order in which the paths come. */
  readonly seed: number;
}

export interface WrkResult {
  readonly perSecond: number;
  /** Broken, or answered with anything but success. */
  readonly failed: number;
}

/** Loads one address with closed connections; rejects if wrk itself fails. */
export async function wrk(load: WrkLoad): Promise<WrkResult> {
  const folder = Deno.makeTempDirSync({ prefix: "pontoon-wrk-" });
  try {
    Deno.writeTextFileSync(`${folder}/load.lua`, SCRIPT);
    Deno.writeTextFileSync(`${folder}/paths`, load.paths.join("\n"));
    Deno.writeTextFileSync(`${folder}/body`, load.body ?? "");
    const { stdout, stderr } = await new Deno.Command("wrk", {
      args: ["-t1", "-c", String(load.connections), "-d", `${load.seconds}s`].concat(
        ["-s", `${folder}/load.lua`, `http://${load.host}`, "--"],
        [String(load.seed), load.method, `${folder}/paths`, `${folder}/body`],
      ),
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    const [, requests, failed, durationUs] = /RESULT (\d+) (\d+) (\d+)/.exec(text) ?? [];
    if (requests === undefined) {
      throw new Error(`wrk failed: ${text}${new TextDecoder().decode(stderr)}`);
    }
    return { perSecond: Number(requests) / (Number(durationUs) / 1e6), failed: Number(failed) };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
