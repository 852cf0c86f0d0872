// Draws the address space on canvases: rows of pieces with labels, the Hilbert square, the strip of the whole, and on a
// canvas above them what is selected and pointed at. A step of zooming costs what is drawn, not what there is.
import { formatAddress } from "../data/rows";
import { canvasPaint } from "../kinds";
import type { Colours, Look } from "./colours";
import { cellsOf, paintDetail } from "./cells";
import type { Detail } from "./detail";
import { hilbertPieces, hilbertTable, walkRows, type Box, type Rows } from "./layout";
import { addressAt, stretchOf, type Line } from "./space";
import type { Window } from "./window";

export const LEFT = 118; // room for addresses before the rows
export const HILBERT_ORDER = 8;
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
  /** Kinds that are shown fully; null: all. */
  picked: readonly string[] | null;
  largestFree: number;
  detail: Detail | null;
  ink: Ink;
}

export function setUp(canvas: HTMLCanvasElement, s: { width: number; height: number; ratio: number }): CanvasRenderingContext2D | null {
  const w = Math.round(s.width * s.ratio);
  const h = Math.round(s.height * s.ratio);
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const context = canvas.getContext("2d");
  context?.setTransform(s.ratio, 0, 0, s.ratio, 0, 0);
  context?.clearRect(0, 0, s.width, s.height);
  return context;
}

export function lookOf(s: Scene, piece: number): Look {
  return s.colours.looks[s.colours.of[piece] ?? 0] ?? { fill: "#808080", edge: "#606060", ink: "#000000", pattern: "solid", entry: 0 };
}

function dimmed(s: Scene, piece: number): boolean {
  return s.picked !== null && !s.picked.includes(s.line.pieces[piece]?.kind ?? "");
}

