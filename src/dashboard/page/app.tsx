/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// The whole page: what stands above everything, the two views, keys of the keyboard, colours, the question for a token.

import { useEffect, useState } from "hono/jsx/dom";
import { healthOf } from "../health.ts";
import type { DashboardView } from "../view.ts";
import { short } from "../words.ts";
import { Charts } from "./charts.tsx";
import { storedToken, storeToken } from "./client.ts";
import { HealthBanner } from "./health_banner.tsx";
import { Keys } from "./keys.tsx";
import type { Live } from "./live.ts";
import { Members } from "./members.tsx";
import { Moves } from "./moves.tsx";
import { PartitionMap } from "./partition_map.tsx";
import { SlotStrips } from "./slot_strips.tsx";
import { Timeline } from "./timeline.tsx";
import { Dialog, useLive } from "./ui.tsx";

type Tab = "cluster" | "keys";
const COLOURS = ["auto", "light", "dark"] as const;
type Colours = typeof COLOURS[number];
const COLOURS_SLOT = "pontoon-colours";

function storedColours(): Colours {
  const stored = localStorage.getItem(COLOURS_SLOT);
  return COLOURS.find((one) => one === stored) ?? "auto";
}

function applyColours(colours: Colours): void {
  if (colours === "auto") delete document.documentElement.dataset.colours;
  else document.documentElement.dataset.colours = colours;
  dispatchEvent(new Event("pontoon-colours"));
}

function tabOf(hash: string): Tab {
  return hash === "#keys" ? "keys" : "cluster";
}

export function App({ live }: { live: Live }) {
  useLive(live);
  const [tab, setTab] = useState<Tab>(tabOf(location.hash));
  const [help, setHelp] = useState(false);
  const [colours, setColours] = useState<Colours>(storedColours());
  const { view, connection } = live;
  useEffect(() => applyColours(colours), [colours]);
  useEffect(() => {
    const onHash = () => setTab(tabOf(location.hash));
    const onKey = (event: KeyboardEvent) => {
      const { target } = event;
      const isTyping = target instanceof HTMLElement && target.matches("input, textarea, select");
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]") !== null) return;
      if (event.key === "1") location.hash = "";
      else if (event.key === "2") location.hash = "#keys";
      else if (event.key === "?") setHelp(true);
      else if (event.key === "/") {
        location.hash = "#keys";
        // The field is there once the view has been drawn.
        setTimeout(() => document.getElementById("prefix")?.focus(), 50);
      } else return;
      event.preventDefault();
    };
    addEventListener("hashchange", onHash);
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("hashchange", onHash);
      removeEventListener("keydown", onKey);
    };
  }, []);
  useEffect(() => {
    document.title = titleOf(live);
  });
  return (
    <div class="wrap">
      <header class="top">
        <Logo />
        <b class="brand">Pontoon</b>
        {view === undefined ? null : <Identity view={view} />}
        <nav aria-label="Views">
          <a href="#" aria-current={tab === "cluster" ? "page" : undefined}>Cluster</a>
          <a href="#keys" aria-current={tab === "keys" ? "page" : undefined}>Keys</a>
          <a href="/docs">API</a>
        </nav>
        <button
          type="button"
          class="quiet"
          aria-label={`Colours: ${colours}`}
          title={`Colours: ${colours}`}
          onClick={() => {
            const next = COLOURS[(COLOURS.indexOf(colours) + 1) % COLOURS.length];
            localStorage.setItem(COLOURS_SLOT, next);
            setColours(next);
          }}
        >
          {{ auto: "◐", light: "☀", dark: "☾" }[colours]}
        </button>
        <button
          type="button"
          class="quiet"
          aria-label="Keyboard"
          title="Keyboard"
          onClick={() => setHelp(true)}
        >
          ?
        </button>
      </header>
      {connection === "refused" ? <TokenForm live={live} /> : (
        <main>
          <HealthBanner live={live} compact={tab !== "cluster"} />
          {view === undefined
            ? null
            : tab === "cluster"
            ? <Cluster live={live} view={view} />
            : <Keys />}
        </main>
      )}
      {help ? <Help onClose={() => setHelp(false)} /> : null}
    </div>
  );
}

