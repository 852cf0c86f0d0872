// What the rows of the picture show: pieces with labels, and from near their pages and chunks. Zooming costs what is drawn, not
// what there is.
import { formatAddress } from "../data/rows";
import { cellsOf, putDetail } from "./cells";
import { partsOf, walkRows, type Box } from "./layout";
import { BAND, dimmed, LEFT, lookOf, patternInk, pixelsOf, type Scene } from "./scene";
import { bandOf, edge, fitted, plain, type Band } from "./shapes";
import { addressAt, stretchOf } from "./space";
import type { Look } from "./colours";

const EDGED = 7; // narrower boxes have no edge
const ABOVE = 2; // pixels between the bracket of one row and the next row

function putWords(band: Band, b: Box, s: Scene, look: Look, covered: boolean, alpha: number): void {
  const text = (b.piece === s.largestFree ? "largest free block · " : "") + s.label(b.piece);
  const shown = fitted(text, b.width - 12, "label", s.measure);
  if (!shown) return;
  if (covered) band.shapes.push(plain({ x: b.x + 3, y: b.y + 2, width: s.measure(shown, "label") + 6, height: b.height - 4 }, look.fill, alpha));
  band.shapes.push({ shape: "words", x: b.x + 6, y: b.y + b.height / 2 + 0.5, text: shown, font: "label", colour: look.ink, end: false, alpha });
}

function putBox(band: Band, b: Box, s: Scene): void {
  const look = lookOf(s, b.piece);
  const cut = !s.rows.close && stretchOf(s.line, b.piece) > 1;
  const alpha = dimmed(s, b.piece) ? 0.25 : 1;
  if (look.pattern !== "solid") band.shapes.push({ ...plain(b, look.fill, alpha), pattern: look.pattern, ink: patternInk(look) });
  if (cut) band.shapes.push({ shape: "tear", x: b.x, y: b.y, width: b.width, height: b.height, colour: s.ink.dim });
  band.shapes.push(edge(b, look.edge, alpha, s.line.pieces[b.piece]?.gone !== -1));
  const cells = cellsOf(s, b.piece);
  putWords(band, cells.pages || cells.chunks ? { ...b, height: BAND } : b, s, look, cut || look.pattern !== "solid", alpha);
}

/** Each row with its address. */
function emptyRows(s: Scene): Band[] {
  const { rows } = s;
  const perRow = (s.window.to - s.window.from) / rows.count;
  const middle = rows.close && s.detail ? BAND / 2 : rows.height / 2;
  return Array.from({ length: rows.count }, (_, r) => {
    const y = rows.top + r * rows.pitch;
    const band = bandOf(rows.left - LEFT, y - ABOVE, s.width, y + rows.pitch - ABOVE, s.ratio);
    const text = formatAddress(Math.floor(addressAt(s.line, s.window.from + r * perRow))).slice(2);
    band.shapes.push({ shape: "words", x: rows.left - 10, y: y + middle, text, font: "address", colour: s.ink.dim, end: true, alpha: 1 });
    return band;
  });
}

/** The largest free block: a bracket below it, whatever its size. */
function putBracket(bands: readonly Band[], s: Scene): void {
  if (s.largestFree < 0) return;
  for (const p of partsOf(s.window, s.rows, s.line.at[s.largestFree] ?? 0, s.line.at[s.largestFree + 1] ?? 0)) {
    const y = p.y + s.rows.height + 1.5;
    const right = p.x + Math.max(3, p.width - 1);
    bands[p.row]?.shapes.push({ shape: "path", d: `M${p.x + 1} ${y - 4}V${y}H${right}V${y - 4}`, stroke: s.ink.of("--good"), line: 2, fill: "" });
  }
}

/** A band for each row; `hidden` pieces share a pixel with another. */
export function rowBands(s: Scene): { bands: Band[]; hidden: number } {
  const { rows } = s;
  const columns = Math.max(1, Math.round(rows.width * s.ratio));
  const scale = rows.width / columns;
  const pixels = new Uint32Array(columns * rows.count);
  const pixel = pixelsOf(s);
  const bands = emptyRows(s);
  const hidden = walkRows(s.line, s.window, rows.count, columns, (row, from, to, piece) => {
    if (to - from === 1) pixels[row * columns + from] = pixel(piece);
    else pixels.fill(pixel(piece), row * columns + from, row * columns + to);
    const band = bands[row];
    if (band && (to - from) * scale >= EDGED)
      putBox(band, { x: rows.left + from * scale, y: rows.top + row * rows.pitch, width: (to - from) * scale, height: rows.height, piece }, s);
  });
  bands.forEach((band, r) => {
    band.image = { pixels: pixels.subarray(r * columns, (r + 1) * columns), columns, x: rows.left, y: rows.top + r * rows.pitch, width: rows.width, height: rows.height };
  });
  if (rows.close && s.detail) putDetail(bands, s, s.detail);
  putBracket(bands, s);
  return { bands, hidden };
}

/** Pixels of the whole line in one row. */
export function wholePixels(s: Scene, columns: number): Uint32Array<ArrayBuffer> {
  const pixels = new Uint32Array(columns);
  const pixel = pixelsOf(s);
  walkRows(s.line, { from: 0, to: s.line.length }, 1, columns, (_row, from, to, piece) => pixels.fill(pixel(piece), from, to));
  return pixels;
}
