// Runs one command in a process group of its own, within a time limit, and leaves nothing of the group behind.
// It must return even if a grandchild keeps the pipes open.

/** What came of a command. */
export interface Ended {
  /** Exit code; -1 if the time ran out. */
  readonly code: number;
  readonly timedOut: boolean;
  /** Standard output and error as they came, cut in the middle above the limit. */
  readonly output: string;
  readonly durationMs: number;
}

/** Kept of the beginning and of the end of an output, each. */
const OUTPUT_SIZE_BYTES_MAX = 1 << 20;
/** For pipes to drain once the process has ended; whoever still holds them by then has been killed. */
const DRAIN_MS = 1_000;

const running = new Set<number>();

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty: all of it has ended.
  }
}

/** Kills everything that {@link runBounded} started and that still runs. */
export function killAll(): void {
  for (const pid of running) killGroup(pid);
}

/** Collects bytes of several streams in order of arrival, with a bound on what is kept. */
class Output {
  #head: Uint8Array[] = [];
  #headSizeBytes = 0;
  #tail: Uint8Array[] = [];
  #tailSizeBytes = 0;
  #dropped = false;

  push(chunk: Uint8Array): void {
    if (this.#headSizeBytes < OUTPUT_SIZE_BYTES_MAX) {
      this.#head.push(chunk);
      this.#headSizeBytes += chunk.length;
      return;
    }
    this.#tail.push(chunk);
    this.#tailSizeBytes += chunk.length;
    while (this.#tailSizeBytes - this.#tail[0].length > OUTPUT_SIZE_BYTES_MAX) {
      this.#tailSizeBytes -= this.#tail.shift()!.length;
      this.#dropped = true;
    }
  }

  text(): string {
    const decode = (chunks: Uint8Array[]) => {
      const decoder = new TextDecoder();
      return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
    };
    const cut = this.#dropped ? "\n… cut …\n" : "";
    return decode(this.#head) + cut + decode(this.#tail);
  }
}

async function drain(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  output: Output,
): Promise<void> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    output.push(value);
  }
}

/** Settles with `work`, or after `ms`, whichever is first. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(late.resolve, ms, false);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs a command to its end or to the end of its time, whichever comes first. Then the whole process group is killed.
 *
 * @throws if the command can't be started
 */
export async function runBounded(
  command: string,
  options: { args: string[]; cwd: URL; env?: Record<string, string>; timeoutMs: number },
): Promise<Ended> {
  const began = performance.now();
  const child = new Deno.Command(command, {
    args: options.args,
    cwd: options.cwd,
    env: options.env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  running.add(child.pid);
  try {
    const output = new Output();
    const readers = [child.stdout.getReader(), child.stderr.getReader()];
    const drained = Promise.all(readers.map((reader) => drain(reader, output)));
    const ended = await within(child.status, options.timeoutMs);
    killGroup(child.pid);
    const { code } = await child.status;
    const durationMs = performance.now() - began;
    if (!await within(drained, DRAIN_MS)) {
      await Promise.all(readers.map((reader) => reader.cancel()));
    }
    await drained;
    return { code: ended ? code : -1, timedOut: !ended, output: output.text(), durationMs };
  } finally {
    running.delete(child.pid);
  }
}
