// The address space as one line of pieces, and the scale that makes it fit: what takes more than its share of the
// picture (terabytes of free space, reservations) is drawn cut short, everything else true to scale.
import type { Snapshot } from "../data/snapshot";

export interface Piece {
  start: number;
  size: number;
  /** Row of regions; -1 for what no region has. */
  region: number;
  /** Row of blocks, or -1: the whole region, or a gap. */
  block: number;
  /** Row of gaps, or -1. */
  gap: number;
  kind: string;
}

/** No piece takes more than this share of the picture. */
const SHARE = 1 / 14;
/** The kernel's half of the address space begins here: what lies there is left out of the picture. */
const USER_END = 2 ** 56;

function regionPieces(s: Snapshot, region: number): Piece[] {
  const kind = s.regions.text("kind", region);
  const first = s.firstBlock[region] ?? 0;
  const end = s.firstBlock[region + 1] ?? first;
  const pieces: Piece[] = [];
  for (let b = first; b < end; b++) {
    const start = s.blocks.number("address", b);
    const size = s.blocks.number("size", b);
    if (size > 0) pieces.push({ start, size, region, block: b, gap: -1, kind: s.blocks.text("kind", b) || kind });
  }
  if (!pieces.length) pieces.push({ start: s.regions.number("address", region), size: s.regions.number("size", region), region, block: -1, gap: -1, kind });
  return pieces;
}

/** What lies between the pieces when a document came without gaps. */
function fillGaps(pieces: Piece[]): Piece[] {
  const all: Piece[] = [];
  let at = 0;
  for (const p of pieces) {
    if (p.start > at) all.push({ start: at, size: p.start - at, region: -1, block: -1, gap: -1, kind: "free" });
    all.push(p);
    at = Math.max(at, p.start + p.size);
  }
  return all;
}

/** Every piece of the user's address space, by address. */
export function piecesOf(s: Snapshot): Piece[] {
  const pieces: Piece[] = [];
  for (let r = 0; r < s.regions.count; r++) pieces.push(...regionPieces(s, r));
  for (let g = 0; g < s.gaps.count; g++)
    pieces.push({ start: s.gaps.number("address", g), size: s.gaps.number("size", g), region: -1, block: -1, gap: g, kind: s.gaps.text("kind", g) || "free" });
  const user = pieces.filter((p) => p.start >= 0 && p.size > 0 && p.start < USER_END);
  user.sort((a, b) => a.start - b.start);
  return fillGaps(user);
}

/** The longest that a piece is drawn, so that none takes more than its share of all; Infinity when none does. */
export function longest(sizes: readonly number[]): number {
  const sorted = [...sizes].sort((a, b) => a - b);
  let below = 0;
  // With the largest k cut to c: c = SHARE * (below + k * c); the first k for which that leaves all others below c.
  const sums = sorted.map((v) => (below += v));
  if (!sorted.length || (sorted.at(-1) ?? 0) <= SHARE * (sums.at(-1) ?? 0)) return Infinity;
  for (let k = 1; k <= sorted.length; k++) {
    if (k * SHARE >= 1) break;
    const rest = sums[sorted.length - k - 1] ?? 0;
    const cut = (SHARE * rest) / (1 - k * SHARE);
    if (cut >= (sorted[sorted.length - k - 1] ?? 0) && cut <= (sorted[sorted.length - k] ?? 0)) return Math.max(cut, 4096);
  }
  // Fewer pieces than shares: all as long as the smallest few.
  return Math.max(4096, sorted[Math.floor(sorted.length / 2)] ?? 4096);
}

/** Places on the line of the picture: bytes, but for pieces that are cut short. */
export interface Line {
  pieces: readonly Piece[];
  /** Where piece i begins; one more for the end. */
  at: Float64Array;
  length: number;
  /** Pieces longer than this are drawn so long. */
  cut: number;
}

export function lineOf(pieces: readonly Piece[], trueScale: boolean): Line {
  const cut = trueScale ? Infinity : longest(pieces.map((p) => p.size));
  const at = new Float64Array(pieces.length + 1);
  pieces.forEach((p, i) => {
    at[i + 1] = (at[i] ?? 0) + Math.min(p.size, cut);
  });
  return { pieces, at, length: at[pieces.length] ?? 0, cut };
}

/** The last piece that begins at or before a place; -1 when there is none. */
export function pieceAtPlace(line: Line, place: number): number {
  let low = 0;
  let high = line.pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((line.at[middle] ?? Infinity) <= place) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The piece that holds an address; -1 when none does. */
export function pieceAtAddress(line: Line, address: number): number {
  let low = 0;
  let high = line.pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((line.pieces[middle]?.start ?? Infinity) <= address) low = middle + 1;
    else high = middle;
  }
  const p = line.pieces[low - 1];
  return p && address < p.start + p.size ? low - 1 : -1;
}

export function addressAt(line: Line, place: number): number {
  const i = Math.max(0, pieceAtPlace(line, place));
  const p = line.pieces[i];
  if (!p) return 0;
  const drawn = Math.min(p.size, line.cut);
  const share = Math.min(1, Math.max(0, (place - (line.at[i] ?? 0)) / drawn));
  return p.start + share * p.size;
}

export function placeOf(line: Line, address: number): number {
  const i = pieceAtAddress(line, address);
  const p = line.pieces[i];
  if (!p) return address <= (line.pieces[0]?.start ?? 0) ? 0 : line.length;
  return (line.at[i] ?? 0) + ((address - p.start) / p.size) * Math.min(p.size, line.cut);
}
