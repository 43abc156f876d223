// A folder as one small file: how recorded data directories are kept. Trailing zeros, of which preallocated
// logs are full, are not stored.

import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { BytesReader, BytesWriter } from "../../src/base/codec.ts";
import { latin1FromBytes, utf8Bytes } from "../../src/base/bytes.ts";

function* filesOf(folder: string, prefix = ""): Generator<string> {
  const entries = [...Deno.readDirSync(`${folder}/${prefix}`)];
  for (const entry of entries.toSorted((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory) yield* filesOf(folder, `${path}/`);
    else yield path;
  }
}

/** The folder's files, for each: u16 path length, path | size u32 | u32 stored length, bytes; as a zstd frame. */
export function packFolder(folder: string): Uint8Array<ArrayBuffer> {
  const writer = new BytesWriter(1024 * 1024);
  for (const path of filesOf(folder)) {
    const bytes = Deno.readFileSync(`${folder}/${path}`);
    const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
    const name = latin1FromBytes(utf8Bytes(path));
    writer.u16(name.length).latin1(name).u32(bytes.length);
    writer.u32(length).raw(bytes.subarray(0, length));
  }
  return new Uint8Array(zstdCompressSync(writer.take()));
}

/** Inverse of {@linkcode packFolder}; creates `folder`. */
export function unpackFolder(archive: Uint8Array, folder: string): void {
  const reader = new BytesReader(new Uint8Array(zstdDecompressSync(archive)));
  while (reader.remaining > 0) {
    const path = `${folder}/${reader.latin1(reader.u16())}`;
    const sizeBytes = reader.u32();
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeFileSync(path, reader.raw(reader.u32()));
    Deno.truncateSync(path, sizeBytes);
  }
}
