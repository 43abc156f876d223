/// <reference lib="dom" />
// Keys and values on their way between the API and a person: as JSON laid out, as text, as bytes. Pure; never
// changes a value by showing it.

/** A key as the API names it: text, or base64url where it is not UTF-8. */
export interface KeyName {
  readonly key?: string;
  readonly key64?: string;
}

/** A record without its value, as a scan with `keysOnly` gives it. */
export interface KeyRecord extends KeyName {
  readonly revision: number;
  readonly createRevision: number;
  readonly contentType: string;
  readonly ttlMs?: number;
}

export type ValueForm = "json" | "text" | "bytes";

/** Bytes shown of what is neither JSON nor text. */
export const HEX_SHOWN_BYTES = 4096;
const HEX_ROW = 16;

export function sameKey(a: KeyName, b: KeyName): boolean {
  return a.key === b.key && a.key64 === b.key64;
}

/** Where the API has the key. A path can't carry every key; a query can. */
export function keyTarget(
  { key, key64 }: KeyName,
  parameters: Record<string, string> = {},
): string {
  const name = key64 ?? base64Url(new TextEncoder().encode(key));
  const query = new URLSearchParams({ key64: name, ...parameters });
  // Flags without a value, such as raw, are written without one.
  return `/key?${query.toString().replace(/=(?=&|$)/g, "")}`;
}

export function keyLabel({ key, key64 }: KeyName): string {
  return key ?? `base64url:${key64}`;
}

function base64Url(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** A key's bytes, one character each, by which keys are ordered. */
export function keyOrder({ key, key64 }: KeyName): string {
  if (key64 !== undefined) return atob(key64.replaceAll("-", "+").replaceAll("_", "/"));
  let text = "";
  for (const byte of new TextEncoder().encode(key)) text += String.fromCharCode(byte);
  return text;
}

/** How a value is best shown; `text` is absent if the bytes are not UTF-8. */
export function formOf(contentType: string, text: string | undefined): ValueForm {
  if (text === undefined) return "bytes";
  if (/^application\/(?:json|[\w.-]+\+json)\b/i.test(contentType)) return "json";
  if (/^text\//i.test(contentType)) return "text";
  // deno-lint-ignore no-control-regex
  return /[\x00-\x08\x0e-\x1f]/.test(text) ? "bytes" : "text";
}

export function textOrUndefined(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * JSON over several lines. Moves white space only: numbers too long for a double, order and doubled members stay
 * as they are. The text must be valid JSON.
 */
export function prettyJson(json: string): string {
  let out = "";
  let depth = 0;
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];
  const newLine = () => "\n" + "  ".repeat(depth);
  tokens.forEach((token, i) => {
    const next = tokens[i + 1];
    if (token === "{" || token === "[") {
      depth++;
      out += token;
      if (next !== "}" && next !== "]") out += newLine();
    } else if (token === "}" || token === "]") {
      depth--;
      const before = tokens[i - 1];
      if (before !== "{" && before !== "[") out += newLine();
      out += token;
    } else if (token === ",") out += "," + newLine();
    else if (token === ":") out += ": ";
    else out += token;
  });
  return out;
}

/** Offset, hexadecimal and ASCII, sixteen bytes a line. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  const shown = bytes.subarray(0, HEX_SHOWN_BYTES);
  for (let at = 0; at < shown.length; at += HEX_ROW) {
    const row = [...shown.subarray(at, at + HEX_ROW)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·");
    lines.push(
      `${at.toString(16).padStart(6, "0")}  ${hex.padEnd(3 * HEX_ROW - 1)}  ${text.join("")}`,
    );
  }
  return lines.join("\n");
}
