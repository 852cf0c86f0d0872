// The address space as one line of pieces, and the scale that makes it fit: free space (terabytes between a few mappings) gets
// a share of the picture for all of it together, and of the rest no piece takes more than its share. What is longer is drawn
// cut short, everything else true to scale.
import type { Rows } from "../data/rows";
import type { Snapshot } from "../data/snapshot";
import type { Diff } from "../data/types";

export interface Piece {
  start: number;
  size: number;
  /** Row of regions; -1 for what no region has. */
  region: number;
  /** Row of blocks, or -1: the whole region, or a gap. */
  block: number;
  /** Row of gaps, or -1. */
  gap: number;
  /** Row of the diff's regions where a region was before and is no more; -1 else. */
  gone: number;
  kind: string;
}

/** What is drawn as empty ground: nobody has it. */
export function isEmpty(kind: string): boolean {
  return kind === "free" || kind === "unusable";
}

function free(start: number, size: number): Piece {
  return { start, size, region: -1, block: -1, gap: -1, gone: -1, kind: "free" };
}

/** No piece of what is mapped takes more than this share of all that is. */
const SHARE = 1 / 14;
/** Free space takes no more than this beside what is mapped: a third of the picture. */
const FREE_TO_MAPPED = 1 / 2;
/** Nothing is drawn shorter: a page. */
const CUT_LEAST = 4096;
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
    if (size > 0) pieces.push({ start, size, region, block: b, gap: -1, gone: -1, kind: s.blocks.text("kind", b) || kind });
  }
  if (!pieces.length) pieces.push({ start: s.regions.number("address", region), size: s.regions.number("size", region), region, block: -1, gap: -1, gone: -1, kind });
  return pieces;
}

/** What lies between the pieces when a document came without gaps. */
function fillGaps(pieces: Piece[]): Piece[] {
  const all: Piece[] = [];
  let at = 0;
  for (const p of pieces) {
    if (p.start > at) all.push(free(at, p.start - at));
    all.push(p);
    at = Math.max(at, p.start + p.size);
  }
  return all;
}

/** Regions that were before and are no more, by address. */
function gonePieces(diff: Diff | null): Piece[] {
  const found: Piece[] = [];
  (diff?.regions ?? []).forEach((row, gone) => {
    const was = row["was"] as { address?: unknown; end?: unknown; kind?: unknown } | null | undefined;
    if (row.state !== "gone" || !was || typeof was.address !== "string" || typeof was.end !== "string") return;
    const start = Number(was.address);
    const size = Number(was.end) - start;
    if (size > 0) found.push({ start, size, region: -1, block: -1, gap: -1, gone, kind: typeof was.kind === "string" ? was.kind : "private_data" });
  });
  return found.sort((a, b) => a.start - b.start);
}

/** Puts what is gone where nothing is now; where something else lies today that is drawn. */
function withGone(pieces: Piece[], gone: readonly Piece[]): Piece[] {
  if (!gone.length) return pieces;
  const last = pieces.at(-1);
  const end = last ? last.start + last.size : 0;
  const goneEnd = Math.max(...gone.map((g) => g.start + g.size));
  if (goneEnd > end) pieces.push(free(end, goneEnd - end));
  const all: Piece[] = [];
  let g = 0;
  for (const p of pieces) {
    if (!isEmpty(p.kind)) {
      all.push(p);
      continue;
    }
    let at = p.start;
    const until = p.start + p.size;
    while (g > 0 && (gone[g - 1]?.start ?? 0) + (gone[g - 1]?.size ?? 0) > at) g--;
    for (; g < gone.length; g++) {
      const one = gone[g] as Piece;
      const from = Math.max(one.start, at);
      const to = Math.min(one.start + one.size, until);
      if (one.start >= until) break;
      if (to <= from) continue;
      if (from > at) all.push({ ...p, start: at, size: from - at });
      all.push({ ...one, start: from, size: to - from });
      at = to;
    }
    if (at < until) all.push({ ...p, start: at, size: until - at });
  }
  return all;
}

/** Every piece of the user's address space, by address; `diff` adds what is gone. */
export function piecesOf(s: Snapshot, diff: Diff | null = null): Piece[] {
  const pieces: Piece[] = [];
  for (let r = 0; r < s.regions.count; r++) for (const p of regionPieces(s, r)) pieces.push(p);
  for (let g = 0; g < s.gaps.count; g++)
    pieces.push({ start: s.gaps.number("address", g), size: s.gaps.number("size", g), region: -1, block: -1, gap: g, gone: -1, kind: s.gaps.text("kind", g) || "free" });
  const user = pieces.filter((p) => p.start >= 0 && p.size > 0 && p.start < USER_END);
  user.sort((a, b) => a.start - b.start);
  return withGone(fillGaps(user), gonePieces(diff));
}

/** What pieces are made of. */
const LAYOUT = ["address", "size", "kind"] as const;

