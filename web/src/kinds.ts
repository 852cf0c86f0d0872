// Colours of kinds. They come from the library's table (PageInfo.kinds); the safe palette is a second table here: its
// colours differ in lightness, and those that are near each other in grey or to a colour-blind eye differ by pattern too.
// Views use the variables of the style sheet that is made here: --kind-ID (colour), --paint-ID (colour with pattern, for
// `background`), --edge-ID (its outline); drawings on a canvas use kindLooks() and canvasPaint().
import type { Kind } from "./data/types";
import type { Palette } from "./state/store";

export type Pattern = "solid" | "rise" | "fall" | "across" | "upright" | "dots" | "cross";

export interface KindLook {
  fill: string;
  /** Outline: shows pale colours against the ground. */
  edge: string;
  /** Black or white, whichever reads better on the fill; patterns are drawn with it. */
  ink: string;
  pattern: Pattern;
}

interface Safe {
  light: string;
  dark: string;
  pattern: Pattern;
}

const SAFE: ReadonlyMap<string, Safe> = new Map<string, Safe>([
  ["image", { light: "#5b2a86", dark: "#6f3da3", pattern: "solid" }],
  ["mapped_file", { light: "#56b4e9", dark: "#56b4e9", pattern: "solid" }],
  ["shareable", { light: "#cfe8f7", dark: "#b9d9ec", pattern: "rise" }],
  ["heap", { light: "#d55e00", dark: "#e2691a", pattern: "solid" }],
  ["managed_heap", { light: "#009e73", dark: "#0aa77c", pattern: "across" }],
  ["stack", { light: "#e69f00", dark: "#e69f00", pattern: "fall" }],
  ["private_data", { light: "#f0e442", dark: "#f0e442", pattern: "solid" }],
  ["device", { light: "#00574a", dark: "#0b7a68", pattern: "dots" }],
  ["system", { light: "#9aa3b0", dark: "#9aa3b0", pattern: "upright" }],
  ["page_table", { light: "#8a4a3a", dark: "#a86450", pattern: "cross" }],
  ["unusable", { light: "#d6d6d6", dark: "#5c5c5c", pattern: "cross" }],
  ["free", { light: "#ffffff", dark: "#2a2d31", pattern: "solid" }],
]);
const UNKNOWN_LOOK: KindLook = { fill: "#808080", edge: "#606060", ink: "#000000", pattern: "solid" };

type Rgb = [number, number, number];

function rgb(colour: string): Rgb {
  const n = /^#[0-9a-f]{6}$/i.test(colour) ? parseInt(colour.slice(1), 16) : 0x808080;
  return [n >> 16, (n >> 8) & 255, n & 255];
}

function hex(parts: Rgb): string {
  return "#" + parts.map((v) => Math.round(Math.max(0, Math.min(255, v))).toString(16).padStart(2, "0")).join("");
}

