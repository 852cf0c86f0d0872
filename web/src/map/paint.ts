// Draws the address space on a canvas: rows of boxes with labels, or the Hilbert square.
import { formatAddress } from "../data/rows";
import { bytes } from "../format";
import { hilbertCell, hilbertPieces, rowBoxes, rowsFor, type Box, type Rows } from "./layout";
import { addressAt, type Line } from "./space";
import type { Window } from "./window";

export const LEFT = 118; // room for addresses before the rows
export const HILBERT_ORDER = 8;

export interface Scene {
  line: Line;
  window: Window;
  width: number;
  height: number;
  ratio: number;
  colour(piece: number): string;
  edge(piece: number): string;
  /** What the piece is, for boxes with room for words. */
  label(piece: number): string;
  matters(piece: number): boolean;
  dimmed(piece: number): boolean;
  selected: ReadonlySet<number>;
  hot: number;
  largestFree: number;
  ink: { text: string; dim: string; ground: string; accent: string; line: string };
}

export interface Painted {
  boxes: readonly Box[];
  rows: Rows;
  hidden: number;
}

function setUp(canvas: HTMLCanvasElement, s: Scene): CanvasRenderingContext2D | null {
  const w = Math.round(s.width * s.ratio);
  const h = Math.round(s.height * s.ratio);
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const context = canvas.getContext("2d");
  context?.setTransform(s.ratio, 0, 0, s.ratio, 0, 0);
  context?.clearRect(0, 0, s.width, s.height);
  return context;
}

/** Torn lines: this piece is longer than it is drawn. */
function tear(c: CanvasRenderingContext2D, b: Box, s: Scene): void {
  c.strokeStyle = s.ink.dim;
  c.globalAlpha = 0.35;
  c.lineWidth = 1;
  c.beginPath();
  for (let x = b.x - b.height; x < b.x + b.width; x += 7) {
    c.moveTo(Math.max(b.x, x), b.y + b.height - Math.max(0, b.x - x));
    const over = Math.max(0, x + b.height - (b.x + b.width));
    c.lineTo(x + b.height - over, b.y + over);
  }
  c.stroke();
  c.globalAlpha = 1;
}

function words(c: CanvasRenderingContext2D, b: Box, s: Scene): void {
  const room = b.width - 10;
  if (room < 26) return;
  const text = (b.piece === s.largestFree ? "largest free block · " : "") + s.label(b.piece);
  let shown = text;
  if (c.measureText(shown).width > room) {
    const share = room / c.measureText(text).width;
    shown = text.slice(0, Math.max(0, Math.floor(text.length * share) - 2));
    if (shown.length < 4) return;
    shown += "…";
  }
  const width = c.measureText(shown).width;
  const ground = s.colour(b.piece);
  c.fillStyle = ground;
  c.globalAlpha = b.cut ? 0.92 : 0;
  c.fillRect(b.x + 4, b.y + 2, width + 4, b.height - 4);
  c.globalAlpha = 1;
  c.fillStyle = inkOn(ground);
  c.fillText(shown, b.x + 6, b.y + b.height / 2 + 0.5);
}

/** Black or white, whichever reads on a colour "#rrggbb". */
export function inkOn(colour: string): string {
  const n = parseInt(colour.slice(1), 16);
  const l = 0.299 * (n >> 16) + 0.587 * ((n >> 8) & 255) + 0.114 * (n & 255);
  return l > 140 ? "#14171b" : "#f4f6f8";
}

function frame(c: CanvasRenderingContext2D, b: Box, colour: string, width: number): void {
  c.strokeStyle = colour;
  c.lineWidth = width;
  c.strokeRect(b.x - width / 2, b.y - width / 2, Math.max(b.width, 2) + width, b.height + width);
}

