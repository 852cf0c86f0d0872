// A strip of the pages of a stretch: runs of equal state, each at least one pixel of a picture of so many.
import type { PageRuns } from "../data/provider";

/** States in the order in which they win where several share a pixel. */
export const PAGE_STATES: readonly { id: string; label: string }[] = [
  { id: "present", label: "resident" }, { id: "huge", label: "resident, huge page" }, { id: "zero", label: "zero page" },
  { id: "file", label: "resident, of a file" }, { id: "swapped", label: "swapped" }, { id: "guard", label: "guard" }, { id: "absent", label: "not there" },
];

export interface StripPart {
  from: number;
  to: number;
  state: string;
}

/** Parts of a strip of `width` pixels; small runs keep one pixel, and a run does not hide the smaller one before it. */
export function stripParts(runs: PageRuns, address: number, end: number, width: number): StripPart[] {
  const parts: StripPart[] = [];
  const scale = width / Math.max(1, end - address);
  for (const run of runs.runs) {
    const from = Math.max(0, (run.address - address) * scale);
    const to = Math.min(width, (run.address + run.pages * runs.page_size - address) * scale);
    if (to <= 0 || from >= width) continue;
    const left = Math.floor(from);
    const right = Math.max(left + 1, Math.round(to));
    const last = parts.at(-1);
    if (last && last.state === run.state && last.to >= left) last.to = Math.max(last.to, right);
    else if (last && last.to > left && last.to - last.from > 1) {
      last.to = left;
      parts.push({ from: left, to: right, state: run.state });
    } else parts.push({ from: left, to: right, state: run.state });
  }
  return parts;
}

/** How many pages are in each state. */
export function pagesByState(runs: PageRuns): Map<string, number> {
  const sum = new Map<string, number>();
  for (const run of runs.runs) sum.set(run.state, (sum.get(run.state) ?? 0) + run.pages);
  return sum;
}
