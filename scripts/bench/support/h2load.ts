// Runs h2load (Debian's nghttp2-client) and reads what it measured.

export interface Load {
  readonly url: string;
  /** Further paths at the same host, taken in turn. */
  readonly paths?: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  readonly http1: boolean;
  readonly method?: "PUT";
  readonly bodyFile?: string;
  readonly headers?: readonly string[];
}

export interface LoadResult {
  readonly perSecond: number;
  /** Mean time of a request, as h2load prints it. */
  readonly mean: string;
  readonly failed: number;
}

const WARM_UP_SECONDS = 1;

/** Loads one address; rejects if h2load says anything but success. */
export async function h2load(load: Load): Promise<LoadResult> {
  const args = ["-c", String(load.connections), "-t", "1", "-m", "1"];
  args.push("-D", String(load.seconds), "--warm-up-time", String(WARM_UP_SECONDS));
  if (load.http1) args.push("--h1");
  if (load.method !== undefined) args.push("-H", `:method: ${load.method}`);
  if (load.bodyFile !== undefined) args.push("-d", load.bodyFile);
  for (const header of load.headers ?? []) args.push("-H", header);
  const { stdout, stderr } = await new Deno.Command("h2load", {
    args: [...args, load.url, ...(load.paths ?? [])],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const count = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? NaN);
  const succeeded = count(/status codes: (\d+) 2xx/);
  const failed = count(/(\d+) failed/) + count(/, (\d+) 4xx/) + count(/, (\d+) 5xx/);
  if (!Number.isFinite(succeeded)) {
    throw new Error(`h2load failed: ${text}${new TextDecoder().decode(stderr)}`);
  }
  const mean = /time for request:\s+\S+\s+\S+\s+(\S+)/.exec(text)?.[1] ?? "?";
  return { perSecond: succeeded / load.seconds, mean, failed };
}
