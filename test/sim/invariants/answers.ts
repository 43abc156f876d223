// What answers mean in terms of the log, seen at the replica that gives them: a read sees all that was committed
// before it began; a refused proposal is never applied; an applied one is the entry it is told to be.

import { latin1FromBytes } from "../../../src/base/bytes.ts";
import type { Hosted } from "../../../src/node/group.ts";
import { placeOf, type Watched } from "./facts.ts";
import { Violation } from "./violation.ts";

const READ = "a read sees what was committed before it";

/** Proposals of one and the same content, by all nodes. */
interface Tally {
  proposed: number;
  refused: number;
  applied: number;
}

export class Answers {
  readonly #tallies = new Map<string, Tally>();

  /** Sees the proposals and reads of one replica. */
  tap(watched: Watched, hosted: Hosted): void {
    if (hosted.kind === "suspect") return;
    this.#tapProposals(watched);
    tapRounds(watched);
    if (hosted.kind === "meta") tapMetaReads(watched);
    else tapReads(watched, hosted.data);
  }

  #tapProposals(watched: Watched): void {
    const { replica, facts } = watched;
    const propose = replica.propose.bind(replica);
    replica.propose = (data, deadlineMs, settle) => {
      const content = `${replica.group}/${latin1FromBytes(data)}`;
      let tally = this.#tallies.get(content);
      if (tally === undefined) {
        this.#tallies.set(content, tally = { proposed: 0, refused: 0, applied: 0 });
      }
      const own = tally;
      own.proposed++;
      propose(data, deadlineMs, (outcome) => {
        if (outcome.kind === "none") {
          own.refused++;
          checkTally(watched, own, outcome.reason);
        } else if (outcome.kind === "applied") {
          const applied = facts.entries.get(outcome.index);
          if (applied !== undefined && `${replica.group}/${applied}` !== content) {
            const message = `${placeOf(watched)}: the entry at ${outcome.index} is another one`;
            watched.report(new Violation("an answer is about its own entry", message));
          }
        }
        settle(outcome);
      });
    };
  }

  /** The entry was applied for the first time anywhere. */
  applied(watched: Watched, content: string): void {
    const tally = this.#tallies.get(`${watched.replica.group}/${content}`);
    if (tally === undefined) return;
    tally.applied++;
    checkTally(watched, tally, "before");
  }
}

function checkTally(watched: Watched, { proposed, refused, applied }: Tally, reason: string): void {
  if (applied <= proposed - refused) return;
  const message = `${
    placeOf(watched)
  }: refused (${reason}), and ${applied} of ${proposed} were applied`;
  watched.report(new Violation("what was refused is never applied", message));
}

function checkRead(watched: Watched, neededIndex: number, seenIndex: number): void {
  if (seenIndex >= neededIndex) return;
  const message = `${
    placeOf(watched)
  } answers at ${seenIndex}; ${neededIndex} was committed before`;
  watched.report(new Violation(READ, message));
}

/** RULES 19: whatever the reaper has done so far. */
function checkLive(
  watched: Watched,
  { key, expiresAtMs }: { readonly key: string; readonly expiresAtMs?: number | undefined },
  timeMs: number,
): void {
  if (expiresAtMs === undefined || expiresAtMs > timeMs) return;
  const message = `${placeOf(watched)} shows ${key} ${timeMs - expiresAtMs} ms after its end`;
  watched.report(new Violation("what has expired is absent", message));
}

/** A round of ReadIndex vouches for the reads that came before it began, and for no others. */
function tapRounds(watched: Watched): void {
  const { replica } = watched;
  const { core } = replica;
  /** Rounds asked for so far; by context, those that are not answered. */
  let asked = 0;
  const open = new Map<number, number[]>();
  let answered = 0;
  const readIndex = core.readIndex.bind(core);
  core.readIndex = (context) => {
    const taken = readIndex(context);
    asked++;
    if (taken) open.set(context, [...open.get(context) ?? [], asked]);
    return taken;
  };
  const ready = core.ready.bind(core);
  core.ready = () => {
    const output = ready();
    for (const { context } of output.readStates) {
      answered = Math.max(answered, open.get(context)?.shift() ?? 0);
    }
    // What a leader was asked goes with its leadership.
    if (output.softState !== null) open.clear();
    return output;
  };
  const read = replica.read.bind(replica);
  replica.read = (deadlineMs, settle) => {
    const before = asked;
    read(deadlineMs, (outcome) => {
      if (outcome === "ready" && answered <= before) {
        const message = `${
          placeOf(watched)
        } serves it by round ${answered}, and it came after ${before}`;
        watched.report(new Violation("a round vouches for the reads before it", message));
      }
      settle(outcome);
    });
  };
}

function tapMetaReads(watched: Watched): void {
  const { replica, facts } = watched;
  const read = replica.read.bind(replica);
  replica.read = (deadlineMs, settle) => {
    const needed = facts.committedIndex;
    read(deadlineMs, (outcome) => {
      if (outcome === "ready") checkRead(watched, needed, replica.appliedIndex);
      settle(outcome);
    });
  };
}

function tapReads(
  watched: Watched,
  data: Extract<Hosted, { readonly kind: "data" }>["data"],
): void {
  const { facts } = watched;
  const readLocal = data.readLocal.bind(data);
  data.readLocal = (key) => {
    const answer = readLocal(key);
    if (answer.record !== undefined) checkLive(watched, answer.record, answer.timeMs);
    return answer;
  };
  const pageLocal = data.pageLocal.bind(data);
  data.pageLocal = (query) => {
    const answer = pageLocal(query);
    for (const record of answer.records) checkLive(watched, record, answer.timeMs);
    return answer;
  };
  const read = data.read.bind(data);
  data.read = (key, deadlineMs, settle) => {
    const needed = facts.committedIndex;
    read(key, deadlineMs, (answer) => {
      if (answer.ok) checkRead(watched, needed, answer.appliedIndex);
      settle(answer);
    });
  };
  const page = data.page.bind(data);
  data.page = (query, deadlineMs, settle) => {
    const needed = facts.committedIndex;
    page(query, deadlineMs, (answer) => {
      if (answer.ok) checkRead(watched, needed, answer.appliedIndex);
      settle(answer);
    });
  };
}
