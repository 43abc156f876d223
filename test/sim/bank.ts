// Money that transactions move between accounts of one partition, after a look at all of them. Whoever looks
// must find the same sum; a transfer goes by the revisions that its teller saw.

import type { TxnInput, TxnOutput } from "../../checker/mod.ts";
import type { SeededRandom } from "./random.ts";

/** In the partition of the other transactions' keys. */
export const ACCOUNTS: readonly string[] = ["{t}account0", "{t}account1", "{t}account2"];
const OPENING_BALANCE = 100;
const SUM = ACCOUNTS.length * OPENING_BALANCE;
const TRANSFER_MAX = 30;

interface Account {
  readonly balance: number;
  readonly revision: number;
}

/** What one client knows of the accounts, and does about them. */
export class Teller {
  #known: readonly Account[] | undefined;

  next(random: SeededRandom): TxnInput {
    const known = this.#known;
    if (known === undefined || random.chance(0.3)) return look();
    if (known.length === 0) return opening();
    const from = random.int(ACCOUNTS.length);
    const to = (from + 1 + random.int(ACCOUNTS.length - 1)) % ACCOUNTS.length;
    const amount = 1 + random.int(TRANSFER_MAX);
    const seen = (account: number) => ({
      target: "revision" as const,
      key: ACCOUNTS[account],
      operator: "=" as const,
      revision: known[account].revision,
    });
    const put = (account: number, change: number) => ({
      kind: "put" as const,
      key: ACCOUNTS[account],
      value: String(known[account].balance + change),
    });
    return { f: "txn", if: [seen(from), seen(to)], then: [put(from, -amount), put(to, amount)] };
  }

  /** Takes note of what a transaction found. */
  saw(input: TxnInput, output: TxnOutput): void {
    if (!isLook(input)) this.#known = undefined;
    else if (output.results?.every(({ found }) => found !== undefined)) {
      this.#known = output.results.filter(({ found }) => found).map(({ value, revision }) => ({
        balance: Number(value),
        revision: revision ?? 0,
      }));
    }
  }
}

function look(): TxnInput {
  return { f: "txn", then: ACCOUNTS.map((key) => ({ kind: "get", key })) };
}

function opening(): TxnInput {
  return {
    f: "txn",
    if: [{ target: "exists", key: ACCOUNTS[0], exists: false }],
    then: ACCOUNTS.map((key) => ({ kind: "put", key, value: String(OPENING_BALANCE) })),
  };
}

function isLook({ then = [] }: TxnInput): boolean {
  return then.length === ACCOUNTS.length &&
    then.every((step, i) => step.kind === "get" && step.key === ACCOUNTS[i]);
}

/** In words, what is wrong with the sum that a look at the accounts found; undefined: nothing. */
export function findBankFlaw(input: TxnInput, output: TxnOutput): string | undefined {
  const results = output.results ?? [];
  // A replay tells no values.
  if (!isLook(input) || results.some(({ found }) => found === undefined)) return undefined;
  const balances = results.filter(({ found }) => found).map(({ value }) => Number(value));
  if (balances.length === 0) return undefined;
  const sum = balances.reduce((total, balance) => total + balance, 0);
  if (balances.length === ACCOUNTS.length && sum === SUM) return undefined;
  return `the accounts hold ${balances.join(" + ")} = ${sum}, not ${SUM}`;
}
