// Reads server-sent events. Source: WHATWG HTML §9.2.

export interface StreamEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** The events of a body, until it ends. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  let text = "";
  let fields: { event: string; data: string[]; id: string | undefined } | undefined;
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const line = text.slice(0, end).replace(/\r$/, "");
      text = text.slice(end + 1);
      if (line === "") {
        if (fields !== undefined) {
          yield { event: fields.event, data: fields.data.join("\n"), id: fields.id };
        }
        fields = undefined;
        continue;
      }
      const match = /^([^:]+):? ?(.*)$/.exec(line);
      // A line that begins with a colon is a comment.
      if (match === null) continue;
      fields ??= { event: "message", data: [], id: undefined };
      if (match[1] === "event") fields.event = match[2]!;
      else if (match[1] === "data") fields.data.push(match[2]!);
      else if (match[1] === "id") fields.id = match[2]!;
    }
  }
}
