/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx/dom */
/// <reference lib="dom" />
// Small parts that the page is made of: signs, dialogs, and the hook that draws again when the view changes.

import type { Child } from "hono/jsx";
import { useEffect, useRef, useState } from "hono/jsx/dom";
import type { Live } from "./live.ts";

/** Draws the component again whenever something changes. */
export function useLive(live: Live): void {
  const [, redraw] = useState(0);
  useEffect(() => {
    let asked = false;
    return live.subscribe(() => {
      if (asked) return;
      asked = true;
      // Not requestAnimationFrame: a tab in the background still names its state in the title.
      queueMicrotask(() => {
        asked = false;
        redraw((count: number) => count + 1);
      });
    });
  }, []);
}

/** Calls `draw` after mounting and whenever the element's width or the colours change. */
export function useCanvas(
  draw: (canvas: HTMLCanvasElement, width: number) => void,
): { current: HTMLCanvasElement | null } {
  const ref = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    const canvas = ref.current;
    if (canvas !== null) latest.current!(canvas, canvas.parentElement!.clientWidth);
  });
  useEffect(() => {
    const canvas = ref.current!;
    const again = () => latest.current!(canvas, canvas.parentElement!.clientWidth);
    const observer = new ResizeObserver(again);
    observer.observe(canvas.parentElement!);
    const stop = onColours(again);
    return () => {
      observer.disconnect();
      stop();
    };
  }, []);
  return ref;
}

/** Calls `listener` when the page goes over to other colours. */
export function onColours(listener: () => void): () => void {
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", listener);
  addEventListener("pontoon-colours", listener);
  return () => {
    media.removeEventListener("change", listener);
    removeEventListener("pontoon-colours", listener);
  };
}

/** A colour of the style sheet. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Sizes a canvas for the screen's density and gives its context, scaled and cleared. */
export function prepare(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D {
  const density = devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d")!;
  context.scale(density, density);
  context.clearRect(0, 0, width, height);
  return context;
}

export function Section(
  props: { id: string; title: string; note?: Child; side?: Child; children?: Child },
) {
  return (
    <section id={props.id} aria-labelledby={`${props.id}-title`}>
      <header class="head">
        <h2 id={`${props.id}-title`}>{props.title}</h2>
        {props.note === undefined ? null : <p class="note">{props.note}</p>}
        {props.side === undefined ? null : <div class="side">{props.side}</div>}
      </header>
      {props.children}
    </section>
  );
}

/** A modal dialog; Escape, the backdrop and its button close it. */
export function Dialog(
  props: { title: string; wide?: boolean; onClose: () => void; children?: Child },
) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    const close = () => props.onClose();
    const backdrop = (event: MouseEvent) => {
      if (event.target === dialog) dialog.close();
    };
    dialog.addEventListener("close", close);
    dialog.addEventListener("click", backdrop);
    return () => {
      dialog.removeEventListener("close", close);
      dialog.removeEventListener("click", backdrop);
      if (dialog.open) dialog.close();
    };
  }, []);
  return (
    <dialog ref={ref} class={props.wide ? "wide" : ""} aria-label={props.title}>
      <div class="sheet">
        <header class="sheet-head">
          <h3>{props.title}</h3>
          <button
            type="button"
            class="quiet"
            aria-label="Close"
            onClick={() => ref.current?.close()}
          >
            ✕
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
