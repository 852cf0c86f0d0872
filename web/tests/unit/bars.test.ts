import assert from "node:assert/strict";
import test from "node:test";
import { barsOf, barsSvg } from "../../src/bars";
import { heapSegments } from "../../src/data/heaps";
import { kindLooks } from "../../src/kinds";
import type { Heap, Kind, SnapshotJson, TypeTotal } from "../../src/data/types";

function type(kind: string, committed: number | null, rss: number | null, more: object = {}): TypeTotal {
  return { kind, size: 1, committed, private: 0, rss, blocks: 1, largest: 1, regions: 1, ...more };
}

function head(source: string, types: TypeTotal[], total: TypeTotal): SnapshotJson {
  return { target: { source }, summary: { types, total } } as unknown as SnapshotJson;
}

test("bars are on the scale of the longest, in the order of the table; what is no region is in none", () => {
  const h = head("live", [type("image", 60, 10), type("heap", 40, 40), type("free", 1000, 1000)], type("total", 100, 50));
  const bars = barsOf(h, ["heap", "image"]);
  assert.deepEqual(bars.map((b) => b.id), ["committed", "private", "rss"]);
  assert.deepEqual(bars[0]?.segments.map((s) => [s.kind, s.share]), [["heap", 0.4], ["image", 0.6]]);
  assert.deepEqual(bars[2]?.segments.map((s) => [s.kind, s.share]), [["heap", 0.4], ["image", 0.1]]);
  assert.deepEqual(bars[1]?.segments, []);
});

test("an unknown total is unknown, a bound is drawn and says so", () => {
  const bound = { at_least: { rss: 30 } };
  const bars = barsOf(head("live", [type("heap", null, null, bound)], type("total", null, null, bound)), []);
  assert.equal(bars[0]?.total.value, null);
  assert.deepEqual(bars[2]?.total, { value: 30, atLeast: true });
  assert.equal(bars[2]?.segments[0]?.share, 1);
  assert.deepEqual(barsOf(head("core", [], type("total", 5, null, { stored: 3 })), []).map((b) => b.id), ["committed", "stored"]);
});

test("the picture holds no markup of a name", () => {
  const kinds: Kind[] = [{ id: "heap", label: "Heap", light: "#ff9664", dark: "#e07a45", help: "" }];
  const bars = barsOf(head("live", [type("heap", 5, 5)], type("total", 5, 5)), []);
  const svg = barsSvg(bars, kinds, kindLooks(kinds, false, "safe"), '<script>alert(1)</script>"\u202e', false);
  assert.ok(!svg.includes("<script") && !svg.includes("\u202e") && svg.includes("Heap"));
});

test("a heap's bar joins what is freed, in the order used, freed, top, overhead, reserved", () => {
  const state = (bytes: number): { count: number; bytes: number; rss: number } => ({ count: 1, bytes, rss: bytes });
  const heap = { states: { used: state(50), cached: state(10), fast: state(0), free: state(20), top: state(10), meta: state(5), reserved: state(5) } } as unknown as Heap;
  assert.deepEqual(heapSegments(heap, 200).map((s) => [s.look, s.bytes, s.share]),
    [["used", 50, 0.25], ["free", 30, 0.15], ["top", 10, 0.05], ["meta", 5, 0.025], ["reserved", 5, 0.025]]);
  assert.deepEqual(heapSegments({ states: { used: { count: null, bytes: null, rss: null } } } as unknown as Heap, 0), []);
});
