// The dashboard's style sheet. Colours stand in one table for light and one for dark; pictures read them from there,
// so each is a plain colour.

const LIGHT = `color-scheme: light;
  --text: #16181d; --dim: #626977; --faint: #979eab; --page: #f6f6f4; --panel: #ffffff; --line: #e7e7e3; --track: #f0f0ed;
  --accent: #3454d1; --accent-soft: #3454d11f; --warm: #d0682a; --good: #1f7a5c; --busy: #3454d1; --amber: #b26b00; --bad: #c81e4a;
  --leader: #3454d1; --voter: #cdd6f6; --voter-dot: #aab8ee; --adding: #3aa38d; --removing: #b9a9d9; --behind: #e39a2d; --broken: #c81e4a;
  --broken-soft: #f6d5de; --silent: #b4b8c0; --on-leader: #ffffff;
  --heat0: #dde1ea; --heat1: #b9c6f2; --heat2: #8fa3ea; --heat3: #6780df; --heat4: #4460d2; --heat5: #2338a0;
  --shadow: 0 1px 2px #14171f0d, 0 8px 24px #14171f0a;`;

const DARK = `color-scheme: dark;
  --text: #e9ebf0; --dim: #9aa2b1; --faint: #6d7584; --page: #0e1014; --panel: #16191f; --line: #262b34; --track: #1d2129;
  --accent: #8ea4ff; --accent-soft: #8ea4ff2b; --warm: #f0976a; --good: #4cc99c; --busy: #8ea4ff; --amber: #f0b34a; --bad: #ff6b8c;
  --leader: #7f97fb; --voter: #2c3762; --voter-dot: #3d4f93; --adding: #3fae98; --removing: #6b5c94; --behind: #d99a3c; --broken: #ff5c82;
  --broken-soft: #4a1f2c; --silent: #4a505c; --on-leader: #0e1014;
  --heat0: #2a303c; --heat1: #303f7d; --heat2: #4157ab; --heat3: #5a74d9; --heat4: #8299f7; --heat5: #c3cfff;
  --shadow: 0 1px 2px #0006, 0 8px 24px #0004;`;

