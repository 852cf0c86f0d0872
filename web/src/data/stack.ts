// What a timeline looks like as stacked areas: pure functions, drawn by views/timechart.tsx.
import type { Metric, Timeline, TypeTotal } from "./types";
import type { Snapshot } from "./snapshot";

export interface Stack {
  /** Seconds since 1970, rising; a point without values stands between the two sides of a gap. */
  times: number[];
  /** Index of the look of each point; -1 in a gap. */
  looks: number[];
  /**
   * From bottom to top: a row's values lie between its floors and its tops. A top is null where the value is unknown; what lies
   * above stays where it would be with the value known before (or else after) and nothing is drawn between. In a gap both are null.
   */
  layers: { id: string; label: string; kind: string | null; floors: (number | null)[]; tops: (number | null)[] }[];
  /** Pairs of seconds between which nothing was recorded. */
  gaps: [number, number][];
}

/** Seconds of each look, rising: a clock that was set back, or is unknown, goes on by a millisecond. */
export function lookTimes(timeline: Timeline): number[] {
  let last = -Infinity;
  return timeline.looks.map((look, i) => {
    const told = Date.parse(look.taken_at) / 1000;
    const time = Number.isFinite(told) ? told : i === 0 ? 0 : last + 1;
    last = time > last ? time : last + 0.001;
    return last;
  });
}

/** The values with those that are unknown filled in from the one before, at the beginning from the one after. */
function carried(values: readonly (number | null)[]): number[] {
  let last = values.find((v) => v !== null) ?? 0;
  return values.map((v) => (last = v ?? last));
}

/** Kinds in the library's order; rows of kinds that are filtered out stand in no stack. */
export function stackOf(timeline: Timeline, kinds: readonly string[] | null): Stack {
  const told = lookTimes(timeline);
  const rows = timeline.rows.filter((r) => kinds === null || (r.kind !== null && kinds.includes(r.kind)));
  const stack: Stack = { times: [], looks: [], gaps: [], layers: rows.map((r) => ({ id: r.id, label: r.label, kind: r.kind, floors: [], tops: [] })) };
  const heights = rows.map((r) => carried(r.values));
  told.forEach((time, i) => {
    const before = told[i - 1];
    if (timeline.looks[i]?.gap && before !== undefined) {
      stack.gaps.push([before, time]);
      stack.times.push((before + time) / 2);
      stack.looks.push(-1);
      for (const layer of stack.layers) {
        layer.floors.push(null);
        layer.tops.push(null);
      }
    }
    stack.times.push(time);
    stack.looks.push(i);
    let sum = 0;
    rows.forEach((row, k) => {
      stack.layers[k]?.floors.push(sum);
      sum += heights[k]?.[i] ?? 0;
      stack.layers[k]?.tops.push((row.values[i] ?? null) === null ? null : sum);
    });
  });
  return stack;
}

/** Index of the value nearest to `wanted` in a rising list; -1 when it is empty. */
export function nearest(values: readonly number[], wanted: number): number {
  let from = 0;
  let to = values.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((values[middle] ?? 0) < wanted) from = middle + 1;
    else to = middle;
  }
  const after = values[from];
  const before = values[from - 1];
  if (after === undefined) return from - 1;
  return before !== undefined && wanted - before <= after - wanted ? from - 1 : from;
}

function valueOf(total: TypeTotal | undefined, measure: Metric): number | null {
  const v = total?.[measure];
  return typeof v === "number" ? v : null;
}

/** A live timeline with one more look: the numbers are those of the snapshot's own summary. */
export function extended(timeline: Timeline, n: number, snapshot: Snapshot, measure: Metric): Timeline {
  const last = timeline.looks.at(-1);
  const { summary, taken_at } = snapshot.head;
  if (last && last.snapshot >= n) return timeline;
  const totals = new Map(summary.types.map((t) => [t.kind, t]));
  const count = timeline.looks.length;
  const rows = timeline.rows.map((r) => ({ ...r, values: [...r.values, r.kind === null ? null : totals.has(r.kind) ? valueOf(totals.get(r.kind), measure) : 0] }));
  for (const total of summary.types) {
    const value = valueOf(total, measure);
    if (!value || total.kind === "free" || total.kind === "unusable" || total.kind === "page_table" || rows.some((r) => r.kind === total.kind)) continue;
    rows.push({ id: total.kind, label: total.kind, kind: total.kind, trend: null, values: [...Array<number>(count).fill(0), value] });
  }
  return {
    ...timeline,
    looks: [...timeline.looks, { snapshot: n, target: last?.target ?? 1, taken_at: taken_at ?? "", gap: false }],
    rows, total: { ...timeline.total, values: [...timeline.total.values, valueOf(summary.total, measure)] },
  };
}
