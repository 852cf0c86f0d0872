// The rows that are on the screen. All have one height, so that their places are a multiplication: a table of 131,060
// measured heights, as libraries for rows of any height keep one, would be made anew with every filter and every sort.
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

export const ROW = 22;
export const HEAD = 28;
const OVERSCAN = 3;

export interface Window {
  /** First row and the one behind the last that are drawn. */
  from: number;
  to: number;
}

/** Rows that a scroller of this height shows at this offset, and some around them. */
export function windowOf(scrollTop: number, height: number, count: number): Window {
  const first = Math.floor(scrollTop / ROW);
  const last = Math.ceil((scrollTop + Math.max(0, height - HEAD)) / ROW);
  return { from: Math.max(0, Math.min(first, count) - OVERSCAN), to: Math.max(0, Math.min(last + OVERSCAN, count)) };
}

/** Where a scroller must stand so that a row is seen; null when it is. */
export function offsetFor(row: number, scrollTop: number, height: number): number | null {
  const top = row * ROW;
  const room = height - HEAD - ROW;
  if (top < scrollTop) return top;
  return top > scrollTop + room ? top - Math.max(0, room) : null;
}

/** The same for a row that is jumped to: with some of what stands before it. */
export function offsetAround(row: number, scrollTop: number, height: number): number | null {
  return offsetFor(row, scrollTop, height) === null ? null : Math.max(0, row * ROW - Math.floor((height - HEAD) / 3 / ROW) * ROW);
}

export function useWindow(scroller: RefObject<HTMLDivElement>, count: number): Window & { aside: boolean } {
  const [place, setPlace] = useState({ top: 0, height: 900, aside: false });
  useLayoutEffect(() => {
    const e = scroller.current;
    if (!e) return undefined;
    const update = (): void => {
      const top = e.scrollTop - (e.scrollTop % ROW);
      const height = e.clientHeight;
      const aside = e.scrollLeft > 0;
      setPlace((old) => (old.top === top && old.height === height && old.aside === aside ? old : { top, height, aside }));
    };
    const observer = new ResizeObserver(update);
    observer.observe(e);
    e.addEventListener("scroll", update, { passive: true });
    update();
    return () => {
      observer.disconnect();
      e.removeEventListener("scroll", update);
    };
  }, []);
  // After a filter the scroller stands beyond the end until the browser has moved it.
  const top = Math.min(place.top, Math.max(0, count * ROW + HEAD - place.height));
  return { ...windowOf(top, place.height + ROW, count), aside: place.aside };
}
