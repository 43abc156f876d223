// Money moved between the accounts of a bank, which is a key group: a transfer writes two balances in one
// transaction, on condition that neither has changed since somebody saw it. Besides what the model checks, no reader
// may ever see money appear or vanish.

import type { TxnOutput, TxnStepResult } from "../../checker/mod.ts";
import type { Random } from "../types.ts";
import { type GroupTxn, kvTxnByGroup, txnCall } from "./txn_calls.ts";
import type {
  Call,
  Evidence,
  Flaw,
  Outcome,
  WorkloadDefinition,
  WorkloadRun,
  WorkloadSettings,
} from "./types.ts";

const ACCOUNTS = 5;
const BALANCE = 100;
const TRANSFER_MAX = 20;

interface Balance {
  readonly amount: number;
  readonly revision: number;
}

function accounts(bank: string): readonly string[] {
  return Array.from({ length: ACCOUNTS }, (_, i) => `{${bank}}account${i}`);
}

function open(group: string, persists: boolean): Call {
  const keys = accounts(group);
  return txnCall("open", {
    f: "txn",
    group,
    if: keys.map((key) => ({ target: "exists", key, exists: false })),
    then: keys.map((key) => ({ kind: "put", key, value: BALANCE })),
  }, persists);
}

function readAll(group: string, persists: boolean): Call {
  const then = accounts(group).map((key) => ({ kind: "get", key }) as const);
  return txnCall("read", { f: "txn", group, then }, persists);
}

/** If somebody was faster the answer is what the two balances are now. */
function transfer(
  group: string,
  from: readonly [key: string, balance: Balance],
  to: readonly [key: string, balance: Balance],
  amount: number,
  persists: boolean,
): Call {
  return txnCall("transfer", {
    f: "txn",
    group,
    if: [from, to].map(([key, { revision }]) => ({
      target: "revision",
      key,
      operator: "=",
      revision,
    })),
    then: [
      { kind: "put", key: from[0], value: from[1].amount - amount },
      { kind: "put", key: to[0], value: to[1].amount + amount },
    ],
    else: [from, to].map(([key]) => ({ kind: "get", key })),
  }, persists);
}

class BankRun implements WorkloadRun {
  readonly model = kvTxnByGroup();
  readonly before: readonly Call[];
  readonly #banks: readonly string[];
  readonly #random: Random;
  readonly #persists: boolean;
  /** Last seen, perhaps out of date. */
  readonly #balances = new Map<string, Balance>();

  constructor({ keys, random, hasIdempotency }: WorkloadSettings) {
    this.#banks = Array.from({ length: keys }, (_, i) => `bank${i}`);
    this.before = this.#banks.map((bank) => open(bank, hasIdempotency));
    this.#persists = hasIdempotency;
    this.#random = random;
  }

  next(): Call {
    const draw = (count: number) => Math.floor(this.#random() * count);
    const bank = this.#banks[draw(this.#banks.length)]!;
    if (this.#random() < 0.3) return readAll(bank, false);
    const keys = accounts(bank);
    const one = draw(ACCOUNTS);
    const from = keys[one]!;
    const to = keys[(one + 1 + draw(ACCOUNTS - 1)) % ACCOUNTS]!;
    const amount = 1 + draw(TRANSFER_MAX);
    const source = this.#balances.get(from);
    const target = this.#balances.get(to);
    if (source === undefined || target === undefined || source.amount < amount) {
      return readAll(bank, false);
    }
    return transfer(bank, [from, source], [to, target], amount, this.#persists);
  }

  saw(call: Call, outcome: Outcome): void {
    if (outcome.type !== "ok" || call.kind === "open") return;
    const input = call.input as unknown as GroupTxn;
    const { succeeded, revision, results = [] } = outcome.output as unknown as TxnOutput;
    const steps = (succeeded ? input.then : input.else) ?? [];
    steps.forEach((step, i) => {
      if (step.kind === "put") {
        this.#balances.set(step.key, { amount: step.value as number, revision: revision! });
      } else if (step.kind === "get") this.#learn(step.key, results[i]!);
    });
  }

  #learn(key: string, { value, revision }: TxnStepResult): void {
    if (typeof value !== "number" || revision === undefined) return;
    const known = this.#balances.get(key);
    if (known === undefined || known.revision < revision) {
      this.#balances.set(key, { amount: value, revision });
    }
  }

  after(): readonly Call[] {
    return this.#banks.map((bank) => readAll(bank, true));
  }

  flaws({ calls }: Evidence): readonly Flaw[] {
    const flaws: Flaw[] = [];
    for (const { kind, outcome, input, call } of calls) {
      if (kind !== "read" || outcome?.type !== "ok") continue;
      const { results = [] } = outcome.output as unknown as TxnOutput;
      // A replayed transaction gives revisions only.
      if (results.some(({ found, value }) => found === true && value === undefined)) continue;
      const total = results.reduce((sum, { value }) => sum + Number(value ?? 0), 0);
      if (total === ACCOUNTS * BALANCE) continue;
      const { group } = input as unknown as GroupTxn;
      flaws.push({
        message: `the accounts of ${group} held ${total} together instead of ${ACCOUNTS * BALANCE}`,
        calls: [call],
      });
    }
    return flaws;
  }
}

export const bankWorkload: WorkloadDefinition = {
  name: "bank",
  summary:
    "transfers between accounts of a key group on condition of both balances; money is conserved",
  needs: ["txn"],
  kinds: ["read", "transfer"],
  start: (settings) => new BankRun(settings),
};
