// What lies above the picture: frames around what is selected and pointed at, markers for what is too small to be seen, and
// the window in the strip of the whole.
import type { Lane } from "./cells";
import { hilbertTable, partsOf } from "./layout";
import { HILBERT_ORDER, setUp, type Ink, type Scene } from "./paint";

/** Pieces from first to last, or a stretch within one. */
export interface Marked {
  from: number;
  to: number;
  /** Where it is a page or a chunk: the part of the rows' height that those have. */
  lane?: Lane;
}

const SEEN = 7; // what is narrower gets a marker
const PIN = 6;

/** A pin above a place: here lies something that is too small to be framed. */
function pin(c: CanvasRenderingContext2D, x: number, y: number, height: number, colour: string, ground: string): void {
  c.beginPath();
  c.moveTo(x - PIN, y - 3);
  c.lineTo(x + PIN, y - 3);
  c.lineTo(x, y + PIN);
  c.closePath();
  c.lineWidth = 3;
  c.strokeStyle = ground;
  c.stroke();
  c.fillStyle = colour;
  c.fill();
  c.fillRect(x - 0.75, y, 1.5, height);
}

function frame(c: CanvasRenderingContext2D, s: Scene, m: Marked, colour: string, width: number, small: boolean): void {
  const parts = partsOf(s.window, s.rows, m.from, m.to);
  const all = parts.reduce((sum, p) => sum + p.width, 0);
  if (all < SEEN && small && parts[0]) return pin(c, parts[0].x + all / 2, parts[0].y, s.rows.height, colour, s.ink.ground);
  const { top, height } = m.lane ?? { top: 0, height: s.rows.height };
  for (const p of parts) {
    for (const [ink, wide] of [[s.ink.ground, width + 2], [colour, width]] as const) {
      c.strokeStyle = ink;
      c.lineWidth = wide;
      c.strokeRect(p.x - width / 2, p.y + top - width / 2, p.width + width, height + width);
    }
  }
}

/** Cells of the square that a stretch of the line takes, in a colour. */
function tint(c: CanvasRenderingContext2D, s: Scene, m: Marked, colour: string): void {
  if (!s.square) return;
  const table = hilbertTable(HILBERT_ORDER);
  const span = s.window.to - s.window.from;
  const count = 1 << HILBERT_ORDER;
  const cell = s.square.side / count;
  const first = Math.max(0, Math.floor(((m.from - s.window.from) / span) * table.length));
  const last = Math.min(table.length - 1, Math.max(first, Math.ceil(((m.to - s.window.from) / span) * table.length) - 1));
  if (m.to <= s.window.from || m.from >= s.window.to) return;
  c.fillStyle = colour;
  for (let d = first; d <= last; d++) {
    const place = table[d] ?? 0;
    c.fillRect(s.square.x + (place % count) * cell, s.square.y + Math.floor(place / count) * cell, cell + 0.3, cell + 0.3);
  }
  if (last - first > 12) return;
  // So few cells are not seen: a ring around them.
  const place = table[first] ?? 0;
  c.strokeStyle = colour;
  c.lineWidth = 2;
  c.beginPath();
  c.arc(s.square.x + ((place % count) + 0.5) * cell, s.square.y + (Math.floor(place / count) + 0.5) * cell, 9, 0, 7);
  c.stroke();
}

export interface Marks {
  selected: Marked | null;
  hot: Marked | null;
  free: Marked | null;
}

export function paintOverlay(canvas: HTMLCanvasElement, s: Scene, marks: Marks): void {
  const none = !marks.hot && !marks.selected;
  if (none && canvas.dataset["clean"] === "yes" && canvas.width === Math.round(s.width * s.ratio) && canvas.height === Math.round(s.height * s.ratio)) return;
  const c = setUp(canvas, s);
  canvas.dataset["clean"] = none ? "yes" : "no";
  if (!c) return;
  if (marks.hot) tint(c, s, marks.hot, s.ink.text);
  if (marks.selected) tint(c, s, marks.selected, s.ink.accent);
  if (marks.hot) frame(c, s, marks.hot, s.ink.text, 1, false);
  if (marks.selected) frame(c, s, marks.selected, s.ink.accent, 2, true);
}

/** The largest free block: a bracket below it, whatever its size. */
export function paintBracket(c: CanvasRenderingContext2D, s: Scene, m: Marked): void {
  c.strokeStyle = s.ink.of("--good");
  c.lineWidth = 2;
  for (const p of partsOf(s.window, s.rows, m.from, m.to)) {
    const y = p.y + s.rows.height + 1.5;
    c.beginPath();
    c.moveTo(p.x + 1, y - 4);
    c.lineTo(p.x + 1, y);
    c.lineTo(p.x + Math.max(3, p.width - 1), y);
    c.lineTo(p.x + Math.max(3, p.width - 1), y - 4);
    c.stroke();
  }
}

/** On the strip of the whole: the window, and ticks for what is selected and for the largest free block. */
export function paintStrip(canvas: HTMLCanvasElement, whole: HTMLCanvasElement, s: Scene, marks: Marks, width: number, height: number): void {
  const c = setUp(canvas, { width, height, ratio: s.ratio });
  if (!c || !whole.width) return;
  c.drawImage(whole, 0, 0, width, height);
  const x = (place: number): number => (place / s.line.length) * width;
  const tick = (m: Marked | null, colour: string, up: boolean): void => {
    if (!m) return;
    const at = Math.min(width - 4, Math.max(4, x((m.from + m.to) / 2)));
    c.fillStyle = colour;
    c.beginPath();
    c.moveTo(at - 4, up ? height : 0);
    c.lineTo(at + 4, up ? height : 0);
    c.lineTo(at, up ? height - 6 : 6);
    c.fill();
  };
  tick(marks.free, s.ink.of("--good"), true);
  tick(marks.selected, s.ink.accent, false);
  const from = x(s.window.from);
  const wide = Math.max(4, x(s.window.to) - from);
  const left = Math.min(from, width - wide);
  c.fillStyle = s.ink.ground;
  c.globalAlpha = 0.55;
  c.fillRect(0, 4, left, height - 8);
  c.fillRect(left + wide, 4, width - left - wide, height - 8);
  c.globalAlpha = 1;
  c.strokeStyle = s.ink.accent;
  c.lineWidth = 2;
  c.strokeRect(left + 1, 2, Math.max(1, wide - 2), height - 4);
}

/** Colours of the style sheet that are in force. */
export function inkOf(): Ink {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  return { text: of("--text"), dim: of("--dim"), ground: of("--ground"), accent: of("--accent"), line: of("--line"), strong: of("--strong"), of };
}