function titleOf({ view, connection }: Live): string {
  if (connection !== "live" || view === undefined) return "Pontoon: no connection";
  const { tone, sentence } = healthOf(view);
  return tone === "well" ? "Pontoon" : `${tone === "broken" ? "✕" : "•"} ${sentence}`;
}

function Logo() {
  return (
    <svg viewBox="0 0 28 16" width="28" height="16" aria-hidden="true">
      <path d="M1 5h26" stroke="currentColor" stroke-width="2" fill="none" stroke-linecap="round" />
      <path d="M2.5 9h5l-1 4h-3zM11.5 9h5l-1 4h-3zM20.5 9h5l-1 4h-3z" fill="currentColor" />
    </svg>
  );
}

function Identity({ view }: { view: DashboardView }) {
  const self = view.members.find(({ isSelf }) => isSelf);
  return (
    <span class="identity">
      <span title={`cluster ${view.clusterId}`}>{view.clusterId.slice(0, 8)}</span>
      {self === undefined ? null : <span>seen from {self.name}</span>}
      <span>version {view.version}</span>
    </span>
  );
}

function Cluster({ live, view }: { live: Live; view: DashboardView }) {
  return (
    <div class={live.connection === "live" ? "" : "old"}>
      <Figures live={live} view={view} />
      <Moves live={live} view={view} />
      <PartitionMap live={live} view={view} />
      <SlotStrips live={live} view={view} />
      <Members view={view} />
      <Charts live={live} />
      <Timeline view={view} />
    </div>
  );
}

function Figures({ live, view }: { live: Live; view: DashboardView }) {
  const last = live.history.samples.at(-1)?.lines;
  const writes = last === undefined ? undefined : last.put.perSecond + last.other.perSecond;
  const reads = last === undefined ? undefined : last.get.perSecond + last.scan.perSecond;
  const told = view.partitions.filter(({ keys }) => keys !== undefined);
  const keys = told.reduce((sum, row) => sum + row.keys!, 0);
  const alive = view.members.filter(({ isSelf, reachable, status }) =>
    isSelf || (reachable && status === "alive")
  );
  const data = view.partitions.filter(({ partition }) => partition !== 0);
  const led = data.filter(({ leader }) =>
    leader !== undefined && alive.includes(view.members[leader])
  );
  const figures: readonly (readonly [string, string, string])[] = [
    [
      "Nodes",
      `${alive.length}`,
      alive.length === view.members.length ? "all alive" : `of ${view.members.length} alive`,
    ],
    [
      "Partitions",
      `${led.length}`,
      led.length === data.length ? "all led" : `of ${data.length} led`,
    ],
    [
      "Keys",
      told.length === 0 ? "–" : short(keys),
      told.length < data.length ? "of what reports" : "in all",
    ],
    ["Writes", writes === undefined ? "–" : short(writes), "a second"],
    ["Reads", reads === undefined ? "–" : short(reads), "a second"],
  ];
  return (
    <dl class="headline">
      {figures.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value} <small>{note}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function TokenForm({ live }: { live: Live }) {
  const [token, setToken] = useState("");
  const had = storedToken() !== "";
  return (
    <main>
      <form
        class="card token"
        onSubmit={(event: Event) => {
          event.preventDefault();
          storeToken(token.trim());
          live.connection = "connecting";
          live.restart();
        }}
      >
        <h2>This cluster asks for a token</h2>
        <p class="dim">
          One with the role read shows everything; write is needed to change keys, admin to move
          things. It is kept in this tab only, and forgotten when the tab is closed.
        </p>
        {had ? <p class="failure" role="alert">{live.reason}</p> : null}
        <label>
          Token
          <input
            id="token"
            type="password"
            autocomplete="off"
            autofocus
            value={token}
            onInput={(event: Event) => setToken((event.target as HTMLInputElement).value)}
          />
        </label>
        <div class="actions">
          <button type="submit" class="primary" disabled={token.trim() === ""}>Continue</button>
        </div>
      </form>
    </main>
  );
}

function Help({ onClose }: { onClose: () => void }) {
  const keys: readonly (readonly [string, string])[] = [
    ["1", "the cluster"],
    ["2", "the keys"],
    ["/", "search keys by prefix"],
    ["← → ↑ ↓", "walk the partition map or the list of keys"],
    ["Enter", "open what is under the cursor"],
    ["Esc", "close"],
  ];
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="facts keyboard">
        {keys.map(([key, words]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
