// What a timeline looks like as stacked areas, and its picture.
import assert from "node:assert/strict";
import test from "node:test";
import { byteMarks, chartSvg, runsOf } from "../../src/chart";
import { extended, lookTimes, nearest, stackOf } from "../../src/data/stack";
import type { Snapshot } from "../../src/data/snapshot";
import type { Timeline } from "../../src/data/types";
import { kindLooks } from "../../src/kinds";

function timeline(times: readonly string[], rows: Record<string, (number | null)[]>, gaps: readonly number[] = []): Timeline {
  return {
    timeline: { file: "", measure: "rss", by: "kind", snapshots: times.length, set_back: 0 },
    looks: times.map((taken_at, i) => ({ snapshot: i + 1, target: 1, taken_at, gap: gaps.includes(i) })),
    rows: Object.entries(rows).map(([kind, values]) => ({ id: kind, label: kind, kind, trend: null, values })),
    total: { values: times.map(() => 100), trend: null }, growth: null,
  };
}

const T = ["2026-11-22T10:00:00Z", "2026-11-22T10:00:01Z", "2026-11-22T10:00:04Z"];

test("each layer stands on those below it; unknown is no nothing", () => {
  const stack = stackOf(timeline(T, { heap: [1, 2, 3], stack: [10, null, 30] }), null);
  assert.deepEqual(stack.layers.map((l) => l.tops), [[1, 2, 3], [11, null, 33]]);
  assert.deepEqual(stack.looks, [0, 1, 2]);
  assert.deepEqual(stack.layers.map((l) => l.floors), [[0, 0, 0], [1, 2, 3]]);
  assert.deepEqual(stackOf(timeline(T, { heap: [1, 2, 3], stack: [10, 20, 30] }), ["stack"]).layers.map((l) => l.tops), [[10, 20, 30]]);
});

test("what is not known leaves a hole: what lies above does not fall into it", () => {
  const stack = stackOf(timeline(T, { heap: [null, 2, null], image: [null, null, null], stack: [10, 20, 30] }), null);
  assert.deepEqual(stack.layers.map((l) => l.tops), [[null, 2, null], [null, null, null], [12, 22, 32]]);
  assert.deepEqual(stack.layers.map((l) => l.floors), [[0, 0, 0], [2, 2, 2], [2, 2, 2]]);
  const svg = chartSvg({ stack, total: null, title: "", marks: [], ticks: [] }, new Map(), false);
  assert.equal(svg.match(/<path d="M[^"]*Z"/g)?.length, 2, "an area for each run of what is known");
});

test("a time that was not recorded has no values between its sides", () => {
  const stack = stackOf(timeline(T, { heap: [1, 2, 3] }, [2]), null);
  assert.deepEqual(stack.looks, [0, 1, -1, 2]);
  assert.deepEqual(stack.layers[0]?.tops, [1, 2, null, 3]);
  assert.deepEqual(stack.layers[0]?.floors, [0, 0, null, 0]);
  assert.deepEqual(stack.gaps.map(([a, b]) => b - a), [3]);
});

test("times rise where the clock was set back, or tells nothing", () => {
  const times = lookTimes(timeline(["2026-11-22T10:00:05Z", "2026-11-22T10:00:01Z", "", "2026-11-22T11:00:00Z"], {}));
  assert.ok(times.every((t, i) => i === 0 || t > (times[i - 1] ?? 0)));
  assert.equal(times[3], Date.parse("2026-11-22T11:00:00Z") / 1000);
  assert.equal(lookTimes(timeline([""], {}))[0], 0);
});

test("the nearest tick is found, of two equally near the earlier one", () => {
  assert.deepEqual([-5, 0, 4, 5, 6, 99].map((v) => nearest([0, 10, 20], v)), [0, 0, 0, 0, 1, 2]);
  assert.equal(nearest([], 3), -1);
});

test("a live timeline goes on with the snapshot's own totals", () => {
  const type = (kind: string, rss: number | null): object => ({ kind, rss });
  const snapshot = { head: { taken_at: "2026-11-22T10:00:09Z", summary: {
    types: [type("heap", 7), type("image", 4), type("stack", null), type("free", 9), type("page_table", 9)], total: { kind: "total", rss: 11 } } } } as unknown as Snapshot;
  const before = timeline(T, { heap: [1, 2, 3], stack: [1, 1, 1], device: [5, 5, 5] });
  const after = extended(before, 4, snapshot, "rss");
  assert.deepEqual(after.rows.map((r) => [r.id, r.values]), [["heap", [1, 2, 3, 7]], ["stack", [1, 1, 1, null]], ["device", [5, 5, 5, 0]], ["image", [0, 0, 0, 4]]]);
  assert.equal(after.total.values.at(-1), 11);
  assert.equal(after.looks.length, 4);
  assert.equal(extended(after, 4, snapshot, "rss"), after, "one that is there already changes nothing");
  assert.equal(before.looks.length, 3, "what was given is as it was");
});

test("marks of bytes are powers of two; runs end where something is unknown", () => {
  assert.deepEqual(byteMarks(8), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(byteMarks(3 << 20).slice(0, 2), [0, 1 << 19]);
  assert.deepEqual(byteMarks(0), [0]);
  assert.deepEqual(runsOf([1, 2, null, 3, null]), [[0, 2], [3, 4]]);
  assert.deepEqual(runsOf([]), []);
});

test("the picture has each known area, its marks and no markup of a name", () => {
  const t = timeline(T, { heap: [1024, 2048, 4096], stack: [1024, null, 1024] });
  const kinds = ["heap", "stack"].map((id) => ({ id, label: id, light: "#ff9664", dark: "#e07a45", help: "" }));
  for (const palette of ["kinds", "safe"] as const)
    for (const dark of [false, true]) {
      const svg = chartSvg({ stack: stackOf(t, null), total: t.total.values, title: '<script>x</script>"\u202e', marks: [{ time: Date.parse(T[1] ?? "") / 1000, text: "2" }], ticks: [0] },
        kindLooks(kinds, dark, palette), dark);
      assert.ok(!svg.includes("<script") && !svg.includes("\u202e") && !svg.includes("NaN") && !svg.includes("undefined"));
      // One area of the heap, two of the stack, whose middle is unknown.
      assert.equal([...svg.matchAll(/Z" fill=/g)].length, 3);
      assert.ok(svg.includes(">4 KiB<") && svg.includes(">2<") && svg.includes("10:00:04"));
    }
  const empty = chartSvg({ stack: stackOf(timeline([], {}), null), total: null, title: "", marks: [], ticks: [] }, new Map(), false);
  assert.ok(!empty.includes("NaN") && !empty.includes("Infinity"));
});
