// Where pieces are drawn: in rows like text, low addresses first, or in a Hilbert square, where what is near in the
// address space is near in the picture.
import { pieceAtPlace, type Line } from "./space";
import type { Window } from "./window";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Place among the pieces. */
  piece: number;
  /** Drawn cut short: its ends are torn. */
  cut: boolean;
}

export interface Rows {
  count: number;
  /** Height of a row with the space below it. */
  pitch: number;
  height: number;
  width: number;
}

export function rowsFor(width: number, height: number): Rows {
  const pitch = 26;
  return { count: Math.max(1, Math.floor(height / pitch)), pitch, height: pitch - 6, width };
}

export interface Drawn {
  boxes: Box[];
  /** Pieces that share a pixel with one that is drawn. */
  hidden: number;
}

/**
 * Boxes of the pieces in a window. `pixel` is the width of a device pixel: a piece smaller than that takes one, and
 * of several in one pixel the first that `matters` is drawn.
 */
export function rowBoxes(line: Line, w: Window, rows: Rows, pixel: number, matters: (piece: number) => boolean): Drawn {
  const boxes: Box[] = [];
  let hidden = 0;
  const perRow = (w.to - w.from) / rows.count;
  const scale = rows.width / perRow;
  for (let i = Math.max(0, pieceAtPlace(line, w.from)); i < line.pieces.length; i++) {
    const begin = line.at[i] ?? 0;
    if (begin >= w.to) break;
    const end = Math.min(line.at[i + 1] ?? begin, w.to);
    const from = Math.max(begin, w.from);
    if (end <= from) continue;
    const cut = (line.pieces[i]?.size ?? 0) > line.cut;
    for (let row = Math.floor((from - w.from) / perRow); row < rows.count; row++) {
      const rowStart = w.from + row * perRow;
      if (rowStart >= end) break;
      const x = Math.max(0, (from - rowStart) * scale);
      const right = Math.min(rows.width, (end - rowStart) * scale);
      if (right <= x) continue;
      const width = Math.max(right - x, pixel);
      const last = boxes.at(-1);
      const y = row * rows.pitch;
      if (last && width <= pixel && last.y === y && x < last.x + pixel && last.width <= pixel) {
        hidden++;
        if (!matters(last.piece) && matters(i)) last.piece = i;
        continue;
      }
      boxes.push({ x: width > right - x ? Math.min(x, rows.width - width) : x, y, width, height: rows.height, piece: i, cut });
    }
  }
  return { boxes, hidden };
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

/** For each cell of the square the piece that takes most of it; ties and small ones: the first that matters. */
export function hilbertPieces(line: Line, w: Window, order: number, matters: (piece: number) => boolean): Int32Array {
  const cells = 1 << (2 * order);
  const per = (w.to - w.from) / cells;
  const out = new Int32Array(cells).fill(-1);
  const most = new Float64Array(cells);
  for (let i = Math.max(0, pieceAtPlace(line, w.from)); i < line.pieces.length && (line.at[i] ?? 0) < w.to; i++) {
    const from = Math.max(line.at[i] ?? 0, w.from);
    const to = Math.min(line.at[i + 1] ?? 0, w.to);
    const weight = matters(i) ? 4 : 1; // a mapping is not hidden by the free space around it
    const last = Math.min(cells - 1, Math.ceil((to - w.from) / per) - 1);
    for (let c = Math.max(0, Math.floor((from - w.from) / per)); c <= last; c++) {
      const share = (Math.min(to, w.from + (c + 1) * per) - Math.max(from, w.from + c * per)) * weight;
      if (share > (most[c] ?? 0)) {
        most[c] = share;
        out[c] = i;
      }
    }
  }
  return out;
}
