// Draws pages and chunks into the rows of the picture, below the piece that they are of.
import type { Chunk } from "../data/chunks";
import { STATES } from "../data/heaps";
import { thousands } from "../format";
import { PAGE_STATES } from "../grid/pages";
import { canvasPaint, luminance, type Pattern } from "../kinds";
import { firstBehind, hasChunks, placesOf, type Detail } from "./detail";
import { PAGE_PIXELS, partsOf, type Rows } from "./layout";
import { BAND, fitted, type Ink, type Scene } from "./paint";
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
  edge: string;
  ink: string;
  style: string | CanvasPattern;
}

/** Fills by state, made once for each drawing. */
class Paints {
  private readonly made = new Map<string, Paint>();

  constructor(private readonly c: CanvasRenderingContext2D, private readonly ink: Ink) {}

  get(id: string, variable: string, pattern: Pattern | undefined): Paint {
    let p = this.made.get(id);
    if (!p) {
      const value = this.ink.of(variable);
      const fill = /^#[0-9a-f]{6}$/i.test(value) ? value : this.ink.ground;
      const ink = luminance(fill) > 0.24 ? "#14171b" : "#f4f6f8";
      const look = { fill, edge: fill, ink: luminance(fill) > 0.24 ? "#000000" : "#ffffff", pattern: pattern ?? "solid" };
      p = { fill, edge: this.ink.strong, ink, style: canvasPaint(this.c, look, 0.9) };
      this.made.set(id, p);
    }
    return p;
  }
}

interface Cell {
  from: number;
  to: number;
  paint: Paint;
  /** The longest of these that fits stands in the cell. */
  texts: readonly string[];
}

function drawCell(c: CanvasRenderingContext2D, s: Scene, lane: Lane, cell: Cell): void {
  for (const p of partsOf(s.window, s.rows, cell.from, cell.to)) {
    const y = p.y + lane.top;
    c.fillStyle = cell.paint.fill;
    c.fillRect(p.x, y, Math.max(0.6, p.width), lane.height);
    if (p.width > 3 && cell.paint.style !== cell.paint.fill) {
      c.globalAlpha = 0.4; // the pattern speaks more softly than the words
      c.fillStyle = cell.paint.style;
      c.fillRect(p.x, y, p.width, lane.height);
      c.globalAlpha = 1;
    }
    if (p.width < 4) continue;
    c.strokeStyle = cell.paint.fill === s.ink.ground ? s.ink.line : s.ink.ground;
    c.lineWidth = 1;
    c.strokeRect(p.x + 0.5, y + 0.5, p.width - 1, lane.height - 1);
    const shown = p.width < 16 ? undefined : cell.texts.find((text) => fitted(c, text, p.width - 9) === text);
    if (!shown || lane.height < 11) continue;
    if (cell.paint.style !== cell.paint.fill) {
      c.fillStyle = cell.paint.fill;
      c.fillRect(p.x + 3, y + 2, c.measureText(shown).width + 5, lane.height - 4);
    }
    c.fillStyle = cell.paint.ink;
    c.fillText(shown, p.x + 5, y + lane.height / 2 + 0.5);
  }
}

/** Ground below a piece, in which its cells lie. */
function clear(c: CanvasRenderingContext2D, s: Scene, piece: number): void {
  for (const p of partsOf(s.window, s.rows, s.line.at[piece] ?? 0, s.line.at[piece + 1] ?? 0)) {
    c.fillStyle = s.ink.ground;
    c.fillRect(p.x, p.y + BAND, p.width, s.rows.height - BAND + 1);
    c.strokeStyle = s.ink.line;
    c.lineWidth = 1;
    c.strokeRect(p.x + 0.5, p.y + BAND + 0.5, Math.max(0, p.width - 1), s.rows.height - BAND - 1);
  }
}

function paintPages(c: CanvasRenderingContext2D, s: Scene, d: Detail, piece: number, lane: Lane, paints: Paints): void {
  const p = s.line.pieces[piece];
  if (!p) return;
  const wide = (d.pageSize / stretchOf(s.line, piece)) * ((s.rows.width * s.rows.count) / (s.window.to - s.window.from));
  for (let i = firstBehind(d.runs, p.start, (r) => r.end); i < d.runs.length; i++) {
    const run = d.runs[i];
    if (!run || run.address >= p.start + p.size) break;
    const paint = paints.get("page-" + run.state, "--page-" + run.state.replace(/[^a-z]/g, ""), PAGE_PATTERNS[run.state]);
    const texts = [PAGE_STATES.find((state) => state.id === run.state)?.label ?? run.state];
    if (wide < PAGE_PIXELS) {
      drawCell(c, s, lane, { ...placesOf(s.line, piece, run.address, run.end), paint, texts });
      continue;
    }
    // Only those in sight: a run may be long.
    const seen = placesOf(s.line, piece, run.address, run.end);
    const per = d.pageSize / stretchOf(s.line, piece);
    const first = Math.max(0, Math.floor((s.window.from - seen.from) / per));
    for (let at = seen.from + first * per; at < Math.min(seen.to, s.window.to) - per / 1000; at += per)
      drawCell(c, s, lane, { from: at, to: Math.min(at + per, seen.to), paint, texts });
  }
}

function chunkPaint(paints: Paints, chunk: Chunk): Paint {
  const look = STATES.find((state) => state.id === chunk.state)?.look ?? "reserved";
  return paints.get("chunk-" + chunk.state, look === "reserved" ? "--canvas" : "--state-" + look, CHUNK_PATTERNS[chunk.state]);
}

function paintChunks(c: CanvasRenderingContext2D, s: Scene, d: Detail, piece: number, lane: Lane, paints: Paints): void {
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
    drawCell(c, s, lane, { ...places, paint: chunkPaint(paints, chunk), texts: [`${state} ${thousands(chunk.size)}`, thousands(chunk.size)] });
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

export function paintDetail(c: CanvasRenderingContext2D, s: Scene, d: Detail): void {
  const paints = new Paints(c, s.ink);
  c.font = "10px system-ui, sans-serif";
  for (let i = Math.max(0, pieceAtPlace(s.line, s.window.from)); i < s.line.pieces.length && (s.line.at[i] ?? 0) < s.window.to; i++) {
    const { pages, chunks } = cellsOf(s, i);
    if (!pages && !chunks) continue;
    clear(c, s, i);
    const where = lanes(s.rows, chunks);
    if (pages) paintPages(c, s, d, i, where.pages, paints);
    if (chunks) paintChunks(c, s, d, i, where.chunks, paints);
  }
}
