// Starts a report's page: draws the panels, follows pointer, keys and the colour scheme, opens the checker's page when it
// comes near. Runs in the page, embedded by its source text.
// deno-lint-ignore-file no-explicit-any

import { drawCalls, drawFaults, drawLeaders } from "./lanes.ts";
import { drawLatency } from "./latency.ts";
import { drawThroughput } from "./throughput.ts";
import { describeAt, type Drawn } from "./tips.ts";
import type { Colours, PageReport, View } from "./frame.ts";

export function startReport(): void {
  const page = globalThis as any;
  const document = page.document;
  const byId = (id: string) => document.getElementById(id);
  const data: PageReport = JSON.parse(byId("data").textContent);
  const overlay = byId("overlay");
  const tip = byId("tip");
  const whole = byId("whole");
  const PANELS = ["faults", "leaders", "throughput", "latency", "calls"];
  const LEAST_MS = 20;
  const view: View = { from: 0, to: data.durationMs };
  const hidden = new Set<number>();
  const shows = (call: number) => !hidden.has(data.calls.kind[call]!);
  const drawn = { faults: [], leaders: [] } as unknown as Drawn;
  let colours: Colours = {};
  let pending = false;
  let dragFrom: number | undefined;
  let pointer: { x: number; y: number } | undefined;

  function readColours(): void {
    const style = page.getComputedStyle(document.documentElement);
    const names = [
      "text",
      "dim",
      "faint",
      "panel",
      "line",
      "track",
      "ok",
      "fail",
      "info",
      "accent",
      "shade",
      "violated",
    ]
      .concat(["p50", "p95", "p99"], [0, 1, 2, 3, 4, 5, 6].map((i) => `node${i}`));
    colours = Object.fromEntries(
      names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
    );
  }

  function draw(): void {
    if (byId("faults") !== null) drawn.faults = drawFaults(byId("faults"), data, view, colours);
    if (byId("leaders") !== null) drawn.leaders = drawLeaders(byId("leaders"), data, view, colours);
    drawn.slices = drawThroughput(byId("throughput"), data, view, colours, shows);
    drawn.dots = drawLatency(byId("latency"), data, view, colours, shows);
    drawn.lanes = drawCalls(byId("calls"), data, view, colours, shows);
    whole.hidden = view.from <= 0 && view.to >= data.durationMs;
    drawOverlay();
  }

  function redraw(): void {
    if (pending) return;
    pending = true;
    page.requestAnimationFrame(() => {
      pending = false;
      draw();
    });
  }

  const edges = () => {
    const width = overlay.clientWidth;
    return { left: width < 560 ? 54 : 104, right: width - 18 };
  };
  const timeAt = (x: number) => {
    const { left, right } = edges();
    const share = Math.min(Math.max((x - left) / (right - left), 0), 1);
    return view.from + share * (view.to - view.from);
  };

  function drawOverlay(): void {
    const ratio = page.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = overlay;
    overlay.width = Math.round(width * ratio);
    overlay.height = Math.round(height * ratio);
    const context = overlay.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { left, right } = edges();
    if (pointer === undefined) return;
    const x = Math.min(Math.max(pointer.x, left), right);
    if (dragFrom !== undefined) {
      context.fillStyle = colours.accent;
      context.globalAlpha = 0.16;
      context.fillRect(Math.min(dragFrom, x), 0, Math.abs(x - dragFrom), height);
      context.globalAlpha = 1;
    }
    if (pointer.x < left || pointer.x > right) return;
    context.strokeStyle = colours.dim;
    context.globalAlpha = 0.55;
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, 0);
    context.lineTo(Math.round(x) + 0.5, height);
    context.stroke();
  }

  function showTip(): void {
    tip.hidden = true;
    if (pointer === undefined || dragFrom !== undefined) return;
    const panel = PANELS.map(byId).find((canvas) =>
      canvas !== null && pointer!.y >= canvas.parentElement.offsetTop &&
      pointer!.y < canvas.parentElement.offsetTop + canvas.clientHeight
    );
    if (panel === undefined) return;
    const lines = describeAt(
      data,
      drawn,
      panel.id,
      pointer.x,
      pointer.y - panel.parentElement.offsetTop,
      timeAt(pointer.x),
      shows,
    );
    if (lines.length === 0) return;
    tip.replaceChildren(...lines.map((line, i) => {
      const element = document.createElement(i === 0 ? "b" : "div");
      if (i > 0) element.className = "dim";
      element.textContent = line;
      return element;
    }));
    tip.hidden = false;
    const { clientWidth, clientHeight } = overlay;
    const flips = pointer.x + tip.offsetWidth + 22 > clientWidth;
    tip.style.left = `${Math.max(4, flips ? pointer.x - tip.offsetWidth - 14 : pointer.x + 14)}px`;
    tip.style.top = `${
      Math.max(4, Math.min(pointer.y + 14, clientHeight - tip.offsetHeight - 6))
    }px`;
  }

  function look(from: number, to: number): void {
    const long = Math.min(Math.max(to - from, LEAST_MS), data.durationMs);
    view.from = Math.min(Math.max(from, 0), data.durationMs - long);
    view.to = view.from + long;
    redraw();
  }

  function zoom(factor: number, aroundMs: number): void {
    look(aroundMs - (aroundMs - view.from) * factor, aroundMs + (view.to - aroundMs) * factor);
  }

  function connectPointer(): void {
    const point = (event: any) => {
      pointer = { x: event.offsetX, y: event.offsetY };
    };
    overlay.addEventListener("pointerdown", (event: any) => {
      point(event);
      dragFrom = Math.min(Math.max(pointer!.x, edges().left), edges().right);
      overlay.setPointerCapture(event.pointerId);
    });
    overlay.addEventListener("pointermove", (event: any) => {
      point(event);
      showTip();
      drawOverlay();
    });
    overlay.addEventListener("pointerup", (event: any) => {
      point(event);
      const from = dragFrom;
      dragFrom = undefined;
      if (from !== undefined && Math.abs(from - pointer!.x) > 6) {
        const a = timeAt(from);
        const b = timeAt(pointer!.x);
        look(Math.min(a, b), Math.max(a, b));
      } else drawOverlay();
    });
    overlay.addEventListener("pointercancel", () => dragFrom = undefined);
    overlay.addEventListener("pointerleave", () => {
      pointer = undefined;
      showTip();
      drawOverlay();
    });
    overlay.addEventListener("dblclick", () => look(0, data.durationMs));
    overlay.addEventListener("wheel", (event: any) => {
      // A plain wheel scrolls the page, as a reader expects.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(Math.exp(event.deltaY * 0.004), timeAt(event.offsetX));
    }, { passive: false });
  }

  function connectKeys(): void {
    overlay.addEventListener("keydown", (event: any) => {
      const step = (view.to - view.from) / 6;
      const middle = (view.from + view.to) / 2;
      if (event.key === "ArrowLeft") look(view.from - step, view.to - step);
      else if (event.key === "ArrowRight") look(view.from + step, view.to + step);
      else if (event.key === "+" || event.key === "=") zoom(0.6, middle);
      else if (event.key === "-") zoom(1 / 0.6, middle);
      else if (event.key === "0") look(0, data.durationMs);
      else return;
      event.preventDefault();
    });
    whole.addEventListener("click", () => look(0, data.durationMs));
    for (const chip of document.querySelectorAll("[data-kind]")) {
      chip.addEventListener("click", () => {
        const kind = Number(chip.dataset.kind);
        if (!hidden.delete(kind)) hidden.add(kind);
        chip.setAttribute("aria-pressed", String(!hidden.has(kind)));
        redraw();
      });
    }
  }

  function connectProof(): void {
    const frame = byId("proof");
    if (frame === null) return;
    // A frame that is not in view costs nothing.
    const near = new page.IntersectionObserver((entries: any[]) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      frame.addEventListener("load", () => {
        frame.style.height = `${frame.contentDocument.documentElement.scrollHeight}px`;
      });
      frame.srcdoc = JSON.parse(byId("proof-page").textContent);
    }, { rootMargin: "600px" });
    near.observe(frame);
  }

  function connectCopy(): void {
    const button = byId("copy");
    button.addEventListener("click", async () => {
      try {
        await page.navigator.clipboard.writeText(document.querySelector(".again code").textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select it by hand";
      }
    });
  }

  readColours();
  connectPointer();
  connectKeys();
  connectProof();
  connectCopy();
  new page.ResizeObserver(redraw).observe(document.querySelector(".stack"));
  page.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    redraw();
  });
  draw();
  // For tests.
  page.pontoonReport = { view, draw, drawn, look };
}
