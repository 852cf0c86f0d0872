// The picture of a timeline as SVG: the areas that views/timechart.tsx draws, for paper and tickets.
import { svgPaint } from "./bars";
import type { Stack } from "./data/stack";
import { svgDocument, xmlText } from "./export";
import { bytes } from "./format";
import { lookOfKind, type KindLook } from "./kinds";

export interface ChartPicture {
  stack: Stack;
  /** Of each look; null: some kinds are filtered out. */
  total: readonly (number | null)[] | null;
  title: string;
  /** Times that are marked, with what stands at them. */
  marks: readonly { time: number; text: string }[];
  /** Times of the snapshots that can be shown. */
  ticks: readonly number[];
}

const LEFT = 84;
const TOP = 60;
const WIDTH = 860;
const HEIGHT = 340;

/** Marks of an axis of bytes: whole powers of two, four to eight of them. */
export function byteMarks(most: number): number[] {
  if (!(most > 0)) return [0];
  const step = 2 ** Math.ceil(Math.log2(most / 8));
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

/** Runs of points that follow one another without an unknown. */
export function runsOf(tops: readonly (number | null)[]): [number, number][] {
  const runs: [number, number][] = [];
  let from = -1;
  for (let i = 0; i <= tops.length; i++) {
    const known = i < tops.length && tops[i] !== null && tops[i] !== undefined;
    if (known && from < 0) from = i;
    if (!known && from >= 0) {
      runs.push([from, i]);
      from = -1;
    }
  }
  return runs;
}

function clock(time: number, span: number): string {
  const iso = new Date(time * 1000).toISOString();
  return span > 2 * 86400 ? iso.slice(5, 16).replace("T", " ") : span < 10 ? iso.slice(11, 23) : iso.slice(11, 19);
}

/** Colours of the page's themes. */
function inks(dark: boolean): { text: string; dim: string; line: string; ground: string } {
  return dark ? { text: "#e4e7ec", dim: "#a3abb8", line: "#343a44", ground: "#17191d" } : { text: "#1d2127", dim: "#5a6372", line: "#dde1e7", ground: "#ffffff" };
}

export function chartSvg(p: ChartPicture, looks: ReadonlyMap<string, KindLook>, dark: boolean): string {
  const ink = inks(dark);
  const { times, layers } = p.stack;
  const first = times[0] ?? 0;
  const span = Math.max((times.at(-1) ?? first) - first, 1e-3);
  let most = 0;
  for (const tops of [...layers.map((l) => l.tops), p.total ?? []]) for (const v of tops) if (v !== null && v > most) most = v;
  const scale = (most || 1) * 1.04;
  const x = (time: number): string => (LEFT + ((time - first) / span) * WIDTH).toFixed(1);
  const y = (value: number): string => (TOP + HEIGHT - (value / scale) * HEIGHT).toFixed(1);
  const put = (at: number | string, down: number | string, words: string, more = ""): string =>
    `<text x="${at}" y="${down}" fill="${ink.text}" ${more}>${xmlText(words)}</text>`;
  const paints = layers.map((l) => svgPaint(l.id.replaceAll(/[^a-z_]/g, "_"), lookOfKind(looks, l.kind ?? "")));
  const parts = [`<defs>${paints.map((d) => d.defs).join("")}</defs><g font-family="system-ui, Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif" font-size="12">`,
    put(16, 24, p.title, 'font-size="14" font-weight="600"')];
  for (const v of byteMarks(scale))
    parts.push(`<path d="M${LEFT} ${y(v)}H${LEFT + WIDTH}" stroke="${ink.line}"/>`, put(LEFT - 8, Number(y(v)) + 4, v === 0 ? "0" : bytes(v), 'text-anchor="end"'));
  layers.forEach((l, i) => {
    const look = lookOfKind(looks, l.kind ?? "");
    for (const [from, to] of runsOf(l.tops)) {
      const points = Array.from({ length: to - from }, (_, k) => from + k);
      const up = points.map((k) => `${x(times[k] ?? 0)} ${y(l.tops[k] ?? 0)}`);
      const down = points.reverse().map((k) => `${x(times[k] ?? 0)} ${y(l.floors[k] ?? 0)}`);
      parts.push(`<path d="M${[...up, ...down].join("L")}Z" fill="${paints[i]?.fill ?? ""}"/><path d="M${up.join("L")}" fill="none" stroke="${look.edge}"/>`);
    }
  });
  const totals = p.total ? p.stack.looks.map((look) => (look < 0 ? null : (p.total?.[look] ?? null))) : [];
  for (const [from, to] of runsOf(totals))
    parts.push(`<path d="M${totals.slice(from, to).map((v, k) => `${x(times[from + k] ?? 0)} ${y(v ?? 0)}`).join("L")}" fill="none" stroke="${ink.text}" stroke-width="1.25"/>`);
  for (const [from, to] of p.stack.gaps)
    parts.push(`<rect x="${x(from)}" y="${TOP}" width="${(Number(x(to)) - Number(x(from))).toFixed(1)}" height="${HEIGHT}" fill="${ink.line}" fill-opacity=".5"><title>not recorded</title></rect>`);
  const base = TOP + HEIGHT;
  parts.push(`<path d="${p.ticks.map((t) => `M${x(t)} ${base}v6`).join("")}" stroke="${ink.dim}"/>`);
  for (let i = 0; i <= 5; i++) parts.push(put(LEFT + (WIDTH * i) / 5, base + 22, clock(first + (span * i) / 5, span), `text-anchor="${i === 5 ? "end" : i ? "middle" : "start"}"`));
  for (const m of p.marks)
    parts.push(`<path d="M${x(m.time)} ${TOP - 6}V${base}" stroke="${ink.text}" stroke-dasharray="4 3"/>`, put(x(m.time), TOP - 10, m.text, 'text-anchor="middle" font-weight="600"'));
  const under = base + 44;
  [...layers].reverse().forEach((l, i) => {
    const at = LEFT + (i % 6) * 140;
    const down = under + Math.floor(i / 6) * 20;
    const k = layers.length - 1 - i;
    parts.push(`<rect x="${at}" y="${down}" width="11" height="11" fill="${paints[k]?.fill ?? ""}" stroke="${lookOfKind(looks, l.kind ?? "").edge}" stroke-width=".75"/>`, put(at + 17, down + 10, l.label));
  });
  parts.push(put(LEFT + WIDTH, base + 38, `${new Date(first * 1000).toISOString().slice(0, 10)}, UTC`, 'text-anchor="end" font-size="11"'), "</g>");
  return svgDocument(LEFT + WIDTH + 24, under + Math.ceil(layers.length / 6) * 20 + 12, parts.join(""), ink.ground);
}
