/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// The members: how each of them is, and what can be done with it.

import { useState } from "hono/jsx/dom";
import type { DashboardView, MemberRow } from "../view.ts";
import { bytes, counted, duration, short } from "../words.ts";
import { isSilent } from "../finding.ts";
import { Fact } from "./partition_map.tsx";
import { Dialog, Section } from "./ui.tsx";
import { addVerb, Confirm, memberVerbs, type Verb, VerbList } from "./verbs.tsx";

/** Less is still told as right: clocks are read through messages that take their time. */
const CLOCK_ERROR_SHOWN_MS = 100;
const CLOCK_ERROR_BAD_MS = 1_000;

interface State {
  readonly tone: "good" | "bad" | "change" | "plain";
  readonly words: string;
}

export function stateOf(member: MemberRow): State {
  const { status, statusForMs, reachable, isSelf, state, diskLow } = member;
  if (!isSelf && (status !== "alive" || !reachable)) {
    const since = status === "alive" || statusForMs === undefined
      ? ""
      : ` for ${duration(statusForMs)}`;
    return { tone: "bad", words: `silent${since}` };
  }
  if (diskLow) return { tone: "bad", words: "disk full" };
  if (state === "draining") return { tone: "change", words: "draining" };
  if (state === "leaving") return { tone: "change", words: "leaving" };
  if (state === "drained") return { tone: "plain", words: "drained" };
  return { tone: "good", words: "alive" };
}

function clockText({ clockErrorMs }: MemberRow): string {
  if (clockErrorMs === undefined) return "–";
  const off = Math.abs(clockErrorMs);
  if (off < CLOCK_ERROR_SHOWN_MS) return "right";
  return `${clockErrorMs > 0 ? "+" : "−"}${duration(off)}`;
}

function orDash<T>(value: T | undefined, text: (value: T) => string): string {
  return value === undefined ? "–" : text(value);
}

interface Column {
  readonly name: string;
  readonly text: (member: MemberRow) => string;
  readonly isBad?: (member: MemberRow) => boolean;
}

const COLUMNS: readonly Column[] = [
  { name: "Leads", text: ({ leads }) => String(leads) },
  { name: "Replicas", text: ({ replicas }) => String(replicas) },
  { name: "Requests/s", text: (one) => orDash(one.requestsPerSecond, short) },
  { name: "Memory", text: (one) => orDash(one.memoryBytes, bytes) },
  {
    name: "Disk free",
    text: (one) => orDash(one.diskFreeBytes, bytes),
    isBad: ({ diskLow }) => diskLow === true,
  },
  { name: "Log", text: (one) => orDash(one.logBytes, bytes) },
  {
    name: "Clock",
    text: clockText,
    isBad: ({ clockErrorMs }) => Math.abs(clockErrorMs ?? 0) >= CLOCK_ERROR_BAD_MS,
  },
  { name: "Up", text: (one) => orDash(one.uptimeMs, duration) },
];

/** More members than this are shown on demand only; those that need a look come first. */
const SHOWN_MAX = 16;
const SHOWN_OF_MANY = 12;

function inOrder(members: readonly MemberRow[]): readonly MemberRow[] {
  if (members.length <= SHOWN_MAX) return members;
  const rank = (member: MemberRow) =>
    stateOf(member).tone === "good" && !COLUMNS.some(({ isBad }) => isBad?.(member)) ? 1 : 0;
  const load = ({ requestsPerSecond }: MemberRow) => requestsPerSecond ?? 0;
  return members.toSorted((a, b) => rank(a) - rank(b) || load(b) - load(a));
}

function place({ zone, host, version }: MemberRow): string {
  return [zone, host, version].filter((part) => part !== undefined).join(" · ");
}

