// All that the picture of the address space is a function of.
import type { Colours, Look } from "./colours";
import type { Detail } from "./detail";
import type { Rows } from "./layout";
import type { Measure } from "./shapes";
import type { Line } from "./space";
import type { Window } from "./window";

export const LEFT = 118; // room for addresses before the rows
/** Height of a piece itself where its pages are drawn below it. */
export const BAND = 17;

export interface Ink {
  text: string;
  dim: string;
  ground: string;
  accent: string;
  line: string;
  strong: string;
  /** A variable of the style sheet. */
  of(name: string): string;
}

export interface Square {
  x: number;
  y: number;
  side: number;
}

export interface Scene {
  line: Line;
  window: Window;
  rows: Rows;
  square: Square | null;
  width: number;
  height: number;
  ratio: number;
  colours: Colours;
  /** What the piece is, for boxes with room for words. */
  label(piece: number): string;
  measure: Measure;
  /** Kinds that are shown fully; null: all. */
  picked: readonly string[] | null;
  largestFree: number;
  detail: Detail | null;
  ink: Ink;
}

export function lookOf(s: Scene, piece: number): Look {
  return s.colours.looks[s.colours.of[piece] ?? 0] ?? { fill: "#808080", edge: "#606060", ink: "#000000", pattern: "solid", entry: 0 };
}

/** Black or white: what a pattern on such a look is drawn with. */
export function patternInk(look: Pick<Look, "ink">): string {
  return look.ink === "#14171b" ? "#000000" : "#ffffff";
}

export function dimmed(s: Scene, piece: number): boolean {
  return s.picked !== null && !s.picked.includes(s.line.pieces[piece]?.kind ?? "");
}

/** "#rrggbb" as a pixel of an image. */
export function pixelOf(colour: string, alpha = 255): number {
  const n = parseInt(colour.slice(1), 16) || 0;
  return ((alpha << 24) | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
}

/** The pixel of each piece: as it is, or pale. */
export function pixelsOf(s: Scene): (piece: number) => number {
  const full = Uint32Array.from(s.colours.looks, (l) => pixelOf(l.fill));
  const pale = Uint32Array.from(s.colours.looks, (l) => pixelOf(l.fill, 64));
  return (piece) => (s.picked !== null && dimmed(s, piece) ? pale : full)[s.colours.of[piece] ?? 0] ?? 0;
}

/** Colours of the style sheet that are in force. */
export function inkOf(): Ink {
  const style = getComputedStyle(document.documentElement);
  const known = new Map<string, string>(); // asking the style sheet may lay out the page
  const of = (name: string): string => {
    const value = known.get(name) ?? style.getPropertyValue(name).trim();
    known.set(name, value);
    return value;
  };
  return { text: of("--text"), dim: of("--dim"), ground: of("--ground"), accent: of("--accent"), line: of("--line"), strong: of("--strong"), of };
}
