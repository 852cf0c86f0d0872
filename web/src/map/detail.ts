// Pages and chunks of what is in sight: what is asked for, what is kept of the answers, and where an address is in them.
import type { Chunk } from "../data/chunks";
import { chunkAt } from "../data/chunks";
import type { Snapshot } from "../data/snapshot";
import { placeIn, pieceAtPlace, stretchOf, type Line } from "./space";
import { PAGE_PIXELS } from "./layout";
import type { Window } from "./window";

/** Pages of equal state. */
export interface Run {
  address: number;
  end: number;
  state: string;
}

export interface Detail {
  pageSize: number;
  /** By address. */
  runs: readonly Run[];
  /** By start. */
  chunks: readonly Chunk[];
}

export interface Stretch {
  start: number;
  end: number;
  /** Of a heap: its id. */
  heap: string;
}

/** A stretch without a piece of so much in between is asked for at once. */
const BRIDGE = 1 << 20;
/** No more than these are asked for at a time. */
const MOST_STRETCHES = 6;
/** In so much of a heap its chunks are asked for. */
export const CHUNKS_SPAN = 2 << 20;

/** What of the window is near enough for its pages (`pixels` of a page unless the piece is cut short) or chunks to be seen. */
export function stretchesOf(s: Snapshot, line: Line, w: Window, pagePixels: number, pageSize: number): Stretch[] {
  const found: Stretch[] = [];
  if (pagePixels < PAGE_PIXELS) return found; // what is cut short has even smaller ones
  for (let i = Math.max(0, pieceAtPlace(line, w.from)); i < line.pieces.length && (line.at[i] ?? 0) < w.to; i++) {
    const p = line.pieces[i];
    if (!p || p.region < 0 || pagePixels / stretchOf(line, i) < PAGE_PIXELS) continue;
    const low = p.start + Math.max(0, w.from - (line.at[i] ?? 0)) * stretchOf(line, i);
    const high = Math.min(p.start + p.size, p.start + (w.to - (line.at[i] ?? 0)) * stretchOf(line, i));
    const start = Math.floor(low / pageSize) * pageSize;
    const end = Math.ceil(high / pageSize) * pageSize;
    const heap = s.regions.text("heap", p.region);
    const last = found.at(-1);
    if (last && last.heap === heap && start - last.end <= BRIDGE) last.end = Math.max(last.end, end);
    else found.push({ start, end, heap });
    if (found.length > MOST_STRETCHES) return found.slice(0, MOST_STRETCHES);
  }
  return found;
}

/** The first of sorted things that ends behind an address. */
export function firstBehind<T>(all: readonly T[], address: number, end: (one: T) => number): number {
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (end(all[middle] as T) <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function pageAt(d: Detail, address: number): Run | null {
  const run = d.runs[firstBehind(d.runs, address, (r) => r.end)];
  return run && run.address <= address ? run : null;
}

export function chunkIn(d: Detail, address: number): Chunk | null {
  return chunkAt(d.chunks, address);
}

/** Whether chunks of a piece are known. */
export function hasChunks(d: Detail | null, line: Line, piece: number): boolean {
  const p = line.pieces[piece];
  if (!p || !d) return false;
  const chunk = d.chunks[firstBehind(d.chunks, p.start, (k) => k.start + k.stretch)];
  return chunk !== undefined && chunk.start < p.start + p.size;
}

/** Places of the line that [start, end) takes within a piece. */
export function placesOf(line: Line, piece: number, start: number, end: number): { from: number; to: number } {
  const p = line.pieces[piece];
  const low = Math.max(start, p?.start ?? 0);
  const high = Math.min(end, (p?.start ?? 0) + (p?.size ?? 0));
  return { from: placeIn(line, piece, low), to: placeIn(line, piece, high) };
}
