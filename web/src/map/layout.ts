// Where pieces are drawn: in rows like text, low addresses first, or in a Hilbert square, where what is near in the
// address space is near in the picture.
import { pieceAtPlace, type Line } from "./space";
import type { Window } from "./window";

/** Rows of the picture: where they lie, and how many places each has. */
export interface Rows {
  /** Where the picture begins on the canvas. */
  left: number;
  top: number;
  count: number;
  /** Height of a row with the space below it. */
  pitch: number;
  height: number;
  width: number;
  /** Rows are high: there is room for pages and chunks in them. */
  close: boolean;
}

const PITCH = 26;
const CLOSE_PITCH = 60;
const SPACE = 6;
/** A page is drawn when it is so many pixels wide. */
export const PAGE_PIXELS = 3;

function rowsOf(left: number, width: number, height: number, close: boolean): Rows {
  const count = Math.max(1, Math.floor(height / (close ? CLOSE_PITCH : PITCH)));
  const pitch = Math.max(close ? CLOSE_PITCH : PITCH, Math.floor(height / count));
  return { left, top: 3, count, pitch, height: pitch - SPACE, width, close };
}

/** Rows for a window of `span` places: higher ones where single pages can be told apart; `pageSize` 0: never. */
export function rowsFor(left: number, width: number, height: number, span: number, pageSize: number): Rows {
  const close = rowsOf(left, width, height, true);
  return (pageSize * close.count * width) / span >= PAGE_PIXELS ? close : rowsOf(left, width, height, false);
}

/** Place under a point of the canvas; null beside the rows. */
export function placeAt(w: Window, rows: Rows, x: number, y: number): number | null {
  const row = Math.floor((y - rows.top + SPACE / 2) / rows.pitch);
  const share = (x - rows.left) / rows.width;
  if (row < 0 || row >= rows.count || share < 0 || share > 1) return null;
  return w.from + ((row + share) / rows.count) * (w.to - w.from);
}

/** Takes what one row shows from column to column; piece by piece, low addresses first. */
export type Visit = (row: number, from: number, to: number, piece: number) => void;

/**
 * Calls back for what is drawn in a window. Each row has so many columns (device pixels); of several pieces in one column the
 * first that is more than empty ground is drawn. It costs what is drawn, not what there is: pieces between are stepped over.
 * Returns how many pieces in the window are not drawn.
 */
export function walkRows(line: Line, w: Window, count: number, columns: number, visit: Visit): number {
  const n = line.pieces.length;
  const per = (w.to - w.from) / count / columns; // places of a column
  const first = Math.max(0, pieceAtPlace(line, w.from));
  let i = first; // holds the beginning of the column
  let drawn = -1;
  let shown = 0;
  for (let row = 0; row < count && i < n; row++) {
    const rowStart = w.from + row * columns * per;
    for (let c = 0; c < columns && i < n; ) {
      const start = rowStart + c * per;
      const end = start + per;
      let until = Math.ceil(((line.at[i + 1] ?? 0) - rowStart) / per);
      let piece = i;
      if (until - c <= 1) {
        // The piece ends in this column: others may begin in it.
        piece = inColumn(line, i, start, end);
        until = c + 1;
      } else if ((line.at[i + 1] ?? 0) < rowStart + until * per) until--; // its last column is shared
      until = Math.max(c + 1, Math.min(until, columns));
      visit(row, c, until, piece);
      if (piece !== drawn) shown++;
      drawn = piece;
      c = until;
      i = Math.max(i, pieceAtPlace(line, rowStart + c * per, i));
    }
  }
  const last = Math.min(n - 1, pieceAtPlace(line, w.to, first));
  return Math.max(0, last - first + 1 - shown - ((line.at[last] ?? 0) >= w.to ? 1 : 0));
}

/** What a column shows in which piece i ends. */
function inColumn(line: Line, i: number, start: number, end: number): number {
  const n = line.pieces.length;
  const own = line.next[i] === i;
  const next = line.next[i + 1] ?? n; // the first after it that is more than empty ground
  if (next >= n || (line.at[next] ?? 0) >= end) return i;
  if (!own) return next;
  // Both have something: whichever has no other column.
  return (line.at[i] ?? 0) < start && (line.at[next + 1] ?? 0) <= end ? next : i;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Place among the pieces. */
  piece: number;
}

