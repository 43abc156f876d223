/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// Admin verbs: what each means in plain words before it is done, and what came of it.

import type { Child } from "hono/jsx";
import { useState } from "hono/jsx/dom";
import type { DashboardView, MemberRow } from "../view.ts";
import { counted } from "../words.ts";
import { errorText, post } from "./client.ts";

/** Something that an operator can have done. */
export interface Verb {
  readonly label: string;
  /** What will happen, as a question's answer. */
  readonly meaning: string;
  readonly confirm: string;
  readonly danger?: boolean;
  readonly path: string;
  readonly document: unknown;
}

export function transferVerb(partition: number, from: string | undefined, to: string): Verb {
  return {
    label: to,
    meaning:
      `${to} takes over the leadership of partition ${partition}${
        from === undefined ? "" : ` from ${from}`
      }. ` +
      "Requests to it wait for a moment; nothing is lost. The balance of leaders may hand it back later.",
    confirm: `Let ${to} lead`,
    path: `/cluster/partitions/${partition}/transfer`,
    document: { to },
  };
}

export function moveVerb(partition: number, from: string, to: string): Verb {
  return {
    label: to,
    meaning:
      `${to} gets a copy of partition ${partition}. Once it is complete and ${to} votes, ${from}’s ` +
      "replica is removed. All requests are served meanwhile.",
    confirm: "Move the replica",
    path: `/cluster/partitions/${partition}/move`,
    document: { from, to },
  };
}

export function memberVerbs(view: DashboardView, member: MemberRow): Verb[] {
  const { name, replicas, leads, state } = member;
  const path = "/cluster/members";
  const others = view.members.filter((one) => one !== member && one.state === "active").length;
  const away = `${counted(replicas, "replica")}${
    leads === 0 ? "" : ` and ${counted(leads, "leadership")}`
  }`;
  const narrow = others < 3
    ? ` Only ${counted(others, "other node")} ${
      others === 1 ? "is" : "are"
    } in use: there will be fewer copies of everything, or it has to wait.`
    : "";
  const drain: Verb = {
    label: "Drain",
    meaning:
      `Its ${away} go to other nodes; ${name} stays a member without any, ready to be stopped. ` +
      `All requests are served meanwhile, and it can be taken back at any time.${narrow}`,
    confirm: `Drain ${name}`,
    path,
    document: { action: "drain", node: name },
  };
  const remove: Verb = {
    label: "Remove",
    meaning: `Its ${away} go to other nodes; then ${name} is no member of the cluster any more. ` +
      `All requests are served meanwhile.${narrow}`,
    confirm: `Remove ${name}`,
    danger: true,
    path,
    document: { action: "remove", node: name },
  };
  const activate: Verb = {
    label: "Take back into use",
    meaning: `${name} may hold replicas again, and gets its share of them by and by.`,
    confirm: `Use ${name} again`,
    path,
    document: { action: "activate", node: name },
  };
  if (state === "active") return [drain, remove];
  return state === "leaving" ? [activate] : [activate, remove];
}

export function addVerb(peer: string): Verb {
  return {
    label: "Add",
    meaning:
      `The node that listens for its peers at ${peer} becomes a member, and gets its share of the replicas. ` +
      "It has to run, with the same secret, and to belong to no cluster yet.",
    confirm: "Add the node",
    path: "/cluster/members",
    document: { action: "add", peer },
  };
}

/** Asks, does it, and says what came of it. */
export function Confirm(props: { verb: Verb; onBack: () => void; onDone: () => void }) {
  const { verb } = props;
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const run = async () => {
    setBusy(true);
    setFailure("");
    try {
      await post(verb.path, verb.document);
      props.onDone();
    } catch (error) {
      setFailure(errorText(error));
      setBusy(false);
    }
  };
  return (
    <div class="confirm">
      <p>{verb.meaning}</p>
      {failure === "" ? null : <p class="failure" role="alert">Refused: {failure}</p>}
      <div class="actions">
        <button type="button" onClick={props.onBack} disabled={busy}>Back</button>
        <button
          type="button"
          class={verb.danger ? "danger" : "primary"}
          onClick={run}
          disabled={busy}
          autofocus
        >
          {busy ? "Asking…" : verb.confirm}
        </button>
      </div>
    </div>
  );
}

/** A row of buttons, each a verb. */
export function VerbList(
  props: { title: Child; verbs: readonly Verb[]; onPick: (verb: Verb) => void },
) {
  if (props.verbs.length === 0) return null;
  return (
    <div class="verbs">
      <span class="dim">{props.title}</span>
      {props.verbs.map((verb) => (
        <button
          type="button"
          key={verb.confirm + verb.label}
          class={verb.danger ? "danger-text" : ""}
          onClick={() => props.onPick(verb)}
        >
          {verb.label}
        </button>
      ))}
    </div>
  );
}
