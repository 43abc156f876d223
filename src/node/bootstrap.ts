// How the first nodes become a cluster (RULES 8): the lowest name collects the others' nodeIds and writes
// the genesis record; every node takes it only into an empty directory, and none goes on to elections
// before it has seen that all of them hold it.

import { hexFromBytes, utf8Bytes } from "../base/bytes.ts";
import type { Address, Clock, Log, Random } from "../platform/ports.ts";
import {
  decodeGenesis,
  encodeGenesis,
  type Genesis,
  type MemberDetails,
} from "../partition/mod.ts";
import type { NodeConfig } from "./config.ts";
import {
  type ControlAnswer,
  type ControlQuestion,
  decodeControl,
  encodeControl,
  type Identity,
} from "./control.ts";
import { HandshakeError } from "../transport/mod.ts";
import type { NodeRecord } from "./node_record.ts";

const CALL_TIMEOUT_MS = 2000;
const POLL_INTERVAL_MS = 50;
const POLL_INTERVAL_MS_MAX = 1000;
/** First nodes are not started all at once. */
const SILENCE_TOLD_MS = 10_000;

/** What bootstrap needs of the node. */
export interface BootstrapHost {
  readonly config: NodeConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly details: MemberDetails;
  record(): NodeRecord;
  /** Durable when it resolves. */
  save(record: NodeRecord): Promise<void>;
  call(address: Address, body: Uint8Array): Promise<Uint8Array>;
  readonly stopping: boolean;
}

/** Why somebody gave no answer. */
export interface NoAnswer {
  readonly reason: string;
  /** It is there, and one of the two does not want the other: asking again won't help. */
  readonly refused: boolean;
}

/** Asks one question; undefined when there is no (well-formed) answer, and `onNoAnswer` is told why. */
export async function askAddress(
  host: Pick<BootstrapHost, "call">,
  address: Address,
  question: ControlQuestion,
  onNoAnswer: (why: NoAnswer) => void = () => {},
): Promise<ControlAnswer | undefined> {
  try {
    return decodeControl<ControlAnswer>(await host.call(address, encodeControl(question)));
  } catch (error) {
    // Not there yet, as a rule; whoever asks asks again.
    const { message, cause } = error as Error;
    onNoAnswer({ reason: message, refused: cause instanceof HandshakeError });
    return undefined;
  }
}

/** Tells whom the first nodes wait for, and why: a refusal at once, silence when it has lasted; each once. */
class Waiting {
  readonly #host: BootstrapHost;
  readonly #told = new Map<Address, string>();
  readonly #beganMs: number;

  constructor(host: BootstrapHost) {
    this.#host = host;
    this.#beganMs = host.clock.monotonicMs();
  }

  for(address: Address, { reason, refused }: NoAnswer): void {
    const isLong = this.#host.clock.monotonicMs() - this.#beganMs >= SILENCE_TOLD_MS;
    if (!refused && !isLong || this.#told.get(address) === reason) return;
    this.#told.set(address, reason);
    this.#host.log.log("warn", "waiting for a first node", { peer: address, reason });
  }
}

export { CALL_TIMEOUT_MS as CONTROL_CALL_TIMEOUT_MS };

/**
 * Takes part until the genesis is complete; resolves with it, or with undefined when the node stops or
 * must join an existing cluster instead (`onForeign` is told why).
 */
export async function bootstrap(
  host: BootstrapHost,
  onForeign: (reason: string, seeds: readonly Address[]) => void,
): Promise<Genesis | undefined> {
  const others = host.config.initial.filter(({ name }) => name !== host.config.name);
  const waiting = new Waiting(host);
  let pauseMs = POLL_INTERVAL_MS;
  while (!host.stopping) {
    const record = host.record();
    if (record.genesis !== undefined) {
      if (record.genesisComplete) return decodeGenesis(utf8Bytes(record.genesis));
      if (await everyoneHolds(host, waiting, record.genesis)) {
        await host.save({ ...host.record(), genesisComplete: true });
        continue;
      }
    } else {
      const identities = await identitiesOf(host, waiting, others.map(({ peer }) => peer));
      const existing = identities.find((identity) => identity?.genesis !== undefined);
      if (existing?.genesis !== undefined) {
        const refusal = await adoptGenesis(host, existing.genesis);
        if (refusal === undefined) continue;
        onForeign(refusal, others.map(({ peer }) => peer));
        return undefined;
      }
      if (isLowest(host.config) && identities.every((identity) => identity !== undefined)) {
        await writeGenesis(host, identities as Identity[]);
        continue;
      }
    }
    await pause(host.clock, pauseMs);
    pauseMs = Math.min(POLL_INTERVAL_MS_MAX, pauseMs * 1.3);
  }
  return undefined;
}

function isLowest(config: NodeConfig): boolean {
  return config.initial.every(({ name }) => config.name <= name);
}

export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(delayMs, resolve));
}

async function identitiesOf(
  host: BootstrapHost,
  waiting: Waiting,
  addresses: readonly Address[],
): Promise<(Identity | undefined)[]> {
  const answers = await Promise.all(
    addresses.map((address) =>
      askAddress(host, address, { ask: "identity" }, (why) => waiting.for(address, why))
    ),
  );
  return answers.map((answer) => answer?.identity);
}

/** Draws the cluster's identity and records who its first members are. */
async function writeGenesis(
  host: BootstrapHost,
  identities: readonly Identity[],
): Promise<void> {
  const { config } = host;
  const own = { nodeId: host.record().nodeId, ...host.details };
  const members = [own, ...identities.map(({ nodeId, details }) => ({ nodeId, ...details }))];
  const genesis = encodeGenesis({
    clusterId: hexFromBytes(host.random.bytes(16)),
    replication: config.replication,
    partitionCount: config.partitions,
    members,
  });
  const refusal = await adoptGenesis(host, new TextDecoder().decode(genesis));
  if (refusal !== undefined) throw new Error(`Cannot create the cluster: ${refusal}`);
  host.log.log("info", "genesis written", { members: members.map((member) => member.name) });
}

/** Takes a genesis into an empty directory; returns why not, or undefined. Durable when it resolves. */
export async function adoptGenesis(
  host: Pick<BootstrapHost, "record" | "save">,
  text: string,
): Promise<string | undefined> {
  const record = host.record();
  if (record.genesis === text) return undefined;
  if (record.clusterId !== "") return `this node belongs to cluster ${record.clusterId}`;
  let genesis: Genesis;
  try {
    genesis = decodeGenesis(utf8Bytes(text));
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
  if (!genesis.members.some(({ nodeId }) => nodeId === record.nodeId)) {
    return `cluster ${genesis.clusterId} was created without this data directory`;
  }
  await host.save({ ...record, clusterId: genesis.clusterId, genesis: text });
  return undefined;
}

/** Whether every first node holds the genesis; hands it to those that don't. */
async function everyoneHolds(
  host: BootstrapHost,
  waiting: Waiting,
  text: string,
): Promise<boolean> {
  const genesis = decodeGenesis(utf8Bytes(text));
  const own = host.record().nodeId;
  const holds = await Promise.all(
    genesis.members.filter(({ nodeId }) => nodeId !== own).map(async (member) => {
      const question = { ask: "genesis", genesis: text } as const;
      const answer = await askAddress(
        host,
        member.peer,
        question,
        (why) => waiting.for(member.peer, why),
      );
      if (answer !== undefined && !answer.ok) {
        host.log.log("warn", "a first node does not take the genesis", {
          peer: member.name,
          reason: answer.reason,
        });
      }
      return answer?.ok ?? false;
    }),
  );
  return holds.every(Boolean);
}
