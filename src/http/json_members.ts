// Keys and values as JSON documents name them: `key` or `key64`, `value` (text, or base64 with `encoding`) or
// `json`. Throws RequestError.

import { bytesFromLatin1, latin1FromBytes, utf8Bytes } from "../base/bytes.ts";
import type { Key } from "../store/types.ts";
import { RequestError } from "./problem.ts";
import { checkedLength, keyFromBase64Url } from "./request_key.ts";
import { keyText, storedContentType } from "./value_format.ts";

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/** A lone surrogate has no UTF-8: encoding it would name another key, or store another value. */
function textBytes(text: string, what: string): Uint8Array<ArrayBuffer> {
  if (!text.isWellFormed()) {
    throw new RequestError("invalid-body", `${what} holds half a surrogate pair`);
  }
  return utf8Bytes(text);
}

/** The key in `name` or `name64`. */
export function keyOf(text: string | undefined, base64: string | undefined, name: string): Key {
  if ((text === undefined) === (base64 === undefined)) {
    throw new RequestError("invalid-body", `Exactly one of ${name} and ${name}64 is needed`);
  }
  if (text === undefined) return keyFromBase64Url(base64!);
  return checkedLength(ASCII.test(text) ? text : latin1FromBytes(textBytes(text, name)));
}

/** How a document gives a value. */
export interface ValueMembers {
  readonly value?: string;
  readonly encoding?: "base64";
  readonly json?: unknown;
}

/** The value's bytes. */
export function valueOf(members: ValueMembers): Uint8Array<ArrayBuffer> {
  const { value, encoding, json } = members;
  if ((value === undefined) === (json === undefined)) {
    throw new RequestError("invalid-body", "Exactly one of value and json is needed");
  }
  if (value === undefined) {
    if (encoding !== undefined) {
      throw new RequestError("invalid-body", "encoding belongs to value, not to json");
    }
    return textBytes(JSON.stringify(json), "json");
  }
  if (encoding === undefined) return textBytes(value, "value");
  try {
    return bytesFromLatin1(atob(value));
  } catch {
    throw new RequestError("invalid-body", "value is not base64");
  }
}

/** A value to be stored, with the content type it is stored with. */
export function storedValueOf(
  members: ValueMembers & { readonly contentType?: string },
  key: Key,
  valueSizeBytesMax: number,
): { value: Uint8Array<ArrayBuffer>; contentType: string } {
  const value = valueOf(members);
  if (value.length > valueSizeBytesMax) {
    throw new RequestError(
      "value-too-large",
      `The value of ${keyText(key)} may have ${valueSizeBytesMax} bytes at most`,
    );
  }
  const given = members.contentType ?? (members.json === undefined ? null : "application/json");
  return { value, contentType: storedContentType(given, value) };
}
