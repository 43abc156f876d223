/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// The partition map: which node holds a replica of what, who leads, who lags. A table where it fits, a picture where
// there is too much of it; both open a partition's card.

import { useState } from "hono/jsx/dom";
import { isSilent } from "../finding.ts";
import type { DashboardView, MemberRow, PartitionRow, ReplicaCell } from "../view.ts";
import { counted, number, short } from "../words.ts";
import type { Live } from "./live.ts";
import { MapPicture } from "./map_picture.tsx";
import { Dialog, Section } from "./ui.tsx";
import { Confirm, moveVerb, transferVerb, type Verb, VerbList } from "./verbs.tsx";

const TABLE_PARTITIONS_MAX = 24;
const TABLE_MEMBERS_MAX = 12;
/** Fewer entries than this are on their way in any busy moment. */
export const LAG_SHOWN = 100;

/** What a cell looks like, and the words for it. */
export type CellKind =
  | "leader"
  | "voter"
  | "learner"
  | "adding"
  | "removing"
  | "behind"
  | "broken"
  | "silent";

export function cellKind(member: MemberRow, cell: ReplicaCell): CellKind {
  if (cell.trouble !== undefined) return "broken";
  if (isSilent(member)) return "silent";
  if (cell.change === "adding") return "adding";
  if (cell.role === "leader") return "leader";
  if (cell.change === "removing") return "removing";
  return Math.max(cell.behind ?? 0, cell.unapplied ?? 0) >= LAG_SHOWN
    ? "behind"
    : cell.role === "learner"
    ? "learner"
    : "voter";
}

export function cellWords(member: MemberRow, row: PartitionRow, cell: ReplicaCell): string {
  const parts = [
    cell.role === "leader"
      ? "leader"
      : cell.role === "learner"
      ? "follower without a vote"
      : "follower",
  ];
  if (cell.change === "adding") parts.push("being added");
  if (cell.change === "removing") parts.push("being removed");
  if (cell.trouble !== undefined) parts.push(cell.trouble);
  if (isSilent(member)) parts.push("the node does not answer");
  else {
    if (cell.behind !== undefined && cell.role !== "leader") {
      parts.push(cell.behind === 0 ? "up to date" : `${number(cell.behind)} entries behind`);
    }
    if (cell.unapplied !== undefined && cell.unapplied > 0) {
      parts.push(`${number(cell.unapplied)} committed, not yet applied`);
    }
  }
  if (cell.role === "leader" && row.term !== undefined) parts.push(`term ${row.term}`);
  return parts.join(", ");
}

export function partitionName(partition: number): string {
  return partition === 0 ? "meta" : String(partition);
}

function Legend({ view }: { view: DashboardView }) {
  // Only the meta group has replicas without a vote that stay so, and only beyond its voters.
  const hasLearners = view.partitions.some(({ replicas }) =>
    replicas.some(({ role, change }) => role === "learner" && change === undefined)
  );
  const all: readonly [CellKind, string][] = [
    ["leader", "leads"],
    ["voter", "follows"],
    ["learner", "follows, has no vote"],
    ["behind", "lags"],
    ["adding", "being added"],
    ["removing", "being removed"],
    ["silent", "node silent"],
    ["broken", "damaged"],
  ];
  const entries = all.filter(([kind]) => kind !== "learner" || hasLearners);
  return (
    <span class="legend">
      {entries.map(([kind, words]) => (
        <span key={kind}>
          <i class={`cell ${kind}`} />
          {words}
        </span>
      ))}
    </span>
  );
}

export function PartitionMap({ live, view }: { live: Live; view: DashboardView }) {
  const [open, setOpen] = useState<number | undefined>(undefined);
  const { partitions, members } = view;
  const small = partitions.length <= TABLE_PARTITIONS_MAX && members.length <= TABLE_MEMBERS_MAX;
  const shown = partitions.find(({ partition }) => partition === open);
  return (
    <Section
      id="partitions"
      title="Partitions"
      note={`${
        counted(partitions.filter(({ partition }) => partition !== 0).length, "partition")
      }, each a Raft group of its own; who holds what`}
      side={<Legend view={view} />}
    >
      <div class="card">
        {small
          ? <MapTable view={view} onOpen={setOpen} />
          : <MapPicture view={view} onOpen={setOpen} />}
      </div>
      {shown === undefined ? null : (
        <PartitionCard
          key={`card ${shown.partition}`}
          live={live}
          view={view}
          row={shown}
          onClose={() => setOpen(undefined)}
        />
      )}
    </Section>
  );
}

function cellText(kind: CellKind, { behind, unapplied }: ReplicaCell): string {
  if (kind === "leader") return "leader";
  if (kind === "adding") return behind !== undefined && behind > 0 ? `−${short(behind)}` : "new";
  if (kind === "removing") return "leaving";
  if (kind === "learner") return "no vote";
  if (kind === "broken") return "damaged";
  if (kind === "behind") return `−${short(Math.max(behind ?? 0, unapplied ?? 0))}`;
  return "";
}

