// Pages and chunks in the rows of the picture, below the piece that they are of.
import type { Chunk } from "../data/chunks";
import { STATES } from "../data/heaps";
import { thousands } from "../format";
import { PAGE_STATES } from "../grid/pages";
import { luminance, type Pattern } from "../kinds";
import { firstBehind, hasChunks, placesOf, type Detail } from "./detail";
import { PAGE_PIXELS, partsOf, type Rows } from "./layout";
import { BAND, patternInk, type Ink, type Scene } from "./scene";
import { edge, fitted, plain, type Band } from "./shapes";
import { pieceAtPlace, stretchOf } from "./space";

const GAP = 2;
const PAGES_BESIDE = 13; // height of pages where chunks are drawn too

/** Patterns beside the colours: what is not plainly there is told by eyes that see no colours too. */
const PAGE_PATTERNS: Readonly<Record<string, Pattern>> = { swapped: "rise", guard: "cross", zero: "dots" };
const CHUNK_PATTERNS: Readonly<Record<string, Pattern>> = { free: "rise", cached: "rise", fast: "rise", reserved: "fall" };

export interface Lane {
  top: number;
  height: number;
}

/** Where pages and chunks are drawn within a row. */
export function lanes(rows: Rows, both: boolean): { pages: Lane; chunks: Lane } {
  const below = rows.height - BAND - GAP;
  const pages = { top: BAND + GAP, height: both ? PAGES_BESIDE : below };
  const begin = BAND + GAP + PAGES_BESIDE + GAP;
  return { pages, chunks: { top: begin, height: rows.height - begin } };
}

interface Paint {
  fill: string;
  ink: string;
  pattern: Pattern;
}

/** Fills by state, made once for each picture. */
class Paints {
  private readonly made = new Map<string, Paint>();

  constructor(private readonly ink: Ink) {}

  get(id: string, variable: string, pattern: Pattern = "solid"): Paint {
    let p = this.made.get(id);
    if (!p) {
      const value = this.ink.of(variable);
      const fill = /^#[0-9a-f]{6}$/i.test(value) ? value : this.ink.ground;
      p = { fill, ink: luminance(fill) > 0.24 ? "#14171b" : "#f4f6f8", pattern };
      this.made.set(id, p);
    }
    return p;
  }
}

/** Where cells go: the rows, and how high they are in them. */
interface Target {
  s: Scene;
  d: Detail;
  bands: readonly Band[];
  lane: Lane;
  paints: Paints;
}

interface Cell {
  from: number;
  to: number;
  paint: Paint;
  /** The longest of these that fits stands in the cell. */
  texts: readonly string[];
}

function putCell({ s, bands, lane }: Target, cell: Cell): void {
  const { paint } = cell;
  for (const p of partsOf(s.window, s.rows, cell.from, cell.to)) {
    const shapes = bands[p.row]?.shapes ?? [];
    const area = { x: p.x, y: p.y + lane.top, width: p.width, height: lane.height };
    const patterned = paint.pattern !== "solid";
    shapes.push(plain({ ...area, width: Math.max(0.6, p.width) }, paint.fill));
    // The pattern speaks more softly than the words.
    if (p.width > 3 && patterned) shapes.push({ ...plain(area, paint.fill, 0.4), pattern: paint.pattern, ink: patternInk(paint) });
    if (p.width < 4) continue;
    shapes.push(edge(area, paint.fill === s.ink.ground ? s.ink.line : s.ink.ground));
    const shown = p.width < 16 ? undefined : cell.texts.find((text) => fitted(text, p.width - 9, "cell", s.measure) === text);
    if (!shown || lane.height < 11) continue;
    if (patterned) shapes.push(plain({ x: p.x + 3, y: area.y + 2, width: s.measure(shown, "cell") + 5, height: lane.height - 4 }, paint.fill));
    shapes.push({ shape: "words", x: p.x + 5, y: area.y + lane.height / 2 + 0.5, text: shown, font: "cell", colour: paint.ink, end: false, alpha: 1 });
  }
}

