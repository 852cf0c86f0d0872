// The rows that are on the screen, by @tanstack/virtual-core.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

export const ROW = 22;
export const HEAD = 28;
const OVERSCAN = 6;

type Rows = Virtualizer<HTMLDivElement, HTMLDivElement>;

/** Rows have one height; the heading lies over the first ones' place and stays there. */
export function useVirtual(scroller: RefObject<HTMLDivElement>, count: number): Rows {
  const [, redraw] = useState(0);
  const options = {
    count, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: OVERSCAN, paddingStart: HEAD,
    scrollPaddingStart: HEAD, scrollToFn: elementScroll, observeElementRect, observeElementOffset,
    onChange: () => redraw((n) => n + 1),
  };
  const [rows] = useState<Rows>(() => new Virtualizer(options));
  rows.setOptions(options);
  useLayoutEffect(() => rows._didMount(), []);
  useLayoutEffect(() => rows._willUpdate());
  return rows;
}
