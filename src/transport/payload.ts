// Fields of peer payloads that the general codec does not know: times and short names.

import { assert } from "../base/assert.ts";
import { type BytesReader, type BytesWriter, CodecError } from "../base/codec.ts";

/** Longest name: a node id, a cluster id. */
const NAME_LENGTH_MAX = 64;

/** A time or duration in milliseconds: any finite f64. */
export function readTime(reader: BytesReader): number {
  const value = reader.f64();
  if (!Number.isFinite(value)) throw new CodecError(`Cannot read a time: got ${value}`);
  return value;
}

/** Whether `name` may travel: printable ASCII, not too long; empty is allowed. */
export function isName(name: string): boolean {
  return name.length <= NAME_LENGTH_MAX && /^[\x21-\x7e]*$/.test(name);
}

export function writeName(writer: BytesWriter, name: string): void {
  assert(isName(name), `not a short ASCII name: ${name}`);
  writer.u8(name.length).latin1(name);
}

export function readName(reader: BytesReader): string {
  const name = reader.latin1(reader.u8());
  if (!isName(name)) throw new CodecError("Cannot read a name: it is too long or not ASCII");
  return name;
}