/** Ground below a piece, in which its cells lie. */
function putGround(bands: readonly Band[], s: Scene, piece: number): void {
  for (const p of partsOf(s.window, s.rows, s.line.at[piece] ?? 0, s.line.at[piece + 1] ?? 0)) {
    const area = { x: p.x, y: p.y + BAND, width: p.width, height: s.rows.height - BAND };
    bands[p.row]?.shapes.push(plain({ ...area, height: area.height + 1 }, s.ink.ground), edge(area, s.ink.line));
  }
}

function putPages(to: Target, piece: number): void {
  const { s, d, paints } = to;
  const p = s.line.pieces[piece];
  if (!p) return;
  const wide = (d.pageSize / stretchOf(s.line, piece)) * ((s.rows.width * s.rows.count) / (s.window.to - s.window.from));
  for (let i = firstBehind(d.runs, p.start, (r) => r.end); i < d.runs.length; i++) {
    const run = d.runs[i];
    if (!run || run.address >= p.start + p.size) break;
    const paint = paints.get("page-" + run.state, "--page-" + run.state.replace(/[^a-z]/g, ""), PAGE_PATTERNS[run.state]);
    const texts = [PAGE_STATES.find((state) => state.id === run.state)?.label ?? run.state];
    if (wide < PAGE_PIXELS) {
      putCell(to, { ...placesOf(s.line, piece, run.address, run.end), paint, texts });
      continue;
    }
    // Only those in sight: a run may be long.
    const seen = placesOf(s.line, piece, run.address, run.end);
    const per = d.pageSize / stretchOf(s.line, piece);
    const first = Math.max(0, Math.floor((s.window.from - seen.from) / per));
    for (let at = seen.from + first * per; at < Math.min(seen.to, s.window.to) - per / 1000; at += per)
      putCell(to, { from: at, to: Math.min(at + per, seen.to), paint, texts });
  }
}

function chunkPaint(paints: Paints, chunk: Chunk): Paint {
  const look = STATES.find((state) => state.id === chunk.state)?.look ?? "reserved";
  return paints.get("chunk-" + chunk.state, look === "reserved" ? "--canvas" : "--state-" + look, CHUNK_PATTERNS[chunk.state]);
}

function putChunks(to: Target, piece: number): void {
  const { s, d, paints } = to;
  const p = s.line.pieces[piece];
  if (!p) return;
  const pixel = (s.window.to - s.window.from) / (s.rows.width * s.rows.count * s.ratio);
  let drawn = -Infinity;
  for (let i = firstBehind(d.chunks, Math.max(p.start, p.start + (s.window.from - (s.line.at[piece] ?? 0)) * stretchOf(s.line, piece)), (k) => k.start + k.stretch); i < d.chunks.length; i++) {
    const chunk = d.chunks[i];
    if (!chunk || chunk.start >= p.start + p.size) break;
    const places = placesOf(s.line, piece, chunk.start, chunk.start + chunk.stretch);
    if (places.from >= s.window.to) break;
    if (places.to < drawn + pixel) continue; // shares a pixel with the one before
    drawn = places.to;
    const state = STATES.find((one) => one.id === chunk.state)?.label ?? chunk.state;
    putCell(to, { ...places, paint: chunkPaint(paints, chunk), texts: [`${state} ${thousands(chunk.size)}`, thousands(chunk.size)] });
  }
}

/** Which of both there is of a piece. */
export function cellsOf(s: Scene, piece: number): { pages: boolean; chunks: boolean } {
  const p = s.line.pieces[piece];
  const d = s.detail;
  if (!p || p.region < 0 || !d || !s.rows.close) return { pages: false, chunks: false };
  const run = d.runs[firstBehind(d.runs, p.start, (r) => r.end)];
  return { pages: run !== undefined && run.address < p.start + p.size, chunks: hasChunks(d, s.line, piece) };
}

export function putDetail(bands: readonly Band[], s: Scene, d: Detail): void {
  const paints = new Paints(s.ink);
  for (let i = Math.max(0, pieceAtPlace(s.line, s.window.from)); i < s.line.pieces.length && (s.line.at[i] ?? 0) < s.window.to; i++) {
    const { pages, chunks } = cellsOf(s, i);
    if (!pages && !chunks) continue;
    putGround(bands, s, i);
    const where = lanes(s.rows, chunks);
    if (pages) putPages({ s, d, bands, lane: where.pages, paints }, i);
    if (chunks) putChunks({ s, d, bands, lane: where.chunks, paints }, i);
  }
}
