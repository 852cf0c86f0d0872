import assert from "node:assert/strict";
import test from "node:test";
import { initialView, type ViewState } from "../../src/state/store";
import { hashOfView, viewOfHash } from "../../src/state/url";

test("a view goes through its hash unchanged", () => {
  const views: Partial<ViewState>[] = [
    {}, { tab: "map", selected: 0x7f1992200000 }, { kinds: ["heap", "stack"], raw: true }, { compare: { before: 1, after: 12 }, at: 12 }, { target: 3 },
    { where: 'rss>1M && path~"a b#c%&=+"', find: "ü \u202e <b>" }, { sort: { column: "rss", descending: true }, columns: ["address", "rss"] },
    { typeSort: { column: "kind", descending: false }, typeColumns: ["size"], heap: "glibc.0.0" }, { measure: "pss", theme: "dark", palette: "safe" },
  ];
  for (const v of views) {
    const view = { ...initialView, ...v };
    assert.deepEqual(viewOfHash(hashOfView(view)), view);
  }
  assert.equal(hashOfView(initialView), "");
});

test("a hash that is none gives the initial view, never more", () => {
  const hostile = ["", "#", "#%", "#%ff=%zz", "#tab=__proto__", "#tab=constructor&theme=blue&palette=x&measure=toString", "#kind=<img>,../x,A",
    "#at=-1", "#at=1e9", "#at=99999999999", "#compare=1..", "#compare=a..b", "#selected=12", "#selected=0x" + "f".repeat(17), "#sort=rss:desc:x",
    "#sort=<b>", "#columns=" + "A".repeat(100), "#__proto__=x&constructor=y"];
  for (const hash of hostile) assert.deepEqual(viewOfHash(hash), initialView, hash);
});

test("two snapshots are compared from the earlier to the later one", () => {
  assert.deepEqual(viewOfHash("#compare=7..2").compare, { before: 2, after: 7 });
  assert.equal(viewOfHash("#compare=3..3").compare, null);
});

test("texts and lists are bounded", () => {
  const v = viewOfHash("#find=" + "x".repeat(100000) + "&kind=" + Array.from({ length: 500 }, (_, i) => "k" + i).join(","));
  assert.ok(v.find.length <= 4096);
  assert.ok(viewOfHash("#kind=" + Array.from({ length: 500 }, (_, i) => "k" + i).join(",")).kinds?.length === 64);
});
