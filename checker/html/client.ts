// The page's script, embedded by its source text: it must use nothing from outside the function. Draws only what
// is in view, so that ten thousand operations scroll like ten.
// deno-lint-ignore-file no-explicit-any

import type { PageData, PageOperation } from "./data.ts";

/** Runs in the page. Types are gone by then; the document is the page's own. */
export function startPage(): void {
  const page = globalThis as any;
  const document = page.document;
  const byId = (id: string) => document.getElementById(id);
  const data: PageData = JSON.parse(byId("data").textContent);
  const canvas = byId("chart");
  const context = canvas.getContext("2d");
  const tip = byId("tip");

  const LANE_HEIGHT = 30;
  const BAR_HEIGHT = 18;
  const AXIS_HEIGHT = 22;
  const LABEL_WIDTH = 92;
  const TEXT_WIDTH_MIN = 34;
  const POINTS_MAX = 1500;

  const counterexample = new Set(data.counterexample);
  /** With its place on the chart: ranks among what is shown, so that nothing hidden takes room. */
  type Drawn = PageOperation & { from: number; to: number | undefined };
  const hits: Drawn[] = [];
  const hitIds = new Set<number>();
  let hitAt = -1;
  let operations: Drawn[] = [];
  /** Rank on the chart -> event number. */
  let events: number[] = [];
  let lanes: { name: string; operations: Drawn[]; ends: number[] }[] = [];
  let laneOf = new Map<string, number>();
  let chain: Drawn[] = [];
  let span = 1;
  /** View: leftmost rank, pixels a rank, vertical offset in pixels. */
  let left = 0;
  let scale = 10;
  let top = 0;
  let hovered: Drawn | undefined;
  let selected: Drawn | undefined;
  let pending = false;
  let width = 0;
  let height = 0;

  const colour = (name: string) =>
    page.getComputedStyle(document.documentElement).getPropertyValue(name);
  let colours: Record<string, string> = {};
  const readColours = () => {
    colours = {};
    for (
      const name of ["text", "dim", "page", "line", "stripe", "done", "left", "open", "bad", "mark"]
    ) {
      colours[name] = colour(`--${name}`).trim();
    }
  };

  /** Chooses what is shown: a partition or all, or the counterexample alone. */
  function choose(part: number, only: boolean): void {
    const chosen = data.operations.filter((operation) =>
      only ? counterexample.has(operation.id) : part < 0 || operation.part === part
    );
    const numbers = new Set<number>();
    for (const { call, end } of chosen) {
      numbers.add(call);
      if (end !== undefined) numbers.add(end);
    }
    events = [...numbers].sort((a, b) => a - b);
    const rank = new Map(events.map((event, i) => [event, i]));
    operations = chosen.map((operation) => ({
      ...operation,
      from: rank.get(operation.call)!,
      to: operation.end === undefined ? undefined : rank.get(operation.end)!,
    }));
    const names = [...new Set(operations.map((operation) => operation.process))];
    names.sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));
    laneOf = new Map(names.map((name, i) => [name, i]));
    lanes = names.map((name) => ({ name, operations: [], ends: [] }));
    span = Math.max(events.length, 1);
    for (const operation of operations) {
      lanes[laneOf.get(operation.process)!]!.operations.push(operation);
    }
    for (const lane of lanes) {
      lane.operations.sort((a, b) => a.from - b.from);
      let latest = -1;
      // Running maximum, so that the first bar in view is found by halving.
      lane.ends = lane.operations.map((operation) =>
        latest = Math.max(latest, operation.to ?? Infinity)
      );
    }
    chain = operations.filter((operation) =>
      operation.place !== undefined && (part >= 0 || data.parts.length === 1)
    )
      .sort((a, b) => a.place! - b.place!);
    const room = lanes.length * LANE_HEIGHT + AXIS_HEIGHT + 8;
    canvas.style.height = `min(60vh, ${Math.min(Math.max(room, 120), 620)}px)`;
  }

  const xOf = (rank: number) => LABEL_WIDTH + (rank - left) * scale;
  const yOf = (lane: number) => AXIS_HEIGHT + lane * LANE_HEIGHT - top;
  const endOf = (operation: Drawn) => operation.to ?? span + 1;

  function clamp(): void {
    const room = Math.max(width - LABEL_WIDTH, 50);
    scale = Math.min(Math.max(scale, room / (span + 2)), 200);
    left = Math.min(Math.max(left, -1), Math.max(span + 1 - room / scale, -1));
    top = Math.min(
      Math.max(top, 0),
      Math.max(lanes.length * LANE_HEIGHT + AXIS_HEIGHT + 6 - height, 0),
    );
  }

  function fit(): void {
    scale = 0;
    left = -1;
    top = 0;
    clamp();
  }

  function reveal(operation: Drawn): void {
    const room = width - LABEL_WIDTH;
    const long = Math.min(endOf(operation) - operation.from, 20);
    scale = Math.min(Math.max(scale, 44), Math.max(room / (long * 3), 8));
    left = operation.from + long / 2 - room / scale / 2;
    top = laneOf.get(operation.process)! * LANE_HEIGHT - height / 2 + AXIS_HEIGHT;
    selected = operation;
    clamp();
    draw();
  }

  function draw(): void {
    if (pending) return;
    pending = true;
    page.requestAnimationFrame(() => {
      pending = false;
      paint();
    });
  }

  function resize(): void {
    const box = canvas.getBoundingClientRect();
    const ratio = page.devicePixelRatio || 1;
    width = box.width;
    height = box.height;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    clamp();
    paint();
  }

  function firstInView(lane: { ends: number[] }): number {
    let low = 0;
    let high = lane.ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lane.ends[middle]! >= left) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  function paint(): void {
    context.fillStyle = colours.page;
    context.fillRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const right = left + (width - LABEL_WIDTH) / scale;
    const firstLane = Math.max(0, Math.floor(top / LANE_HEIGHT));
    const lastLane = Math.min(lanes.length, Math.ceil((top + height) / LANE_HEIGHT));
    for (let lane = firstLane; lane < lastLane; lane++) {
      if (lane % 2 === 0) continue;
      context.fillStyle = colours.stripe;
      context.fillRect(0, yOf(lane), width, LANE_HEIGHT);
    }
    context.save();
    context.beginPath();
    context.rect(LABEL_WIDTH, AXIS_HEIGHT, width - LABEL_WIDTH, height - AXIS_HEIGHT);
    context.clip();
    for (let lane = firstLane; lane < lastLane; lane++) paintLane(lane, right);
    paintChain(right);
    context.restore();
    paintLabels(firstLane, lastLane);
    paintAxis(right);
  }

  function paintLane(lane: number, right: number): void {
    const list = lanes[lane]!.operations;
    const y = yOf(lane) + (LANE_HEIGHT - BAR_HEIGHT) / 2;
    let lastPixel = -1;
    for (let i = firstInView(lanes[lane]!); i < list.length; i++) {
      const operation = list[i]!;
      if (operation.from > right) break;
      const x = xOf(operation.from);
      const end = xOf(endOf(operation));
      const special = operation.id === data.blocked || hitIds.has(operation.id) ||
        operation === selected;
      // At a coarse scale many bars share a pixel: one of them will do.
      if (!special && end - x < 1.5 && Math.floor(end) === lastPixel) continue;
      lastPixel = Math.floor(end);
      paintBar(operation, x, y, Math.max(end - x, 2));
    }
  }

  function barColour(operation: PageOperation): string {
    if (operation.id === data.blocked) return colours.bad!;
    if (operation.end === undefined) return colours.open!;
    return operation.place === undefined ? colours.left! : colours.done!;
  }

  function paintBar(operation: Drawn, x: number, y: number, long: number): void {
    const base = barColour(operation);
    let fill: unknown = base;
    if (operation.end === undefined) {
      const from = Math.max(x, LABEL_WIDTH);
      fill = context.createLinearGradient(from, 0, Math.min(from + 160, x + long), 0);
      (fill as any).addColorStop(0, base);
      (fill as any).addColorStop(1, "transparent");
    }
    const dimmed = hits.length > 0 && !hitIds.has(operation.id);
    context.globalAlpha = dimmed ? 0.25 : 1;
    context.fillStyle = fill;
    context.beginPath();
    context.roundRect(x, y, long, BAR_HEIGHT, Math.min(4, long / 2));
    context.fill();
    if (counterexample.has(operation.id) || operation === hovered || operation === selected) {
      context.lineWidth = operation === hovered || operation === selected ? 2.5 : 1.75;
      context.strokeStyle = operation === hovered || operation === selected
        ? colours.text
        : colours.mark;
      context.stroke();
    }
    // The text starts where the bar comes into view.
    const textFrom = Math.max(x, LABEL_WIDTH) + 5;
    const room = Math.min(x + long, width) - textFrom - 4;
    if (room >= TEXT_WIDTH_MIN) {
      context.fillStyle = operation.end === undefined ? colours.text : "#fff";
      context.save();
      context.beginPath();
      context.rect(textFrom, y, room, BAR_HEIGHT);
      context.clip();
      context.fillText(operation.text, textFrom, y + BAR_HEIGHT / 2 + 0.5);
      context.restore();
    }
    context.globalAlpha = 1;
  }

  /** The order found: a dot in each bar at the moment it may take effect, joined. */
  function paintChain(right: number): void {
    let moment = -Infinity;
    const points: [number, number][] = [];
    for (const operation of chain) {
      moment = Math.max(moment + 1e-3, operation.from + 0.35);
      if (moment < left - 5 || moment > right + 5) continue;
      points.push([
        xOf(moment),
        yOf(laneOf.get(operation.process)!) + (LANE_HEIGHT + BAR_HEIGHT) / 2,
      ]);
      if (points.length > POINTS_MAX) return;
    }
    context.strokeStyle = colours.text;
    context.globalAlpha = 0.35;
    context.lineWidth = 1;
    context.beginPath();
    points.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.stroke();
    context.globalAlpha = 1;
    for (const [x, y] of points) {
      context.fillStyle = colours.page;
      context.strokeStyle = colours.text;
      context.beginPath();
      context.arc(x, y, 3, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }

  function paintLabels(firstLane: number, lastLane: number): void {
    context.fillStyle = colours.page;
    context.fillRect(0, 0, LABEL_WIDTH - 6, height);
    context.textAlign = "right";
    for (let lane = firstLane; lane < lastLane; lane++) {
      const y = yOf(lane) + LANE_HEIGHT / 2;
      if (y < AXIS_HEIGHT) continue;
      context.fillStyle = colours.dim;
      context.fillText(shorten(`process ${lanes[lane]!.name}`, 13), LABEL_WIDTH - 12, y);
    }
    context.textAlign = "left";
  }

  function shorten(text: string, length: number): string {
    return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
  }

  function paintAxis(right: number): void {
    context.fillStyle = colours.page;
    context.fillRect(0, 0, width, AXIS_HEIGHT);
    context.strokeStyle = colours.line;
    context.beginPath();
    context.moveTo(0, AXIS_HEIGHT - 0.5);
    context.lineTo(width, AXIS_HEIGHT - 0.5);
    context.stroke();
    context.fillStyle = colours.dim;
    const target = 90 / scale;
    const power = 10 ** Math.floor(Math.log10(target));
    const step = Math.max(1, [1, 2, 5, 10].map((m) => m * power).find((s) => s >= target)!);
    for (let rank = Math.ceil(Math.max(left, 0) / step) * step; rank <= right; rank += step) {
      const x = xOf(rank);
      if (x >= LABEL_WIDTH && rank < events.length) {
        context.fillText(String(events[rank]), x, AXIS_HEIGHT / 2);
      }
    }
    context.fillText("event", 10, AXIS_HEIGHT / 2);
  }

  function at(x: number, y: number): Drawn | undefined {
    const lane = Math.floor((y - AXIS_HEIGHT + top) / LANE_HEIGHT);
    if (x < LABEL_WIDTH || y < AXIS_HEIGHT || lanes[lane] === undefined) return undefined;
    const rank = left + (x - LABEL_WIDTH) / scale;
    const slack = 2 / scale;
    let found: Drawn | undefined;
    const list = lanes[lane]!.operations;
    for (let i = firstInView(lanes[lane]!); i < list.length && list[i]!.from <= rank + slack; i++) {
      if (endOf(list[i]!) >= rank - slack) found = list[i];
    }
    return found;
  }

  function showTip(operation: Drawn | undefined, x: number, y: number): void {
    tip.hidden = operation === undefined;
    if (operation === undefined) return;
    tip.replaceChildren();
    const add = (tag: string, text: string) => {
      const element = document.createElement(tag);
      element.textContent = text;
      tip.append(element);
    };
    add("b", operation.text);
    const line = operation.line === undefined ? "" : `, line ${operation.line}`;
    const until = operation.end === undefined ? "outcome unknown" : `returned at ${operation.end}`;
    add("div", `process ${operation.process}${line}, called at ${operation.call}, ${until}`);
    if (data.parts.length > 1) add("div", `partition ${data.parts[operation.part]!.key}`);
    if (operation.place !== undefined) {
      add(
        "div",
        `number ${operation.place + 1} in the order found; state after it: ${operation.state}`,
      );
    } else if (operation.id === data.blocked) {
      add(
        "div",
        `can't be placed; the state was ${(data.states ?? []).join(", or ") || "never right"}`,
      );
    } else add("div", operation.end === undefined ? "need not have happened" : "not placed");
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, width - box.width - 8))}px`;
    tip.style.top = `${y + 18 + box.height > height ? Math.max(4, y - box.height - 12) : y + 18}px`;
  }

  function zoom(factor: number, x: number): void {
    const rank = left + (x - LABEL_WIDTH) / scale;
    scale *= factor;
    clamp();
    left = rank - (x - LABEL_WIDTH) / scale;
    clamp();
    draw();
  }

  function search(text: string): void {
    hits.length = 0;
    hitIds.clear();
    hitAt = -1;
    const wanted = text.trim().toLowerCase();
    if (wanted !== "") {
      for (const operation of operations) {
        const words = `${operation.text} process ${operation.process} line ${operation.line ?? ""}`;
        if (!words.toLowerCase().includes(wanted)) continue;
        hits.push(operation);
        hitIds.add(operation.id);
      }
    }
    byId("hits").textContent = wanted === "" ? "" : `${hits.length} found`;
    draw();
  }

  function goToHit(by: number): void {
    if (hits.length === 0) return;
    hitAt = (hitAt + by + hits.length) % hits.length;
    byId("hits").textContent = `${hitAt + 1} of ${hits.length}`;
    reveal(hits[hitAt]!);
  }

  function table(caption: string, list: readonly PageOperation[]): void {
    const element = document.createElement("table");
    element.createCaption().textContent = caption;
    const head = element.createTHead().insertRow();
    for (const title of ["", "process", "operation", "called", "returned", "state after it"]) {
      const cell = document.createElement("th");
      cell.textContent = title;
      head.append(cell);
    }
    const body = element.createTBody();
    for (const operation of list) {
      const row = body.insertRow();
      const blocked = operation.id === data.blocked;
      if (blocked) row.className = "bad";
      const cells = [
        blocked ? "✗" : operation.place === undefined ? "" : `#${operation.place + 1}`,
        operation.process,
        operation.text,
        String(operation.call) + (operation.line === undefined ? "" : ` (line ${operation.line})`),
        operation.end === undefined ? "unknown" : String(operation.end),
        blocked ? "impossible" : operation.state ?? "",
      ];
      cells.forEach((text, i) => {
        const cell = row.insertCell();
        cell.textContent = text;
        if (i !== 2 && i !== 5) cell.className = "number";
      });
      row.addEventListener("click", () => {
        const drawn = operations.find(({ id }) => id === operation.id);
        if (drawn !== undefined) reveal(drawn);
        canvas.scrollIntoView({ block: "nearest" });
      });
    }
    byId("tables").append(element);
  }

  function connect(): void {
    const part = byId("part");
    const only = byId("only");
    const add = (value: number, text: string) => {
      const option = document.createElement("option");
      option.value = String(value);
      option.textContent = text;
      part.append(option);
    };
    add(-1, `all (${data.parts.length})`);
    data.parts.forEach(({ key, verdict, operationCount }, i) => {
      if (i < 2000 || i === data.shown) add(i, `${key}: ${verdict}, ${operationCount} operations`);
    });
    part.value = String(data.shown);
    const again = () => {
      choose(Number(part.value), only.checked);
      search(byId("search").value);
      resize();
      fit();
      draw();
    };
    part.addEventListener("change", again);
    only.addEventListener("change", again);
    if (counterexample.size === 0) {
      only.parentElement.hidden = true;
      byId("blocked").hidden = true;
    }
    byId("search").addEventListener("input", (event: any) => search(event.target.value));
    byId("search").addEventListener("keydown", (event: any) => {
      if (event.key === "Enter") goToHit(event.shiftKey ? -1 : 1);
    });
    byId("next").addEventListener("click", () => goToHit(1));
    byId("previous").addEventListener("click", () => goToHit(-1));
    byId("in").addEventListener("click", () => zoom(1.6, width / 2));
    byId("out").addEventListener("click", () => zoom(1 / 1.6, width / 2));
    byId("all").addEventListener("click", () => {
      fit();
      draw();
    });
    byId("blocked").addEventListener("click", goToBlocked);
    connectPointer();
    connectKeys();
    page.addEventListener("resize", resize);
    page.addEventListener("beforeprint", () => {
      fit();
      resize();
    });
    page.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      readColours();
      draw();
    });
  }

  function goToBlocked(): void {
    const operation = operations.find(({ id }) => id === data.blocked);
    if (operation !== undefined) reveal(operation);
  }

  function connectPointer(): void {
    let from: { x: number; y: number; left: number; top: number } | undefined;
    canvas.addEventListener("wheel", (event: any) => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        left += (event.deltaX || event.deltaY) / scale;
        clamp();
        draw();
      } else zoom(Math.exp(-event.deltaY * 0.002), event.offsetX);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event: any) => {
      from = { x: event.offsetX, y: event.offsetY, left, top };
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add("dragging");
    });
    canvas.addEventListener("pointermove", (event: any) => {
      if (from !== undefined) {
        left = from.left - (event.offsetX - from.x) / scale;
        top = from.top - (event.offsetY - from.y);
        clamp();
        draw();
        return;
      }
      const now = at(event.offsetX, event.offsetY);
      if (now !== hovered) {
        hovered = now;
        draw();
      }
      showTip(now, event.offsetX, event.offsetY);
    });
    const release = () => {
      from = undefined;
      canvas.classList.remove("dragging");
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => {
      hovered = undefined;
      showTip(undefined, 0, 0);
      draw();
    });
  }

  function connectKeys(): void {
    canvas.addEventListener("keydown", (event: any) => {
      const move = (width - LABEL_WIDTH) / scale / 8;
      switch (event.key) {
        case "ArrowLeft":
          left -= move;
          break;
        case "ArrowRight":
          left += move;
          break;
        case "ArrowUp":
          top -= LANE_HEIGHT;
          break;
        case "ArrowDown":
          top += LANE_HEIGHT;
          break;
        case "+":
        case "=":
          return zoom(1.4, width / 2);
        case "-":
          return zoom(1 / 1.4, width / 2);
        case "0":
          fit();
          break;
        default:
          return;
      }
      event.preventDefault();
      clamp();
      draw();
    });
  }

  readColours();
  choose(data.shown, false);
  connect();
  resize();
  fit();
  if (counterexample.size > 0) {
    table(
      data.minimal === true ? "The smallest part that has no order" : "A part that has no order",
      data.operations.filter(({ id }) => counterexample.has(id)),
    );
    if (operations.length > 40) goToBlocked();
  }
  paint();
  // For tests: what a pointer would find, and what painting costs.
  page.pontoonPage = {
    paint,
    at: (id: number) => {
      const operation = operations.find((other) => other.id === id)!;
      reveal(operation);
      return {
        x: xOf(operation.from) + 3,
        y: yOf(laneOf.get(operation.process)!) + LANE_HEIGHT / 2,
      };
    },
    visible: () => operations.length,
  };
}
