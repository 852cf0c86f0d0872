import assert from "node:assert/strict";
import test from "node:test";
import { changesOf, mainNode, protectionClass } from "../../src/map/colours";
import { hilbertCell, hilbertPieces, hilbertPlace, pieceAtPoint, rowsFor, walkRows, type Box, type Rows } from "../../src/map/layout";
import { addressAt, lineOf, longest, longestFree, pieceAtAddress, piecesOf, placeOf, samePieces, type Line, type Piece } from "../../src/map/space";
import { around, between, clamp, zoom, type Window } from "../../src/map/window";
import { applyChanges, type ChangesJson } from "../../src/data/changes";
import { snapshotOf } from "../../src/data/snapshot";
import type { Diff, SnapshotJson } from "../../src/data/types";

function piece(start: number, size: number, kind = "private_data"): Piece {
  return { start, size, region: kind === "free" ? -1 : 0, block: -1, gap: -1, gone: -1, kind };
}

/** Boxes of a window at `ratio` device pixels for each of the canvas. */
function rowBoxes(line: Line, w: Window, rows: Rows, ratio: number): { boxes: Box[]; hidden: number } {
  const boxes: Box[] = [];
  const columns = Math.max(1, Math.round(rows.width * ratio));
  const scale = rows.width / columns;
  const hidden = walkRows(line, w, rows.count, columns, (row, from, to, piece) => {
    const last = boxes.at(-1);
    const y = rows.top + row * rows.pitch;
    if (last && last.piece === piece && last.y === y) last.width += (to - from) * scale;
    else boxes.push({ x: rows.left + from * scale, y, width: (to - from) * scale, height: rows.height, piece });
  });
  return { boxes, hidden };
}

const TIB = 2 ** 40;
const SPACE = [piece(0, 65536, "unusable"), piece(65536, 80 * TIB, "free"), piece(65536 + 80 * TIB, 8192), piece(65536 + 80 * TIB + 8192, 40 * TIB, "free"),
  piece(65536 + 120 * TIB + 8192, 1 << 20), piece(65536 + 120 * TIB + 8192 + (1 << 20), 4096)];

test("no piece takes more than its share, and small ones are to scale", () => {
  const sizes = Array.from({ length: 100 }, () => 1 << 20).concat([80 * TIB, 64 << 20]);
  const cut = longest(sizes);
  const total = sizes.reduce((sum, v) => sum + Math.min(v, cut), 0);
  assert.ok(cut >= 1 << 20 && cut < 64 << 20, String(cut));
  assert.ok(cut / total <= 1 / 13.9, String(cut / total));
  assert.equal(longest(Array.from({ length: 30 }, () => 4096)), Infinity);
});

test("free space together takes no more than its share, whatever it is cut into", () => {
  const few = [80 * TIB, 40 * TIB];
  const many = Array.from({ length: 5000 }, (_, i) => 4096 * (1 + (i % 7))).concat(few, Array.from({ length: 50 }, () => TIB));
  for (const [sizes, mapped] of [[few, 2 ** 30], [many, 2 ** 30], [many, 2 ** 40]] as const) {
    const drawn = (cut: number): number => sizes.reduce((sum, v) => sum + Math.min(v, cut), 0);
    const cut = longestFree(sizes, mapped);
    const share = (c: number): number => drawn(c) / (drawn(c) + mapped);
    assert.ok(share(cut) <= 1 / 3 + 1e-9, `${share(cut)} is more than a third`);
    assert.ok(share(cut * 2) > 1 / 3, `${share(cut * 2)}: it could be drawn longer`);
  }
  assert.equal(longestFree([4096, 8192], 2 ** 20), Infinity);
  const line = lineOf(SPACE, false);
  const free = SPACE.reduce((sum, p, i) => sum + (p.kind === "free" ? (line.at[i + 1] ?? 0) - (line.at[i] ?? 0) : 0), 0);
  assert.ok(free > 0 && free <= line.length / 3, `${free} of ${line.length}`);
});

test("places and addresses belong to each other, cut or not", () => {
  for (const trueScale of [false, true]) {
    const line = lineOf(SPACE, trueScale);
    for (const p of SPACE)
      for (const address of [p.start, p.start + p.size / 2]) {
        assert.equal(line.pieces[pieceAtAddress(line, address)], p);
        assert.ok(Math.abs(addressAt(line, placeOf(line, address)) - address) <= p.size / 1e9 + 1, `${address} ${trueScale}`);
      }
  }
  assert.equal(pieceAtAddress(lineOf(SPACE, false), 2 ** 47), -1);
});