export function Members({ view }: { view: DashboardView }) {
  const [open, setOpen] = useState("");
  const [adding, setAdding] = useState(false);
  const [all, setAll] = useState(false);
  const many = view.members.length > SHOWN_MAX;
  const ordered = inOrder(view.members);
  const shown = view.members.find(({ nodeId }) => nodeId === open);
  const silent = view.members.filter(isSilent).length;
  return (
    <Section
      id="members"
      title="Members"
      note={`${counted(view.members.length, "node")}${
        silent === 0 ? "" : `, ${silent} silent`
      }; map epoch ${view.epoch}`}
      side={<button type="button" onClick={() => setAdding(true)}>Add a node…</button>}
    >
      <div class="card scroll">
        <table class="members">
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">State</th>
              {COLUMNS.map(({ name }) => <th key={name} scope="col" class="num">{name}</th>)}
            </tr>
          </thead>
          <tbody>
            {(all || !many ? ordered : ordered.slice(0, SHOWN_OF_MANY)).map((member) => {
              const { tone, words } = stateOf(member);
              return (
                <tr key={member.nodeId} class={isSilent(member) ? "silent" : ""}>
                  <th scope="row">
                    <button type="button" class="link" onClick={() => setOpen(member.nodeId)}>
                      {member.name}
                    </button>
                    {member.isSelf ? <span class="tag">this page</span> : null}
                    <small>{place(member)}</small>
                  </th>
                  <td data-name="State">
                    <span class={`state ${tone}`}>
                      <i />
                      {words}
                    </span>
                  </td>
                  {COLUMNS.map(({ name, text, isBad }) => (
                    <td key={name} data-name={name} class={`num${isBad?.(member) ? " bad" : ""}`}>
                      {text(member)}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
        {!many ? null : (
          <p class="under">
            {all
              ? "Those that need a look first, then by load."
              : `${ordered.length - SHOWN_OF_MANY} more, with less to do.`}{" "}
            <button type="button" onClick={() => setAll(!all)}>
              {all ? "Fewer" : `All ${ordered.length}`}
            </button>
          </p>
        )}
      </div>
      {shown === undefined ? null : (
        <MemberCard
          key={`card ${open}`}
          view={view}
          member={shown}
          onClose={() => setOpen("")}
        />
      )}
      {adding ? <AddCard onClose={() => setAdding(false)} /> : null}
    </Section>
  );
}

function MemberCard(props: { view: DashboardView; member: MemberRow; onClose: () => void }) {
  const { view, member, onClose } = props;
  const [verb, setVerb] = useState<Verb | undefined>(undefined);
  return (
    <Dialog title={member.name} onClose={onClose}>
      {verb !== undefined
        ? <Confirm verb={verb} onBack={() => setVerb(undefined)} onDone={onClose} />
        : (
          <div>
            <dl class="facts">
              <Fact name="State" value={stateOf(member).words} />
              <Fact name="Clients reach it at" value={member.http} />
              <Fact name="Zone" value={member.zone ?? "none"} />
              <Fact name="Host" value={member.host ?? "none"} />
              <Fact name="Weight" value={String(member.weight)} />
              <Fact name="Version" value={member.version ?? "–"} />
              <Fact name="Requests in flight" value={orDash(member.requestsInFlight, String)} />
              <Fact name="Node id" value={member.nodeId} />
            </dl>
            {member.isSelf ? null : (
              <p class="dim">
                <a href={`${location.protocol}//${member.http}/`}>
                  See the cluster from {member.name}
                </a>
              </p>
            )}
            <VerbList
              title="What to do with it"
              verbs={memberVerbs(view, member)}
              onPick={setVerb}
            />
          </div>
        )}
    </Dialog>
  );
}

function AddCard({ onClose }: { onClose: () => void }) {
  const [peer, setPeer] = useState("");
  const [sure, setSure] = useState(false);
  return (
    <Dialog title="Add a node" onClose={onClose}>
      {sure
        ? <Confirm verb={addVerb(peer)} onBack={() => setSure(false)} onDone={onClose} />
        : (
          <form
            class="confirm"
            onSubmit={(event: Event) => {
              event.preventDefault();
              if (peer !== "") setSure(true);
            }}
          >
            <label>
              Where it listens for its peers (its <code>--peer</code>)
              <input
                value={peer}
                placeholder="host:port"
                autofocus
                spellcheck={false}
                onInput={(event: Event) => setPeer((event.target as HTMLInputElement).value.trim())}
              />
            </label>
            <div class="actions">
              <button type="button" onClick={onClose}>Cancel</button>
              <button type="submit" class="primary" disabled={peer === ""}>Continue</button>
            </div>
          </form>
        )}
    </Dialog>
  );
}