/** Relative luminance of sRGB, 0 to 1 (WCAG 2). */
export function luminance(colour: string): number {
  const [r, g, b] = rgb(colour).map((v) => {
    const c = v / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const MIXED_MAX = 4096;
/** What was mixed before: a map mixes a few colours for thousands of stretches. */
const mixtures = new Map<string, string>();

/** From one colour towards another, share 0 to 1. */
export function mixed(from: string, to: string, share: number): string {
  const key = from + to + share;
  const had = mixtures.get(key);
  if (had !== undefined) return had;
  const a = rgb(from);
  const b = rgb(to);
  const colour = hex([0, 1, 2].map((i) => (a[i] ?? 0) * (1 - share) + (b[i] ?? 0) * share) as Rgb);
  if (mixtures.size >= MIXED_MAX) mixtures.clear();
  mixtures.set(key, colour);
  return colour;
}

function lookOf(fill: string, pattern: Pattern, dark: boolean): KindLook {
  const ink = luminance(fill) > 0.179 ? "#000000" : "#ffffff";
  return { fill: hex(rgb(fill)), edge: dark ? mixed(fill, "#ffffff", 0.28) : mixed(fill, "#1d2127", 0.34), ink, pattern };
}

/** What each kind looks like, by id. */
export function kindLooks(kinds: readonly Kind[], dark: boolean, palette: Palette): ReadonlyMap<string, KindLook> {
  const looks = new Map<string, KindLook>();
  for (const k of kinds) {
    const safe = palette === "safe" ? SAFE.get(k.id) : undefined;
    if (safe) looks.set(k.id, lookOf(dark ? safe.dark : safe.light, safe.pattern, dark));
    else looks.set(k.id, lookOf(dark ? k.dark : k.light, "solid", dark));
  }
  return looks;
}

export function lookOfKind(looks: ReadonlyMap<string, KindLook>, id: string): KindLook {
  return looks.get(id) ?? UNKNOWN_LOOK;
}

/** Lines and dots over a fill, as CSS background images; "" for solid. */
function patternImage(look: KindLook): string {
  const line = look.ink === "#000000" ? "rgb(0 0 0 / .5)" : "rgb(255 255 255 / .65)";
  const lines = (angle: number): string => `repeating-linear-gradient(${angle}deg,${line} 0 1.5px,transparent 1.5px 5px)`;
  switch (look.pattern) {
    case "solid": return "";
    case "rise": return lines(-45);
    case "fall": return lines(45);
    case "across": return lines(0);
    case "upright": return lines(90);
    case "cross": return `${lines(45)},${lines(-45)}`;
    case "dots": return `radial-gradient(circle at 2.5px 2.5px,${line} 1.2px,transparent 1.7px) 0 0/5px 5px`;
  }
}

/** Value of CSS `background`: colour and pattern. */
export function cssPaint(look: KindLook): string {
  const image = patternImage(look);
  return image ? `${image},${look.fill}` : look.fill;
}

function variables(looks: ReadonlyMap<string, KindLook>, important = ""): string {
  let text = "";
  for (const [id, look] of looks) {
    if (!/^[a-z_]{1,40}$/.test(id)) continue; // ids are libvmmap's own; what is no id makes no rule
    text += `--kind-${id}:${look.fill}${important};--edge-${id}:${look.edge}${important};--paint-${id}:${cssPaint(look)}${important};` +
      `--ink-${id}:${look.ink}${important};`;
  }
  return text;
}

/** Rules that give every theme and palette its variables; print is always light. */
export function kindSheet(kinds: readonly Kind[]): string {
  const rules = (palette: Palette, root: string): string => {
    const light = variables(kindLooks(kinds, false, palette));
    const dark = variables(kindLooks(kinds, true, palette));
    return `${root}{${light}}@media (prefers-color-scheme:dark){${root}:not([data-theme="light"]){${dark}}}` +
      `${root}[data-theme="dark"]{${dark}}@media print{${root}${root}{${variables(kindLooks(kinds, false, palette), "!important")}}}`;
  };
  return rules("kinds", ":root") + rules("safe", ':root[data-palette="safe"]');
}

/** Fill style of a canvas: the colour, or a tile with its pattern. */
export function canvasPaint(context: CanvasRenderingContext2D, look: KindLook, ratio = 1): string | CanvasPattern {
  if (look.pattern === "solid") return look.fill;
  const size = Math.max(4, Math.round(6 * ratio));
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const t = tile.getContext("2d");
  if (!t) return look.fill;
  t.fillStyle = look.fill;
  t.fillRect(0, 0, size, size);
  t.strokeStyle = t.fillStyle = look.ink === "#000000" ? "rgb(0 0 0 / .62)" : "rgb(255 255 255 / .72)";
  t.lineWidth = 1.4 * ratio;
  const line = (x0: number, y0: number, x1: number, y1: number): void => {
    t.beginPath();
    t.moveTo(x0 * size, y0 * size);
    t.lineTo(x1 * size, y1 * size);
    t.stroke();
  };
  // A diagonal through the tile, and its neighbours' ends in the corners.
  const rise = (): void => [-1, 0, 1].forEach((o) => line(-0.5 + o, 1.5, 1.5 + o, -0.5));
  const fall = (): void => [-1, 0, 1].forEach((o) => line(-0.5 + o, -0.5, 1.5 + o, 1.5));
  if (look.pattern === "rise" || look.pattern === "cross") rise();
  if (look.pattern === "fall" || look.pattern === "cross") fall();
  if (look.pattern === "across") line(0, 0.5, 1, 0.5);
  if (look.pattern === "upright") line(0.5, 0, 0.5, 1);
  if (look.pattern === "dots") {
    t.beginPath();
    t.arc(size / 2, size / 2, 1.3 * ratio, 0, 7);
    t.fill();
  }
  return context.createPattern(tile, "repeat") ?? look.fill;
}