test("free space between regions is filled in where a document has no gaps", () => {
  const row = (address: string, end: string, size: number): unknown => ({ address, end, kind: "heap", size });
  const document = { regions: [row("0x1000", "0x3000", 8192), row("0x5000", "0x6000", 4096)] } as unknown as SnapshotJson;
  const pieces = piecesOf(snapshotOf(document));
  assert.deepEqual(pieces.map((p) => [p.start, p.size, p.kind]), [[0, 4096, "free"], [4096, 8192, "heap"], [12288, 8192, "free"], [20480, 4096, "heap"]]);
});

test("rows tile the window; what is smaller than a pixel keeps one and is not hidden by free space", () => {
  const line = lineOf(SPACE, false);
  const rows = { left: 0, top: 0, count: 7, pitch: 20, height: 14, width: 900, close: false };
  const { boxes } = rowBoxes(line, { from: 0, to: line.length }, rows, 1);
  for (let r = 0; r < rows.count; r++) {
    const row = boxes.filter((b) => b.y === r * rows.pitch);
    assert.ok(Math.abs(row.reduce((sum, b) => sum + b.width, 0) - 900) < row.length + 1, `row ${r}`);
  }
  for (const i of [0, 2, 4]) assert.ok(boxes.some((b) => b.piece === i && b.width >= 1), `piece ${i} is drawn`);
});

test("many pieces in one pixel: one is drawn, the others are counted", () => {
  const many = Array.from({ length: 1000 }, (_, i) => piece(i * 4096, 4096, i % 2 ? "free" : "heap"));
  const line = lineOf(many, true);
  const { boxes, hidden } = rowBoxes(line, { from: 0, to: line.length }, { left: 0, top: 0, count: 1, pitch: 20, height: 14, width: 100, close: false }, 1);
  assert.equal(boxes.length + hidden, 1000);
  assert.ok(boxes.length <= 101 && boxes.every((b) => many[b.piece]?.kind === "heap"));
});

test("the Hilbert curve visits every cell once, neighbours after each other, and back", () => {
  const seen = new Set<number>();
  let last = hilbertCell(5, 0);
  for (let d = 0; d < 1024; d++) {
    const c = hilbertCell(5, d);
    seen.add(c.y * 32 + c.x);
    assert.equal(hilbertPlace(5, c.x, c.y), d);
    if (d) assert.equal(Math.abs(c.x - last.x) + Math.abs(c.y - last.y), 1);
    last = c;
  }
  assert.equal(seen.size, 1024);
  const line = lineOf([piece(0, 1000, "free"), piece(1000, 24), piece(1024, 3072, "free")], true);
  assert.ok(hilbertPieces(line, { from: 0, to: 4096 }, 3).includes(1));
});

test("zooming keeps the place under the pointer and stays inside", () => {
  const giga = lineOf([piece(0, 1 << 30)], true);
  const w = zoom({ from: 0, to: 1 << 30 }, giga, 4, 1 << 29);
  assert.equal((1 << 29) - w.from, (w.to - w.from) / 2);
  assert.deepEqual(zoom({ from: 0, to: 1 << 30 }, giga, 0.1, 5), { from: 0, to: 1 << 30 });
  assert.deepEqual(clamp({ from: -50, to: 10_000_000 }, lineOf([piece(0, 8192)], true)), { from: 0, to: 8192 });
  const seen = around(100_000, 104_096, giga);
  assert.ok(seen.from < 100_000 && seen.to > 104_096);
  assert.deepEqual(between({ from: 0, to: 100 }, { from: 40, to: 50 }, 1), { from: 40, to: 50 });
});

test("what is drawn cut short is looked at as closely as the rest", () => {
  const line = lineOf([...Array.from({ length: 40 }, (_, i) => piece(i * 8192, 4096)).flatMap((p) => [p, piece(p.start + 4096, 4096, "free")]), piece(40 * 8192, 64 * 2 ** 30)], false);
  const big = line.pieces.length - 1;
  assert.ok(line.cuts.mapped < 2 ** 20);
  const at = placeOf(line, (line.pieces[big]?.start ?? 0) + 2 ** 34);
  let w = { from: 0, to: line.length };
  for (let i = 0; i < 80; i++) w = zoom(w, line, 2, at);
  const inSight = addressAt(line, w.to) - addressAt(line, w.from);
  assert.ok(inSight >= 4000 && inSight <= 4200, String(inSight));
  const rows = rowsFor(0, 1000, 600, w.to - w.from, 4096);
  assert.ok(rows.close, "so near pages are seen");
});

