// Reads a stream of server-sent events as a browser would (WHATWG HTML §9.2), one event at a time.

/** One event, its data read as JSON. */
export interface ServerEvent {
  readonly event: string;
  readonly id: string;
  // deno-lint-ignore no-explicit-any
  readonly data: any;
}

export class EventStream {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(response: Response) {
    this.#reader = response.body!.getReader();
  }

  /** The next event; undefined at the end of the stream. */
  async next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return parsed(block);
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  /** The next `count` events that are no progress. */
  async changes(count: number): Promise<ServerEvent[]> {
    const found: ServerEvent[] = [];
    while (found.length < count) {
      const event = await this.next();
      if (event === undefined) throw new Error(`the stream ended after ${found.length} changes`);
      if (event.event !== "progress") found.push(event);
    }
    return found;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

function parsed(block: string): ServerEvent {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    const name = line.slice(0, colon);
    const earlier = fields.get(name);
    const value = line.slice(colon + 2);
    fields.set(name, earlier === undefined ? value : `${earlier}\n${value}`);
  }
  return {
    event: fields.get("event") ?? "",
    id: fields.get("id") ?? "",
    data: JSON.parse(fields.get("data") ?? "null"),
  };
}
