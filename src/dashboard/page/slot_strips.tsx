/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// Who leads which hash slots, and how hot they are: a strip of all slots for every node.

import type { DashboardView, MemberRow, PartitionRow } from "../view.ts";
import { counted, number, short } from "../words.ts";
import type { Live } from "./live.ts";
import { isSilent } from "../finding.ts";
import { colour, prepare, Section, useCanvas } from "./ui.tsx";

const SLOTS = 16384;
const ROWS_TALL_MAX = 12;
/** Steps of the scale from idle to the hottest partition. */
const HEATS = 5;
/** The scale ends no lower: a cluster that has little to do does not look hot. */
const SCALE_TOP_MIN = 100;

/** 0 for idle, else 1..HEATS on a logarithmic scale: one hot partition must not hide that others work. */
export function heatOf(load: number, hottest: number): number {
  if (load < 0.5 || hottest <= 0) return 0;
  return Math.max(1, Math.ceil(HEATS * Math.log1p(load) / Math.log1p(hottest)));
}

/** Where a strip's pieces go: to their slots' places, or side by side, the hottest first. */
type Placement = "slots" | "packed";

interface StripProps {
  readonly led: readonly PartitionRow[];
  readonly loads: ReadonlyMap<number, number>;
  readonly hottest: number;
  readonly height: number;
  readonly placement: Placement;
  /** Slots that fill the strip, where pieces are packed. */
  readonly slotsMax: number;
  readonly label: string;
}

function Strip(props: StripProps) {
  const { led, loads, hottest, height, label, placement, slotsMax } = props;
  const ref = useCanvas((canvas, width) => {
    const context = prepare(canvas, width, height);
    context.fillStyle = colour("track");
    context.fillRect(0, 0, width, height);
    const heats = Array.from({ length: HEATS + 1 }, (_, i) => colour(`heat${i}`));
    const packed = placement === "packed";
    const loadOf = ({ partition }: PartitionRow) => loads.get(partition) ?? 0;
    const whole = packed ? slotsMax : SLOTS;
    let filled = 0;
    for (const row of packed ? led.toSorted((a, b) => loadOf(b) - loadOf(a)) : led) {
      context.fillStyle = heats[heatOf(loadOf(row), hottest)];
      for (const [start, end] of row.slots) {
        const x = width * (packed ? filled : start) / whole;
        const wide = width * (end - start) / whole;
        context.fillRect(x, 0, Math.max(1, wide - (wide > 4 ? 1 : 0)), height);
        filled += end - start;
      }
    }
  });
  return (
    <div class="strip">
      <canvas ref={ref} role="img" aria-label={label} />
    </div>
  );
}

function slotCount(rows: readonly PartitionRow[]): number {
  return rows.reduce(
    (sum, { slots }) => sum + slots.reduce((part, [start, end]) => part + end - start, 0),
    0,
  );
}

export function SlotStrips({ live, view }: { live: Live; view: DashboardView }) {
  const { members, partitions } = view;
  const data = partitions.filter(({ partition }) => partition !== 0);
  const loads = live.loads;
  const hottest = Math.max(
    SCALE_TOP_MIN,
    ...data.map(({ partition }) => loads.get(partition) ?? 0),
  );
  const tall = members.length <= ROWS_TALL_MAX;
  const slotsMax = Math.max(
    1,
    ...members.map((_, index) => slotCount(data.filter(({ leader }) => leader === index))),
  );
  const orphans = data.filter(({ leader }) => leader === undefined);
  return (
    <Section
      id="load"
      title="Leaders and load"
      note={tall
        ? "The 16,384 hash slots from left to right, where each node leads them; deeper is busier"
        : "The hash slots that each node leads, a piece for every partition; deeper is busier"}
      side={
        <span class="legend">
          <span>idle</span>
          <span class="scale">
            {Array.from({ length: HEATS + 1 }, (_, i) => <i key={`h${i}`} class={`heat${i}`} />)}
          </span>
          <span>{short(hottest)} writes/s</span>
        </span>
      }
    >
      <div class={`card strips${tall ? "" : " dense"}`}>
        {members.map((member, index) => {
          const led = data.filter(({ leader }) => leader === index);
          const load = led.reduce((sum, { partition }) => sum + (loads.get(partition) ?? 0), 0);
          const words = `${counted(led.length, "leader")}, ${number(slotCount(led))} slots, ${
            short(load)
          } writes a second`;
          return (
            <div key={member.nodeId} class={`strip-row${isSilent(member) ? " silent" : ""}`}>
              <span class="name">{member.name}</span>
              <Strip
                led={led}
                loads={loads}
                hottest={hottest}
                height={tall ? 18 : 7}
                placement={tall ? "slots" : "packed"}
                slotsMax={slotsMax}
                label={`${member.name}: ${words}`}
              />
              <LoadFigures
                member={member}
                leaders={led.length}
                slots={slotCount(led)}
                load={load}
              />
            </div>
          );
        })}
        {orphans.length === 0 ? null : (
          <p class="under bad">
            {number(slotCount(orphans))} slots have no leader: requests for their keys wait.
          </p>
        )}
      </div>
    </Section>
  );
}

function LoadFigures(
  props: { member: MemberRow; leaders: number; slots: number; load: number },
) {
  return (
    <span class="figures">
      <span>
        <b>{props.leaders}</b> {props.leaders === 1 ? "leader" : "leaders"}
      </span>
      <span class="wide-only">
        <b>{number(props.slots)}</b> slots
      </span>
      <span>
        <b>{short(props.load)}</b> writes/s
      </span>
    </span>
  );
}
