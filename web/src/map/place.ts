// Where the picture's parts are on the canvas, and what is under a point of it.
import { chunkIn, hasChunks, pageAt, type Detail, type Run } from "./detail";
import type { Chunk } from "../data/chunks";
import { hilbertPlace, pieceAtPoint, placeAt, rowsFor, type Rows } from "./layout";
import { lanes } from "./cells";
import { LEFT, type Square } from "./scene";
import { addressAt, pieceAtPlace, type Line } from "./space";
import { HILBERT_ORDER } from "./square";
import { withPlaceAt, type Window } from "./window";

export interface Size {
  width: number;
  height: number;
}

export interface Places {
  rows: Rows;
  square: Square | null;
}

const EDGE = 10;

/** The rows, and beside them the square of the same window. `pageSize` 0: no pages are to be seen. */
export function placesFor(size: Size, square: boolean, span: number, pageSize: number): Places {
  const side = square ? Math.max(64, Math.floor(Math.min(size.height - 10, (size.width - LEFT) * 0.55))) : 0;
  const left = square ? EDGE + side + LEFT : LEFT;
  return {
    rows: rowsFor(left, Math.max(40, size.width - left - EDGE), size.height - 6, span, pageSize),
    square: square ? { x: EDGE, y: 4, side } : null,
  };
}

/** Share of the window under a point; null beside the picture. */
function shareAt(places: Places, x: number, y: number): number | null {
  const { square, rows } = places;
  if (!square || x >= square.x + square.side + 4) return placeAt({ from: 0, to: 1 }, rows, x, y);
  const count = 1 << HILBERT_ORDER;
  const cx = Math.floor(((x - square.x) / square.side) * count);
  const cy = Math.floor(((y - square.y) / square.side) * count);
  if (cx < 0 || cy < 0 || cx >= count || cy >= count) return null;
  return (hilbertPlace(HILBERT_ORDER, cx, cy) + 0.5) / (count * count);
}

/** Zooms a window around a point: what is under it stays there, also where rows get another height. */
export function zoomAt(line: Line, w: Window, factor: number, at: (span: number) => Places, x: number, y: number): Window {
  const span = w.to - w.from;
  const share = shareAt(at(span), x, y) ?? 0.5;
  const next = withPlaceAt(line, w.from + share * span, share, span / factor);
  const there = shareAt(at(next.to - next.from), x, y) ?? share;
  return withPlaceAt(line, w.from + share * span, there, next.to - next.from);
}

/** What is under a point. */
export interface Hit {
  piece: number;
  address: number;
  page: Run | null;
  chunk: Chunk | null;
}

export function hitAt(line: Line, w: Window, places: Places, ratio: number, detail: Detail | null, x: number, y: number): Hit | null {
  const share = shareAt(places, x, y);
  if (share === null) return null;
  const place = w.from + share * (w.to - w.from);
  const inRows = !places.square || x >= places.square.x + places.square.side + 4;
  const piece = inRows ? pieceAtPoint(line, w, places.rows, ratio, x, y) : pieceNear(line, place, w);
  const p = line.pieces[piece];
  if (!p) return null;
  const address = Math.floor(Math.min(p.start + p.size - 1, Math.max(p.start, addressAt(line, place))));
  const hit: Hit = { piece, address, page: null, chunk: null };
  if (!detail || !inRows || !places.rows.close || p.region < 0) return hit;
  const down = (y - places.rows.top) % places.rows.pitch;
  const { pages, chunks } = lanes(places.rows, hasChunks(detail, line, piece));
  if (down < pages.top) return hit;
  hit.page = pageAt(detail, address);
  hit.chunk = down >= chunks.top ? chunkIn(detail, address) : null;
  return hit;
}

/** What a cell of the square shows. */
function pieceNear(line: Line, place: number, w: Window): number {
  const half = (w.to - w.from) / (1 << (2 * HILBERT_ORDER)) / 2;
  const i = Math.max(0, pieceAtPlace(line, place - half));
  const next = line.next[i] ?? line.pieces.length;
  return (line.at[next] ?? Infinity) < place + half ? next : pieceAtPlace(line, place);
}

/** Pixels of the rows for each byte of what is not cut short. */
export function pixelsPerPlace(rows: Rows, span: number): number {
  return (rows.width * rows.count) / span;
}

/** Bytes between the ends of a window. */
export function bytesIn(line: Line, w: Window): number {
  return addressAt(line, w.to) - addressAt(line, w.from);
}
