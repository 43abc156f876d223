// Writes messages, Readys and states the way the conformance scripts do.

import {
  type AnyConfChange,
  type ConfChangeSingle,
  ConfChangeType,
  type Config,
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  type Entry,
  EntryType,
  type HardState,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  NONE,
  ProgressState,
  type ProgressStatus,
  type Ready,
  Role,
  type Snapshot,
  toV2,
} from "../../src/raft/mod.ts";

/** In the order of MessageType. */
export const MESSAGE_NAMES = [
  "MsgHup",
  "MsgBeat",
  "MsgProp",
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgUnreachable",
  "MsgSnapStatus",
  "MsgCheckQuorum",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgStorageAppend",
  "MsgStorageAppendResp",
  "MsgStorageApply",
  "MsgStorageApplyResp",
  "MsgForgetLeader",
];

const ENTRY_NAMES = ["EntryNormal", "EntryConfChange", "EntryConfChangeV2"];

export function describeRole(role: Role): string {
  switch (role) {
    case Role.Follower:
      return "StateFollower";
    case Role.Candidate:
      return "StateCandidate";
    case Role.Leader:
      return "StateLeader";
    case Role.PreCandidate:
      return "StatePreCandidate";
  }
}

/** Bytes as a quoted string with escapes. */
function quote(data: Uint8Array): string {
  const text = new TextDecoder().decode(data);
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (char === '"' || char === "\\") out += "\\" + char;
    else if (code >= 0x20 && code !== 0x7f) out += char;
    else if (char === "\n") out += "\\n";
    else if (char === "\t") out += "\\t";
    else if (char === "\r") out += "\\r";
    else out += "\\x" + code.toString(16).padStart(2, "0");
  }
  return out + '"';
}

const CHANGE_LETTERS: Record<string, ConfChangeType> = {
  v: ConfChangeType.AddVoter,
  l: ConfChangeType.AddLearner,
  r: ConfChangeType.Remove,
  u: ConfChangeType.Update,
};

/** "v1 l2 r3 u4" as changes. Throws Error with the words of the scripts. */
export function parseConfChanges(text: string): ConfChangeSingle[] {
  const tokens = text.trim().split(/\s+/).filter((token) => token !== "");
  return tokens.map((token) => {
    if (token.length < 2) throw new Error(`unknown token ${token}`);
    const type = CHANGE_LETTERS[token[0]];
    if (type === undefined) throw new Error(`unknown input: ${token}`);
    return { type, replicaId: Number.parseInt(token.slice(1)) };
  });
}

function describeConfChange(change: AnyConfChange): string {
  const letter = (type: ConfChangeType) =>
    Object.keys(CHANGE_LETTERS).find((key) => CHANGE_LETTERS[key] === type);
  return toV2(change).changes.map((step) => `${letter(step.type)}${step.replicaId}`).join(" ");
}

export function describeEntry(entry: Entry): string {
  let formatted: string;
  if (entry.type === EntryType.Normal) formatted = quote(entry.data);
  else if (entry.type === EntryType.ConfChange) {
    formatted = describeConfChange(decodeConfChange(entry.data));
  } else formatted = describeConfChange(decodeConfChangeV2(entry.data));
  const suffix = formatted === "" ? "" : " " + formatted;
  return `${entry.term}/${entry.index} ${ENTRY_NAMES[entry.type]}${suffix}`;
}

export function describeConfState(state: ConfState): string {
  const list = (ids: readonly number[]) => `[${ids.join(" ")}]`;
  return `Voters:${list(state.voters)} VotersOutgoing:${list(state.votersOutgoing)} ` +
    `Learners:${list(state.learners)} LearnersNext:${list(state.learnersNext)} ` +
    `AutoLeave:${state.autoLeave}`;
}

function describeSnapshot({ metadata }: Snapshot): string {
  return `Index:${metadata.index} Term:${metadata.term} ` +
    `ConfState:${describeConfState(metadata.confState)}`;
}

