import assert from "node:assert/strict";
import test from "node:test";
import { applyChanges, type ChangesJson } from "../../src/data/changes";
import type { Rows } from "../../src/data/rows";
import { snapshotOf, type Snapshot } from "../../src/data/snapshot";
import type { RowJson, SnapshotJson } from "../../src/data/types";

/** The same numbers in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

const head = { target: {}, summary: {} } as unknown as SnapshotJson;

function region(page: number, random: (below: number) => number): RowJson {
  const blocks = Array.from({ length: 1 + random(3) }, (_, i) => ({
    address: "0x" + (page * 0x10000 + i * 0x1000).toString(16), size: 4096, rss: random(4) * 4096, label: ["", ".text", ".data"][random(3)] ?? "",
  }));
  const rss = random(9) ? random(5) * 4096 : null;
  const row: RowJson = {
    address: "0x" + (page * 0x10000).toString(16), size: 4096 * blocks.length, rss, wx: random(5) === 0, kind: ["heap", "stack", "image"][random(3)] ?? "",
    tid: random(4) ? null : 100 + random(3), details: random(3) ? "d" + random(40) : "", blocks,
  } as unknown as RowJson;
  if (rss !== null && !random(6)) row.at_least = { pss: 4096 };
  if (!random(7)) row.chunks = { used: { count: random(9), bytes: 64, rss: null } };
  return row;
}

function table(rows: Rows): unknown[] {
  const ids = ["address", "size", "rss", "pss", "tid", "kind", "details", "label", "wx", "region"];
  return Array.from({ length: rows.count }, (_, i) =>
    [...ids.map((id) => [rows.number(id, i), rows.text(id, i), rows.flag(id, i), rows.isAtLeast(id, i)]), rows.chunks.get(i) ?? null]);
}

const shown = (s: Snapshot): unknown => ({ regions: table(s.regions), blocks: table(s.blocks), first: [...s.firstBlock] });

test("changes make of a snapshot what the whole document says", () => {
  const random = generator(7);
  let pages = new Map<number, RowJson>();
  for (let i = 0; i < 60; i++) pages.set(random(200), region(0, random));
  const document = (): SnapshotJson => ({ ...head, regions: [...pages].sort((a, b) => a[0] - b[0]).map(([, r]) => r) });
  pages = new Map([...pages.keys()].map((p) => [p, region(p, random)]));
  let snapshot = snapshotOf(document());
  for (let round = 0; round < 200; round++) {
    const changed = new Map<number, RowJson>();
    const gone: string[] = [];
    for (let i = random(6); i > 0; i--) {
      const page = random(200);
      const had = pages.get(page);
      if (had && !random(3)) {
        pages.delete(page);
        if (!changed.delete(page) || round) gone.push("0x" + (page * 0x10000).toString(16));
      } else if (had || !random(2)) {
        // Often one number alone is another: then the rows stand where they stood.
        const next = had && random(2) ? { ...had, rss: random(5) * 4096 } : region(page, random);
        pages.set(page, next);
        changed.set(page, next);
      }
    }
    const before = gone.filter((g) => snapshot.regions.find("address", Number(g)) >= 0 && !pages.has(Number(g) / 0x10000));
    const rows = [...changed].filter(([p]) => pages.has(p)).sort((a, b) => a[0] - b[0]).map(([, r]) => r);
    snapshot = applyChanges(snapshot, { ...head, regions: rows, n: round + 2, before: round + 1, gone: before } as ChangesJson);
    assert.deepEqual(shown(snapshot), shown(snapshotOf(document())), `round ${round}`);
  }
});

test("columns in which nothing changed are the same objects", () => {
  const random = generator(3);
  const rows = Array.from({ length: 20 }, (_, i) => region(i, random));
  const before = snapshotOf({ ...head, regions: rows });
  const next = { ...rows[4], rss: 123 * 4096 } as RowJson;
  const after = applyChanges(before, { ...head, regions: [next], n: 2, before: 1, gone: [] } as ChangesJson);
  for (const id of ["address", "size", "kind", "details", "wx", "tid"]) assert.equal(after.regions.column(id), before.regions.column(id), id);
  assert.notEqual(after.regions.column("rss"), before.regions.column("rss"));
  assert.equal(after.regions.number("rss", 4), 123 * 4096);
  assert.equal(before.regions.number("rss", 4), rows[4]?.["rss"] ?? NaN);
});
