// Runs interaction scripts: nodes in memory, a pool of messages between them, and commands that step
// them by hand. Each command's output is what the script's block is compared with. The core writes no
// log, so output never holds log lines.

import {
  ConfChangeTransition,
  type ConfChangeV2,
  type ConfState,
  isLocalTarget,
  LOCAL_APPEND_THREAD,
  type Message,
  MessageType,
  newMessage,
  NO_DATA,
  type ProposeResult,
  type Snapshot,
  type StepError,
} from "../../src/raft/mod.ts";
import {
  describeEntry,
  describeMessage,
  describeProgress,
  describeReady,
  describeRole,
  MESSAGE_NAMES,
  parseConfChanges,
} from "./describe.ts";
import { LEVEL_NAMES, Output } from "./output.ts";
import { ELECTION_TICKS, HEARTBEAT_TICKS, type NodeOptions, TestNode } from "./test_node.ts";
import { type Argument, type Block, type Command, parseCommand } from "./script.ts";

const STEP_ERRORS: Record<StepError, string> = {
  "proposal-dropped": "raft proposal dropped",
  "peer-not-found": "raft: cannot step as peer not found",
  "local-message": "raft: cannot step raft local message",
};

interface Recipient {
  readonly id: number;
  readonly drop: boolean;
}

/** The positional arguments, as node ids. */
function ids(args: readonly Argument[]): number[] {
  return args.filter((arg) => arg.values.length === 0).map((arg) => Number.parseInt(arg.key));
}

function value(args: readonly Argument[], key: string): string | undefined {
  return args.find((arg) => arg.key === key)?.values[0];
}

export class InteractionEnv {
  readonly #nodes: TestNode[] = [];
  #messages: Message[] = [];
  readonly #output = new Output();

  /** Runs one block and returns what it prints. */
  run(block: Block): string {
    this.#output.reset();
    try {
      if (block.name === "propose-conf-change") {
        this.#proposeConfChange(block.args, block.input.join("\n"));
      } else {
        this.#command(block);
        for (const line of block.input) this.#command(parseCommand(line));
      }
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      this.#output.printError(error.message);
    }
    return this.#output.text === "" ? "ok" : this.#output.text;
  }

