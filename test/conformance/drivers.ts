// Runs quorum and confchange scripts, which drive single computations instead of nodes.

import { Changer, ConfChangeError } from "../../src/raft/changer.ts";
import type { Progress } from "../../src/raft/progress.ts";
import {
  jointCommittedIndex,
  jointVoteResult,
  majorityCommittedIndex,
  type MajorityConfig,
  majorityVoteResult,
  VoteResult,
} from "../../src/raft/quorum.ts";
import { progressStatus } from "../../src/raft/status.ts";
import { EMPTY_CONFIG, Tracker } from "../../src/raft/tracker.ts";
import { describeConfig, describeProgress, parseConfChanges } from "./describe.ts";
import type { Block } from "./script.ts";

/** `simple`, `enter-joint` and `leave-joint` on one configuration that starts out empty. */
export class ConfChangeDriver {
  readonly #tracker = new Tracker(10, Infinity);
  #membership = { config: EMPTY_CONFIG, members: [] as readonly Progress[] };
  /** Grows with each command, so that `next` tells when a member came in. */
  #lastIndex = 0;

  run(block: Block): string {
    const changer = new Changer(this.#membership, this.#tracker, this.#lastIndex++);
    try {
      const changes = parseConfChanges(block.input.join(" "));
      if (block.name === "simple") {
        this.#membership = changer.simple(changes);
      } else if (block.name === "enter-joint") {
        const autoLeave = block.args.some((arg) =>
          arg.key === "autoleave" && arg.values[0] === "true"
        );
        this.#membership = changer.enterJoint(autoLeave, changes);
      } else if (block.name === "leave-joint") {
        if (changes.length > 0) return "this command takes no input";
        this.#membership = changer.leaveJoint();
      } else {
        return "unknown command";
      }
    } catch (error) {
      if (error instanceof ConfChangeError || error instanceof Error && isInputError(error)) {
        return error.message;
      }
      throw error;
    }
    const lines = this.#membership.members.map((progress) =>
      describeProgress(progressStatus(progress))
    );
    return [describeConfig(this.#membership.config), ...lines].join("\n");
  }
}

function isInputError(error: Error): boolean {
  return error.message.startsWith("unknown token") || error.message.startsWith("unknown input");
}

const VOTE_NAMES: Record<VoteResult, string> = {
  [VoteResult.Pending]: "VotePending",
  [VoteResult.Lost]: "VoteLost",
  [VoteResult.Won]: "VoteWon",
};

/** `committed` and `vote` on a majority (`cfg`) or a joint one (`cfg` and `cfgj`). */
export function runQuorum(block: Block): string {
  const list = (key: string) => block.args.find((arg) => arg.key === key)?.values ?? [];
  const joint = block.args.some((arg) => arg.key === "cfgj");
  const incoming = ascending(list("cfg"));
  const outgoing = ascending(list("cfgj").filter((id) => id !== "zero"));
  // Values come in the order of first mention; `_` is "not known".
  const order = [...new Set([...list("cfg"), ...list("cfgj")])].filter((id) => id !== "zero");
  const input = list(block.name === "vote" ? "votes" : "idx");
  if (order.length !== input.length) {
    return `error: mismatched input (explicit or _) for voters (${order.join(" ")}): [${
      input.join(" ")
    }]`;
  }
  const given = new Map<number, string>();
  order.forEach((id, i) => {
    if (input[i] !== "_") given.set(Number(id), input[i]);
  });
  const config = { incoming, outgoing };
  const mirrored = { incoming: outgoing, outgoing: incoming };

  if (block.name === "vote") {
    const votes = new Map([...given].map(([id, vote]) => [id, vote === "y"]));
    const result = joint ? jointVoteResult(config, votes) : majorityVoteResult(incoming, votes);
    const others = joint ? [jointVoteResult(mirrored, votes)] : [
      jointVoteResult({ incoming, outgoing: [] }, votes),
      jointVoteResult({ incoming, outgoing: incoming }, votes),
    ];
    if (others.some((other) => other !== result)) return "the result depends on the form";
    return VOTE_NAMES[result];
  }
  if (block.name === "committed") {
    const acked = (id: number) => given.has(id) ? Number(given.get(id)) : undefined;
    const index = joint
      ? jointCommittedIndex(config, acked)
      : majorityCommittedIndex(incoming, acked);
    const others = joint ? [jointCommittedIndex(mirrored, acked)] : [
      jointCommittedIndex({ incoming, outgoing: [] }, acked),
      jointCommittedIndex({ incoming, outgoing: incoming }, acked),
    ];
    if (others.some((other) => other !== index)) return "the result depends on the form";
    return index === Infinity ? "∞" : String(index);
  }
  return "unknown command";
}

function ascending(ids: readonly string[]): MajorityConfig {
  return [...new Set(ids.map(Number))].sort((a, b) => a - b);
}
