// How results look: aligned tables, JSON lines, values for people. Pure.

import type { Key } from "../client/mod.ts";

export type OutputForm = "table" | "json" | "raw";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

/** base64 of bytes. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(text);
}

/** base64url without padding. */
export function base64Url(bytes: Uint8Array): string {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Inverse of both. Throws TypeError. */
export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  let latin1: string;
  try {
    latin1 = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new TypeError(`"${text}" is not base64`);
  }
  return Uint8Array.from(latin1, (character) => character.charCodeAt(0));
}

/** Text, or undefined if the bytes are none. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** One line that a terminal can show: control characters escaped. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => {
    const short = { "\n": "\\n", "\t": "\\t", "\r": "\\r" }[character];
    return short ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** A key on one line. Keys that are not UTF-8 show as base64url behind `64:`. */
export function keyText(key: Key): string {
  return typeof key === "string" ? printable(key) : `64:${base64Url(key)}`;
}

/** A value on one line. */
export function valueText(value: unknown): string {
  if (typeof value === "string") return printable(value);
  return value instanceof Uint8Array ? `64:${base64(value)}` : JSON.stringify(value);
}

/** `key` or `key64`, as the HTTP API names keys. */
export function keyDocument(key: Key): { key: string } | { key64: string } {
  return typeof key === "string" ? { key } : { key64: base64Url(key) };
}

/** An entry as a document: values as text, or base64 with `encoding`. JSON stays text, to the byte. */
export function entryDocument(entry: {
  readonly key: Key;
  readonly value?: unknown;
  readonly revision: number;
  readonly createRevision?: number;
  readonly contentType?: string;
  readonly ttlMs?: number;
}): Record<string, unknown> {
  const { key, value, ...rest } = entry;
  const members = value === undefined
    ? {}
    : value instanceof Uint8Array
    ? { value: base64(value), encoding: "base64" }
    : { value };
  return { ...keyDocument(key), ...members, ...rest };
}

/** Columns of a table; numbers are aligned to the right. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Characters that a text takes in a terminal, wide ones counted as two. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code >= 0x300 && code < 0x370 || code === 0x200d || code >= 0xfe00 && code < 0xfe10) {
      continue;
    }
    const wide = code >= 0x1100 &&
      (code < 0x1160 || code >= 0x2e80 && code < 0xa4d0 || code >= 0xac00 && code < 0xd7a4 ||
        code >= 0xf900 && code < 0xfb00 || code >= 0xff00 && code < 0xff61 || code >= 0x1f300);
    width += wide ? 2 : 1;
  }
  return width;
}

/** At most `columns` wide; what is cut off shows as "…". */
export function fitted(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let fit = "";
  let width = 1;
  for (const character of text) {
    width += widthOf(character);
    if (width > columns) break;
    fit += character;
  }
  return `${fit}…`;
}

/** A table's lines. The last column is cut to what `columns` leave of a line. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  lineColumns = Infinity,
): string[] {
  const widths = columns.map(({ title }, i) =>
    Math.max(widthOf(title), ...rows.map((row) => widthOf(row[i])))
  );
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, i) => {
      const space = " ".repeat(Math.max(0, widths[i] - widthOf(cell)));
      if (columns[i].right) return space + cell;
      return i === cells.length - 1 ? cell : cell + space;
    });
    return fitted(padded.join("  "), lineColumns).trimEnd();
  };
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

/** 1,234,567 */
export function grouped(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** 1.5 MB */
export function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 350 ms, 1.5 s, 02:05 */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  if (seconds >= 3600) parts.unshift(Math.floor(seconds / 3600));
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `30s`, `1.5h`, `250ms`; a bare number is seconds. Throws TypeError. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) {
    throw new TypeError(`"${text}" is no duration: give 30s, 5m, 1.5h, 2d, 250ms, or seconds`);
  }
  return Number(match[1]) * UNIT_MS[match[2] ?? "s"];
}
