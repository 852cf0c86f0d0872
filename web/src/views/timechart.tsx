// The stacked areas: uPlot draws them; what is shown, compared and not recorded is drawn over them.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { nearest, type Stack } from "../data/stack";
import { bytes } from "../format";
import { canvasPaint, lookOfKind, type KindLook } from "../kinds";

export interface Tick {
  n: number;
  time: number;
}

export interface ChartProps {
  stack: Stack;
  total: readonly (number | null)[] | null;
  /** Snapshots that can be shown. */
  ticks: readonly Tick[];
  shown: number | null;
  compare: { before: number; after: number } | null;
  looks: ReadonlyMap<string, KindLook>;
  dark: boolean;
  label: string;
  onShow(n: number): void;
  onCompare(before: number, after: number): void;
  onHover(point: number | null): void;
  onKey(e: KeyboardEvent): void;
}

const HEIGHT = 380;

interface Drawn extends ChartProps {
  drag: { from: number; to: number } | null;
}

function themeColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#808080";
}

function timeOf(ticks: readonly Tick[], n: number): number | null {
  return ticks.find((t) => t.n === n)?.time ?? null;
}

/** Step of the y axis: whole KiB, MiB, GiB, halves and quarters of them. */
const INCREMENTS = Array.from({ length: 44 }, (_, i) => 2 ** i);

/** UTC, as precise as the distance between two marks; the date where a day begins, and at the first. */
function timeMarks(u: uPlot, splits: number[], apart: number): string[] {
  let day = "";
  const room = apart < 1 ? 40 : 30; // half of a label's width: what would be cut at the edge is left out
  return splits.map((t) => {
    if (u.over.clientWidth && u.valToPos(t, "x") > u.over.clientWidth + 12 - room) return "";
    const iso = new Date(t * 1000).toISOString();
    const clock = apart < 1 ? iso.slice(11, 23) : apart < 60 ? iso.slice(11, 19) : iso.slice(11, 16);
    const today = iso.slice(0, 10);
    const text = today === day ? clock : `${clock}\n${today}`;
    day = today;
    return text;
  });
}

function hatch(u: uPlot, from: number, to: number, colour: string): void {
  const { ctx, bbox } = u;
  const x0 = u.valToPos(from, "x", true);
  const x1 = u.valToPos(to, "x", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(x0, bbox.top, x1 - x0, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (let x = x0 - bbox.height; x < x1; x += 9 * devicePixelRatio) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  if (x1 - x0 > 90 * devicePixelRatio) {
    ctx.fillStyle = themeColour("--dim");
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    ctx.fillText("not recorded", (x0 + x1) / 2, bbox.top + 16 * devicePixelRatio);
  }
  ctx.restore();
}

function mark(u: uPlot, time: number, colour: string, label: string): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const x = Math.round(u.valToPos(time, "x", true));
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = 1.5 * ratio;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  const width = ctx.measureText(label).width + 10 * ratio;
  const left = Math.max(bbox.left, Math.min(bbox.left + bbox.width - width, x - width / 2));
  ctx.beginPath();
  ctx.roundRect(left, bbox.top - 18 * ratio, width, 16 * ratio, 4 * ratio);
  ctx.fill();
  ctx.fillStyle = themeColour("--on-accent");
  ctx.textAlign = "center";
  ctx.textBaseline = "alphabetic";
  ctx.fillText(label, left + width / 2, bbox.top - 6 * ratio, width);
  ctx.restore();
}

function drawOver(u: uPlot, p: Drawn): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const accent = themeColour("--accent");
  for (const [from, to] of p.stack.gaps) hatch(u, from, to, themeColour("--line"));
  const pair = p.drag ?? (p.compare ? { from: p.compare.before, to: p.compare.after } : null);
  const a = pair ? timeOf(p.ticks, pair.from) : null;
  const b = pair ? timeOf(p.ticks, pair.to) : null;
  if (pair && a !== null && b !== null) {
    // What lies outside steps back, so that colours between the two stay those of the kinds.
    const inside = (t: number): number => Math.max(bbox.left, Math.min(bbox.left + bbox.width, u.valToPos(t, "x", true)));
    const [x0, x1] = [inside(Math.min(a, b)), inside(Math.max(a, b))];
    ctx.save();
    ctx.globalAlpha = 0.62;
    ctx.fillStyle = themeColour("--ground");
    ctx.fillRect(bbox.left, bbox.top, x0 - bbox.left, bbox.height);
    ctx.fillRect(x1, bbox.top, bbox.left + bbox.width - x1, bbox.height);
    ctx.restore();
    mark(u, a, accent, String(pair.from));
    mark(u, b, accent, String(pair.to));
  } else if (p.shown !== null) {
    const at = timeOf(p.ticks, p.shown);
    if (at !== null) mark(u, at, accent, String(p.shown));
  }
  // Snapshots as ticks below the areas.
  ctx.save();
  ctx.strokeStyle = themeColour("--dim");
  ctx.lineWidth = ratio;
  ctx.beginPath();
  for (const t of p.ticks) {
    const x = Math.round(u.valToPos(t.time, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width + 1) continue;
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x, bbox.top + bbox.height + 6 * ratio);
  }
  ctx.stroke();
  ctx.restore();
}

/** Of each layer its top and its floor: a band is between the two. */
function dataOf(p: ChartProps): uPlot.AlignedData {
  const total = p.stack.looks.map((look) => (look < 0 ? null : (p.total?.[look] ?? null)));
  return [p.stack.times, ...p.stack.layers.flatMap((l) => [l.tops, l.floors]), ...(p.total ? [total] : [])] as uPlot.AlignedData;
}

