// What part of the line is seen, and how moving and zooming change it.
export interface Window {
  from: number;
  to: number;
}

/** The closest look: so many bytes on the whole picture. */
const LEAST = 4096;

export function clamp(w: Window, length: number): Window {
  const span = Math.max(Math.min(LEAST, length), Math.min(w.to - w.from, length));
  const from = Math.max(0, Math.min(w.from, length - span));
  return { from, to: from + span };
}

/** Zooms by a factor (above 1: closer) so that `place` stays where it is. */
export function zoom(w: Window, length: number, factor: number, place: number): Window {
  const span = Math.max(Math.min(LEAST, length), Math.min((w.to - w.from) / factor, length));
  const share = (place - w.from) / Math.max(1, w.to - w.from);
  return clamp({ from: place - share * span, to: place - share * span + span }, length);
}

export function move(w: Window, length: number, by: number): Window {
  const span = w.to - w.from;
  const from = Math.max(0, Math.min(w.from + by, length - span));
  return { from, to: from + span };
}

/** A window that shows [from, to) with some room around it. */
export function around(from: number, to: number, length: number): Window {
  const room = Math.max((to - from) * 0.75, LEAST);
  return clamp({ from: from - room, to: to + room }, length);
}

/** Between two windows, share 0 to 1: zooming is even in the exponent. */
export function between(a: Window, b: Window, share: number): Window {
  const spanA = Math.max(1, a.to - a.from);
  const spanB = Math.max(1, b.to - b.from);
  const span = spanA * (spanB / spanA) ** share;
  // The middle moves with the size, or it would be far away while the picture is still close.
  const t = Math.abs(spanA - spanB) < 1 ? share : (span - spanA) / (spanB - spanA);
  const middle = (a.from + a.to) / 2 + ((b.from + b.to) / 2 - (a.from + a.to) / 2) * t;
  return { from: middle - span / 2, to: middle + span / 2 };
}
