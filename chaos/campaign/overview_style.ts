// What the overview's page has beyond the style of all pages.

export const OVERVIEW_STYLE = `
.matrix { width: auto; } .matrix th, .matrix td { border: 0; padding: 5px 6px; } .matrix th[scope=row] { padding: 5px 18px;
  font-size: 14px; color: var(--text); font-weight: 560; text-align: right; white-space: nowrap; vertical-align: middle; }
.matrix thead th { vertical-align: bottom; padding: 18px 6px 8px; width: 70px; } .matrix thead th span { display: inline-block;
  writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; margin-left: 19px; }
.matrix tbody tr:last-child td, .matrix tbody tr:last-child th { padding-bottom: 16px; }
.cell { display: inline-flex; flex-direction: column; align-items: center; justify-content: center; width: 58px; height: 44px;
  border-radius: 9px; font-size: 11.5px; margin-right: 4px; color: var(--tone); font-weight: 560; line-height: 1.25;
  background: color-mix(in srgb, var(--tone) 13%, var(--panel)); border: 1px solid color-mix(in srgb, var(--tone) 30%,
  var(--panel)); } a.cell:hover { text-decoration: none; border-color: var(--tone); } .cell span { color: var(--dim);
  font-weight: 450; } .cell.planned { --tone: var(--faint); background: none; border-style: dashed; }
.wall { display: flex; flex-wrap: wrap; gap: 16px 12px; padding: 20px; } .field { min-width: 92px; text-align: center;
  font-size: 13px; } .field .cell { margin: 0 2px 5px; }
.mark.planned { --tone: var(--faint); font-weight: 450; }
.bar select, .bar input { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 3px 8px;
  max-width: 24ch; } .reason { color: var(--dim); font-size: 13px; max-width: 72ch; overflow-wrap: anywhere; }
`;
