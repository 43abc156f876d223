// The style sheet of the bench's pages. Colours of charts are variables, which the scripts read.

export const STYLE = `
:root { color-scheme: light dark;
  --text: #14171f; --dim: #5d6675; --faint: #8b93a1; --page: #f6f6f3; --panel: #ffffff; --line: #e3e4e0;
  --track: #f0f1ee; --ok: #1f7a5c; --ok-soft: #3fa583; --fail: #c27a12; --info: #c2255c;
  --held: #1f7a5c; --violated: #c81e4a; --unknown: #b26b00; --accent: #3454d1; --shade: #8a2f4f;
  --node0: #3454d1; --node1: #0f8a8a; --node2: #b4532a; --node3: #7a3fb0; --node4: #5e7d1d; --node5: #a8326e;
  --node6: #6b6f7b; --p50: #14171f; --p95: #6a5acd; --p99: #c2255c; --shadow: 0 1px 2px #1417, 0 12px 32px #1411; }
@media (prefers-color-scheme: dark) { :root {
  --text: #e8eaef; --dim: #9aa3b2; --faint: #717a89; --page: #0e1116; --panel: #161a21; --line: #272d37;
  --track: #1d222b; --ok: #45c79b; --ok-soft: #2f9b78; --fail: #e5a83f; --info: #ff6b98;
  --held: #45c79b; --violated: #ff5c82; --unknown: #f0b34a; --accent: #8ea4ff; --shade: #ff9db8;
  --node0: #8ea4ff; --node1: #48c9c9; --node2: #f0976a; --node3: #c39af0; --node4: #abcf5c; --node5: #f088bd;
  --node6: #a3a9b5; --p50: #f2f4f8; --p95: #b3a6ff; --p99: #ff6b98; --shadow: 0 1px 2px #0007, 0 12px 32px #0005; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; font: 15px/1.55 "Inter", system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--text);
  background: var(--page); font-feature-settings: "tnum", "cv05"; }
.wrap { max-width: 1240px; margin: 0 auto; padding: 36px 28px 72px; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
code, .mono { font-family: ui-monospace, "SF Mono", "JetBrains Mono", "DejaVu Sans Mono", monospace; font-size: .88em; }
.over { display: flex; align-items: center; gap: 10px; color: var(--dim); font-size: 13px; letter-spacing: .01em; }
.over svg { display: block; color: var(--text); } .over .right { margin-left: auto; }
h1 { font-size: clamp(22px, 2.5vw, 30px); line-height: 1.28; font-weight: 620; letter-spacing: -.017em; margin: 18px 0 8px;
  max-width: 46ch; text-wrap: balance; }
h2 { font-size: 17px; font-weight: 620; letter-spacing: -.01em; margin: 44px 0 4px; }
h2 + .lead { color: var(--dim); margin: 0 0 14px; max-width: 88ch; }
.verdict { display: inline-flex; align-items: center; gap: 8px; font-weight: 640; font-size: 14px; color: #fff;
  background: var(--tone); border-radius: 99px; padding: 4px 14px 4px 9px; margin-top: 26px; }
@media (prefers-color-scheme: dark) { .verdict { color: #0e1116; } }
.held { --tone: var(--held); } .violated { --tone: var(--violated); } .unknown { --tone: var(--unknown); }
.sub { color: var(--dim); margin: 0; }
.why { margin: 22px 0 0; padding: 14px 18px; border: 1px solid color-mix(in srgb, var(--tone) 45%, var(--line));
  border-left: 4px solid var(--tone); border-radius: 6px 12px 12px 6px; background: var(--panel); max-width: 100ch;
  overflow-wrap: anywhere; }
.why b { display: block; margin-bottom: 2px; } .why ul { margin: 6px 0 0; padding-left: 20px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 1px; margin: 30px 0 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; }
.figure { background: var(--panel); padding: 16px 18px 15px; }
.figure .label { color: var(--dim); font-size: 13px; } .figure .value { font-size: 25px; font-weight: 600;
  letter-spacing: -.02em; line-height: 1.3; } .figure .note { color: var(--faint); font-size: 12.5px; line-height: 1.4; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; padding: 11px 16px; font-size: 13px;
  color: var(--dim); border-bottom: 1px solid var(--line); }
.bar .grow { flex: 1; } .key { display: inline-flex; align-items: center; gap: 6px; white-space: nowrap; }
.key i { width: 10px; height: 10px; border-radius: 3px; background: var(--c); flex: none; }
.key i.line { height: 3px; width: 16px; border-radius: 2px; } .key i.shade { background: color-mix(in srgb, var(--shade) 22%,
  transparent); border-radius: 2px; } .key i.vote { width: 0; height: 12px; border-left: 2px dashed var(--accent);
  border-radius: 0; background: none; } .key i.wrong { background: none; border: 2px solid var(--violated); }
button, .chip, select, input { font: inherit; color: inherit; }
.chip { font-size: 13px; border: 1px solid var(--line); border-radius: 99px; padding: 2px 11px; background: var(--panel);
  cursor: pointer; color: var(--dim); } .chip[aria-pressed=true] { color: var(--text); border-color: var(--faint);
  background: var(--track); } .chip:hover { border-color: var(--dim); }
.chip:focus-visible, canvas:focus-visible, a:focus-visible, select:focus-visible, input:focus-visible { outline: 2px solid
  var(--accent); outline-offset: 1px; }
.stack { position: relative; } .stack canvas { display: block; width: 100%; }
.stack .panel { position: relative; border-bottom: 1px solid var(--line); } .stack .panel:last-of-type { border-bottom: 0; }
.stack .panel > .name { position: absolute; left: 10px; top: 6px; padding: 1px 6px; border-radius: 6px; background: var(--panel); font-size: 12px; color: var(--dim); font-weight: 560;
  pointer-events: none; z-index: 1; }
#overlay { position: absolute; inset: 0; height: 100%; cursor: crosshair; touch-action: pan-y; }
#tip { position: absolute; z-index: 3; pointer-events: none; max-width: 44ch; padding: 9px 12px; border-radius: 9px;
  background: var(--text); color: var(--page); font-size: 12.5px; line-height: 1.45; box-shadow: var(--shadow);
  overflow-wrap: anywhere; } #tip b { font-weight: 620; display: block; } #tip .dim { opacity: .72; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 540; color: var(--dim); font-size: 12.5px; }
th, td { padding: 8px 16px; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; } td.num { text-align: right; white-space: nowrap; } th.num { text-align: right; }
td.nowrap { white-space: nowrap; }
.mark { display: inline-flex; align-items: center; gap: 6px; font-weight: 560; color: var(--tone); white-space: nowrap; }
.scroll { overflow-x: auto; }
.proof { border: 0; width: 100%; height: 640px; display: block; background: var(--panel); }
.again { display: flex; gap: 12px; align-items: flex-start; padding: 14px 16px; } .again code { flex: 1; overflow-wrap: anywhere; }
.files { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 12px 16px; border-top: 1px solid var(--line); font-size: 14px; }
footer { color: var(--faint); font-size: 13px; margin-top: 48px; }
@media (max-width: 640px) { .wrap { padding: 22px 14px 48px; } th, td { padding: 7px 10px; } }
@media print { body { background: #fff; } .card, .figure { break-inside: avoid; } .bar button, .again button { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;
