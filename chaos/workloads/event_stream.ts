// Reads server-sent events. Source: WHATWG HTML §9.2.

export interface StreamEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

interface Fields {
  event: string;
  data: string[];
  id: string | undefined;
}

/** Takes text in any pieces, gives whole events. */
export class EventParser {
  #text = "";
  #fields: Fields | undefined;

  *push(text: string): Generator<StreamEvent> {
    this.#text += text;
    for (let end = this.#text.indexOf("\n"); end >= 0; end = this.#text.indexOf("\n")) {
      const line = this.#text.slice(0, end).replace(/\r$/, "");
      this.#text = this.#text.slice(end + 1);
      const event = this.#line(line);
      if (event !== undefined) yield event;
    }
  }

  #line(line: string): StreamEvent | undefined {
    if (line === "") {
      const fields = this.#fields;
      this.#fields = undefined;
      return fields === undefined ? undefined : { ...fields, data: fields.data.join("\n") };
    }
    const match = /^([^:]+):? ?(.*)$/.exec(line);
    // A line that begins with a colon is a comment.
    if (match === null) return undefined;
    this.#fields ??= { event: "message", data: [], id: undefined };
    if (match[1] === "event") this.#fields.event = match[2]!;
    else if (match[1] === "data") this.#fields.data.push(match[2]!);
    else if (match[1] === "id") this.#fields.id = match[2]!;
    return undefined;
  }
}

/**
 * The events of a body, until it ends or `signal` aborts. Rejects as the body does. Never waits for the connection's own
 * end: a stream that is given up may take its time to close.
 */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  const aborted = new Promise<{ done: true; value: undefined }>((resolve) => {
    signal.addEventListener("abort", () => resolve({ done: true, value: undefined }));
  });
  try {
    while (!signal.aborted) {
      const { done, value } = await Promise.race([reader.read(), aborted]);
      if (done || value === undefined) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