/** Whether two snapshots have the same pieces, as of a running target most have: there a column in which nothing changed is the same object. */
export function samePieces(a: Snapshot, b: Snapshot): boolean {
  const same = (x: Rows, y: Rows): boolean => x === y || (x.count === y.count && LAYOUT.every((id) => x.column(id) === y.column(id)));
  return same(a.regions, b.regions) && same(a.blocks, b.blocks) && same(a.gaps, b.gaps) && a.firstBlock.every((first, i) => first === b.firstBlock[i]);
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
    if (cut >= (sorted[sorted.length - k - 1] ?? 0) && cut <= (sorted[sorted.length - k] ?? 0)) return Math.max(cut, CUT_LEAST);
  }
  // Fewer pieces than shares: all as long as the smallest few.
  return Math.max(CUT_LEAST, sorted[Math.floor(sorted.length / 2)] ?? CUT_LEAST);
}

/** The longest that free pieces are drawn, so that they take no more than their share beside `mapped`; Infinity when they do not. */
export function longestFree(sizes: readonly number[], mapped: number): number {
  const room = mapped * FREE_TO_MAPPED;
  // By powers of two: how many begin with each, and how long they are together.
  const count = new Float64Array(64);
  const bytes = new Float64Array(64);
  let longer = sizes.length;
  let total = 0;
  for (const size of sizes) {
    const power = Math.floor(Math.log2(size));
    count[power] = (count[power] ?? 0) + 1;
    bytes[power] = (bytes[power] ?? 0) + size;
    total += size;
  }
  if (total <= room) return Infinity;
  let cut = CUT_LEAST;
  for (let power = 0, shorter = 0; power < 63; power++) {
    shorter += bytes[power] ?? 0;
    longer -= count[power] ?? 0;
    if (shorter + longer * 2 ** (power + 1) > room) break;
    cut = Math.max(CUT_LEAST, 2 ** (power + 1));
  }
  return cut;
}

/** Powers of two only: what a process maps and unmaps from one snapshot to the next seldom moves the whole picture then. */
function calmed(cut: number): number {
  return cut === Infinity ? cut : Math.max(CUT_LEAST, 2 ** Math.floor(Math.log2(cut)));
}

/** How long pieces are drawn at most: what is mapped, what is free. */
export interface Cuts {
  mapped: number;
  free: number;
}

function cutsOf(pieces: readonly Piece[]): Cuts {
  const mapped = pieces.filter((p) => !isEmpty(p.kind)).map((p) => p.size);
  const cut = calmed(longest(mapped));
  const length = mapped.reduce((sum, size) => sum + Math.min(size, cut), 0);
  return { mapped: cut, free: longestFree(pieces.filter((p) => isEmpty(p.kind)).map((p) => p.size), length) };
}

function cutOf(cuts: Cuts, p: Piece | undefined): number {
  return p && isEmpty(p.kind) ? cuts.free : cuts.mapped;
}

/** Places on the line of the picture: bytes, but for pieces that are cut short. */
export interface Line {
  pieces: readonly Piece[];
  /** Where piece i begins; one more for the end. */
  at: Float64Array;
  /** The first piece from i on that is more than empty ground; pieces.length when there is none. */
  next: Int32Array;
  length: number;
  /** Pieces longer than these are drawn so long. */
  cuts: Cuts;
}

export function lineOf(pieces: readonly Piece[], trueScale: boolean): Line {
  const count = pieces.length;
  const cuts = trueScale ? { mapped: Infinity, free: Infinity } : cutsOf(pieces);
  const at = new Float64Array(count + 1);
  const next = new Int32Array(count + 1).fill(count);
  for (let i = 0; i < count; i++) at[i + 1] = (at[i] ?? 0) + Math.min(pieces[i]?.size ?? 0, cutOf(cuts, pieces[i]));
  for (let i = count - 1; i >= 0; i--) next[i] = isEmpty(pieces[i]?.kind ?? "") ? (next[i + 1] ?? count) : i;
  return { pieces, at, next, length: at[count] ?? 0, cuts };
}

/** The last piece from `from` on that begins at or before a place; from - 1 when there is none. */
export function pieceAtPlace(line: Line, place: number, from = 0): number {
  let low = from;
  let high = line.pieces.length;
  // What is sought is mostly near: steps that double find the end of where to look.
  for (let step = 8; from > 0 && low + step < high; step *= 2) {
    if ((line.at[low + step] ?? Infinity) > place) {
      high = low + step;
      break;
    }
    low += step;
  }
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

/** Bytes of memory for each unit of the line within a piece: 1 unless it is cut short. */
export function stretchOf(line: Line, piece: number): number {
  const p = line.pieces[piece];
  const size = p?.size ?? 1;
  return size / Math.min(size, cutOf(line.cuts, p));
}

export function addressAt(line: Line, place: number): number {
  const i = Math.max(0, pieceAtPlace(line, place));
  const p = line.pieces[i];
  if (!p) return 0;
  const share = Math.min(1, Math.max(0, (place - (line.at[i] ?? 0)) / Math.min(p.size, cutOf(line.cuts, p))));
  return p.start + share * p.size;
}

/** Where an address within a piece is drawn. */
export function placeIn(line: Line, piece: number, address: number): number {
  return (line.at[piece] ?? 0) + (address - (line.pieces[piece]?.start ?? 0)) / stretchOf(line, piece);
}

export function placeOf(line: Line, address: number): number {
  const i = pieceAtAddress(line, address);
  if (i < 0) return address <= (line.pieces[0]?.start ?? 0) ? 0 : line.length;
  return placeIn(line, i, address);
}
