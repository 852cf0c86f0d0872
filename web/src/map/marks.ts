// What is marked in the picture, as stretches of its line: what is selected, what is pointed at, the largest free block.
import type { Chunk } from "../data/chunks";
import type { Snapshot } from "../data/snapshot";
import type { Diff } from "../data/types";
import { lanes } from "./cells";
import { chunkIn, hasChunks, pageAt, placesOf, type Detail, type Run } from "./detail";
import type { Rows } from "./layout";
import type { Marked, Marks } from "./overlay";
import type { Hit } from "./place";
import { pieceAtAddress, type Line, type Piece } from "./space";

export function pageSizeOf(s: Snapshot): number {
  return s.head.target.page_size ?? 4096;
}

/** Where the page begins that holds an address. */
export function pageStart(s: Snapshot, address: number): number {
  return Math.floor(address / pageSizeOf(s)) * pageSizeOf(s);
}

/** Pieces that an address stands for: of the region that begins there all, else the one that holds it. */
export function markedBy(s: Snapshot, line: Line, address: number | null): { first: number; last: number } | null {
  const one = address === null ? -1 : pieceAtAddress(line, address);
  const p = line.pieces[one];
  if (!p) return null;
  const same = (i: number): boolean => (p.gone >= 0 ? line.pieces[i]?.gone === p.gone : p.region >= 0 && line.pieces[i]?.region === p.region);
  if (p.gone < 0 && (p.region < 0 || address !== s.regions.number("address", p.region))) return { first: one, last: one };
  let first = one;
  let last = one;
  while (same(first - 1)) first--;
  while (same(last + 1)) last++;
  return { first, last };
}

/** The chunk that begins at an address, or the page in which it lies unless a piece begins there: what is selected in the near view. */
function cellAt(s: Snapshot, line: Line, detail: Detail | null, address: number | null): { chunk: Chunk | null; run: Run | null } {
  const marked = markedBy(s, line, address);
  if (!detail || address === null || !marked) return { chunk: null, run: null };
  const chunk = chunkIn(detail, address);
  if (chunk?.address === address) return { chunk, run: null };
  return { chunk: null, run: address !== line.pieces[marked.first]?.start ? pageAt(detail, address) : null };
}

/** Where a gone region began, also where something else lies there today; null for other pieces. */
export function goneStart(line: Line, diff: Diff | null, p: Piece): number | null {
  const was = p.gone >= 0 ? (diff?.regions[p.gone]?.["was"] as { address?: unknown } | undefined) : undefined;
  if (typeof was?.address !== "string") return null;
  const address = Number(was.address);
  return line.pieces[pieceAtAddress(line, address)]?.gone === p.gone ? address : null;
}

/** What a click on the picture selects; null: nothing that can be. */
export function addressOf(s: Snapshot, line: Line, diff: Diff | null, hit: Hit | null): number | null {
  const p = hit ? line.pieces[hit.piece] : undefined;
  if (!hit || !p || (p.region < 0 && p.gone < 0)) return null;
  if (hit.chunk) return hit.chunk.address;
  return hit.page ? pageStart(s, hit.address) : (goneStart(line, diff, p) ?? p.start);
}

export function marksOf(s: Snapshot, line: Line, rows: Rows, detail: Detail | null, selected: number | null, hit: Hit | null, largestFree: number): Marks {
  const whole = (first: number, last = first): Marked => ({ from: line.at[first] ?? 0, to: line.at[last + 1] ?? 0 });
  const ofChunk = (piece: number, k: Chunk): Marked => ({ ...placesOf(line, piece, k.start, k.start + k.stretch), lane: lanes(rows, true).chunks });
  const ofPage = (piece: number, address: number): Marked => {
    const start = pageStart(s, address);
    return { ...placesOf(line, piece, start, start + pageSizeOf(s)), lane: lanes(rows, hasChunks(detail, line, piece)).pages };
  };
  const marked = markedBy(s, line, selected);
  const { chunk, run } = cellAt(s, line, detail, selected);
  const picked = !marked || selected === null ? null : chunk ? ofChunk(marked.first, chunk) : run ? ofPage(marked.first, selected) : whole(marked.first, marked.last);
  const hot = !hit ? null : hit.chunk ? ofChunk(hit.piece, hit.chunk) : hit.page ? ofPage(hit.piece, hit.address) : whole(hit.piece);
  return { selected: picked, hot, free: largestFree >= 0 ? whole(largestFree) : null };
}