function MapTable({ view, onOpen }: { view: DashboardView; onOpen: (partition: number) => void }) {
  const { partitions, members } = view;
  return (
    <div class="scroll">
      <table class="map" onKeyDown={moveFocus}>
        <thead>
          <tr>
            <th scope="col">
              <span class="sr">node</span>
            </th>
            {partitions.map(({ partition }) => (
              <th key={`p${partition}`} scope="col" class={partition === 0 ? "meta" : ""}>
                {partitionName(partition)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {members.map((member, index) => (
            <tr key={member.nodeId} class={isSilent(member) ? "silent" : ""}>
              <th scope="row">{member.name}</th>
              {partitions.map((row) => {
                const cell = row.replicas.find((one) =>
                  one.member === index
                );
                if (cell === undefined) {
                  return (
                    <td key={`p${row.partition}`}>
                      <i class="none" />
                    </td>
                  );
                }
                const kind = cellKind(member, cell);
                const words = cellWords(member, row, cell);
                return (
                  <td key={`p${row.partition}`}>
                    <button
                      type="button"
                      class={`cell ${kind}${cell.role === "leader" ? " leads" : ""}`}
                      title={`${partitionTitle(row.partition)} on ${member.name}: ${words}`}
                      aria-label={`${partitionTitle(row.partition)} on ${member.name}: ${words}`}
                      onClick={() => onOpen(row.partition)}
                    >
                      <span>{cellText(kind, cell)}</span>
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
        <tfoot>
          <FootRow
            name="term"
            rows={partitions}
            text={({ term }) => term === undefined ? "" : String(term)}
          />
          <FootRow
            name="commit"
            rows={partitions}
            text={(row) => row.commitIndex === undefined ? "" : short(row.commitIndex)}
          />
          <FootRow
            name="keys"
            rows={partitions}
            text={({ keys }) => keys === undefined ? "" : short(keys)}
          />
        </tfoot>
      </table>
    </div>
  );
}

function FootRow(
  props: { name: string; rows: readonly PartitionRow[]; text: (row: PartitionRow) => string },
) {
  return (
    <tr>
      <th scope="row">{props.name}</th>
      {props.rows.map((row) => <td key={`p${row.partition}`}>{props.text(row)}</td>)}
    </tr>
  );
}

/** Arrow keys go from cell to cell. */
function moveFocus(event: KeyboardEvent): void {
  const steps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };
  const step = steps[event.key];
  const from = (event.target as HTMLElement).closest("td");
  if (step === undefined || from === null) return;
  const table = from.closest("table")!;
  const rows = [...table.tBodies[0].rows];
  let x = from.cellIndex;
  let y = rows.indexOf(from.parentElement as HTMLTableRowElement);
  for (;;) {
    x += step[0];
    y += step[1];
    const next = rows[y]?.cells[x];
    if (next === undefined || next.tagName === "TH") return;
    const button = next.querySelector("button");
    if (button === null) continue;
    event.preventDefault();
    return button.focus();
  }
}

export function partitionTitle(partition: number): string {
  return partition === 0 ? "The meta group" : `Partition ${partition}`;
}

/** Everything about one partition, and what can be done with it. */
function PartitionCard(
  props: { live: Live; view: DashboardView; row: PartitionRow; onClose: () => void },
) {
  const { live, view, row, onClose } = props;
  const [verb, setVerb] = useState<Verb | undefined>(undefined);
  const [from, setFrom] = useState("");
  const { partition, replicas, leader } = row;
  const isData = partition !== 0;
  const leaderName = leader === undefined ? undefined : view.members[leader].name;
  const voters = replicas.filter(({ role }) => role !== "learner");
  const candidates = voters.map(({ member }) => view.members[member])
    .filter((member) => member.name !== leaderName && !isSilent(member));
  const targets = view.members.filter((member, index) =>
    member.state === "active" && !isSilent(member) &&
    !replicas.some((cell) => cell.member === index)
  );
  const load = live.loads.get(partition);
  return (
    <Dialog title={partitionTitle(partition)} onClose={onClose}>
      {verb !== undefined
        ? <Confirm verb={verb} onBack={() => setVerb(undefined)} onDone={onClose} />
        : (
          <div>
            <dl class="facts">
              <Fact name="Leader" value={leaderName ?? "none known"} />
              <Fact name="Term" value={row.term === undefined ? "–" : String(row.term)} />
              <Fact
                name="Committed"
                value={row.commitIndex === undefined ? "–" : number(row.commitIndex)}
              />
              <Fact name="Entries a second" value={load === undefined ? "–" : short(load)} />
              {isData
                ? <Fact name="Keys" value={row.keys === undefined ? "–" : number(row.keys)} />
                : null}
              {isData
                ? (
                  <Fact
                    name="Slots"
                    value={row.slots.map(([start, end]) => `${start}–${end - 1}`).join(", ")}
                  />
                )
                : null}
              {row.preferredZone === undefined
                ? null
                : <Fact name="Preferred zone" value={row.preferredZone} />}
            </dl>
            <table class="plain">
              <thead>
                <tr>
                  <th>Node</th>
                  <th>Replica</th>
                </tr>
              </thead>
              <tbody>
                {replicas.map((cell) => (
                  <tr key={`r${cell.member}`}>
                    <td>
                      <i class={`cell ${cellKind(view.members[cell.member], cell)}`} />{" "}
                      {view.members[cell.member].name}
                    </td>
                    <td>{cellWords(view.members[cell.member], row, cell)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {!isData ? null : (
              <div>
                <VerbList
                  title="Hand leadership to"
                  verbs={candidates.map(({ name }) => transferVerb(partition, leaderName, name))}
                  onPick={setVerb}
                />
                {targets.length === 0 ? null : (
                  <div class="verbs">
                    <span class="dim">Move the replica on</span>
                    {voters.map(({ member }) => view.members[member].name).map((name) => (
                      <button
                        type="button"
                        key={`from ${name}`}
                        aria-pressed={String(name === from)}
                        onClick={() => setFrom(name === from ? "" : name)}
                      >
                        {name}
                      </button>
                    ))}
                  </div>
                )}
                {from === "" ? null : (
                  <VerbList
                    title="to"
                    verbs={targets.map(({ name }) => moveVerb(partition, from, name))}
                    onPick={setVerb}
                  />
                )}
              </div>
            )}
          </div>
        )}
    </Dialog>
  );
}

export function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
