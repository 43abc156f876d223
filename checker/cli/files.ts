// Reads a history file in chunks, so that one larger than a string may be can be checked.

import { HistoryReader, type ParsedHistory, type ParseOptions } from "../history/parse.ts";

const CHUNK_SIZE_BYTES = 4 * 1024 * 1024;

/** @throws HistoryError for a bad history, Deno.errors.* for a bad file, TypeError if it is not UTF-8. */
export async function readHistoryFile(
  path: string,
  options: ParseOptions = {},
): Promise<ParsedHistory> {
  using file = await Deno.open(path, { read: true });
  const reader = new HistoryReader(options);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const chunk = new Uint8Array(CHUNK_SIZE_BYTES);
  // Reading is a small part of parsing; doing it in place saves a hop per chunk.
  for (let size = file.readSync(chunk); size !== null; size = file.readSync(chunk)) {
    reader.push(decoder.decode(chunk.subarray(0, size), { stream: true }));
  }
  reader.push(decoder.decode());
  return reader.end();
}
