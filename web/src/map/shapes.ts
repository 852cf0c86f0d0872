// What a picture is made of, told once and in plain values: drawn on a canvas (canvas.ts), written as SVG (svg.ts), and compared
// with what was drawn before.
import type { Pattern } from "../kinds";

export interface FontLook {
  size: number;
  family: string;
}

const SANS = "system-ui, sans-serif";
export const FONTS = {
  address: { size: 11, family: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace' },
  label: { size: 11, family: SANS },
  cell: { size: 10, family: SANS },
} as const satisfies Record<string, FontLook>;
export type Font = keyof typeof FONTS;

/** Width of a text in pixels. */
export type Measure = (text: string, font: Font) => number;

export interface Area {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Fill extends Area {
  shape: "fill";
  fill: string;
  pattern: Pattern;
  /** Black or white: what the pattern is drawn with. */
  ink: string;
  alpha: number;
}

/** An outline; lines lie around x, y, width and height. */
export interface Frame extends Area {
  shape: "frame";
  colour: string;
  line: number;
  dashed: boolean;
  alpha: number;
}

export interface Words {
  shape: "words";
  x: number;
  /** The middle of the line. */
  y: number;
  text: string;
  font: Font;
  colour: string;
  /** x is where the text ends. */
  end: boolean;
  alpha: number;
}

/** Torn lines over an area: this is longer than it is drawn. */
export interface Tear extends Area {
  shape: "tear";
  colour: string;
}

/** An outline as in SVG; `stroke` and `fill` may be "". */
export interface Path {
  shape: "path";
  d: string;
  stroke: string;
  line: number;
  fill: string;
}

export type Shape = Fill | Frame | Words | Tear | Path;

/** Pixels, line by line, stretched over an area; each is 0xaabbggrr, as of an ImageData. */
export interface Image extends Area {
  pixels: Uint32Array<ArrayBuffer>;
  columns: number;
}

/** A part of a picture that is drawn for itself: nothing of it lies outside. Its edges are edges of device pixels. */
export interface Band extends Area {
  image: Image | null;
  shapes: Shape[];
}

export interface Picture {
  width: number;
  height: number;
  /** Device pixels for each of its own. */
  ratio: number;
  bands: readonly Band[];
}

export function plain(area: Area, fill: string, alpha = 1): Fill {
  return { shape: "fill", x: area.x, y: area.y, width: area.width, height: area.height, fill, pattern: "solid", ink: "#000000", alpha };
}

export function outline(area: Area, colour: string, line = 1, alpha = 1, dashed = false): Frame {
  return { shape: "frame", x: area.x, y: area.y, width: area.width, height: area.height, colour, line, dashed, alpha };
}

/** The same within an area: the lines lie inside it. */
export function edge(area: Area, colour: string, alpha = 1, dashed = false): Frame {
  return outline({ x: area.x + 0.5, y: area.y + 0.5, width: Math.max(0, area.width - 1), height: area.height - 1 }, colour, 1, alpha, dashed);
}

/** A band between places that are rounded to edges of device pixels. */
export function bandOf(x: number, y: number, right: number, bottom: number, ratio: number): Band {
  const at = (v: number): number => Math.round(v * ratio) / ratio;
  return { x: at(x), y: at(y), width: at(right) - at(x), height: at(bottom) - at(y), image: null, shapes: [] };
}

const TEAR_STEP = 8;

/** The lines of a tear, rising, cut at its area. */
export function tearLines(t: Area, line: (x0: number, y0: number, x1: number, y1: number) => void): void {
  for (let x = t.x - t.height; x < t.x + t.width; x += TEAR_STEP) {
    const from = Math.max(0, t.x - x);
    const to = Math.min(t.height, t.x + t.width - x);
    if (to > from) line(x + from, t.y + t.height - from, x + to, t.y + t.height - to);
  }
}

/** Words as far as there is room; "" when there is none. */
export function fitted(text: string, room: number, font: Font, measure: Measure): string {
  if (room < 18) return "";
  const width = measure(text, font);
  if (width <= room) return text;
  let length = Math.floor((text.length * room) / width) - 1;
  while (length >= 6 && measure(text.slice(0, length) + "…", font) > room) length--;
  return length < 6 ? "" : text.slice(0, length) + "…";
}

function sameArea(a: Area, b: Area): boolean {
  return a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
}

function sameImage(a: Image | null, b: Image | null): boolean {
  if (!a || !b) return a === b;
  if (a.columns !== b.columns || a.pixels.length !== b.pixels.length || !sameArea(a, b)) return false;
  for (let i = 0; i < a.pixels.length; i++) if (a.pixels[i] !== b.pixels[i]) return false;
  return true;
}

function sameShape(a: Shape, b: Shape): boolean {
  if (a.shape !== b.shape) return false;
  for (const key in a) if (a[key as keyof Shape] !== b[key as keyof Shape]) return false;
  return true;
}

/** Whether two bands show the same. */
export function sameBand(a: Band, b: Band): boolean {
  return a.shapes.length === b.shapes.length && sameArea(a, b) && sameImage(a.image, b.image) && a.shapes.every((s, i) => sameShape(s, b.shapes[i] as Shape));
}

/** Whether the bands of two pictures lie in the same places. */
export function sameFrame(a: Picture, b: Picture): boolean {
  return a.width === b.width && a.height === b.height && a.ratio === b.ratio && a.bands.length === b.bands.length &&
    a.bands.every((band, i) => sameArea(band, b.bands[i] as Band));
}
