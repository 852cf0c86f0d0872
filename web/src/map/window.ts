// What part of the line is seen, and how moving and zooming change it.
import { isEmpty, pieceAtPlace, stretchOf, type Line } from "./space";

export interface Window {
  from: number;
  to: number;
}

/** The closest look: so many bytes on the whole picture. */
const LEAST = 4096;

/** What is drawn cut short can be looked at just as closely: there a byte is less of the line. */
function leastAt(line: Line, place: number): number {
  const i = Math.max(0, pieceAtPlace(line, place));
  const empty = isEmpty(line.pieces[i]?.kind ?? "free");
  return Math.min(line.length, empty ? LEAST : LEAST / stretchOf(line, i));
}

export function clamp(w: Window, line: Line): Window {
  const span = Math.max(leastAt(line, (w.from + w.to) / 2), Math.min(w.to - w.from, line.length));
  const middle = (w.from + w.to) / 2;
  const from = Math.max(0, Math.min(span > w.to - w.from ? middle - span / 2 : w.from, line.length - span));
  return { from, to: from + span };
}

/** Shows `place` at a share (0 to 1) of a window of so large a span. */
export function withPlaceAt(line: Line, place: number, share: number, span: number): Window {
  const wanted = Math.max(leastAt(line, place), Math.min(span, line.length));
  const from = Math.max(0, Math.min(place - share * wanted, line.length - wanted));
  return { from, to: from + wanted };
}

/** Zooms by a factor (above 1: closer) so that `place` stays where it is. */
export function zoom(w: Window, line: Line, factor: number, place: number): Window {
  return withPlaceAt(line, place, (place - w.from) / Math.max(Number.MIN_VALUE, w.to - w.from), (w.to - w.from) / factor);
}

export function move(w: Window, line: Line, by: number): Window {
  const span = w.to - w.from;
  const from = Math.max(0, Math.min(w.from + by, line.length - span));
  return clamp({ from, to: from + span }, line);
}

/** A window that shows [from, to) with some room around it. */
export function around(from: number, to: number, line: Line): Window {
  const room = Math.max((to - from) * 0.75, leastAt(line, (from + to) / 2));
  return clamp({ from: from - room, to: to + room }, line);
}

/** Between two windows, share 0 to 1: zooming is even in the exponent. */
export function between(a: Window, b: Window, share: number): Window {
  const spanA = Math.max(1e-9, a.to - a.from);
  const spanB = Math.max(1e-9, b.to - b.from);
  const span = spanA * (spanB / spanA) ** share;
  // The middle moves with the size, or it would be far away while the picture is still close.
  const t = Math.abs(spanA / spanB - 1) < 1e-6 ? share : (span - spanA) / (spanB - spanA);
  const middle = (a.from + a.to) / 2 + ((b.from + b.to) / 2 - (a.from + a.to) / 2) * t;
  return { from: middle - span / 2, to: middle + span / 2 };
}