function seriesOf(p: ChartProps): uPlot.Series[] {
  const layers = p.stack.layers.flatMap((l): uPlot.Series[] => [
    { label: l.label, stroke: lookOfKind(p.looks, l.kind ?? "").edge, width: 1, points: { show: p.stack.times.length === 1 } },
    { points: { show: false } },
  ]);
  const total: uPlot.Series[] = p.total ? [{ label: "Total", stroke: () => themeColour("--text"), width: 1.25, points: { show: false } }] : [];
  return [{}, ...layers, ...total];
}

function optionsOf(p: ChartProps, width: number, now: () => Drawn): uPlot.Options {
  const axis = { stroke: () => themeColour("--dim"), grid: { stroke: () => themeColour("--line"), width: 1 }, font: "11px system-ui, sans-serif" };
  return {
    width, height: HEIGHT, padding: [24, 12, 0, 0],
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false, setScale: false } },
    scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.04 : 1] } },
    axes: [
      { ...axis, ticks: { show: false }, gap: 9, space: 96, size: 44, values: (u, splits, _axis, _space, apart) => timeMarks(u, splits, apart) },
      { ...axis, ticks: { show: false }, size: 74, incrs: INCREMENTS, values: (_u, splits) => splits.map((v) => (v === 0 ? "0" : bytes(v))) },
    ],
    series: seriesOf(p),
    bands: p.stack.layers.map((l, i) => ({
      series: [2 * i + 1, 2 * i + 2] as [number, number],
      fill: (u: uPlot) => canvasPaint(u.ctx, lookOfKind(p.looks, l.kind ?? ""), devicePixelRatio) as string,
    })),
    hooks: {
      draw: [(u) => drawOver(u, now())],
      setCursor: [(u) => now().onHover(u.cursor.idx ?? null)],
    },
  };
}

/** A press shows the snapshot nearest to it; a press that is drawn along compares two. */
function listen(u: uPlot, now: () => Drawn, setDrag: (d: Drawn["drag"]) => void): void {
  const at = (e: PointerEvent): number | null => {
    const { ticks } = now();
    const time = u.posToVal(e.clientX - u.over.getBoundingClientRect().left, "x");
    return ticks[nearest(ticks.map((t) => t.time), time)]?.n ?? null;
  };
  u.over.addEventListener("pointerdown", (e) => {
    const n = e.button === 0 ? at(e) : null;
    if (n === null) return;
    u.over.setPointerCapture(e.pointerId);
    setDrag({ from: n, to: n });
  });
  u.over.addEventListener("pointermove", (e) => {
    const { drag } = now();
    const n = drag ? at(e) : null;
    if (drag && n !== null && n !== drag.to) setDrag({ ...drag, to: n });
  });
  u.over.addEventListener("pointerup", () => {
    const { drag, onShow, onCompare } = now();
    setDrag(null);
    if (!drag) return;
    if (drag.from === drag.to) onShow(drag.from);
    else onCompare(Math.min(drag.from, drag.to), Math.max(drag.from, drag.to));
  });
  u.over.addEventListener("pointercancel", () => setDrag(null));
  u.over.addEventListener("wheel", (e) => {
    const { times } = now().stack;
    const [first, last] = [times[0], times.at(-1)];
    const { min, max } = u.scales["x"] ?? {};
    if (!e.ctrlKey && !e.shiftKey) return;
    if (first === undefined || last === undefined || typeof min !== "number" || typeof max !== "number" || last <= first) return;
    e.preventDefault();
    const middle = u.posToVal(e.clientX - u.over.getBoundingClientRect().left, "x");
    const factor = e.deltaY < 0 ? 0.8 : 1.25;
    const from = Math.max(first, middle - (middle - min) * factor);
    const to = Math.min(last, middle + (max - middle) * factor);
    if (to - from > (last - first) / 2000) u.setScale("x", { min: from, max: to });
  }, { passive: false });
  u.over.addEventListener("dblclick", () => {
    const { times } = now().stack;
    if (times.length > 1) u.setScale("x", { min: times[0] ?? 0, max: times.at(-1) ?? 1 });
  });
}

export function TimeChart(props: ChartProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const now = useRef<Drawn>({ ...props, drag: null });
  now.current = { ...props, drag: now.current.drag };
  // New areas or colours need a new plot; more points of the same do not.
  const shape = props.stack.layers.map((l) => l.id).join(" ") + (props.total ? " total" : "");
  useEffect(() => {
    const box = place.current;
    if (!box) return undefined;
    const read = (): Drawn => now.current;
    const u = new uPlot(optionsOf(props, box.clientWidth, read), dataOf(props), box);
    plot.current = u;
    listen(u, read, (drag) => {
      now.current = { ...now.current, drag };
      u.redraw(false);
    });
    const watch = new ResizeObserver(() => box.clientWidth > 0 && u.setSize({ width: box.clientWidth, height: HEIGHT }));
    watch.observe(box);
    return () => {
      watch.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [shape, props.looks, props.dark]);
  useEffect(() => {
    const u = plot.current;
    if (u && u.data[0] !== props.stack.times) u.setData(dataOf(props));
  }, [props.stack, props.total]);
  useEffect(() => plot.current?.redraw(false), [props.shown, props.compare, props.ticks, props.dark]);
  const i = props.ticks.findIndex((t) => t.n === props.shown);
  const time = props.ticks[i]?.time;
  return (
    <div class="timechart" ref={place} role="slider" tabIndex={0} aria-label={props.label} aria-valuemin={1} aria-valuemax={props.ticks.length}
      aria-valuenow={i + 1} aria-valuetext={time === undefined ? "none" : `snapshot ${props.shown}, ${new Date(time * 1000).toISOString().slice(11, 19)} UTC`}
      onKeyDown={props.onKey} />
  );
}