export function paintRows(canvas: HTMLCanvasElement, s: Scene): Painted {
  const rows = rowsFor(s.width - LEFT - 8, s.height);
  const drawn = rowBoxes(s.line, s.window, rows, 1 / s.ratio, s.matters);
  const boxes = drawn.boxes.map((b) => ({ ...b, x: b.x + LEFT, y: b.y + 3 }));
  const c = setUp(canvas, s);
  if (!c) return { boxes, rows, hidden: drawn.hidden };
  c.textBaseline = "middle";
  c.font = '11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
  c.fillStyle = s.ink.dim;
  const perRow = (s.window.to - s.window.from) / rows.count;
  for (let r = 0; r < rows.count; r++)
    c.fillText(formatAddress(Math.floor(addressAt(s.line, s.window.from + r * perRow))).slice(2).padStart(12), 8, r * rows.pitch + 3 + rows.height / 2);
  c.font = "11px system-ui, sans-serif";
  for (const b of boxes) {
    c.globalAlpha = s.dimmed(b.piece) ? 0.25 : 1;
    c.fillStyle = s.colour(b.piece);
    c.fillRect(b.x, b.y, b.width, b.height);
    if (b.cut) tear(c, b, s);
    if (b.width > 3) {
      c.strokeStyle = s.edge(b.piece);
      c.lineWidth = 0.75;
      c.strokeRect(b.x + 0.4, b.y + 0.4, b.width - 0.8, b.height - 0.8);
    }
    words(c, b, s);
  }
  c.globalAlpha = 1;
  for (const b of boxes) {
    if (s.selected.has(b.piece)) frame(c, b, s.ink.accent, 2);
    else if (b.piece === s.hot) frame(c, b, s.ink.text, 1);
  }
  return { boxes, rows, hidden: drawn.hidden };
}

/** Side of the Hilbert square in pixels. */
export function squareSide(s: { width: number; height: number }): number {
  return Math.max(64, Math.min(s.width - LEFT, s.height) - 8);
}

/** Cells of the square by piece; painted into the middle of the canvas. */
export function paintHilbert(canvas: HTMLCanvasElement, s: Scene): Int32Array {
  const cells = hilbertPieces(s.line, s.window, HILBERT_ORDER, s.matters);
  const c = setUp(canvas, s);
  if (!c) return cells;
  const count = 1 << HILBERT_ORDER;
  const image = new ImageData(count, count);
  const colours = new Map<number, number>();
  const pixels = new Uint32Array(image.data.buffer);
  cells.forEach((piece, d) => {
    const { x, y } = hilbertCell(HILBERT_ORDER, d);
    let colour = colours.get(piece);
    if (colour === undefined) {
      const n = parseInt((piece < 0 ? "#808080" : s.colour(piece)).slice(1), 16);
      const alpha = piece >= 0 && s.dimmed(piece) ? 64 : 255;
      colour = ((alpha << 24) | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
      if (s.selected.has(piece) || piece === s.hot) {
        const a = parseInt(s.ink.accent.slice(1), 16) || 0;
        colour = ((255 << 24) | ((a & 255) << 16) | (a & 0xff00) | (a >> 16)) >>> 0;
      }
      colours.set(piece, colour);
    }
    pixels[y * count + x] = colour;
  });
  const small = document.createElement("canvas");
  small.width = small.height = count;
  small.getContext("2d")?.putImageData(image, 0, 0);
  c.imageSmoothingEnabled = false;
  const side = squareSide(s);
  c.drawImage(small, LEFT, 4, side, side);
  c.strokeStyle = s.ink.line;
  c.strokeRect(LEFT - 0.5, 3.5, side + 1, side + 1);
  c.fillStyle = s.ink.dim;
  c.font = "11px system-ui, sans-serif";
  c.textBaseline = "top";
  c.fillText("A cell is " + bytes((s.window.to - s.window.from) / (count * count)), 8, 6, LEFT - 14);
  c.fillText("Neighbours stay", 8, 22, LEFT - 14);
  c.fillText("neighbours", 8, 37, LEFT - 14);
  return cells;
}

/** The whole line as one strip with the window in it. */
export function paintOverview(canvas: HTMLCanvasElement, s: Scene): void {
  const c = setUp(canvas, s);
  if (!c) return;
  const whole = { from: 0, to: s.line.length };
  const rows: Rows = { count: 1, pitch: s.height, height: s.height - 6, width: s.width };
  for (const b of rowBoxes(s.line, whole, rows, 1 / s.ratio, s.matters).boxes) {
    c.fillStyle = s.colour(b.piece);
    c.fillRect(b.x, b.y + 3, b.width, b.height);
  }
  const x = (s.window.from / s.line.length) * s.width;
  const width = Math.max(3, ((s.window.to - s.window.from) / s.line.length) * s.width);
  c.strokeStyle = s.ink.accent;
  c.lineWidth = 2;
  c.strokeRect(Math.min(x, s.width - width) + 1, 1, Math.max(1, width - 2), s.height - 2);
}
