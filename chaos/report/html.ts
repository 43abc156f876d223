// Small helpers for pages written as text: escaping, marks, the head that all pages share.

import { STYLE } from "./style.ts";

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** JSON that may stand inside a script element: "<" could end it. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** The sign of a bridge on boats. */
export const LOGO =
  `<svg width="26" height="18" viewBox="0 0 26 18" fill="none" stroke="currentColor" ` +
  `stroke-width="1.7" stroke-linecap="round" aria-hidden="true"><path d="M1.5 6.5h23M4 6.5v3.2a3 3 0 0 0 6 0V6.5M16 ` +
  `6.5v3.2a3 3 0 0 0 6 0V6.5"/><path d="M1 15.5c2 0 2-1.2 4-1.2s2 1.2 4 1.2 2-1.2 4-1.2 2 1.2 4 1.2 2-1.2 4-1.2 2 1.2 ` +
  `4 1.2" opacity=".45"/></svg>`;

const SIGNS: Readonly<Record<string, string>> = {
  held: "M3.2 8.4l3 3 6.2-6.6",
  violated: "M4 4l8 8M12 4l-8 8",
  unknown: "M8 3.6v5.2M8 12v.2",
};

/** A sign for a verdict that does not rest on colour alone. */
export function sign(tone: string): string {
  return `<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="2.2" ` +
    `stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="${
      SIGNS[tone] ?? SIGNS.unknown
    }"/></svg>`;
}

/** A whole page that needs nothing from the network. */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<div class="wrap">
${body}
</div>
</body>
</html>
`;
}
