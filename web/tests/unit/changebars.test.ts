import assert from "node:assert/strict";
import test from "node:test";
import { changeBarsOf, changeBarsSvg } from "../../src/changebars";
import { APART, type Diff } from "../../src/data/types";
import { kindLooks } from "../../src/kinds";

function diff(rows: Record<string, Record<string, number | null>>): Diff {
  return { regions: [], types: Object.entries(rows).map(([kind, change]) => ({ state: "grown", kind, change })) };
}

test("what grew stands right of the line, what shrank left of it, on one scale", () => {
  const d = diff({ heap: { committed: 30, private: 0, rss: -10 }, image: { committed: 10, private: 0, rss: 0 }, stack: { committed: -20, private: 0, rss: 0 },
    total: { committed: 20, private: 0, rss: -10 }, free: { committed: -999, private: 0, rss: 0 } });
  const { bars, zero } = changeBarsOf(d, ["image", "heap", "stack"], APART);
  assert.deepEqual(bars.map((b) => [b.id, b.total]), [["committed", 20], ["private", 0], ["rss", -10]]);
  assert.deepEqual(bars[0]?.more.map((s) => [s.kind, s.share]), [["image", 10 / 60], ["heap", 0.5]]);
  assert.deepEqual(bars[0]?.less.map((s) => [s.kind, s.by]), [["stack", -20]]);
  assert.equal(zero, 20 / 60);
  assert.deepEqual(bars[2]?.less.map((s) => s.kind), ["heap"]);
});

test("address space has a bar only where nothing else changed; nothing at all has a line in the middle", () => {
  const size = changeBarsOf(diff({ private_data: { size: 5, committed: 0, private: 0, rss: 0 }, total: { size: 5, committed: 0, private: 0, rss: 0 } }), [], APART);
  assert.deepEqual(size.bars.map((b) => [b.id, b.more.length]), [["size", 1], ["committed", 0], ["private", 0], ["rss", 0]]);
  const none = changeBarsOf(diff({ total: { committed: 0, private: null, rss: 0 } }), [], APART);
  assert.deepEqual([none.zero, none.bars.map((b) => b.total)], [0.5, [0, null, 0]]);
});

test("the picture of changes holds no markup of a name, and every bar", () => {
  const kinds = [{ id: "heap", label: "Heap", light: "#ff9664", dark: "#e07a45", help: "" }];
  const bars = changeBarsOf(diff({ heap: { committed: 5, private: -5, rss: 0 }, total: { committed: 5, private: -5, rss: 0 } }), [], APART);
  const svg = changeBarsSvg(bars, kinds, kindLooks(kinds, true, "safe"), '"><img onerror=x>\u202e', true);
  assert.ok(!svg.includes("<img") && !svg.includes("\u202e") && svg.includes("Committed") && svg.includes("+5 B") && svg.includes("−5 B"));
});