  #node(id: number): TestNode {
    const node = this.#nodes[id - 1];
    if (node === undefined) throw new ScriptError(`no node ${id}`);
    return node;
  }

  #command({ name, args }: Command): void {
    const [first, second] = ids(args);
    switch (name) {
      case "_breakpoint":
        return;
      case "add-nodes":
        return this.#addNodes(first, args);
      case "campaign":
        return this.#node(first).raw.campaign();
      case "compact":
        this.#node(first).storage.compact(second);
        return this.#raftLog(first);
      case "deliver-msgs":
        return this.#deliverMessages(args);
      case "process-ready":
        return this.#forEach(args, "handling Ready", (id) => this.#processReady(id));
      case "process-append-thread":
        return this.#forEach(args, "processing append thread", (id) => this.#processAppend(id));
      case "process-apply-thread":
        return this.#forEach(args, "processing apply thread", (id) => this.#processApply(id));
      case "log-level":
        return this.#setLevel(args[0].key);
      case "raft-log":
        return this.#raftLog(first);
      case "raft-state":
        return this.#raftState();
      case "set-randomized-election-timeout":
        return this.#node(first).raw.setRandomizedElectionTicks(Number(value(args, "timeout")));
      case "stabilize":
        return this.#stabilizeAtLevel(args);
      case "status":
        for (const progress of this.#node(first).raw.status().progress) {
          this.#output.printLine(describeProgress(progress));
        }
        return;
      case "tick-election":
        return this.#tick(first, ELECTION_TICKS);
      case "tick-heartbeat":
        return this.#tick(first, HEARTBEAT_TICKS);
      case "transfer-leadership":
        return this.#node(Number(value(args, "from"))).raw.transferLeader(
          Number(value(args, "to")),
        );
      case "forget-leader":
        return this.#node(first).raw.forgetLeader();
      case "send-snapshot":
        return this.#sendSnapshot(first, second);
      case "propose":
        return this.#propose(first, args[1].key);
      case "report-unreachable":
        return this.#node(first).raw.reportUnreachable(second);
      default:
        throw new ScriptError("unknown command");
    }
  }

  #forEach(args: readonly Argument[], title: string, work: (id: number) => void): void {
    const targets = ids(args);
    for (const id of targets) {
      if (targets.length === 1) {
        work(id);
      } else {
        this.#output.printLine(`> ${id} ${title}`);
        this.#output.indented(() => work(id));
      }
    }
  }

  #setLevel(name: string): void {
    if (!this.#output.setLevel(name)) {
      throw new ScriptError(`log levels must be either of [${LEVEL_NAMES.join(" ")}]`);
    }
  }

  #tick(id: number, ticks: number): void {
    for (let i = 0; i < ticks; i++) this.#node(id).raw.tick();
  }

  #addNodes(count: number, args: readonly Argument[]): void {
    const list = (key: string) => args.find((arg) => arg.key === key)?.values.map(Number) ?? [];
    const flag = (key: string) => value(args, key) === "true";
    const number = (key: string, otherwise: number) => Number(value(args, key) ?? otherwise);
    const readOnly = value(args, "read-only") ?? "safe";
    if (readOnly !== "safe" && readOnly !== "lease-based") {
      throw new ScriptError(`invalid read-only option "${readOnly}"`);
    }
    const index = number("index", 0);
    const voters = list("voters");
    const learners = list("learners");
    const content = value(args, "content");
    const bootstrap = index > 0 || voters.length > 0 || learners.length > 0 ||
      content !== undefined;
    if (bootstrap && index <= 1) {
      throw new ScriptError("index must be specified as > 1 due to bootstrap");
    }
    const confState: ConfState = {
      voters,
      learners,
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    const snapshot: Snapshot = {
      data: content === undefined ? NO_DATA : new TextEncoder().encode(content),
      metadata: { index, term: bootstrap ? 1 : 0, confState },
    };
    const committedSize = value(args, "max-committed-size-per-ready");
    const options: NodeOptions = {
      applied: index,
      maxInflightMessages: number("inflight", 2 ** 31 - 1),
      maxApplyingBytes: committedSize === undefined ? undefined : Number(committedSize),
      asyncStorageWrites: flag("async-storage-writes"),
      preVote: flag("prevote"),
      checkQuorum: flag("checkquorum"),
      disableConfChangeValidation: flag("disable-conf-change-validation"),
      stepDownOnRemoval: flag("step-down-on-removal"),
      readOnly,
    };
    for (let i = 0; i < count; i++) {
      this.#nodes.push(new TestNode(this.#nodes.length + 1, bootstrap, snapshot, options));
    }
  }

  #propose(id: number, text: string): void {
    check(this.#node(id).raw.propose(new TextEncoder().encode(text)));
  }

  #proposeConfChange(args: readonly Argument[], input: string): void {
    const [id] = ids(args);
    const v1 = value(args, "v1") === "true";
    const transition = value(args, "transition") ?? "auto";
    const transitions: Record<string, ConfChangeTransition> = {
      auto: ConfChangeTransition.Auto,
      implicit: ConfChangeTransition.JointImplicit,
      explicit: ConfChangeTransition.JointExplicit,
    };
    if (!(transition in transitions)) throw new ScriptError(`unknown transition ${transition}`);
    const changes = parseConfChanges(input);
    const { raw } = this.#node(id);
    if (v1) {
      if (changes.length !== 1 || transition !== "auto") {
        throw new ScriptError("v1 conf change can only have one operation and no transition");
      }
      check(raw.proposeConfChange({ kind: "v1", ...changes[0], context: NO_DATA }));
    } else {
      const change: ConfChangeV2 = {
        kind: "v2",
        transition: transitions[transition],
        changes,
        context: NO_DATA,
      };
      check(raw.proposeConfChange(change));
    }
  }

  #processReady(id: number): void {
    const node = this.#node(id);
    const ready = node.raw.ready();
    this.#output.print(describeReady(ready));
    if (!node.async) {
      node.write(ready.hardState, ready.entries, ready.snapshot);
      node.apply(ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (!isLocalTarget(message.to)) this.#messages.push(message);
      else if (message.to === LOCAL_APPEND_THREAD) node.appendWork.push(message);
      else node.applyWork.push(message);
    }
    if (!node.async) node.raw.advance();
  }

  #processAppend(id: number): void {
    const node = this.#node(id);
    const order = node.appendWork.shift();
    if (order === undefined) return this.#output.print("no append work to perform");
    this.#printOrder(order);
    const { term, vote, commit } = order;
    const hardState = term === 0 && vote === 0 && commit === 0 ? null : { term, vote, commit };
    node.write(hardState, order.entries, order.snapshot);
    this.#respond(order);
  }

  #processApply(id: number): void {
    const node = this.#node(id);
    const order = node.applyWork.shift();
    if (order === undefined) return this.#output.print("no apply work to perform");
    this.#printOrder(order);
    node.apply(order.entries);
    this.#respond(order);
  }

  #printOrder(order: Message): void {
    this.#output.printLine("Processing:");
    this.#output.printLine(describeMessage({ ...order, responses: [] }));
  }

  #respond(order: Message): void {
    this.#output.printLine("Responses:");
    for (const response of order.responses) this.#output.printLine(describeMessage(response));
    this.#messages.push(...order.responses);
  }

  #deliverMessages(args: readonly Argument[]): void {
    const type = value(args, "type");
    if (type !== undefined && !MESSAGE_NAMES.includes(type)) {
      throw new ScriptError(`unknown message type ${type}`);
    }
    const recipients: Recipient[] = [];
    for (const arg of args) {
      if (arg.values.length === 0) recipients.push({ id: Number(arg.key), drop: false });
      if (arg.key === "drop") {
        for (const id of arg.values) recipients.push({ id: Number(id), drop: true });
      }
    }
    if (this.#deliver(recipients, type) === 0) this.#output.printLine("no messages");
  }

  #deliver(recipients: readonly Recipient[], type?: string): number {
    let count = 0;
    for (const { id, drop } of recipients) {
      const messages = this.#takeMessages(id, type, drop);
      count += messages.length;
      for (const message of messages) {
        this.#output.printLine(`${drop ? "dropped: " : ""}${describeMessage(message)}`);
        if (drop) continue;
        const error = this.#node(id).raw.step(message);
        if (error !== null) this.#output.printLine(STEP_ERRORS[error]);
      }
    }
    return count;
  }

  /** Takes a recipient's messages out of the pool. Those between a node and itself are never dropped. */
  #takeMessages(id: number, type: string | undefined, drop: boolean): Message[] {
    const taken: Message[] = [];
    const left: Message[] = [];
    for (const message of this.#messages) {
      const local = message.from === message.to || isLocalTarget(message.from);
      const wanted = message.to === id && !(drop && local) &&
        (type === undefined || MESSAGE_NAMES[message.type] === type);
      (wanted ? taken : left).push(message);
    }
    this.#messages = left;
    return taken;
  }

  #stabilizeAtLevel(args: readonly Argument[]): void {
    this.#output.keepingLevel(() => {
      const level = value(args, "log-level");
      if (level !== undefined) this.#setLevel(level);
      const given = ids(args);
      this.#stabilize(given.length > 0 ? given : this.#nodes.map((_, i) => i + 1));
    });
  }

  #stabilize(targets: readonly number[]): void {
    for (let done = false; !done;) {
      done = true;
      const work = (id: number, title: string, action: () => void) => {
        done = false;
        this.#output.printLine(`> ${id} ${title}`);
        this.#output.indented(action);
      };
      for (const id of targets) {
        if (!this.#node(id).raw.hasReady()) continue;
        work(id, "handling Ready", () => this.#processReady(id));
      }
      for (const id of targets) {
        if (!this.#messages.some((message) => message.to === id)) continue;
        work(id, "receiving messages", () => this.#deliver([{ id, drop: false }]));
      }
      for (const id of targets) {
        const { appendWork } = this.#node(id);
        if (appendWork.length === 0) continue;
        work(id, "processing append thread", () => {
          while (appendWork.length > 0) this.#processAppend(id);
        });
      }
      for (const id of targets) {
        const { applyWork } = this.#node(id);
        if (applyWork.length === 0) continue;
        work(id, "processing apply thread", () => {
          while (applyWork.length > 0) this.#processApply(id);
        });
      }
    }
  }

  #raftLog(id: number): void {
    const { storage } = this.#node(id);
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    if (last < first) {
      return this.#output.print(`log is empty: first index=${first}, last index=${last}`);
    }
    for (const entry of storage.entries(first, last + 1, Infinity)!) {
      this.#output.printLine(describeEntry(entry));
    }
  }

  #raftState(): void {
    for (const { raw } of this.#nodes) {
      const { id, role, term, leader, config } = raw.status();
      const voter = config.incoming.includes(id) || config.outgoing.includes(id);
      this.#output.printLine(
        `${id}: ${describeRole(role)} (${
          voter ? "Voter" : "Non-Voter"
        }) Term:${term} Lead:${leader}`,
      );
    }
  }

  #sendSnapshot(from: number, to: number): void {
    const { raw, newestSnapshot } = this.#node(from);
    const message = newMessage(MessageType.Snapshot, to, from);
    message.term = raw.term;
    message.snapshot = newestSnapshot;
    this.#messages.push(message);
    this.#output.print(describeMessage(message));
  }
}

/** What a command reports instead of, or after, its output. */
class ScriptError extends Error {}

/** A refused membership change is no error here: an empty entry takes its place. */
function check(result: ProposeResult): void {
  if (result.kind === "dropped") throw new ScriptError(STEP_ERRORS["proposal-dropped"]);
}
