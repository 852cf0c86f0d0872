// What the address space's picture shows: the window, moved smoothly, at most once for each frame of the screen.
import { useEffect, useRef, useState } from "preact/hooks";
import { addressAt, placeOf, type Line } from "../map/space";
import { between, clamp, type Window } from "../map/window";

export interface View {
  /** What is drawn. */
  view: Window;
  /** The same once it has not moved for a moment: what is asked of a server, or costs more than a frame, goes by this. */
  calm: Window;
  /** Where it is on its way to. */
  now(): Window;
  set(to: Window, smooth?: boolean): void;
}

const CALM = 140; // milliseconds
const SMOOTH = 220;

function useCalm(view: Window, line: Line): Window {
  const [calm, setCalm] = useState({ view, line });
  useEffect(() => {
    const timer = setTimeout(() => setCalm({ view, line }), CALM);
    return () => clearTimeout(timer);
  }, [view, line]);
  return calm.line === line ? calm.view : view;
}

/** The window keeps its addresses when the line changes. */
export function useWindow(line: Line): View {
  const [held, setHeld] = useState<{ line: Line; view: Window }>(() => ({ line, view: { from: 0, to: line.length } }));
  const frame = useRef(0);
  const wanted = useRef<Window>(held.view);
  let shown = held;
  if (held.line !== line) {
    const whole = held.view.from <= 0 && held.view.to >= held.line.length;
    const view = whole ? { from: 0, to: line.length }
      : clamp({ from: placeOf(line, addressAt(held.line, held.view.from)), to: placeOf(line, addressAt(held.line, held.view.to)) }, line);
    cancelAnimationFrame(frame.current);
    shown = { line, view };
    wanted.current = view;
    setHeld(shown);
  }
  const latest = useRef(shown.view);
  latest.current = shown.view;
  useEffect(() => () => cancelAnimationFrame(frame.current), []);
  const set = (to: Window, smooth = false): void => {
    cancelAnimationFrame(frame.current);
    const target = clamp(to, line);
    const from = latest.current;
    wanted.current = target;
    const gentle = smooth && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    const begin = performance.now();
    const step = (): void => {
      const share = gentle ? Math.min(1, (performance.now() - begin) / SMOOTH) : 1;
      setHeld({ line, view: share < 1 ? clamp(between(from, target, 1 - (1 - share) ** 3), line) : target });
      if (share < 1) frame.current = requestAnimationFrame(step);
    };
    frame.current = requestAnimationFrame(step);
  };
  return { view: shown.view, calm: useCalm(shown.view, line), now: () => wanted.current, set };
}
