// JSON values as keys and as text. Two values are equal iff their keys are.

import type { Json } from "../history/types.ts";

/** A primitive that identifies `value`: itself for numbers, a tagged string otherwise. */
export function valueKey(value: Json | undefined): string | number {
  if (typeof value === "number") return value === 0 ? 0 : value;
  if (typeof value === "string") return `"${value}`;
  return canonical(value ?? null);
}

/** JSON text with object keys sorted. Undefined counts as null. */
export function canonical(value: Json | undefined): string {
  if (value === undefined || value === null) return "null";
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonical(item)).join(",")}]`;
  const map = value as { readonly [key: string]: Json };
  const fields = Object.keys(map).sort().map((key) =>
    `${JSON.stringify(key)}:${canonical(map[key])}`
  );
  return `{${fields.join(",")}}`;
}

/** Stands for a value that no response mentions; see `Model.blur`. */
export const UNSEEN: Json = { "a value nobody saw": "\u0000".repeat(8) };

export function equalValues(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || valueKey(a) === valueKey(b);
}

/** Longest text of one value in a description, in characters. */
const SHOWN_LENGTH_MAX = 60;

/** A value for people: JSON, shortened in the middle. */
export function show(value: Json | undefined): string {
  const text = value === undefined ? "nothing" : canonical(value);
  if (text.length <= SHOWN_LENGTH_MAX) return text;
  const half = SHOWN_LENGTH_MAX / 2;
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}

/** Narrow to an object with fields, or undefined. */
export function fieldsOf(value: unknown): { readonly [key: string]: Json | undefined } | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as { readonly [key: string]: Json | undefined }
    : undefined;
}

/** Validates `input.f`: a message if it is not one of `functions`. */
export function badFunction(input: unknown, functions: readonly string[]): string | undefined {
  const f = fieldsOf(input)?.f;
  if (typeof f === "string" && functions.includes(f)) return undefined;
  return `"f" must be one of ${functions.join(", ")}: got ${show(f)}`;
}
