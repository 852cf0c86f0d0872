// The whole picture as bands, and what lies above it: frames around what is selected and pointed at, markers for what is too small
// to be seen, and the window in the strip of the whole.
import type { Lane } from "./cells";
import { partsOf } from "./layout";
import { rowBands } from "./rows";
import { LEFT, type Scene } from "./scene";
import { bandOf, outline, plain, type Band, type Path, type Picture, type Shape } from "./shapes";
import { squareBand, squareMarks } from "./square";

/** Pieces from first to last, or a stretch within one. */
export interface Marked {
  from: number;
  to: number;
  /** Where it is a page or a chunk: the part of the rows' height that those have. */
  lane?: Lane;
}

export interface Marks {
  selected: Marked | null;
  hot: Marked | null;
  free: Marked | null;
}

const SEEN = 7; // what is narrower gets a marker
const PIN = 6;

/** A pin above a place: here lies something that is too small to be framed. */
function pin(x: number, y: number, height: number, colour: string, ground: string): Shape[] {
  const head: Path = { shape: "path", d: `M${x - PIN} ${y - 3}H${x + PIN}L${x} ${y + PIN}Z`, stroke: ground, line: 3, fill: colour };
  return [head, plain({ x: x - 0.75, y, width: 1.5, height }, colour)];
}

function frame(s: Scene, m: Marked, colour: string, width: number, small: boolean): Shape[] {
  const parts = partsOf(s.window, s.rows, m.from, m.to);
  const all = parts.reduce((sum, p) => sum + p.width, 0);
  if (all < SEEN && small && parts[0]) return pin(parts[0].x + all / 2, parts[0].y, s.rows.height, colour, s.ink.ground);
  const { top, height } = m.lane ?? { top: 0, height: s.rows.height };
  return parts.flatMap((p) => {
    const area = { x: p.x - width / 2, y: p.y + top - width / 2, width: p.width + width, height: height + width };
    return [outline(area, s.ink.ground, width + 2), outline(area, colour, width)];
  });
}

/** The rows, and the square where there is one; `hidden` pieces share a pixel with another. */
export function groundPicture(s: Scene): { picture: Picture; hidden: number } {
  const { bands, hidden } = rowBands(s);
  return { picture: { width: s.width, height: s.height, ratio: s.ratio, bands: s.square ? [squareBand(s, s.square), ...bands] : bands }, hidden };
}

export function marksPicture(s: Scene, marks: Marks): Picture {
  const beside: Band = bandOf(s.rows.left - LEFT, 0, s.width, s.height, s.ratio);
  if (marks.hot) beside.shapes.push(...frame(s, marks.hot, s.ink.text, 1, false));
  if (marks.selected) beside.shapes.push(...frame(s, marks.selected, s.ink.accent, 2, true));
  const inSquare = s.square ? [squareMarks(s, s.square, [[marks.hot, s.ink.text], [marks.selected, s.ink.accent]])] : [];
  return { width: s.width, height: s.height, ratio: s.ratio, bands: [...inSquare, beside] };
}

/** The strip of the whole: the window, and ticks for what is selected and for the largest free block. */
export function stripPicture(pixels: Uint32Array<ArrayBuffer>, s: Scene, marks: Marks, width: number, height: number): Picture {
  const band = bandOf(0, 0, width, height, s.ratio);
  band.image = { pixels, columns: pixels.length, x: 0, y: 4, width, height: height - 8 };
  const x = (place: number): number => (place / s.line.length) * width;
  const tick = (m: Marked | null, colour: string, edge: number, tip: number): void => {
    if (!m) return;
    const at = Math.min(width - 4, Math.max(4, x((m.from + m.to) / 2)));
    band.shapes.push({ shape: "path", d: `M${at - 4} ${edge}H${at + 4}L${at} ${tip}Z`, stroke: "", line: 0, fill: colour });
  };
  tick(marks.free, s.ink.of("--good"), height, height - 6);
  tick(marks.selected, s.ink.accent, 0, 6);
  const from = x(s.window.from);
  const wide = Math.max(4, x(s.window.to) - from);
  const left = Math.min(from, width - wide);
  for (const [at, to] of [[0, left], [left + wide, width]] as const) band.shapes.push(plain({ x: at, y: 4, width: to - at, height: height - 8 }, s.ink.ground, 0.55));
  band.shapes.push(outline({ x: left + 1, y: 2, width: Math.max(1, wide - 2), height: height - 4 }, s.ink.accent, 2));
  return { width, height, ratio: s.ratio, bands: [band] };
}
