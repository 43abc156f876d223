// The page's style sheet. Colours of the chart are variables, which the script reads.

export const STYLE = `
:root { color-scheme: light dark; --text: #1c2330; --dim: #667085; --page: #ffffff; --line: #e4e7ec;
  --stripe: #f8f9fb; --done: #2e9e6b; --left: #b6bdc9; --open: #d99a1c; --bad: #d6304a; --mark: #3b66e0; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ef; --dim: #98a2b3; --page: #12151b;
  --line: #2a303b; --stripe: #181c24; --done: #3fb984; --left: #566073; --open: #e0ac3f; --bad: #ff5c75;
  --mark: #7c9cff; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 20px 24px; font: 15px/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--page); }
h1 { font-size: 20px; margin: 0 0 4px; font-weight: 600; overflow-wrap: anywhere; }
.badge { display: inline-block; padding: 1px 10px; border-radius: 12px; color: #fff; font-size: 15px;
  vertical-align: 2px; margin-right: 6px; background: var(--open); }
.badge.linearizable { background: var(--done); } .badge.illegal { background: var(--bad); }
.summary { color: var(--dim); margin: 0 0 10px; }
.why { max-width: 100ch; margin: 0 0 12px; padding: 8px 14px; border-left: 4px solid var(--bad);
  background: var(--stripe); overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 12px 0 8px; }
nav .grow { flex: 1; } label { color: var(--dim); } select, input, button { font: inherit; color: inherit;
  background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: 3px 9px; }
button { cursor: pointer; } button:hover { border-color: var(--dim); }
#part { max-width: 28ch; } #hits { color: var(--dim); min-width: 6ch; }
main { position: relative; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
canvas { display: block; width: 100%; height: min(60vh, 620px); cursor: grab; outline-offset: -2px;
  touch-action: none; }
canvas.dragging { cursor: grabbing; }
#tip { position: absolute; pointer-events: none; max-width: 46ch; padding: 8px 12px; border-radius: 8px;
  background: var(--text); color: var(--page); font-size: 13px; overflow-wrap: anywhere; z-index: 2; }
#tip b { font-weight: 600; } #tip div { opacity: .8; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; color: var(--dim); font-size: 13px; margin: 8px 0 20px; }
.legend i { display: inline-block; width: 22px; height: 10px; border-radius: 3px; margin-right: 6px; }
.legend .done { background: var(--done); } .legend .left { background: var(--left); }
.legend .open { background: linear-gradient(90deg, var(--open), transparent); }
.legend .blocked { background: var(--bad); } .legend .part-of { border: 2px solid var(--mark); }
.legend .keys { margin-left: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; margin-bottom: 24px; }
caption { text-align: left; font-weight: 600; padding: 6px 0; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: 500; } td { overflow-wrap: anywhere; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; } tr.bad td { color: var(--bad); }
tbody tr { cursor: pointer; } tbody tr:hover td { background: var(--stripe); }
@media print { :root { color-scheme: light; } nav, .keys { display: none !important; } body { padding: 0; }
  canvas { height: auto; } main { break-inside: avoid; } tr { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;
