// The line between "definitely not applied" and "unknown", case by case (RULES 13).

import { assertEquals } from "@std/assert";
import { type ProposalOutcome, Proposals } from "../../src/replica/proposals.ts";

const DATA = new Uint8Array(10);

/** A queue with one proposal in it, and what became of that. */
function withOne(deadlineMs = 1000) {
  const proposals = new Proposals<string>(100);
  const outcomes: ProposalOutcome<string>[] = [];
  proposals.enqueue(DATA, deadlineMs, (outcome) => outcomes.push(outcome));
  return { proposals, outcomes };
}

function appended(deadlineMs = 1000) {
  const one = withOne(deadlineMs);
  one.proposals.appended(one.proposals.take(), 5, 10);
  return one;
}

Deno.test("a proposal that is applied at its index and term gets the result", () => {
  const { proposals, outcomes } = appended();
  proposals.applied(10, 5, "done");
  assertEquals(outcomes, [{ kind: "applied", result: "done", index: 10 }]);
  assertEquals(proposals.waiting, 0);
});

Deno.test("a full queue refuses: not applied", () => {
  const { proposals } = withOne();
  const outcomes: ProposalOutcome<string>[] = [];
  proposals.enqueue(new Uint8Array(95), 1000, (outcome) => outcomes.push(outcome));
  assertEquals(outcomes, [{ kind: "none", reason: "overloaded" }]);
});

Deno.test("a proposal withdrawn from the queue at its deadline was not applied", () => {
  const { proposals, outcomes } = withOne(1000);
  proposals.expire(999);
  assertEquals(outcomes, []);
  proposals.expire(1000);
  assertEquals(outcomes, [{ kind: "none", reason: "timeout" }]);
  assertEquals(proposals.take(), []);
});

Deno.test("a proposal that the core does not take was not applied", () => {
  const { proposals, outcomes } = withOne();
  proposals.refuse(proposals.take(), "not-leader");
  assertEquals(outcomes, [{ kind: "none", reason: "not-leader" }]);
});

Deno.test("an entry of another term committed at its index proves that it was not applied", () => {
  const { proposals, outcomes } = appended();
  proposals.applied(10, 6, "somebody else's");
  assertEquals(outcomes, [{ kind: "none", reason: "superseded" }]);
});

Deno.test("a deadline after the entry entered the log leaves the outcome unknown", () => {
  const { proposals, outcomes } = appended(1000);
  proposals.expire(1000);
  assertEquals(outcomes.map(({ kind }) => kind), ["unknown"]);
});

Deno.test("a snapshot past the entry leaves the outcome unknown", () => {
  const { proposals, outcomes } = appended();
  proposals.coveredBySnapshot(9);
  assertEquals(outcomes, []);
  proposals.coveredBySnapshot(10);
  assertEquals(outcomes.map(({ kind }) => kind), ["unknown"]);
});

Deno.test("a stop leaves queued proposals not applied and appended ones unknown", () => {
  const queued = withOne();
  queued.proposals.stop("stopping");
  assertEquals(queued.outcomes, [{ kind: "none", reason: "stopping" }]);
  const open = appended();
  open.proposals.stop("stopping");
  assertEquals(open.outcomes.map(({ kind }) => kind), ["unknown"]);
});

Deno.test("truncation alone proves nothing: an index proposed again keeps both waiters", () => {
  const { proposals, outcomes } = appended();
  const later: ProposalOutcome<string>[] = [];
  proposals.enqueue(DATA, 1000, (outcome) => later.push(outcome));
  proposals.appended(proposals.take(), 7, 10);
  assertEquals(outcomes, []);
  assertEquals(proposals.waiting, 2);
  proposals.applied(10, 5, "the first after all");
  assertEquals(outcomes, [{ kind: "applied", result: "the first after all", index: 10 }]);
  assertEquals(later, [{ kind: "none", reason: "superseded" }]);
});
