// The dashboard's page as one text that needs nothing else: style and script stand in it. What it shows it fetches from
// the node that served it.

import { PAGE_SCRIPT } from "./script.ts";
import { PAGE_STYLE } from "./style.ts";

export { PAGE_SCRIPT, PAGE_STYLE };

const ICON = "data:image/svg+xml," + encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -8 32 32"><g fill="#3454d1">' +
    '<rect x="0" y="3.5" width="28" height="3" rx="1.5"/>' +
    '<path d="M2.5 9h5l-1 4h-3zM11.5 9h5l-1 4h-3zM20.5 9h5l-1 4h-3z"/></g></svg>',
);

export function pageHtml(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pontoon</title>
<link rel="icon" href="${ICON}">
<style>${PAGE_STYLE}</style>
</head>
<body>
<div id="root"></div>
<noscript>The dashboard needs JavaScript. The same in plain text: GET /cluster, /metrics.</noscript>
<script type="module">${PAGE_SCRIPT}</script>
</body>
</html>
`;
}
