// A file's content as it is now: read again when the file changes, so that tokens and certificates are
// rotated without a restart. What can't be used is told once and the last good content stays.

export interface WatchedFile<T> {
  /** The last content that could be used. */
  readonly current: T;
  /** Calls back after each change that could be used. */
  onChange(callback: (value: T) => void): void;
}

const LOOK_INTERVAL_MS = 1000;

/** Reads `paths` now, and again whenever one of them changes. Throws what `parse` throws now, never later. */
export function watchFiles<T>(
  paths: readonly string[],
  parse: (texts: readonly string[]) => T,
  onUnusable: (paths: readonly string[], reason: string) => void,
): WatchedFile<T> {
  const stamp = () =>
    paths.map((path) => {
      try {
        const { mtime, size, ino } = Deno.statSync(path);
        return `${mtime?.getTime()} ${size} ${ino}`;
      } catch {
        return "gone";
      }
    }).join("|");
  const read = () => parse(paths.map((path) => Deno.readTextFileSync(path)));
  const callbacks: ((value: T) => void)[] = [];
  let seen = stamp();
  let current = read();
  const timer = setInterval(() => {
    const now = stamp();
    if (now === seen) return;
    seen = now;
    try {
      current = read();
    } catch (cause) {
      onUnusable(paths, cause instanceof Error ? cause.message : String(cause));
      return;
    }
    for (const callback of callbacks) callback(current);
  }, LOOK_INTERVAL_MS);
  Deno.unrefTimer(timer);
  return {
    get current() {
      return current;
    },
    onChange: (callback) => void callbacks.push(callback),
  };
}
