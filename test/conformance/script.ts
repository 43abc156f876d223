// Reads the data-driven scripts of the conformance data: blocks of a command, its input, and the
// output it must have. Knows nothing of what the commands mean.

/** `key`, `key=value` or `key=(value, value)`. */
export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly args: readonly Argument[];
}

export interface Block extends Command {
  /** Line of the command in the file, from 1. */
  readonly line: number;
  /** Lines between the command and `----`. */
  readonly input: readonly string[];
  /** Lines up to the blank line that ends the block. */
  readonly expected: readonly string[];
}

/** Parses `name arg key=value key=(value, value)`. */
export function parseCommand(text: string): Command {
  const tokens = text.match(/[^\s=(]+=\([^)]*\)|\S+/g) ?? [];
  const [name = "", ...rest] = tokens;
  const args = rest.map((token) => {
    const equals = token.indexOf("=");
    if (equals < 0) return { key: token, values: [] };
    const value = token.slice(equals + 1);
    const list = /^\((.*)\)$/.exec(value);
    const values = list === null ? [value] : list[1].split(/[,\s]+/).filter((v) => v !== "");
    return { key: token.slice(0, equals), values };
  });
  return { name, args };
}

/** Parses a whole script. Output that holds blank lines itself stands between doubled separators. */
export function parseScript(text: string): Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  let at = 0;
  const blank = (line: string | undefined) => line === undefined || line.trim() === "";
  while (at < lines.length) {
    if (blank(lines[at]) || lines[at].startsWith("#")) {
      at++;
      continue;
    }
    const line = at + 1;
    let command = lines[at++];
    while (command.endsWith("\\")) command = command.slice(0, -1) + " " + lines[at++];
    const input: string[] = [];
    while (at < lines.length && lines[at] !== "----") input.push(lines[at++]);
    at++;
    const expected: string[] = [];
    if (lines[at] === "----") {
      at++;
      while (at < lines.length && !(lines[at] === "----" && lines[at + 1] === "----")) {
        expected.push(lines[at++]);
      }
      at += 2;
    } else {
      while (!blank(lines[at])) expected.push(lines[at++]);
    }
    blocks.push({ ...parseCommand(command), line, input, expected });
  }
  return blocks;
}
