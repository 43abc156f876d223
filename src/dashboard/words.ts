// Figures as people read them. Pure.

/** "3 partitions", "1 partition". */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${number(count)} ${count === 1 ? noun : plural}`;
}

/** Whole, with thin spaces between thousands. */
export function number(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A rate or a count in few characters: 7, 12.3k, 4.5M. */
export function short(value: number): string {
  if (value < 10 && !Number.isInteger(value)) return value.toFixed(1);
  if (value < 1000) return String(Math.round(value));
  const [unit, size] = value < 1e6 ? ["k", 1e3] : value < 1e9 ? ["M", 1e6] : ["G", 1e9];
  const scaled = value / (size as number);
  return `${scaled < 100 ? Number(scaled.toFixed(1)) : Math.round(scaled)}${unit}`;
}

/** 512 B, 1.5 MB: powers of 1000, as disks are sold and measured. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const digits = unit === 0 || scaled >= 99.5 ? 0 : 1;
  return `${scaled.toFixed(digits)}\u00a0${units[unit]}`;
}

/** The one or two largest units: 850 ms, 4 s, 2 min 5 s, 3 h 12 min, 6 days. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}\u00a0ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}\u00a0s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return joined(minutes, "min", seconds % 60, "s");
  if (minutes < 60) return `${minutes}\u00a0min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(hours, "h", minutes % 60, "min");
  const days = Math.floor(hours / 24);
  return `${days}\u00a0day${days === 1 ? "" : "s"}`;
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0
    ? `${large}\u00a0${largeUnit}`
    : `${large}\u00a0${largeUnit} ${small}\u00a0${smallUnit}`;
}

/** A latency: 0.34 ms, 12 ms, 1.2 s. */
export function latency(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)}\u00a0s`;
  return `${ms >= 10 ? Math.round(ms) : Number(ms.toFixed(ms < 1 ? 2 : 1))}\u00a0ms`;
}

/** "a, b and c"; at most `most` of them, then "and 5 more". */
export function list(items: readonly string[], most = 4): string {
  if (items.length === 1) return items[0];
  if (items.length > most) {
    return `${items.slice(0, most - 1).join(", ")} and ${items.length - most + 1} more`;
  }
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1) ?? ""}`;
}

/** "partition 3", "partitions 3, 4 and 9". */
export function partitionsText(partitions: readonly number[], most = 5): string {
  if (partitions.length === 1 && partitions[0] === 0) return "the meta group";
  const named = partitions.map((one) => one === 0 ? "meta" : String(one));
  return `${partitions.length === 1 ? "partition" : "partitions"} ${list(named, most)}`;
}