function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === NONE ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

function describeTarget(id: number): string {
  if (id === NONE) return "None";
  if (id === LOCAL_APPEND_THREAD) return "AppendThread";
  if (id === LOCAL_APPLY_THREAD) return "ApplyThread";
  return id.toString(16);
}

export function describeMessage(message: Message, indent = ""): string {
  const { from, to, type, term, logTerm, index } = message;
  let out = `${indent}${describeTarget(from)}->${describeTarget(to)} ${MESSAGE_NAMES[type]} ` +
    `Term:${term} Log:${logTerm}/${index}`;
  if (message.reject) out += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) out += ` Commit:${message.commit}`;
  if (message.vote !== NONE) out += ` Vote:${message.vote}`;
  const { entries } = message;
  if (entries.length === 1) {
    out += ` Entries:[${describeEntry(entries[0])}]`;
  } else if (entries.length > 1) {
    const lines = entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`);
    out += ` Entries:[${lines.join("")}\n${indent}]`;
  }
  if (message.snapshot !== null && message.snapshot.metadata.index !== 0) {
    out += `\n${indent}  Snapshot: ${describeSnapshot(message.snapshot)}`;
  }
  if (message.responses.length > 0) {
    const lines = message.responses.map((r) => "\n" + describeMessage(r, indent + "  "));
    out += ` Responses:[${lines.join("")}\n${indent}]`;
  }
  return out;
}

/** Each line ends in a newline, except that of an empty Ready. */
export function describeReady(ready: Ready): string {
  const lines: string[] = [];
  if (ready.softState !== null) {
    lines.push(`Lead:${ready.softState.leader} State:${describeRole(ready.softState.role)}`);
  }
  if (ready.hardState !== null) lines.push(`HardState ${describeHardState(ready.hardState)}`);
  if (ready.readStates.length > 0) {
    const states = ready.readStates.map((state) => `{${state.index} ${state.context}}`);
    lines.push(`ReadStates [${states.join(" ")}]`);
  }
  if (ready.entries.length > 0) lines.push("Entries:", ...ready.entries.map(describeEntry));
  if (ready.snapshot !== null) lines.push(`Snapshot ${describeSnapshot(ready.snapshot)}`);
  if (ready.committedEntries.length > 0) {
    lines.push("CommittedEntries:", ...ready.committedEntries.map(describeEntry));
  }
  if (ready.messages.length > 0) {
    lines.push("Messages:", ...ready.messages.map((message) => describeMessage(message)));
  }
  if (lines.length === 0) return "<empty Ready>";
  return `Ready MustSync=${ready.mustSync}:\n${lines.join("\n")}\n`;
}

/** "voters=(1 2)&&(1) learners=(3) learners_next=(4) autoleave" */
export function describeConfig(config: Config): string {
  const list = (ids: readonly number[]) => `(${ids.join(" ")})`;
  let out = `voters=${list(config.incoming)}`;
  if (config.outgoing.length > 0) out += `&&${list(config.outgoing)}`;
  if (config.learners.length > 0) out += ` learners=${list(config.learners)}`;
  if (config.learnersNext.length > 0) out += ` learners_next=${list(config.learnersNext)}`;
  if (config.autoLeave) out += " autoleave";
  return out;
}

export function describeProgress(progress: ProgressStatus): string {
  const names = { [ProgressState.Probe]: "Probe", [ProgressState.Replicate]: "Replicate" };
  const name = progress.state === ProgressState.Snapshot ? "Snapshot" : names[progress.state];
  let out = `${progress.id}: State${name} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) out += " learner";
  if (progress.paused) out += " paused";
  if (progress.pendingSnapshot > 0) out += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) out += " inactive";
  if (progress.inflightMessages > 0) out += ` inflight=${progress.inflightMessages}`;
  if (progress.inflightFull) out += "[full]";
  return out;
}
