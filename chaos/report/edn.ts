// Writes histories as EDN, as Jepsen keeps them: a map an event, with :index, :time in nanoseconds, :process, :type,
// :f and :value. Beside these stand :input and :output, which the checker here reads back without loss.

/** JSON as EDN; strings that are names in Jepsen (types, functions, processes) are written by the caller. */
function edn(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(edn).join(" ")}]`;
  return `{${
    Object.entries(value).filter(([, field]) => field !== undefined)
      .map(([key, field]) => `${keyOf(key)} ${edn(field)}`).join(", ")
  }}`;
}

/** Keywords where EDN can spell them. */
function keyOf(key: string): string {
  return /^[A-Za-z][\w-]*$/.test(key) ? `:${key}` : JSON.stringify(key);
}

interface Event {
  readonly process: number | string;
  readonly type: string;
  readonly f?: string;
  readonly value?: unknown;
  readonly input?: { readonly f: string; readonly key?: unknown; readonly value?: unknown };
  readonly output?: unknown;
  readonly node?: string;
  readonly error?: string;
  readonly applied?: number;
  readonly partition?: string;
  readonly timeMs: number;
}

/** What independent keys look like in Jepsen: [key value]. */
function valueOf(input: Event["input"], value: unknown): unknown {
  return input?.key === undefined ? value : [input.key, value];
}

/** One line of history.ndjson after the other; returns the EDN of the same events. */
export function ednOf(lines: Iterable<string>): string {
  const open = new Map<number | string, Event>();
  const out: string[] = [];
  let index = 0;
  for (const line of lines) {
    if (line === "") continue;
    const event: Event = JSON.parse(line);
    const invoked = event.type === "invoke" ? event : open.get(event.process);
    if (event.type === "invoke") open.set(event.process, event);
    const fields: string[] = [
      `:index ${index++}`,
      `:time ${Math.round(event.timeMs * 1e6)}`,
      `:process ${typeof event.process === "number" ? event.process : `:${event.process}`}`,
      `:type :${event.type}`,
      `:f :${event.f ?? invoked?.input?.f ?? "unknown"}`,
    ];
    if (event.process === "nemesis") fields.push(`:value ${edn(event.value)}`);
    else if (event.type === "invoke") {
      fields.push(`:value ${edn(valueOf(event.input, event.input?.value))}`);
      fields.push(`:input ${edn(event.input)}`);
      fields.push(`:node ${edn(event.node)}`);
    } else {
      const answer = (event.output as { value?: unknown } | null | undefined)?.value;
      const value = event.type !== "ok" || invoked?.input?.value !== undefined
        ? invoked?.input?.value
        : answer ??
          (typeof event.output === "object" && !Array.isArray(event.output)
            ? undefined
            : event.output);
      fields.push(`:value ${edn(valueOf(invoked?.input, value))}`);
      if (event.output !== undefined) fields.push(`:output ${edn(event.output)}`);
      if (event.error !== undefined) fields.push(`:error ${edn(event.error)}`);
      if (event.applied !== undefined) fields.push(`:applied ${event.applied}`);
      if (event.partition !== undefined) fields.push(`:partition ${edn(event.partition)}`);
      open.delete(event.process);
    }
    out.push(`{${fields.join(", ")}}`);
  }
  return out.join("\n") + "\n";
}
