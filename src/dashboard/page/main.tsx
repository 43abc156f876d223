/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// Where the page begins.

import { render } from "hono/jsx/dom";
import { App } from "./app.tsx";
import { Live } from "./live.ts";

const live = new Live();
render(<App live={live} />, document.getElementById("root")!);
live.restart();