export const PAGE_STYLE = `
:root { ${LIGHT} }
@media (prefers-color-scheme: dark) { :root:not([data-colours=light]) { ${DARK} } }
:root[data-colours=dark] { ${DARK} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 12px; }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.5 "Inter", ui-sans-serif, system-ui, -apple-system,
  "Segoe UI", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
.wrap { max-width: 1240px; margin: 0 auto; padding: 18px 28px 72px; }
h1, h2, h3, p, dl, dd, ul, ol { margin: 0; padding: 0; } ul, ol { list-style: none; }
small { font-size: 12px; } .dim { color: var(--dim); } b { font-weight: 600; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
code, pre, kbd, .key, .mono { font-family: ui-monospace, "SF Mono", "JetBrains Mono", "DejaVu Sans Mono", monospace; font-size: 12.5px; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }

button, input, select, textarea { font: inherit; color: inherit; }
button { border: 1px solid var(--line); background: var(--panel); border-radius: 7px; padding: 3px 11px; cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--faint); } button:disabled { opacity: .45; cursor: default; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-leader); font-weight: 560; }
button.danger { background: var(--bad); border-color: var(--bad); color: var(--panel); font-weight: 560; }
button.danger-text { color: var(--bad); }
button.quiet { border-color: transparent; background: none; padding: 2px 8px; color: var(--dim); }
button.link { border: 0; background: none; padding: 0; font-weight: 600; border-radius: 3px; } button.link:hover { text-decoration: underline; }
button[aria-pressed=true] { border-color: var(--accent); color: var(--accent); }
input, select, textarea { background: var(--panel); border: 1px solid var(--line); border-radius: 7px; padding: 5px 9px; width: 100%; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

.top { display: flex; align-items: center; gap: 10px; min-height: 34px; }
.top svg { color: var(--accent); } .brand { font-size: 15px; letter-spacing: -.01em; }
.identity { display: flex; gap: 0; color: var(--dim); font-size: 12.5px; white-space: nowrap; overflow: hidden; }
.identity span + span::before { content: "·"; margin: 0 7px; color: var(--faint); }
.top nav { margin-left: auto; display: flex; gap: 2px; }
.top nav a { color: var(--dim); padding: 3px 11px; border-radius: 7px; } .top nav a:hover { text-decoration: none; color: var(--text); }
.top nav a[aria-current=page] { color: var(--text); background: var(--track); font-weight: 560; }

.health { margin: 26px 0 30px; padding: 0 0 0 20px; border-left: 4px solid var(--tone); --tone: var(--faint); }
.health.well { --tone: var(--good); } .health.broken, .health.lost { --tone: var(--bad); } .health.degraded { --tone: var(--amber); }
.health.busy { --tone: var(--busy); }
.health .tone { color: var(--tone); font-weight: 620; font-size: 12.5px; letter-spacing: .02em; display: flex; gap: 7px; align-items: center; }
.health i { width: 8px; height: 8px; border-radius: 50%; background: var(--tone); flex: none; }
.health .sentence { font-size: clamp(21px, 2.6vw, 30px); line-height: 1.25; font-weight: 600; letter-spacing: -.018em; margin: 3px 0 5px;
  max-width: 46ch; text-wrap: balance; overflow-wrap: anywhere; }
.for { color: var(--dim); font-weight: 450; white-space: nowrap; } .sentence .for { margin-left: .35em; font-size: .68em; letter-spacing: 0; }
.health .doing { color: var(--dim); font-size: 15px; max-width: 82ch; text-wrap: pretty; }
.health .doing a + a { margin-left: .5em; }
.health.compact { margin: 18px 0 20px; } .compact .sentence { font-size: 17px; margin: 1px 0 2px; } .compact .doing { font-size: 13.5px; } .compact .tone { display: none; }
.more { margin-top: 14px; display: grid; gap: 6px; }
.more li { display: flex; gap: 9px; align-items: baseline; color: var(--dim); max-width: 96ch; } .more b { color: var(--text); }
.more li { --tone: var(--faint); } .more .broken { --tone: var(--bad); } .more .degraded { --tone: var(--amber); } .more .busy { --tone: var(--busy); }
.more i { transform: translateY(-1px); }

.headline { display: grid; grid-template-columns: repeat(5, 1fr); border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); }
.headline > div { padding: 12px 16px 11px; border-left: 1px solid var(--line); min-width: 0; } .headline > div:first-child { border-left: 0; padding-left: 0; }
.headline dt { color: var(--dim); font-size: 12.5px; } .headline dd { font-size: 22px; font-weight: 580; letter-spacing: -.015em; line-height: 1.25;
  white-space: nowrap; } .headline small { color: var(--dim); font-weight: 400; letter-spacing: 0; }
.old { opacity: .5; filter: saturate(.4); }

section { margin-top: 38px; }
.head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px; margin-bottom: 10px; }
.head h2 { font-size: 16px; font-weight: 620; letter-spacing: -.01em; } .head .note { color: var(--dim); font-size: 13px; }
.head .side { margin-left: auto; font-size: 12.5px; color: var(--dim); }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shadow); }
.scroll { overflow-x: auto; }
.under { padding: 8px 16px 11px; color: var(--dim); font-size: 13px; border-top: 1px solid var(--line); min-height: 40px; }
.bad, .under.bad { color: var(--bad); }

.legend { display: inline-flex; flex-wrap: wrap; gap: 3px 13px; align-items: center; } .legend > span { display: inline-flex; align-items: center; gap: 6px; }
.legend i.cell { width: 12px; height: 12px; min-width: 0; border-radius: 3.5px; padding: 0; display: inline-block; }
.legend i.line { width: 16px; height: 2.5px; border-radius: 2px; background: var(--accent); } .legend i.warm { background: var(--warm); }
.legend .scale { gap: 2px; } .scale i { width: 14px; height: 10px; border-radius: 2px; }
.heat0 { background: var(--heat0); } .heat1 { background: var(--heat1); } .heat2 { background: var(--heat2); }
.heat3 { background: var(--heat3); } .heat4 { background: var(--heat4); } .heat5 { background: var(--heat5); }
.segments { gap: 0 !important; } .segments button { border-radius: 0; padding: 1px 9px; font-size: 12px; margin-left: -1px; }
.segments button:first-child { border-radius: 7px 0 0 7px; } .segments button:last-child { border-radius: 0 7px 7px 0; }
.segments button[aria-pressed=true] { position: relative; }

.cell { border: 0; border-radius: 6px; background: var(--voter); color: var(--text); font-size: 12px; }
.cell.leader { background: var(--leader); color: var(--on-leader); font-weight: 560; }
.cell.learner { background: none; box-shadow: inset 0 0 0 1.5px var(--voter); color: var(--dim); }
.cell.adding { background: none; box-shadow: inset 0 0 0 1.5px var(--adding); color: var(--adding); }
.cell.removing { background: none; box-shadow: inset 0 0 0 1.5px var(--removing); color: var(--dim); }
.cell.behind { background: var(--behind); color: #16181d; }
.cell.broken { background: var(--broken); color: var(--panel); }
.cell.silent { background: repeating-linear-gradient(-45deg, var(--silent) 0 3px, var(--track) 3px 7px); color: var(--text); }
.cell.silent.leads { box-shadow: inset 0 0 0 2px var(--bad); }
table { border-collapse: collapse; width: 100%; }
.map { table-layout: fixed; min-width: 300px; } .map th, .map td { padding: 3px; text-align: center; font-weight: 450; }
.map thead th { color: var(--dim); font-size: 12px; padding-top: 11px; } .map th:first-child { width: 74px; text-align: left; padding-left: 16px; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
.map td:last-child, .map th:last-child { padding-right: 13px; }
.map tbody th { font-weight: 560; } .map tr.silent th { color: var(--bad); }
.map .cell { width: 100%; height: 34px; padding: 0 2px; display: block; overflow: hidden; white-space: nowrap; }
.map .cell:hover { filter: brightness(1.06); outline: 1px solid var(--faint); }
.map .none { display: block; width: 4px; height: 4px; border-radius: 2px; background: var(--line); margin: 0 auto; }
.map tfoot td, .map tfoot th { color: var(--dim); font-size: 12px; padding-top: 0; padding-bottom: 0; line-height: 1.6; }
.map tfoot tr:first-child > * { padding-top: 8px; } .map tfoot tr:last-child > * { padding-bottom: 11px; }
.picture .canvas { padding: 12px 14px 8px; } .picture canvas { display: block; cursor: crosshair; border-radius: 4px; }
.trouble { padding: 10px 16px; border-bottom: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: 6px; align-items: center; color: var(--bad); }
.trouble button { padding: 0 8px; font-size: 12.5px; }

.strips { padding: 11px 16px 12px; display: grid; gap: 7px; } .strips.dense { gap: 2px; }
.strip-row { display: grid; grid-template-columns: 58px minmax(0, 1fr) 268px; align-items: center; gap: 12px; } .dense .strip-row { font-size: 11px; line-height: 1.15; }
.strip-row .name { font-weight: 560; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; } .dense .name { font-weight: 450; color: var(--dim); }
.strip-row.silent .name { color: var(--bad); }
.strip { min-width: 0; } .strip canvas { display: block; border-radius: 3px; }
.figures { display: grid; grid-template-columns: 78px 1fr 92px; color: var(--dim); font-size: 12.5px; text-align: right; gap: 6px; } .dense .figures { font-size: 11px; }
.figures b { color: var(--text); font-weight: 560; }
.strips .under { border: 0; padding: 4px 0 0; min-height: 0; }

.members th, .members td { padding: 8px 12px; text-align: left; border-top: 1px solid var(--line); white-space: nowrap; font-weight: 400; }
.members thead th { border: 0; color: var(--dim); font-size: 12px; padding: 10px 12px 6px; } .members .num { text-align: right; }
.members th:first-child { padding-left: 16px; } .members td:last-child, .members thead th:last-child { padding-right: 16px; }
.members small { color: var(--dim); margin-left: 8px; } .tag { margin-left: 7px; font-size: 11px; color: var(--dim); border: 1px solid var(--line); border-radius: 5px; padding: 0 5px; }
.state { display: inline-flex; align-items: center; gap: 7px; } .state i { width: 7px; height: 7px; border-radius: 50%; background: var(--faint); }
.state.good i { background: var(--good); } .state.bad { color: var(--bad); } .state.bad i { background: var(--bad); } .state.change i { background: var(--busy); }
tr.silent .num { color: var(--faint); }

.moves { padding: 5px 16px; } .move { display: grid; grid-template-columns: 48px minmax(90px, auto) minmax(90px, 220px) 1fr auto; gap: 14px; align-items: center; padding: 6px 0; }
.move + .move { border-top: 1px solid var(--line); } .arrow { font-style: normal; color: var(--faint); margin: 0 6px; }
.moves .under { padding: 8px 0; min-height: 0; }
progress { appearance: none; border: 0; height: 6px; width: 100%; border-radius: 3px; overflow: hidden; background: var(--track); }
progress::-webkit-progress-bar { background: var(--track); } progress::-webkit-progress-value { background: var(--adding); border-radius: 3px; }
progress::-moz-progress-bar { background: var(--adding); } progress:indeterminate { background: linear-gradient(90deg, var(--track), var(--adding), var(--track)); }

.work { padding: 3px 16px; } .work-row { display: grid; grid-template-columns: 148px 78px minmax(0, 1fr) 86px minmax(0, 1fr); gap: 10px; align-items: center; padding: 7px 0; }
.work-row + .work-row { border-top: 1px solid var(--line); } .work-row .what small, .figure small { display: block; color: var(--dim); line-height: 1.3; }
.figure { text-align: right; } .figure b { font-size: 16px; letter-spacing: -.01em; } .chart { min-width: 0; height: 58px; overflow: hidden; }
.uplot, .u-wrap { position: relative; user-select: none; } .uplot { width: min-content; line-height: 1.5; } .u-over, .u-under { position: absolute; }
.uplot canvas { display: block; position: relative; width: 100%; height: 100%; } .u-axis { position: absolute; } .u-legend, .u-off, .u-select { display: none; }
.u-cursor-x, .u-cursor-y { position: absolute; left: 0; top: 0; pointer-events: none; will-change: transform; } .u-cursor-y { display: none; }
.u-cursor-x { height: 100%; border-right: 1px dashed var(--faint); } .u-cursor-pt { position: absolute; top: 0; left: 0; border-radius: 50%; pointer-events: none; }

.timeline { padding: 8px 16px; } .timeline li { display: grid; grid-template-columns: 64px 8px 1fr auto; gap: 12px; align-items: center; padding: 3.5px 0; --tone: var(--faint); }
.timeline .nothing { display: block; color: var(--dim); }
.timeline time, .timeline small { color: var(--dim); font-size: 12.5px; } .timeline i { width: 7px; height: 7px; border-radius: 50%; background: var(--tone); }
.timeline .bad { --tone: var(--bad); color: inherit; } .timeline .good { --tone: var(--good); } .timeline .change { --tone: var(--busy); }

dialog { border: 1px solid var(--line); border-radius: 14px; padding: 0; background: var(--panel); color: var(--text); width: min(560px, calc(100vw - 24px));
  box-shadow: 0 24px 80px #0006; } dialog::backdrop { background: #0b0d1166; }
.sheet { padding: 16px 20px 20px; } .sheet-head { display: flex; align-items: center; justify-content: space-between; margin-bottom: 10px; } .sheet-head h3 { font-size: 17px; font-weight: 620; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 9px 18px; margin-bottom: 14px; } .facts dt { color: var(--dim); font-size: 12px; }
.facts dd { overflow-wrap: anywhere; } .keyboard { grid-template-columns: 1fr; } .keyboard div { display: grid; grid-template-columns: 84px 1fr; align-items: baseline; }
kbd { border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 5px; padding: 0 6px; color: var(--text); }
.plain td, .plain th { text-align: left; padding: 5px 8px 5px 0; border-top: 1px solid var(--line); vertical-align: top; } .plain th { color: var(--dim); font-size: 12px; font-weight: 450; border: 0; }
.plain i.cell { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 5px; }
.verbs { display: flex; flex-wrap: wrap; gap: 7px; align-items: center; margin-top: 14px; }
.confirm p { margin-bottom: 14px; text-wrap: pretty; } .confirm label { display: grid; gap: 5px; margin-bottom: 14px; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; justify-content: flex-end; align-items: center; } .actions > span { margin-right: auto; }
.failure { color: var(--bad); overflow-wrap: anywhere; } .notice { color: var(--amber); }
.token { max-width: 520px; margin: 72px auto; padding: 24px 26px; display: grid; gap: 14px; } .token label { display: grid; gap: 5px; } .token h2 { font-size: 19px; font-weight: 620; }

.keys { display: grid; grid-template-columns: minmax(300px, 5fr) 7fr; gap: 16px; align-items: start; } .card .bar { display: flex; gap: 10px; align-items: center; padding: 10px 12px; border-bottom: 1px solid var(--line); }
.bar.foot { border: 0; border-top: 1px solid var(--line); justify-content: space-between; } .watch { color: var(--dim); font-size: 12.5px; display: inline-flex; gap: 6px; align-items: center; white-space: nowrap; }
.watch i { width: 7px; height: 7px; border-radius: 50%; background: var(--faint); } .watch.on i { background: var(--good); }
.key-list ul { max-height: 68vh; overflow-y: auto; padding: 5px; } .key-list .failure { padding: 10px 14px; }
.key-list li button { display: flex; gap: 11px; width: 100%; border: 0; background: none; text-align: left; padding: 5px 8px; align-items: baseline; border-radius: 7px; transition: background-color .6s; }
.key-list li button:hover { background: var(--track); } .key-list li button[aria-current=true] { background: var(--accent-soft); }
.key-list li button.fresh { background: color-mix(in srgb, var(--good) 22%, transparent); transition: none; } .key-list .key { flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.key-list .type, .key-list .revision { color: var(--dim); font-size: 12px; } .key-list .ttl { color: var(--amber); font-size: 12px; white-space: nowrap; } .key-list .revision { min-width: 3.5em; text-align: right; }
.empty { color: var(--dim); padding: 14px 10px; } .key-view { padding: 6px; } .viewer { padding: 12px 14px; } .viewer h3.key { font-size: 15px; font-weight: 600; overflow-wrap: anywhere; margin-bottom: 12px; }
.viewer header input { margin-bottom: 12px; } .value { margin: 0 0 14px; padding: 12px 14px; background: var(--track); border-radius: 9px; overflow: auto; max-height: 56vh; white-space: pre-wrap; overflow-wrap: anywhere; }
.value.hex { white-space: pre; overflow-wrap: normal; } textarea { min-height: 220px; max-height: 60vh; field-sizing: content; resize: vertical; font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 12.5px; display: block; }
.editor .fields { display: flex; gap: 18px; margin: 11px 0 14px; flex-wrap: wrap; } .fields label { display: grid; gap: 3px; color: var(--dim); font-size: 12.5px; } .fields label > * { color: var(--text); font-size: 14px; }
.conflict { border: 1px solid var(--amber); border-left-width: 4px; border-radius: 5px 10px 10px 5px; padding: 10px 14px; margin-bottom: 14px; display: grid; gap: 8px; }

@media (max-width: 860px) {
  .wrap { padding: 12px 14px 56px; } .identity span + span { display: none; } section { margin-top: 30px; } .health { margin: 20px 0 24px; padding-left: 14px; }
  .headline { grid-template-columns: repeat(3, 1fr); border-bottom: 0; } .headline > div { padding: 9px 10px; border-bottom: 1px solid var(--line); } .headline > div:nth-child(3n+1) { border-left: 0; padding-left: 0; } .headline dd { font-size: 19px; }
  .head .side { margin-left: 0; width: 100%; margin-top: 4px; } .keys { grid-template-columns: 1fr; } .key-list ul { max-height: 44vh; }
  .strip-row { grid-template-columns: 42px minmax(0, 1fr) 164px; gap: 8px; } .figures { grid-template-columns: 68px 1fr; white-space: nowrap; } .wide-only { display: none; }
  .work-row { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2px 12px; } .work-row .what { grid-column: 1 / -1; } .work-row .what small { display: inline; margin-left: 8px; }
  .figure { text-align: left; } .work-row .figure:nth-of-type(2) { grid-area: 2 / 1; } .work-row .figure:nth-of-type(4) { grid-area: 2 / 2; } .work-row .chart:nth-of-type(3) { grid-area: 3 / 1; } .work-row .chart:nth-of-type(5) { grid-area: 3 / 2; }
  .move { grid-template-columns: 30px 1fr auto; } .move progress, .move .dim { grid-column: 2 / -1; }
  .members thead { display: none; } .members tr { display: grid; grid-template-columns: repeat(2, 1fr); padding: 9px 14px; border-top: 1px solid var(--line); gap: 3px 10px; } .members tbody tr:first-child { border: 0; }
  .members th, .members td, .members th:first-child, .members td:last-child { display: block; border: 0; padding: 0; text-align: left !important; white-space: normal; } .members th { grid-column: 1; }
  .members td:not([data-name=State])::before { content: attr(data-name) " "; color: var(--dim); font-size: 12px; } .members td[data-name=State] { text-align: right !important; }
}
@media (max-width: 560px) {
  .top nav a { padding: 3px 8px; } .identity { display: none; } .map th:first-child { width: 46px; padding-left: 10px; } .map th, .map td, .map td:last-child, .map th:last-child { padding: 1.5px; } .map { margin-right: 8px; width: calc(100% - 8px); } .map .cell { height: 30px; }
  .map .cell span { display: none; } .map .leader::after { content: "●"; font-size: 10px; } .map tfoot tr:not(:last-child) { display: none; } .map tfoot th { visibility: hidden; }
  .legend { gap: 2px 10px; } .health .doing { font-size: 14px; } .more li { font-size: 13px; }
}
@media (prefers-reduced-motion: no-preference) { .health.broken i, .health.busy .tone i { animation: pulse 1.6s ease-in-out infinite; } @keyframes pulse { 50% { opacity: .35; } } }
@media print { .top nav, button.quiet { display: none; } .card { box-shadow: none; } }
`;