/** The piece that is drawn under a point of the rows, or close beside it where there is only ground; -1 outside. */
export function pieceAtPoint(line: Line, w: Window, rows: Rows, ratio: number, x: number, y: number): number {
  if (placeAt(w, rows, x, y) === null) return -1;
  const columns = Math.max(1, Math.round(rows.width * ratio));
  const row = Math.floor((y - rows.top + SPACE / 2) / rows.pitch);
  const perRow = (w.to - w.from) / rows.count;
  const at = Math.min(columns - 1, Math.floor(((x - rows.left) / rows.width) * columns));
  const shownAt = (column: number): number => {
    const start = w.from + row * perRow + (column * perRow) / columns;
    const i = Math.max(0, pieceAtPlace(line, start));
    const end = start + perRow / columns;
    return (line.at[i + 1] ?? 0) < end ? inColumn(line, i, start, end) : i;
  };
  const found = shownAt(at);
  if (line.next[found] === found) return found;
  const reach = Math.ceil(2 * ratio);
  for (let d = 1; d <= reach; d++)
    for (const c of [at - d, at + d]) {
      const near = c >= 0 && c < columns ? shownAt(c) : found;
      if (line.next[near] === near) return near;
    }
  return found;
}

/** Parts of the rows that [from, to) of the line takes, on the canvas. */
export function partsOf(w: Window, rows: Rows, from: number, to: number): { row: number; x: number; y: number; width: number }[] {
  const perRow = (w.to - w.from) / rows.count;
  const parts: { row: number; x: number; y: number; width: number }[] = [];
  const low = Math.max(from, w.from);
  const high = Math.min(to, w.to);
  for (let row = Math.max(0, Math.floor((low - w.from) / perRow)); row < rows.count; row++) {
    const start = w.from + row * perRow;
    if (start >= high) break;
    const x = Math.max(0, ((low - start) / perRow) * rows.width);
    const right = Math.min(rows.width, ((high - start) / perRow) * rows.width);
    if (right > x) parts.push({ row, x: rows.left + x, y: rows.top + row * rows.pitch, width: right - x });
  }
  return parts;
}

/** Cell d of a Hilbert curve of 2^order by 2^order cells. */
export function hilbertCell(order: number, d: number): { x: number; y: number } {
  let x = 0;
  let y = 0;
  let t = d;
  for (let s = 1; s < 1 << order; s *= 2) {
    const rx = 1 & Math.floor(t / 2);
    const ry = 1 & (t ^ rx);
    if (ry === 0) {
      if (rx === 1) {
        x = s - 1 - x;
        y = s - 1 - y;
      }
      [x, y] = [y, x];
    }
    x += s * rx;
    y += s * ry;
    t = Math.floor(t / 4);
  }
  return { x, y };
}

export function hilbertPlace(order: number, x: number, y: number): number {
  let d = 0;
  for (let s = 1 << (order - 1); s > 0; s = Math.floor(s / 2)) {
    const rx = (x & s) > 0 ? 1 : 0;
    const ry = (y & s) > 0 ? 1 : 0;
    d += s * s * ((3 * rx) ^ ry);
    if (ry === 0) {
      if (rx === 1) {
        x = s - 1 - (x & (s - 1));
        y = s - 1 - (y & (s - 1));
      }
      [x, y] = [y, x];
    }
  }
  return d;
}

const cellTables = new Map<number, Uint32Array>();

/** For each cell along the curve its place in the square, row by row; made once for each order. */
export function hilbertTable(order: number): Uint32Array {
  let table = cellTables.get(order);
  if (!table) {
    table = new Uint32Array(1 << (2 * order));
    for (let d = 0; d < table.length; d++) {
      const { x, y } = hilbertCell(order, d);
      table[d] = (y << order) + x;
    }
    cellTables.set(order, table);
  }
  return table;
}

const LOOKED_AT = 8; // pieces of a cell that are compared

/** For each cell along the curve the piece that takes most of it; empty ground only where there is nothing else. */
export function hilbertPieces(line: Line, w: Window, order: number): Int32Array {
  const cells = 1 << (2 * order);
  const per = (w.to - w.from) / cells;
  const out = new Int32Array(cells).fill(-1);
  const n = line.pieces.length;
  let i = Math.max(0, pieceAtPlace(line, w.from));
  for (let c = 0; c < cells && i < n; c++) {
    const start = w.from + c * per;
    const end = start + per;
    i = Math.max(i, pieceAtPlace(line, start, i));
    let most = 0;
    let best = i;
    for (let k = line.next[i] ?? n, looked = 0; looked < LOOKED_AT && k < n && (line.at[k] ?? 0) < end; k = line.next[k + 1] ?? n, looked++) {
      const share = Math.min(line.at[k + 1] ?? 0, end) - Math.max(line.at[k] ?? 0, start);
      if (share > most) {
        most = share;
        best = k;
      }
    }
    out[c] = best;
  }
  return out;
}
