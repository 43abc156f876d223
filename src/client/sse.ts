// Server-Sent Events as WHATWG HTML §9.2 has them, as far as this API uses them: event, id, data. Pure.

export interface ServerEvent {
  readonly event: string;
  /** Undefined if the event has none. */
  readonly id: string | undefined;
  readonly data: string;
}

/** Takes the text of a stream piece by piece. */
export class EventParser {
  #rest = "";

  /** The events that `text` completes. */
  push(text: string): ServerEvent[] {
    const all = this.#rest + text;
    const events: ServerEvent[] = [];
    let start = 0;
    for (;;) {
      const end = all.indexOf("\n\n", start);
      if (end < 0) break;
      const event = parseBlock(all.slice(start, end));
      if (event !== undefined) events.push(event);
      start = end + 2;
    }
    this.#rest = all.slice(start);
    return events;
  }
}

/** Undefined for a comment, or what else has no data. */
function parseBlock(block: string): ServerEvent | undefined {
  let event = "message";
  let id: string | undefined;
  let data: string | undefined;
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "event") event = value;
    else if (name === "id") id = value;
    else if (name === "data") data = data === undefined ? value : `${data}\n${value}`;
  }
  return data === undefined ? undefined : { event, id, data };
}