/** "#rrggbb" as a pixel of an ImageData. */
function pixelOf(colour: string, alpha: number): number {
  const n = parseInt(colour.slice(1), 16) || 0;
  return ((alpha << 24) | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
}

/** Pixels of each look: as it is, and pale. */
function pixelsOf(s: Scene): { full: Uint32Array; pale: Uint32Array } {
  return {
    full: Uint32Array.from(s.colours.looks, (l) => pixelOf(l.fill, 255)),
    pale: Uint32Array.from(s.colours.looks, (l) => pixelOf(l.fill, 64)),
  };
}

let scratch: HTMLCanvasElement | null = null;
let image: ImageData | null = null;

/** A picture of the size in device pixels that is kept from step to step. */
function scratchImage(width: number, height: number): ImageData {
  if (!image || image.width !== width || image.height !== height) image = new ImageData(width, height);
  return image;
}

function scratchCanvas(from: ImageData): HTMLCanvasElement {
  scratch ??= document.createElement("canvas");
  if (scratch.width !== from.width || scratch.height !== from.height) {
    scratch.width = from.width;
    scratch.height = from.height;
  }
  scratch.getContext("2d")?.putImageData(from, 0, 0);
  return scratch;
}

const EDGED = 7; // narrower boxes have no edge
const MEASURED = new Map<string, number>();

function widthOf(c: CanvasRenderingContext2D, text: string): number {
  let w = MEASURED.get(text);
  if (w === undefined) {
    if (MEASURED.size > 4000) MEASURED.clear();
    w = c.measureText(text).width;
    MEASURED.set(text, w);
  }
  return w;
}

/** Words in a box as far as there is room; "" when there is none. */
export function fitted(c: CanvasRenderingContext2D, text: string, room: number): string {
  if (room < 18) return "";
  const width = widthOf(c, text);
  if (width <= room) return text;
  const length = Math.floor((text.length * room) / width) - 1;
  return length < 6 ? "" : text.slice(0, length) + "…";
}

/** Torn lines: this piece is longer than it is drawn. */
function tear(c: CanvasRenderingContext2D, b: Box, s: Scene): void {
  c.save();
  c.beginPath();
  c.rect(b.x, b.y, b.width, b.height);
  c.clip();
  c.strokeStyle = s.ink.dim;
  c.globalAlpha = 0.3;
  c.lineWidth = 1;
  c.beginPath();
  for (let x = b.x - b.height; x < b.x + b.width; x += 8) {
    c.moveTo(x, b.y + b.height);
    c.lineTo(x + b.height, b.y);
  }
  c.stroke();
  c.restore();
}

function words(c: CanvasRenderingContext2D, b: Box, s: Scene, look: Look, covered: boolean): void {
  const text = (b.piece === s.largestFree ? "largest free block · " : "") + s.label(b.piece);
  const shown = fitted(c, text, b.width - 12);
  if (!shown) return;
  const middle = b.y + b.height / 2 + 0.5;
  if (covered) {
    c.fillStyle = look.fill;
    c.fillRect(b.x + 3, b.y + 2, widthOf(c, shown) + 6, b.height - 4);
  }
  c.fillStyle = look.ink;
  c.fillText(shown, b.x + 6, middle);
}

function drawBox(c: CanvasRenderingContext2D, b: Box, s: Scene, patterns: Map<string, string | CanvasPattern>): void {
  const look = lookOf(s, b.piece);
  const cut = !s.rows.close && stretchOf(s.line, b.piece) > 1;
  c.globalAlpha = dimmed(s, b.piece) ? 0.25 : 1;
  if (look.pattern !== "solid") {
    let fill = patterns.get(look.pattern + look.fill);
    if (!fill) {
      fill = canvasPaint(c, { fill: look.fill, edge: look.edge, ink: look.ink === "#14171b" ? "#000000" : "#ffffff", pattern: look.pattern }, 1);
      patterns.set(look.pattern + look.fill, fill);
    }
    c.fillStyle = fill;
    c.fillRect(b.x, b.y, b.width, b.height);
  }
  if (cut) tear(c, b, s);
  if (s.line.pieces[b.piece]?.gone !== -1) c.setLineDash([4, 3]);
  c.strokeStyle = look.edge;
  c.lineWidth = 1;
  c.strokeRect(b.x + 0.5, b.y + 0.5, b.width - 1, b.height - 1);
  c.setLineDash([]);
  const cells = cellsOf(s, b.piece);
  const band = cells.pages || cells.chunks ? { ...b, height: BAND } : b;
  words(c, band, s, look, cut || look.pattern !== "solid");
  c.globalAlpha = 1;
}

function drawAddresses(c: CanvasRenderingContext2D, s: Scene): void {
  const { rows } = s;
  c.textBaseline = "middle";
  c.textAlign = "right";
  c.font = '11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
  c.fillStyle = s.ink.dim;
  const perRow = (s.window.to - s.window.from) / rows.count;
  const middle = rows.close && s.detail ? BAND / 2 : rows.height / 2;
  for (let r = 0; r < rows.count; r++)
    c.fillText(formatAddress(Math.floor(addressAt(s.line, s.window.from + r * perRow))).slice(2), rows.left - 10, rows.top + r * rows.pitch + middle);
  c.textAlign = "left";
  c.font = "11px system-ui, sans-serif";
}

/** Rows of pieces; returns how many share a pixel with another. */
export function paintRows(c: CanvasRenderingContext2D, s: Scene): number {
  const { rows } = s;
  const columns = Math.max(1, Math.round(rows.width * s.ratio));
  const scale = rows.width / columns;
  const target = scratchImage(columns, rows.count);
  const pixels = new Uint32Array(target.data.buffer).fill(0);
  const shades = pixelsOf(s);
  const boxes: Box[] = [];
  const hidden = walkRows(s.line, s.window, rows.count, columns, (row, from, to, piece) => {
    const shade = (s.picked !== null && dimmed(s, piece) ? shades.pale : shades.full)[s.colours.of[piece] ?? 0] ?? 0;
    if (to - from === 1) pixels[row * columns + from] = shade;
    else pixels.fill(shade, row * columns + from, row * columns + to);
    if ((to - from) * scale >= EDGED)
      boxes.push({ x: rows.left + from * scale, y: rows.top + row * rows.pitch, width: (to - from) * scale, height: rows.height, piece });
  });
  const small = scratchCanvas(target);
  c.imageSmoothingEnabled = false;
  for (let r = 0; r < rows.count; r++) c.drawImage(small, 0, r, columns, 1, rows.left, rows.top + r * rows.pitch, rows.width, rows.height);
  drawAddresses(c, s);
  const patterns = new Map<string, string | CanvasPattern>();
  for (const b of boxes) drawBox(c, b, s, patterns);
  if (rows.close && s.detail) paintDetail(c, s, s.detail);
  return hidden;
}

let cells: HTMLCanvasElement | null = null;

/** The square, cell by cell; returns the piece of each cell along the curve. */
export function paintHilbert(c: CanvasRenderingContext2D, s: Scene, square: Square): Int32Array {
  const found = hilbertPieces(s.line, s.window, HILBERT_ORDER);
  const table = hilbertTable(HILBERT_ORDER);
  const count = 1 << HILBERT_ORDER;
  const target = new ImageData(count, count);
  const pixels = new Uint32Array(target.data.buffer);
  const shades = pixelsOf(s);
  for (let d = 0; d < found.length; d++) {
    const piece = found[d] ?? -1;
    const shade = piece < 0 ? 0 : (s.picked !== null && dimmed(s, piece) ? shades.pale : shades.full)[s.colours.of[piece] ?? 0];
    pixels[table[d] ?? 0] = shade ?? 0;
  }
  cells ??= document.createElement("canvas");
  cells.width = cells.height = count;
  cells.getContext("2d")?.putImageData(target, 0, 0);
  c.imageSmoothingEnabled = false;
  c.drawImage(cells, square.x, square.y, square.side, square.side);
  c.strokeStyle = s.ink.strong;
  c.lineWidth = 1;
  c.strokeRect(square.x - 0.5, square.y - 0.5, square.side + 1, square.side + 1);
  return found;
}

/** The whole line as one strip. */
export function paintWhole(canvas: HTMLCanvasElement, s: Scene, width: number, height: number): void {
  const c = setUp(canvas, { width, height, ratio: s.ratio });
  if (!c) return;
  const columns = Math.max(1, Math.round(width * s.ratio));
  const target = scratchImage(columns, 1);
  const pixels = new Uint32Array(target.data.buffer).fill(0);
  const shades = pixelsOf(s);
  walkRows(s.line, { from: 0, to: s.line.length }, 1, columns, (_row, from, to, piece) => {
    pixels.fill((dimmed(s, piece) ? shades.pale : shades.full)[s.colours.of[piece] ?? 0] ?? 0, from, to);
  });
  c.imageSmoothingEnabled = false;
  c.drawImage(scratchCanvas(target), 0, 4, width, height - 8);
}