test("what a pixel shows is what a pointer finds there", () => {
  const pieces = Array.from({ length: 400 }, (_, i) => piece(i * 65536, 65536, i % 3 === 2 ? "heap" : "free")).map((p, i) => (i % 3 === 2 ? { ...p, size: 64 } : p));
  const tiled = pieces.flatMap((p) => (p.size === 64 ? [p, piece(p.start + 64, 65536 - 64, "free")] : [p]));
  const line = lineOf(tiled, true);
  const w = { from: 12_345, to: line.length - 54_321 };
  const rows = { left: 10, top: 3, count: 5, pitch: 26, height: 20, width: 301, close: false };
  for (const b of rowBoxes(line, w, rows, 2).boxes)
    if (tiled[b.piece]?.kind === "heap") assert.equal(pieceAtPoint(line, w, rows, 2, b.x + b.width / 2, b.y + 5), b.piece);
});

test("regions that are gone are drawn where nothing is now", () => {
  const row = (address: string, end: string, size: number): unknown => ({ address, end, kind: "heap", size });
  const document = { regions: [row("0x1000", "0x3000", 8192), row("0x5000", "0x6000", 4096)] } as unknown as SnapshotJson;
  const gone = (address: string, end: string): Record<string, unknown> => ({ state: "gone", kind: "stack", was: { address, end, kind: "stack" }, is: null });
  const diff = { types: [], regions: [gone("0x2000", "0x4000"), gone("0x8000", "0x9000"), { state: "new", kind: "heap", was: null, is: { address: "0x1000" } }] } as unknown as Diff;
  const pieces = piecesOf(snapshotOf(document), diff);
  assert.deepEqual(pieces.map((p) => [p.start, p.size, p.kind, p.gone]), [[0, 4096, "free", -1], [4096, 8192, "heap", -1], [12288, 4096, "stack", 0], [16384, 4096, "free", -1],
    [20480, 4096, "heap", -1], [24576, 8192, "free", -1], [32768, 4096, "stack", 1]]);
});

test("classes of protection, nodes and changes", () => {
  assert.deepEqual(["r-xp", "rw-p", "---p", "r,rx,rw", "rwxp", "-,rw", "??", "r--s"].map(protectionClass), ["rx", "rw", "-", "rw", "rwx", "rw", "?", "r"]);
  assert.equal(mainNode("N0=12 N1=300"), 1);
  assert.equal(mainNode(""), -1);
  const changes = changesOf({ types: [], regions: [{ state: "grown", kind: "heap", is: { address: "0x1000" } }, { state: "gone", kind: "heap", is: null }] });
  assert.deepEqual([...changes], [[4096, "grown"]]);
});

test("a change of numbers alone leaves the pieces; one of sizes, types or gaps does not", () => {
  const row = (address: string, size: number, rss: number, kind = "heap"): object => ({ address, end: "0x" + (Number(address) + size).toString(16), kind, size, rss });
  const gaps = (kind: string): object => ({ rows: 1, columns: { address: { values: [0x3000] }, size: { values: [8192] }, kind: { values: [kind] } } });
  const before = snapshotOf({ regions: [row("0x1000", 8192, 0), row("0x5000", 4096, 0)], gaps: gaps("free") } as unknown as SnapshotJson);
  const after = (regions: object[], more: object = {}): boolean =>
    samePieces(before, applyChanges(before, { n: 2, before: 1, gone: [], regions, ...more } as unknown as ChangesJson));
  assert.equal(after([row("0x5000", 4096, 4096)]), true);
  assert.equal(after([row("0x5000", 4096, 4096)], { gaps: gaps("free") }), true);
  assert.equal(after([row("0x5000", 4096, 4096)], { gaps: gaps("unusable") }), false);
  assert.equal(after([row("0x5000", 8192, 4096)]), false);
  assert.equal(after([row("0x5000", 4096, 4096, "stack")]), false);
  assert.equal(after([], { gone: ["0x5000"] }), false);
});
