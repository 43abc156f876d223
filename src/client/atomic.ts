// Checks and changes of several keys of one partition as one step, in the manner of Deno KV. Collects them;
// nothing happens before `commit`.

import { type Key, keyMembers, latin1OfKey } from "./key.ts";
import { checkedRevision, ttlSeconds } from "./records.ts";
import type { Compare, TxnDocument, TxnOperation, TxnResult } from "./txn.ts";
import type { CallOptions, Revision, SetOptions } from "./types.ts";
import { encodeValue, valueMembers } from "./value.ts";

/** What must be so for the commit to happen; an entry from `get` fits. Revision 0: there is no such key. */
export interface AtomicCheck {
  readonly key: Key;
  readonly revision: Revision;
}

/** Everything was done, at one revision. */
export interface AtomicCommit {
  readonly ok: true;
  readonly revision: Revision;
}

/** A check failed; nothing was done. */
export interface AtomicConflict {
  readonly ok: false;
  /** The checked keys, in order, as they are. */
  readonly current: readonly AtomicCheck[];
}

/** Runs a transaction's document. */
export type RunTxn = (document: TxnDocument, options?: CallOptions) => Promise<TxnResult>;

/**
 * One atomic change of keys of one partition; keys with the same `{tag}` are of one.
 *
 * @example
 * ```ts ignore
 * const account = await kv.get<number>("{alice}balance");
 * const result = await kv.atomic()
 *   .check(account)
 *   .set("{alice}balance", (account.value ?? 0) - 10)
 *   .set("{alice}last", "withdrawal")
 *   .commit();
 * if (!result.ok) console.log("somebody was faster", result.current);
 * ```
 */
export class AtomicOperation {
  readonly #run: RunTxn;
  readonly #checks: Compare[] = [];
  readonly #checkedKeys: Key[] = [];
  readonly #operations: TxnOperation[] = [];

  constructor(run: RunTxn) {
    this.#run = run;
  }

  /** Every one of `checks` must hold. Throws TypeError or RangeError. */
  check(...checks: readonly AtomicCheck[]): this {
    for (const { key, revision } of checks) {
      const members = keyMembers(latin1OfKey(key));
      this.#checks.push({ ...members, revision: checkedRevision(revision, 0) });
      this.#checkedKeys.push(key);
    }
    return this;
  }

  /** Sets a key. Throws TypeError or RangeError. */
  set(key: Key, value: unknown, options: Pick<SetOptions, "ttlMs" | "contentType"> = {}): this {
    const { ttlMs, contentType } = options;
    this.#operations.push({
      op: "put",
      ...keyMembers(latin1OfKey(key)),
      ...valueMembers(encodeValue(value, contentType)),
      ...(ttlMs === undefined ? {} : { ttl: ttlSeconds(ttlMs) }),
    });
    return this;
  }

  /** Removes a key, if it is there. Throws TypeError. */
  delete(key: Key): this {
    this.#operations.push({ op: "delete", ...keyMembers(latin1OfKey(key)) });
    return this;
  }

  /** Does all of it or nothing. Throws PontoonError: `cross-partition` if the keys are of several. */
  async commit(options?: CallOptions): Promise<AtomicCommit | AtomicConflict> {
    const keys = this.#checkedKeys.map((key) => keyMembers(latin1OfKey(key)));
    const { succeeded, revision, results } = await this.#run({
      if: this.#checks,
      then: this.#operations,
      else: keys.map((members) => ({ op: "get", ...members })),
    }, options);
    if (succeeded) return { ok: true, revision };
    const current = this.#checkedKeys.map((key, i) => {
      const result = results[i];
      return { key, revision: result?.op === "get" ? result.revision : 0 };
    });
    return { ok: false, current };
  }
}
