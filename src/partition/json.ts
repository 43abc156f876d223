// Strict reading of the JSON documents this folder keeps in logs, snapshots and genesis records. Owns
// the rule that a document has exactly the fields its version names: a missing, mistyped or unknown
// one is refused by path, never guessed or skipped.

import { utf8Bytes, utf8TextOrUndefined } from "../base/bytes.ts";

/** A document from disk or a peer that is not what its version says. The message names the field. */
export class PartitionFormatError extends Error {
  override name = "PartitionFormatError";
}

/** UTF-8 JSON. Callers build `value` with a fixed field order, so equal values give equal bytes. */
export function jsonBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return utf8Bytes(JSON.stringify(value));
}

/** Parses UTF-8 JSON as one object. Throws PartitionFormatError. */
export function readDocument(bytes: Uint8Array, what: string): FieldReader {
  const text = utf8TextOrUndefined(bytes);
  if (text === undefined) throw new PartitionFormatError(`Cannot read ${what}: it is not UTF-8`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new PartitionFormatError(`Cannot read ${what}: it is not JSON`);
  }
  return FieldReader.of(value, what);
}

/** Takes the fields of one JSON object one by one; {@linkcode FieldReader.end} refuses leftovers. */
export class FieldReader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #taken = new Set<string>();

  private constructor(fields: Readonly<Record<string, unknown>>, path: string) {
    this.#fields = fields;
    this.#path = path;
  }

  /** Throws PartitionFormatError unless `value` is a plain object. */
  static of(value: unknown, path: string): FieldReader {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new PartitionFormatError(`Cannot read ${path}: expected an object`);
    }
    return new FieldReader(value as Record<string, unknown>, path);
  }

  /** Whether the object has the field; for optional ones. */
  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  /** A safe integer in [min, max]. */
  integer(name: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(name);
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      this.fail(name, `expected an integer from ${min} to ${max}`);
    }
    return value as number;
  }

  /** A string that `isValid` accepts; `expected` is the words of the error. */
  string(name: string, isValid: (text: string) => boolean, expected: string): string {
    const value = this.#take(name);
    if (typeof value !== "string" || !isValid(value)) this.fail(name, `expected ${expected}`);
    return value;
  }

  /** One of `values`. */
  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.#take(name);
    if (!values.includes(value as T)) this.fail(name, `expected one of ${values.join(", ")}`);
    return value as T;
  }

  boolean(name: string): boolean {
    const value = this.#take(name);
    if (typeof value !== "boolean") this.fail(name, "expected true or false");
    return value;
  }

  /** An array of at most `lengthMax` items, each read by `readItem`. */
  array<T>(name: string, lengthMax: number, readItem: (item: unknown, path: string) => T): T[] {
    const value = this.#take(name);
    if (!Array.isArray(value)) this.fail(name, "expected an array");
    if (value.length > lengthMax) this.fail(name, `expected at most ${lengthMax} items`);
    return value.map((item, i) => readItem(item, `${this.#path}.${name}[${i}]`));
  }

  /** An array of safe integers of at least `min`. */
  integers(name: string, lengthMax: number, min: number): number[] {
    return this.array(name, lengthMax, (item, path) => {
      if (!Number.isSafeInteger(item) || (item as number) < min) {
        throw new PartitionFormatError(
          `Cannot read ${path}: expected an integer of at least ${min}`,
        );
      }
      return item as number;
    });
  }

  object(name: string): FieldReader {
    return FieldReader.of(this.#take(name), `${this.#path}.${name}`);
  }

  /** Throws if a field was not taken: it belongs to a version this code does not know. */
  end(): void {
    for (const name of Object.keys(this.#fields)) {
      if (!this.#taken.has(name)) this.fail(name, "unknown field");
    }
  }

  /** Throws PartitionFormatError about field `name`. */
  fail(name: string, why: string): never {
    throw new PartitionFormatError(`Cannot read ${this.#path}.${name}: ${why}`);
  }

  #take(name: string): unknown {
    this.#taken.add(name);
    return this.#fields[name];
  }
}
