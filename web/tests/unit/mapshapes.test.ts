import assert from "node:assert/strict";
import test from "node:test";
import type { Colours } from "../../src/map/colours";
import { rowsFor } from "../../src/map/layout";
import { groundPicture, marksPicture } from "../../src/map/overlay";
import type { Ink, Scene } from "../../src/map/scene";
import { sameBand, sameFrame, tearLines, type Picture } from "../../src/map/shapes";
import { lineOf, type Piece } from "../../src/map/space";
import { svgOf } from "../../src/map/svg";

const INK: Ink = { text: "#000001", dim: "#000002", ground: "#ffffff", accent: "#000003", line: "#000004", strong: "#000005", of: () => "#123456" };
const PIECES: Piece[] = Array.from({ length: 60 }, (_, i) => ({ start: i << 20, size: 1 << 20, region: i, block: -1, gap: -1, gone: -1, kind: "heap" }));

function sceneOf(more: Partial<Scene> = {}, looks = [0]): Scene {
  const line = lineOf(PIECES, true);
  const look = (fill: string): Colours["looks"][number] => ({ fill, edge: "#111111", ink: "#14171b", pattern: "solid", entry: 0 });
  const colours: Colours = { looks: [look("#aa0000"), look("#00bb00")], of: Uint16Array.from(PIECES, (_, i) => looks[i] ?? 0), legend: [] };
  return {
    line, window: { from: 0, to: line.length }, rows: rowsFor(118, 600, 300, line.length, 0), square: null, width: 728, height: 306, ratio: 1.25, colours,
    label: (i) => `piece ${i} & <more>`, measure: (text) => text.length * 6, picked: null, largestFree: -1, detail: null, ink: INK, ...more,
  };
}

/** Bands in which two pictures differ. */
function differing(a: Picture, b: Picture): number[] {
  assert.ok(sameFrame(a, b));
  return a.bands.flatMap((band, i) => (sameBand(band, b.bands[i] ?? band) ? [] : [i]));
}

test("a picture differs where what it shows does, and only there", () => {
  const scene = sceneOf();
  const was = groundPicture(scene).picture;
  const perRow = PIECES.length / scene.rows.count;
  assert.deepEqual(differing(was, groundPicture(sceneOf()).picture), []);
  const third = Math.floor(2.5 * perRow);
  assert.deepEqual(differing(was, groundPicture(sceneOf({}, Array.from(PIECES, (_, i) => (i === third ? 1 : 0)))).picture), [2]);
  assert.deepEqual(differing(was, groundPicture(sceneOf({ label: (i) => (i === third ? "other" : `piece ${i} & <more>`) })).picture), [2]);
  assert.deepEqual(differing(was, groundPicture(sceneOf({ largestFree: third })).picture), [2]);
  assert.equal(differing(was, groundPicture(sceneOf({ ink: { ...INK, dim: "#777777" } })).picture).length, scene.rows.count);
});

test("bands lie side by side on device pixels, and nothing is outside of its own", () => {
  const { picture } = groundPicture(sceneOf({ largestFree: 3 }));
  let below = picture.bands[0]?.y ?? NaN;
  for (const band of picture.bands) {
    assert.equal(band.y, below);
    below = band.y + band.height;
    assert.ok(Math.abs(below * picture.ratio - Math.round(below * picture.ratio)) < 1e-9);
    for (const s of band.shapes)
      if ("width" in s) assert.ok(s.y >= band.y && s.y + s.height <= below && s.x >= band.x && s.x + s.width <= band.x + band.width, JSON.stringify(s));
  }
});

test("torn lines end at the edges", () => {
  const area = { x: 10, y: 5, width: 30, height: 20 };
  let count = 0;
  tearLines(area, (x0, y0, x1, y1) => {
    count++;
    for (const x of [x0, x1]) assert.ok(x >= 10 && x <= 40);
    for (const y of [y0, y1]) assert.ok(y >= 5 && y <= 25);
    assert.equal(x1 - x0, y0 - y1);
  });
  assert.ok(count >= 5);
});

test("as SVG each piece is drawn in its colour, words are escaped, what is selected is framed", () => {
  const scene = sceneOf({}, PIECES.map((_, i) => i % 2));
  const marks = { selected: { from: scene.line.at[2] ?? 0, to: scene.line.at[3] ?? 0 }, hot: null, free: null };
  const svg = svgOf([groundPicture(scene).picture, marksPicture(scene, marks)], "a <title>", [{ id: "x", label: "one & two", fill: "#aa0000", pattern: "dots", bytes: 4096, count: 1 }], INK);
  assert.ok(svg.includes("a &#60;title&#62;") && svg.includes("one &#38; two 4 KiB") && svg.includes("piece 1 &#38; &#60;more&#62;"));
  assert.ok(!/<more|<title/.test(svg));
  let wide = 0;
  for (const found of svg.matchAll(/<path d="([^"]*)" fill="#(aa0000|00bb00)"/g)) for (const run of (found[1] ?? "").matchAll(/h([\d.]+)v/g)) wide += Number(run[1]);
  assert.ok(Math.abs(wide - scene.rows.count * scene.rows.width) < 1, String(wide));
  assert.equal([...svg.matchAll(/stroke="#000003"/g)].length, 1);
  assert.equal([...svg.matchAll(/<pattern /g)].length, 1);
});
