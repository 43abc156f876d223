// Where the parts of a JSON text stand, so that a value can be had exactly as it was put: parsing it would
// lose its spaces, its large numbers and its repeated names. For JSON that has been checked before.

/** Half-open range of characters. */
export interface Slice {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;

function skipSpace(text: string, at: number): number {
  for (;; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
  }
}

/** Behind the string that begins at `at`. */
function skipString(text: string, at: number): number {
  for (let end = at + 1;; end++) {
    end = text.indexOf('"', end);
    if (end < 0) throw new TypeError("Cannot read JSON: a string has no end");
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
}

/** Behind the value that begins at `at`. */
function skipValue(text: string, at: number): number {
  let depth = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = skipString(text, at);
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth++;
      at++;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      if (depth === 0) return at;
      depth--;
      at++;
    } else if (code === COMMA && depth === 0) return at;
    else at++;
    // A string or a nested value is over; a number or a literal goes on up to a delimiter.
    if (depth === 0 && (code === QUOTE || code === CLOSE_BRACE || code === CLOSE_BRACKET)) {
      return at;
    }
  }
  return at;
}

/**
 * The values of the object that begins at `start`, by name, with the spaces around them; of a repeated name
 * the last.
 */
export function memberSlices(text: string, start = 0): Map<string, Slice> {
  const members = new Map<string, Slice>();
  let at = skipSpace(text, skipSpace(text, start) + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = skipString(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    const valueStart = skipSpace(text, nameEnd) + 1;
    at = skipSpace(text, skipValue(text, skipSpace(text, valueStart)));
    members.set(name, { start: valueStart, end: at });
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return members;
}

/** The elements of the array that begins at `start`. */
export function elementSlices(text: string, start = 0): Slice[] {
  const elements: Slice[] = [];
  let at = skipSpace(text, skipSpace(text, start) + 1);
  while (at < text.length && text.charCodeAt(at) !== CLOSE_BRACKET) {
    const end = skipValue(text, at);
    elements.push({ start: at, end });
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return elements;
}

/** The text of the member, spaces around it included, `name` of the object that begins at `start`; undefined if it has none. */
export function memberText(text: string, name: string, start = 0): string | undefined {
  const slice = memberSlices(text, start).get(name);
  return slice === undefined ? undefined : text.slice(slice.start, slice.end);
}
