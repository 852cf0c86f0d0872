import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { formatAddress, unpackRows, type Rows } from "../../src/data/rows";
import { snapshotOf } from "../../src/data/snapshot";
import type { SnapshotJson } from "../../src/data/types";

test("values of every form are unpacked", () => {
  const rows = unpackRows({
    rows: 4,
    columns: {
      address: { unit: 4096, deltas: [16, 1, 4503599627370478 - 17, -4503599627370478] },
      size: { unit: 4096, values: [1, 2, 3, null] },
      rss: { all: 0, unit: 4096, but: { rows: [2], values: [5] } },
      pss: { all: null },
      kind: { texts: ["heap", "stack"], index: [0, 1, null, 1] },
      label: { all: "same" },
      wx: { all: false, but: { rows: [1], values: [true] } },
      tid: { all: null, but: { rows: [3], values: [77] } },
    },
    at_least: { rss: [2] },
    chunks: { "1": { used: { count: 2, bytes: 48, rss: null } } },
  });
  const numbers = (id: string): number[] => [0, 1, 2, 3].map((i) => rows.number(id, i));
  assert.deepEqual(numbers("address"), [0x10000, 0x11000, 4503599627370478 * 4096, 0]);
  assert.deepEqual(numbers("size"), [4096, 8192, 12288, NaN]);
  assert.deepEqual(numbers("end").slice(0, 2), [0x11000, 0x13000]);
  assert.deepEqual(numbers("rss"), [0, 0, 20480, 0]);
  assert.deepEqual(numbers("pss"), [NaN, NaN, NaN, NaN]);
  assert.deepEqual(numbers("tid"), [NaN, NaN, NaN, 77]);
  assert.deepEqual([0, 1, 2, 3].map((i) => rows.text("kind", i)), ["heap", "stack", "", "stack"]);
  assert.equal(rows.text("label", 3), "same");
  assert.deepEqual([0, 1, 2, 3].map((i) => rows.flag("wx", i)), [false, true, false, false]);
  assert.deepEqual([rows.isAtLeast("rss", 1), rows.isAtLeast("rss", 2)], [false, true]);
  assert.equal(rows.chunks.get(1)?.["used"]?.bytes, 48);
});

test("an address above 2^53 behind addresses of single bytes is exact", () => {
  const rows = unpackRows({
    rows: 3,
    columns: {
      address: { unit: 1, deltas: [93831858077697, 0, 3], at: { "1": "0xffffffffff600000" } },
      size: { values: [1, 4096, 1] },
    },
  });
  assert.equal(rows.number("address", 0), 93831858077697);
  assert.equal(formatAddress(rows.number("address", 1)), "0xffffffffff600000");
});

test("rows that lie about their number take no more room than they may", () => {
  assert.equal(unpackRows({ rows: 1e15, columns: {} }).count, 1 << 22);
  assert.equal(unpackRows({ rows: -1, columns: {} }).count, 0);
  const rows = unpackRows({ rows: 2, columns: { rss: { all: 0, but: { rows: [9], values: [1] } }, kind: { texts: ["a"], index: [7, 0] } } });
  assert.equal(rows.text("kind", 0), "");
  assert.equal(rows.number("rss", 1), 0);
});

function compare(packed: Rows, plain: Rows, what: string): number {
  assert.equal(packed.count, plain.count, what);
  let compared = 0;
  for (const id of plain.ids())
    for (let i = 0; i < plain.count; i++) {
      const where = `${what} ${id} ${i}`;
      assert.equal(packed.text(id, i), plain.text(id, i), where);
      assert.equal(packed.flag(id, i), plain.flag(id, i), where);
      assert.ok(Object.is(packed.number(id, i), plain.number(id, i)), where);
      assert.equal(packed.isAtLeast(id, i), plain.isAtLeast(id, i), where);
      compared++;
    }
  assert.deepEqual([...packed.chunks], [...plain.chunks], what);
  return compared;
}

const vmmap = process.env["VMMAP"];
test("columns hold what objects hold, of a real process", { skip: vmmap ? false : "VMMAP is not set" }, () => {
  if (!vmmap) return;
  const folder = mkdtempSync(join(tmpdir(), "vmmap-rows-"));
  try {
    const file = join(folder, "node.vmmap");
    assert.ok([0, 3].includes(spawnSync(vmmap, ["save", String(process.pid), "-o", file], { stdio: "ignore" }).status ?? -1));
    const show = (...words: string[]): SnapshotJson =>
      JSON.parse(execFileSync(vmmap, ["show", file, ...words], { encoding: "utf8", maxBuffer: 1 << 28 })) as SnapshotJson;
    for (const raw of [[], ["--raw"], ["--sort", "rss:desc"], ["--columns", "rss,protection"]]) {
      const plain = snapshotOf(show("--json", ...raw));
      const packed = snapshotOf(show("--format", "json-columns", ...raw));
      let compared = compare(packed.regions, plain.regions, `regions ${raw}`);
      compared += compare(packed.blocks, plain.blocks, `blocks ${raw}`);
      compared += compare(packed.mappings, plain.mappings, `mappings ${raw}`);
      assert.deepEqual(packed.firstBlock, plain.firstBlock);
      assert.ok(compared > 500, `${compared} values`);
      assert.ok(packed.gaps.count > 0);
      assert.equal(packed.gaps.text("kind", packed.gaps.count - 1), "free");
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
