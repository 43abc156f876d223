// Reads a history file in chunks, so that one larger than a string may be can be checked.

import { HistoryReader, type ParsedHistory, type ParseOptions } from "../history/parse.ts";

/** @throws HistoryError for a bad history, Deno.errors.* for a bad file. */
export async function readHistoryFile(
  path: string,
  options: ParseOptions = {},
): Promise<ParsedHistory> {
  const file = await Deno.open(path, { read: true });
  const reader = new HistoryReader(options);
  for await (
    const text of file.readable.pipeThrough(new TextDecoderStream("utf-8", { fatal: true }))
  ) {
    reader.push(text);
  }
  return reader.end();
}
