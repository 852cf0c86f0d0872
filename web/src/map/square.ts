// The Hilbert square beside the rows, cell by cell, and what is marked in it.
import { hilbertPieces, hilbertTable } from "./layout";
import { LEFT, pixelOf, pixelsOf, type Scene, type Square } from "./scene";
import { bandOf, outline, type Band, type Image } from "./shapes";

export const HILBERT_ORDER = 8;
const COUNT = 1 << HILBERT_ORDER; // cells of a side
const RING = 9;
const FEW = 12; // cells that are not seen by themselves

/** What lies left of the rows. */
function leftOf(s: Scene): Band {
  return bandOf(0, 0, s.rows.left - LEFT, s.height, s.ratio);
}

function imageOf(q: Square, pixels: Uint32Array<ArrayBuffer>): Image {
  return { pixels, columns: COUNT, x: q.x, y: q.y, width: q.side, height: q.side };
}

export function squareBand(s: Scene, q: Square): Band {
  const table = hilbertTable(HILBERT_ORDER);
  const pixels = new Uint32Array(COUNT * COUNT);
  const pixel = pixelsOf(s);
  hilbertPieces(s.line, s.window, HILBERT_ORDER).forEach((piece, d) => {
    if (piece >= 0) pixels[table[d] ?? 0] = pixel(piece);
  });
  return { ...leftOf(s), image: imageOf(q, pixels), shapes: [outline({ x: q.x - 0.5, y: q.y - 0.5, width: q.side + 1, height: q.side + 1 }, s.ink.strong)] };
}

/** Cells of the square that a stretch of the line takes, in a colour; a ring around few. */
function putTint(band: Band, pixels: Uint32Array<ArrayBuffer>, s: Scene, q: Square, m: { from: number; to: number }, colour: string): void {
  if (m.to <= s.window.from || m.from >= s.window.to) return;
  const table = hilbertTable(HILBERT_ORDER);
  const span = s.window.to - s.window.from;
  const first = Math.max(0, Math.floor(((m.from - s.window.from) / span) * table.length));
  const last = Math.min(table.length - 1, Math.max(first, Math.ceil(((m.to - s.window.from) / span) * table.length) - 1));
  for (let d = first; d <= last; d++) pixels[table[d] ?? 0] = pixelOf(colour);
  if (last - first > FEW) return;
  const place = table[first] ?? 0;
  const cell = q.side / COUNT;
  const x = q.x + ((place % COUNT) + 0.5) * cell;
  const y = q.y + (Math.floor(place / COUNT) + 0.5) * cell;
  band.shapes.push({ shape: "path", d: `M${x - RING} ${y}a${RING} ${RING} 0 1 0 ${2 * RING} 0a${RING} ${RING} 0 1 0 ${-2 * RING} 0`, stroke: colour, line: 2, fill: "" });
}

/** What is marked, each in its colour; the later above. */
export function squareMarks(s: Scene, q: Square, marks: readonly (readonly [{ from: number; to: number } | null, string])[]): Band {
  const band = leftOf(s);
  if (marks.every(([m]) => !m)) return band;
  const pixels = new Uint32Array(COUNT * COUNT);
  for (const [m, colour] of marks) if (m) putTint(band, pixels, s, q, m, colour);
  return { ...band, image: imageOf(q, pixels) };
}
