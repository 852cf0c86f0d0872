// Layout of the bars as pure functions: which measures, which segments, one scale; and the same as an SVG picture.
import { bytes } from "./format";
import { svgDocument, xmlText } from "./export";
import { lookOfKind, type KindLook } from "./kinds";
import { APART, type Kind, type SnapshotJson, type TypeTotal } from "./data/types";

export interface Amount {
  value: number | null;
  /** The value is a lower bound. */
  atLeast: boolean;
}

const UNKNOWN: Amount = { value: null, atLeast: false };

/** A number of a row of JSON; a bound where there is only one. */
export function amount(row: object | undefined, id: string): Amount {
  if (!row) return UNKNOWN;
  const value = (row as Record<string, unknown>)[id];
  if (typeof value === "number") return { value, atLeast: false };
  const bound = (row as { at_least?: Record<string, unknown> }).at_least?.[id];
  return typeof bound === "number" ? { value: bound, atLeast: true } : UNKNOWN;
}

export interface Segment {
  kind: string;
  amount: Amount;
  /** Share of the bar's whole width, 0 to 1. */
  share: number;
}

export interface Bar {
  id: string;
  label: string;
  total: Amount;
  segments: Segment[];
}

const MEASURES = [["committed", "Committed"], ["private", "Private"], ["rss", "Resident"], ["stored", "Stored"]] as const;

/** Of what runs the first three, known or not; of files those that they tell. Segments in the order of `order`. */
export function barsOf(head: Pick<SnapshotJson, "summary" | "target">, order: readonly string[]): Bar[] {
  const { types, total } = head.summary;
  const live = head.target.source === "live";
  const shown = MEASURES.filter(([id]) => (live ? id !== "stored" : (amount(total, id).value ?? 0) > 0));
  const scale = Math.max(...shown.map(([id]) => amount(total, id).value ?? 0));
  const place = (t: TypeTotal): number => (order.indexOf(t.kind) + order.length + 1) % (order.length + 1);
  const regions = types.filter((t) => !APART.has(t.kind)).sort((a, b) => place(a) - place(b));
  return shown.map(([id, label]) => ({
    id, label, total: amount(total, id),
    segments: regions.map((t) => ({ kind: t.kind, amount: amount(t, id), share: 0 }))
      .filter((s) => (s.amount.value ?? 0) > 0)
      .map((s) => ({ ...s, share: scale > 0 ? Math.min(1, (s.amount.value ?? 0) / scale) : 0 })),
  }));
}

/** The pattern of a look as an SVG <pattern>, and how a rectangle is filled with it. */
export function svgPaint(id: string, look: KindLook): { defs: string; fill: string } {
  if (look.pattern === "solid") return { defs: "", fill: look.fill };
  const path = {
    rise: "M0 6L6 0M-1 1L1 -1M5 7L7 5", fall: "M0 0L6 6M-1 5L1 7M5 -1L7 1", across: "M0 3H6", upright: "M3 0V6",
    cross: "M0 6L6 0M0 0L6 6", dots: "M2 3a1 1 0 1 0 2 0a1 1 0 1 0 -2 0",
  }[look.pattern];
  return {
    defs: `<pattern id="p-${id}" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="${look.fill}"/>` +
      `<path d="${path}" stroke="${look.ink}" stroke-opacity=".62" fill="none" stroke-width="1.3"/></pattern>`,
    fill: `url(#p-${id})`,
  };
}

/** The bars with their legend as a picture of its own. */
export function barsSvg(bars: readonly Bar[], kinds: readonly Kind[], looks: ReadonlyMap<string, KindLook>, title: string, dark: boolean): string {
  const [left, width, right, height, top] = [90, 760, 110, 22, 44];
  const text = dark ? "#e4e7ec" : "#1d2127";
  const put = (x: number, y: number, words: string, more = ""): string =>
    `<text x="${x}" y="${y}" font-family="system-ui, Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif" font-size="12" fill="${text}" ${more}>${xmlText(words)}</text>`;
  const shown = new Set(bars.flatMap((b) => b.segments.map((s) => s.kind)));
  const named = kinds.filter((k) => shown.has(k.id));
  const paints = new Map(named.map((k) => [k.id, svgPaint(k.id, lookOfKind(looks, k.id))]));
  const box = (kind: string, x: number, y: number, w: number, h: number): string =>
    `<rect x="${x.toFixed(2)}" y="${y}" width="${w.toFixed(2)}" height="${h}" fill="${paints.get(kind)?.fill ?? "#808080"}" ` +
    `stroke="${lookOfKind(looks, kind).edge}" stroke-width=".75"/>`;
  let inner = `<defs>${[...paints.values()].map((p) => p.defs).join("")}</defs>` + put(16, 24, title, 'font-weight="600"');
  bars.forEach((bar, i) => {
    const y = top + i * (height + 10);
    let x = left;
    inner += put(16, y + 15, bar.label);
    for (const s of bar.segments) {
      inner += box(s.kind, x, y, s.share * width, height);
      x += s.share * width;
    }
    inner += put(left + width + right - 16, y + 15, bytes(bar.total.value, bar.total.atLeast), 'text-anchor="end"');
  });
  const under = top + bars.length * (height + 10) + 8;
  named.forEach((k, i) => {
    const x = left + (i % 6) * 126;
    const y = under + Math.floor(i / 6) * 20;
    inner += box(k.id, x, y, 11, 11) + put(x + 17, y + 10, k.label);
  });
  return svgDocument(left + width + right, under + Math.ceil(named.length / 6) * 20 + 8, inner, dark ? "#17191d" : "#ffffff");
}
