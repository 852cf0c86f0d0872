// tests/expr_cases.json, which the C unit test of --where runs too: the page's compiler is the same language.
import assert from "node:assert/strict";
import test from "node:test";
import cases from "../../../tests/expr_cases.json";
import { rowsOf } from "../../src/data/rows";
import type { RowJson } from "../../src/data/types";
import { ExprError, type ColumnType, type ExprTable } from "../../src/expr/ast";
import { byteOrder, evaluate, YES, type ExprRows } from "../../src/expr/eval";
import { compile } from "../../src/expr/parse";
import { hasTerm, toggleTerm } from "../../src/expr/terms";

const TEXTS = new Set(["kind", "protection", "build_id", "path", "details"]);
const FLAGS = new Set(["wx", "deleted"]);
const ADDRESSES = new Set(["address", "end"]);
const LABELS: Record<string, string> = {
  image: "Image", heap: "Heap", private_data: "Private Data", mapped_file: "Mapped File", stack: "Stack",
};

function typeOf(id: string): ColumnType {
  return TEXTS.has(id) ? "text" : FLAGS.has(id) ? "flag" : ADDRESSES.has(id) ? "address" : "bytes";
}

const table: ExprTable = { columns: cases.columns.map((id) => ({ id, type: typeOf(id) })) };
const data = rowsOf(cases.rows as unknown as RowJson[]);
const rows: ExprRows = {
  count: data.count,
  column: (id) => data.column(id),
  knownEmpty: (id) => id === "path" || id === "details",
  kindLabel: (id) => LABELS[id],
};

test("what expressions pick", () => {
  assert.ok(cases.cases.length > 60);
  for (const { where, picks } of cases.cases) {
    const truth = evaluate(compile(table, where), rows);
    assert.deepEqual(cases.names.filter((_, i) => truth[i] === YES), picks, where.slice(0, 200));
  }
});

test("where mistakes are told", () => {
  assert.ok(cases.errors.length > 30);
  for (const { where, column, says } of cases.errors)
    assert.throws(
      () => compile(table, where),
      (e) => {
        assert.ok(e instanceof ExprError, String(e));
        assert.equal(e.column, column, `${where.slice(0, 200)}: ${e.what}`);
        assert.ok(e.what.includes(says), `${where.slice(0, 200)}: ${e.what}`);
        return true;
      },
    );
});

test("shares and whole types of what differs", () => {
  const changes: ExprTable = { columns: [{ id: "rss", type: "bytes", changes: true }, { id: "kind", type: "text" }], kinds: ["heap"] };
  const values = Float64Array.of(50, 51, -100, NaN);
  const of: ExprRows = {
    count: 4,
    column: (id) => (id === "rss" ? { type: "number", values, atLeast: new Set() } : undefined),
    knownEmpty: () => false,
    kindLabel: () => undefined,
    before: (_, kind) => (kind === null ? 1000 : 2000),
    ofKind: () => ({ value: 101, low: false, high: false }),
  };
  const picks = (where: string): number[] => [...evaluate(compile(changes, where), of)].flatMap((t, i) => (t === YES ? [i] : []));
  assert.deepEqual(picks("rss>+5%"), [1]);
  assert.deepEqual(picks("rss>=5%"), [0, 1]);
  assert.deepEqual(picks("rss<-9.9%"), [2]);
  assert.deepEqual(picks("heap.rss>5%"), [0, 1, 2, 3]);
  assert.deepEqual(picks("heap.rss>5.05%"), []);
  assert.deepEqual(picks("rss>-10M"), [0, 1, 2]);
  assert.throws(() => compile(changes, "heap.kind=x"), /a type as a whole has no such column at column 6/);
});

test("texts are ordered by bytes", () => {
  const texts = ["", "A", "a", "ab", "z", "é", "\ue000", "\uffff", "\u{10000}", "\u{1f600}"];
  const bytes = (t: string): string => [...new TextEncoder().encode(t)].map((b) => String.fromCharCode(b)).join("");
  for (const a of texts)
    for (const b of texts) {
      const expected = bytes(a) < bytes(b) ? -1 : bytes(a) > bytes(b) ? 1 : 0;
      assert.equal(Math.sign(byteOrder(a, b)), expected, JSON.stringify([a, b]));
    }
});

test("terms that buttons add and take away", () => {
  assert.equal(toggleTerm("", "wx"), "wx");
  assert.equal(toggleTerm("rss>1M", "wx"), "rss>1M && wx");
  assert.equal(toggleTerm("rss>1M && wx", "wx"), "rss>1M");
  assert.equal(toggleTerm("a || b", "wx"), "(a || b) && wx");
  assert.equal(toggleTerm("(a || b) && wx", "wx"), "(a || b)");
  assert.ok(hasTerm("details~'x && wx' && wx", "wx"));
  assert.ok(!hasTerm("details~'x && wx'", "wx"));
});
