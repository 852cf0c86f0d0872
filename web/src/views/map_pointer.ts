// Pointer, wheel and fingers on the picture: dragging moves it, two fingers and the wheel zoom, a tap selects.
import { useEffect, useRef } from "preact/hooks";

export interface Gestures {
  /** Moves the picture by so many pixels. */
  pan(dx: number, dy: number): void;
  /** Zooms so that what was under one point is under another. */
  zoom(factor: number, x: number, y: number): void;
  hover(x: number, y: number): void;
  leave(): void;
  tap(x: number, y: number): void;
  again(x: number, y: number): void;
}

interface Point {
  x: number;
  y: number;
}

const STILL = 4; // pixels that a tap may move

/** Listeners for the element of a picture; points are within it. */
export function usePointer(element: { current: HTMLElement | null }, gestures: Gestures): Record<string, (e: PointerEvent & MouseEvent) => void> {
  const down = useRef(new Map<number, Point>());
  const moved = useRef(0);
  const latest = useRef(gestures);
  latest.current = gestures;
  const point = (e: MouseEvent): Point => {
    const box = element.current?.getBoundingClientRect();
    return { x: e.clientX - (box?.left ?? 0), y: e.clientY - (box?.top ?? 0) };
  };
  useEffect(() => {
    const e = element.current;
    const wheel = (w: WheelEvent): void => {
      w.preventDefault();
      const p = point(w);
      const line = w.deltaMode === 1 ? 16 : 1; // some browsers count lines
      if (w.shiftKey || Math.abs(w.deltaX) > Math.abs(w.deltaY)) latest.current.pan(-(w.deltaX || w.deltaY) * line, 0);
      else latest.current.zoom(Math.exp((-w.deltaY * line) / 300), p.x, p.y);
    };
    e?.addEventListener("wheel", wheel, { passive: false });
    return () => e?.removeEventListener("wheel", wheel);
  }, []);
  const pinch = (id: number, to: Point): void => {
    const other = [...down.current].find(([key]) => key !== id)?.[1];
    const from = down.current.get(id);
    if (!other || !from) return;
    const length = (p: Point): number => Math.max(8, Math.hypot(p.x - other.x, p.y - other.y));
    const middle = (p: Point): Point => ({ x: (p.x + other.x) / 2, y: (p.y + other.y) / 2 });
    const at = middle(to);
    latest.current.pan(at.x - middle(from).x, at.y - middle(from).y);
    latest.current.zoom(length(to) / length(from), at.x, at.y);
  };
  const end = (e: PointerEvent): void => {
    const was = down.current.delete(e.pointerId);
    if (was && down.current.size === 0 && moved.current <= STILL && e.type === "pointerup") {
      const p = point(e);
      latest.current.tap(p.x, p.y);
    }
  };
  return {
    onPointerDown: (e) => {
      if (e.button > 0) return;
      if (down.current.size === 0) moved.current = 0;
      down.current.set(e.pointerId, point(e));
      if (down.current.size > 1) moved.current = Infinity;
      element.current?.setPointerCapture(e.pointerId);
    },
    onPointerMove: (e) => {
      const p = point(e);
      const from = down.current.get(e.pointerId);
      if (!from) return latest.current.hover(p.x, p.y);
      if (down.current.size > 1) pinch(e.pointerId, p);
      else {
        moved.current = Math.max(moved.current, Math.hypot(p.x - from.x, p.y - from.y));
        if (moved.current <= STILL) return;
        latest.current.pan(p.x - from.x, p.y - from.y);
      }
      down.current.set(e.pointerId, p);
    },
    onPointerUp: end,
    onPointerCancel: end,
    onPointerLeave: () => latest.current.leave(),
    onDblClick: (e) => {
      const p = point(e);
      latest.current.again(p.x, p.y);
    },
  };
}
