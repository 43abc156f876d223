// Who may do what: the token file, and finding the holder of a presented token. Tokens are kept as
// hashes; what is presented is compared with every one of them in time that does not depend on it. Only
// what was found right is remembered, in memory, as it came.

import { latin1FromBytes, utf8Bytes } from "../../base/bytes.ts";
import type { Digest } from "../../platform/ports.ts";

/** What a token allows. Each role stands for itself: `write` does not include `read`. */
export const ROLES = ["read", "write", "admin"] as const;
export type Role = typeof ROLES[number];

/** The holder of a token. */
export interface Principal {
  /** For logs; never the token. */
  readonly name: string;
  readonly roles: ReadonlySet<Role>;
  /** Beginnings of the keys it may touch, one character per byte; undefined means all keys. */
  readonly prefixes: readonly string[] | undefined;
  /** Requests a second, on average; undefined means no limit. */
  readonly requestsPerSecond: number | undefined;
  /** Requests at once; undefined means no limit. */
  readonly concurrency: number | undefined;
}

/** The token file can't be used. */
export class TokenFileError extends Error {
  override name = "TokenFileError";
}

const TOKENS_MAX = 1000;
/** Headers remembered with their holders: hashing at each request would cost a quarter of a put. */
const REMEMBERED_MAX = 256;
const NAME = /^[\x21-\x7e]{1,64}$/;
const HASH = /^[0-9a-f]{64}$/;
const ENTRY_FIELDS = ["name", "sha256", "roles", "prefixes", "requestsPerSecond", "concurrency"];
/** RFC 6750 §2.1; long enough for any token, short enough not to cost. */
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]{1,256}=*)$/i;

interface Entry {
  readonly hash: Uint8Array;
  readonly principal: Principal;
}

/** The tokens of a node at one time. Another file makes another table. */
export class TokenTable {
  readonly #entries: readonly Entry[];
  /**
   * By the whole header. A look-up compares nothing but texts of equal hash, which whoever does not know the
   * token can't aim at: the engine's hash is seeded anew in each process.
   */
  readonly #remembered = new Map<string, Principal>();

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  get size(): number {
    return this.#entries.length;
  }

  /**
   * Reads `{"tokens": [{"name", "sha256", "roles", "prefixes"?, "requestsPerSecond"?, "concurrency"?}]}`.
   *
   * @throws TokenFileError that names the entry and what is wrong with it.
   */
  static parse(text: string): TokenTable {
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch (cause) {
      throw new TokenFileError(`it is not JSON: ${cause instanceof Error ? cause.message : cause}`);
    }
    const tokens = isObject(document) ? document.tokens : undefined;
    if (!Array.isArray(tokens)) throw new TokenFileError('it has no list "tokens"');
    if (tokens.length > TOKENS_MAX) {
      throw new TokenFileError(`it has ${tokens.length} tokens; ${TOKENS_MAX} are allowed`);
    }
    const entries = tokens.map((token, i) => entryOf(token, i));
    const names = new Set(entries.map(({ principal }) => principal.name));
    if (names.size < entries.length) throw new TokenFileError("a name is given twice");
    return new TokenTable(entries);
  }

  /** The holder of the token in an Authorization header; undefined if it is nobody's. */
  find(authorization: string, digest: Digest): Principal | undefined {
    const remembered = this.#remembered.get(authorization);
    if (remembered !== undefined) return remembered;
    const presented = BEARER.exec(authorization)?.[1];
    if (presented === undefined) return undefined;
    const hash = digest.sha256(utf8Bytes(presented));
    let found: Principal | undefined;
    // All entries, whatever was found: the time must not tell where.
    for (const entry of this.#entries) {
      if (digest.equal(entry.hash, hash)) found = entry.principal;
    }
    if (found !== undefined) {
      if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
      this.#remembered.set(authorization, found);
    }
    return found;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entryOf(token: unknown, i: number): Entry {
  const fail = (what: string): never => {
    throw new TokenFileError(`token ${i + 1}: ${what}`);
  };
  if (!isObject(token)) return fail("it is not an object");
  const unknown = Object.keys(token).find((field) => !ENTRY_FIELDS.includes(field));
  if (unknown !== undefined) fail(`unknown field "${unknown}"`);
  const { name, sha256, roles, prefixes, requestsPerSecond, concurrency } = token;
  if (typeof name !== "string" || !NAME.test(name)) {
    return fail("name: 1 to 64 printable characters");
  }
  if (typeof sha256 !== "string" || !HASH.test(sha256)) {
    return fail("sha256: 64 lower-case hex digits");
  }
  const isRole = (role: unknown): role is Role => ROLES.includes(role as Role);
  if (!Array.isArray(roles) || roles.length === 0 || !roles.every(isRole)) {
    return fail(`roles: some of ${ROLES.join(", ")}`);
  }
  if (prefixes !== undefined && !isTexts(prefixes)) {
    return fail("prefixes: a list of texts that are not empty");
  }
  for (const [field, value] of Object.entries({ requestsPerSecond, concurrency })) {
    if (value !== undefined && !(typeof value === "number" && value > 0)) {
      fail(`${field}: a number above 0`);
    }
  }
  return {
    hash: Uint8Array.from(
      { length: 32 },
      (_, at) => parseInt(sha256.slice(2 * at, 2 * at + 2), 16),
    ),
    principal: {
      name,
      roles: new Set(roles),
      prefixes: prefixes?.map((prefix) => latin1FromBytes(utf8Bytes(prefix))),
      requestsPerSecond: requestsPerSecond as number | undefined,
      concurrency: concurrency as number | undefined,
    },
  };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 &&
    value.every((text) => typeof text === "string" && text !== "");
}
