// Reads EDN, the notation of Jepsen and Knossos histories, into JSON values: keywords and symbols become
// strings without their colon, sets and lists arrays, maps objects. Source: github.com/edn-format/edn.

import { HistoryError, type Json } from "./types.ts";

/** A value with the line it starts on. */
export interface EdnForm {
  readonly value: Json;
  readonly line: number;
}

const WHITESPACE = /[\s,]/;
const DELIMITER = /[\s,;()[\]{}"]/;
const INTEGER = /^[+-]?\d+N?$/;
const FLOAT = /^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?M?$/;
const NAMED_CHARACTERS: Readonly<Record<string, string>> = {
  newline: "\n",
  return: "\r",
  space: " ",
  tab: "\t",
};
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  '"': '"',
  "\\": "\\",
};
/** Nesting beyond this is an error rather than a stack overflow. */
const DEPTH_MAX = 1000;

/** Yields nothing but whole forms. `forms` of a top-level vector or list go one level deep. */
export class EdnReader {
  readonly #text: string;
  #at = 0;
  #line: number;

  constructor(text: string, firstLine = 1) {
    this.#text = text;
    this.#line = firstLine;
  }

  /** The next top-level form, or undefined at the end. */
  next(): EdnForm | undefined {
    this.#skip();
    if (this.#at >= this.#text.length) return undefined;
    const line = this.#line;
    return { value: this.#read(0), line };
  }

  /**
   * The maps of a history: those inside one top-level vector or list, or top-level maps one after the
   * other (Jepsen's history.edn).
   */
  *forms(): Generator<EdnForm> {
    this.#skip();
    const open = this.#text[this.#at];
    if (open !== "[" && open !== "(") {
      for (let form = this.next(); form !== undefined; form = this.next()) yield form;
      return;
    }
    const close = open === "[" ? "]" : ")";
    const openLine = this.#line;
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#at >= this.#text.length) {
        throw new HistoryError(
          `the file ends before the "${close}" that closes line ${openLine}`,
          this.#line,
        );
      }
      if (this.#text[this.#at] === close) break;
      const line = this.#line;
      yield { value: this.#read(1), line };
    }
    this.#at++;
    this.#skip();
    if (this.#at < this.#text.length) {
      throw new HistoryError(`something follows the history's closing "${close}"`, this.#line);
    }
  }

  #fail(message: string): never {
    throw new HistoryError(message, this.#line);
  }

  #skip(): void {
    const text = this.#text;
    while (this.#at < text.length) {
      const c = text[this.#at]!;
      if (c === "\n") {
        this.#line++;
        this.#at++;
      } else if (WHITESPACE.test(c)) {
        this.#at++;
      } else if (c === ";") {
        while (this.#at < text.length && text[this.#at] !== "\n") this.#at++;
      } else if (c === "#" && text[this.#at + 1] === "_") {
        this.#at += 2;
        this.#skip();
        this.#read(1);
      } else {
        return;
      }
    }
  }

  #read(depth: number): Json {
    if (depth > DEPTH_MAX) this.#fail(`nested deeper than ${DEPTH_MAX}`);
    const c = this.#text[this.#at];
    switch (c) {
      case undefined:
        return this.#fail("the file ends inside a form");
      case "[":
        return this.#sequence("]", depth);
      case "(":
        return this.#sequence(")", depth);
      case "{":
        return this.#map(depth);
      case '"':
        return this.#string();
      case "\\":
        return this.#character();
      case "#":
        return this.#dispatch(depth);
      case "]":
      case ")":
      case "}":
        return this.#fail(`unexpected "${c}"`);
      default:
        return this.#atom();
    }
  }

  #sequence(close: string, depth: number): Json[] {
    const openLine = this.#line;
    this.#at++;
    const items: Json[] = [];
    for (;;) {
      this.#skip();
      if (this.#at >= this.#text.length) this.#fail(`no "${close}" closes line ${openLine}`);
      if (this.#text[this.#at] === close) {
        this.#at++;
        return items;
      }
      items.push(this.#read(depth + 1));
    }
  }

  #map(depth: number): Json {
    const items = this.#sequence("}", depth);
    if (items.length % 2 !== 0) this.#fail("a map needs a value for every key");
    const map: Record<string, Json> = {};
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]!;
      const name = typeof key === "string" ? key : JSON.stringify(key);
      // `__proto__` as a plain assignment would vanish into the prototype.
      Object.defineProperty(map, name, {
        value: items[i + 1],
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return map;
  }

  #string(): string {
    const text = this.#text;
    const openLine = this.#line;
    let result = "";
    let from = ++this.#at;
    for (; this.#at < text.length; this.#at++) {
      const c = text[this.#at]!;
      if (c === '"') {
        result += text.slice(from, this.#at++);
        return result;
      }
      if (c === "\n") this.#line++;
      if (c !== "\\") continue;
      result += text.slice(from, this.#at);
      const escape = text[++this.#at];
      if (escape === "u") {
        const code = text.slice(this.#at + 1, this.#at + 5);
        if (!/^[0-9a-fA-F]{4}$/.test(code)) this.#fail(`bad escape "\\u${code}"`);
        result += String.fromCharCode(parseInt(code, 16));
        this.#at += 4;
      } else {
        const plain = escape === undefined ? undefined : ESCAPES[escape];
        if (plain === undefined) this.#fail(`bad escape "\\${escape ?? ""}"`);
        result += plain;
      }
      from = this.#at + 1;
    }
    return this.#fail(`the string of line ${openLine} is never closed`);
  }

  #character(): string {
    const name = this.#token(this.#at + 1) || this.#text[this.#at + 1] || "";
    this.#at += 1 + name.length;
    if (name.length === 1) return name;
    if (/^u[0-9a-fA-F]{4}$/.test(name)) return String.fromCharCode(parseInt(name.slice(1), 16));
    return NAMED_CHARACTERS[name] ?? this.#fail(`unknown character "\\${name}"`);
  }

  #dispatch(depth: number): Json {
    if (this.#text[this.#at + 1] === "{") {
      this.#at++;
      return this.#sequence("}", depth);
    }
    const tag = this.#token(this.#at + 1);
    if (tag === "") this.#fail('a "#" must open a set or a tag');
    this.#at += 1 + tag.length;
    // A tag says how to see the value (#inst, #jepsen.history.Op{...}); the value itself is what counts.
    this.#skip();
    return this.#read(depth + 1);
  }

  #atom(): Json {
    const token = this.#token(this.#at);
    this.#at += token.length;
    if (token === "nil") return null;
    if (token === "true") return true;
    if (token === "false") return false;
    if (token.startsWith(":")) {
      if (token.length === 1) this.#fail('a lone ":" is no keyword');
      return token.slice(1);
    }
    if (INTEGER.test(token)) {
      const digits = token.endsWith("N") ? token.slice(0, -1) : token;
      const number = Number(digits);
      // Beyond 2^53 two integers could become one number: keep the digits, so that they stay distinct.
      return Number.isSafeInteger(number) ? number : digits.replace(/^\+/, "");
    }
    if (FLOAT.test(token)) return Number(token.endsWith("M") ? token.slice(0, -1) : token);
    if (/^[+-]?\d/.test(token)) this.#fail(`"${token}" is no number`);
    return token;
  }

  #token(from: number): string {
    let end = from;
    while (end < this.#text.length && !DELIMITER.test(this.#text[end]!)) end++;
    return this.#text.slice(from, end);
  }
}
