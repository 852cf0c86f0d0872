// Bars of what changed between two snapshots: what there is more of to the right of a line, what there is less of to its
// left, all on one scale; and the same as an SVG picture.
import { amount, svgPaint } from "./bars";
import type { Diff, Kind } from "./data/types";
import { svgDocument, xmlText } from "./export";
import { changedBytes } from "./format";
import { lookOfKind, type KindLook } from "./kinds";

export interface ChangeSegment {
  kind: string;
  by: number;
  /** Share of the whole width, 0 to 1. */
  share: number;
}

export interface ChangeBar {
  id: string;
  label: string;
  /** Null: unknown. */
  total: number | null;
  /** From the line outwards. */
  less: ChangeSegment[];
  more: ChangeSegment[];
}

export interface ChangeBars {
  bars: ChangeBar[];
  /** Where the line is, as a share of the width. */
  zero: number;
}

const MEASURES = [["size", "Size"], ["committed", "Committed"], ["private", "Private"], ["rss", "Resident"], ["swap", "Swap"], ["stored", "Stored"]] as const;
const ALWAYS: ReadonlySet<string> = new Set(["committed", "private", "rss"]);

function sum(segments: readonly ChangeSegment[]): number {
  return segments.reduce((all, s) => all + Math.abs(s.by), 0);
}

/** Address space has a scale of its own kind: it is drawn only where nothing else changed. */
export function changeBarsOf(diff: Diff, order: readonly string[], apart: ReadonlySet<string>): ChangeBars {
  const total = diff.types.find((t) => t.kind === "total");
  const kinds = diff.types.filter((t) => t.kind && t.kind !== "total" && !apart.has(t.kind));
  const place = (kind: string): number => (order.indexOf(kind) + order.length + 1) % (order.length + 1);
  const bars = MEASURES.map(([id, label]): ChangeBar => {
    const segments = kinds
      .map((t) => ({ kind: t.kind ?? "", by: amount(t["change"] as object, id).value ?? 0, share: 0 }))
      .filter((s) => s.by !== 0)
      .sort((a, b) => place(a.kind) - place(b.kind));
    return {
      id, label, total: amount(total?.["change"] as object | undefined, id).value,
      less: segments.filter((s) => s.by < 0), more: segments.filter((s) => s.by > 0),
    };
  }).filter((b) => ALWAYS.has(b.id) || b.less.length + b.more.length > 0);
  const memory = bars.filter((b) => b.id !== "size");
  const shown = memory.some((b) => b.less.length + b.more.length > 0) ? memory : bars;
  const left = Math.max(0, ...shown.map((b) => sum(b.less)));
  const right = Math.max(0, ...shown.map((b) => sum(b.more)));
  for (const b of shown) for (const s of [...b.less, ...b.more]) s.share = Math.abs(s.by) / (left + right);
  return { bars: shown, zero: left + right > 0 ? left / (left + right) : 0.5 };
}

export function changeBarsSvg(all: ChangeBars, kinds: readonly Kind[], looks: ReadonlyMap<string, KindLook>, title: string, dark: boolean): string {
  const [left, width, right, height, top] = [90, 760, 120, 22, 44];
  const ink = dark ? "#e4e7ec" : "#1d2127";
  const put = (x: number, y: number, words: string, more = ""): string =>
    `<text x="${x}" y="${y}" font-family="system-ui, Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif" font-size="12" fill="${ink}" ${more}>${xmlText(words)}</text>`;
  const there = new Set(all.bars.flatMap((b) => [...b.less, ...b.more].map((s) => s.kind)));
  const named = kinds.filter((k) => there.has(k.id));
  const paints = new Map(named.map((k) => [k.id, svgPaint(k.id, lookOfKind(looks, k.id))]));
  const box = (kind: string, x: number, y: number, w: number, h: number): string =>
    `<rect x="${x.toFixed(2)}" y="${y}" width="${w.toFixed(2)}" height="${h}" fill="${paints.get(kind)?.fill ?? "#808080"}" ` +
    `stroke="${lookOfKind(looks, kind).edge}" stroke-width=".75"/>`;
  const zero = left + all.zero * width;
  let inner = `<defs>${[...paints.values()].map((p) => p.defs).join("")}</defs>` + put(16, 24, title, 'font-weight="600"');
  all.bars.forEach((bar, i) => {
    const y = top + i * (height + 10);
    let at = zero;
    inner += put(16, y + 15, bar.label);
    for (const s of bar.less) inner += box(s.kind, (at -= s.share * width), y, s.share * width, height);
    at = zero;
    for (const s of bar.more) {
      inner += box(s.kind, at, y, s.share * width, height);
      at += s.share * width;
    }
    inner += put(left + width + right - 16, y + 15, changedBytes(bar.total), 'text-anchor="end"');
  });
  const under = top + all.bars.length * (height + 10) + 8;
  inner += `<path d="M${zero.toFixed(2)} ${top - 6}V${under - 8}" stroke="${ink}"/>`;
  named.forEach((k, i) => {
    const x = left + (i % 6) * 126;
    const y = under + Math.floor(i / 6) * 20;
    inner += box(k.id, x, y, 11, 11) + put(x + 17, y + 10, k.label);
  });
  return svgDocument(left + width + right, under + Math.ceil(named.length / 6) * 20 + 8, inner, dark ? "#17191d" : "#ffffff");
}
