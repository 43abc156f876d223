// Hand-written types for the two @std packages that deno.json maps to npm:deno-std (plain JS).
// Must stay a script (no top-level import/export), or the declarations turn into augmentations.
// deno-lint-ignore-file no-explicit-any
declare module "@std/assert" {
  type Ctor<T> = abstract new (...args: any[]) => T;
  export class AssertionError extends Error {
    constructor(message: string, options?: ErrorOptions);
  }
  export function assert(expr: unknown, msg?: string): asserts expr;
  export function assertFalse(
    expr: unknown,
    msg?: string,
  ): asserts expr is false | 0 | "" | null | undefined;
  export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertNotEquals<T>(
    actual: T,
    expected: T,
    msg?: string,
  ): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    msg?: string,
  ): asserts actual is T;
  export function assertNotStrictEquals<T>(
    actual: T,
    expected: T,
    msg?: string,
  ): void;
  export function assertAlmostEquals(
    actual: number,
    expected: number,
    tolerance?: number,
    msg?: string,
  ): void;
  export function assertExists<T>(
    actual: T,
    msg?: string,
  ): asserts actual is NonNullable<T>;
  export function assertGreater<T>(actual: T, expected: T, msg?: string): void;
  export function assertGreaterOrEqual<T>(
    actual: T,
    expected: T,
    msg?: string,
  ): void;
  export function assertLess<T>(actual: T, expected: T, msg?: string): void;
  export function assertLessOrEqual<T>(
    actual: T,
    expected: T,
    msg?: string,
  ): void;
  export function assertInstanceOf<T>(
    actual: unknown,
    type: Ctor<T>,
    msg?: string,
  ): asserts actual is T;
  export function assertNotInstanceOf<A, T>(
    actual: A,
    type: Ctor<T>,
    msg?: string,
  ): asserts actual is Exclude<A, T>;
  export function assertStringIncludes(
    actual: string,
    expected: string,
    msg?: string,
  ): void;
  export function assertArrayIncludes<T>(
    actual: ArrayLike<T>,
    expected: ArrayLike<T>,
    msg?: string,
  ): void;
  export function assertMatch(
    actual: string,
    expected: RegExp,
    msg?: string,
  ): void;
  export function assertNotMatch(
    actual: string,
    expected: RegExp,
    msg?: string,
  ): void;
  export function assertObjectMatch(
    actual: Record<PropertyKey, any>,
    expected: Record<PropertyKey, unknown>,
    msg?: string,
  ): void;
  export function assertIsError<E extends Error = Error>(
    error: unknown,
    type?: Ctor<E>,
    msgMatches?: string | RegExp,
    msg?: string,
  ): asserts error is E;
  export function assertThrows(fn: () => unknown, msg?: string): unknown;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    type: Ctor<E>,
    msgIncludes?: string,
    msg?: string,
  ): E;
  export function assertRejects(
    fn: () => PromiseLike<unknown>,
    msg?: string,
  ): Promise<unknown>;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    type: Ctor<E>,
    msgIncludes?: string,
    msg?: string,
  ): Promise<E>;
  export function equal(a: unknown, b: unknown): boolean;
  export function fail(msg?: string): never;
  export function unimplemented(msg?: string): never;
  export function unreachable(msg?: string): never;
}
declare module "@std/streams" {
  type Bytes = Uint8Array<ArrayBuffer>;
  export interface BufferBytesOptions {
    copy?: boolean;
  }
  export class Buffer {
    readonly readable: ReadableStream<Bytes>;
    readonly writable: WritableStream<Bytes>;
    constructor(init?: ArrayBufferLike | ArrayLike<number>);
    bytes(options?: BufferBytesOptions): Bytes;
    empty(): boolean;
    get length(): number;
    get capacity(): number;
    truncate(n: number): void;
    reset(): void;
    grow(n: number): void;
  }
  export class ByteSliceStream extends TransformStream<Bytes, Bytes> {
    constructor(start?: number, end?: number);
  }
  export interface DelimiterStreamOptions {
    disposition?: "suffix" | "prefix" | "discard";
  }
  export class DelimiterStream extends TransformStream<Bytes, Bytes> {
    constructor(delimiter: Uint8Array, options?: DelimiterStreamOptions);
  }
  export class TextDelimiterStream extends TransformStream<string, string> {
    constructor(delimiter: string, options?: DelimiterStreamOptions);
  }
  export class TextLineStream extends TransformStream<string, string> {
    constructor(options?: { allowCR?: boolean });
  }
  export class LimitedBytesTransformStream extends TransformStream<Bytes, Bytes> {
    constructor(size: number, options?: { error?: boolean });
  }
  export class LimitedTransformStream<T> extends TransformStream<T, T> {
    constructor(size: number, options?: { error?: boolean });
  }
  export function concatReadableStreams<T>(
    ...streams: ReadableStream<T>[]
  ): ReadableStream<T>;
  export function mergeReadableStreams<T>(
    ...streams: ReadableStream<T>[]
  ): ReadableStream<T>;
  export function zipReadableStreams<T>(
    ...streams: ReadableStream<T>[]
  ): ReadableStream<T>;
  export function earlyZipReadableStreams<T>(
    ...streams: ReadableStream<T>[]
  ): ReadableStream<T>;
  export function toArrayBuffer(
    stream: ReadableStream<Uint8Array>,
  ): Promise<ArrayBuffer>;
  export function toBytes(stream: ReadableStream<Uint8Array>): Promise<Bytes>;
  export function toBlob(stream: ReadableStream<Uint8Array>): Promise<Blob>;
  export function toJson(stream: ReadableStream): Promise<unknown>;
  export function toText(stream: ReadableStream): Promise<string>;
  export function toTransformStream<I, O>(
    fn: (src: ReadableStream<I>) => Iterable<O> | AsyncIterable<O>,
    w?: QueuingStrategy<I>,
    r?: QueuingStrategy<O>,
  ): TransformStream<I, O>;
}
