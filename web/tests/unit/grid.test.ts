// The row model of the region table: order, filters, what is open, finding, columns, cells. Expected rows are by hand.
import assert from "node:assert/strict";
import test from "node:test";
import { evaluate, YES } from "../../src/expr/eval";
import { compile } from "../../src/expr/parse";
import { rowsOf } from "../../src/data/rows";
import { snapshotOf } from "../../src/data/snapshot";
import type { ColumnInfo, Diff, PageInfo, RowJson, SnapshotJson } from "../../src/data/types";
import { changeTable, mappingTable, regionTable } from "../../src/grid/build";
import { csvOf, jsonOf } from "../../src/export";
import { cell, dataCell, hex, kibExact, rowsAsData, rowsAsText } from "../../src/grid/cells";
import { defaultWidth, fittingWidths, moved, shownColumns, toggled, widthOf } from "../../src/grid/columns";
import { find, nextMatch, parseQuery } from "../../src/grid/find";
import { keyAction, typeAhead, type KeyState } from "../../src/grid/keys";
import { hexLines, stringsOf } from "../../src/grid/memory";
import { both, filtered, flattened, kindFilter, sorted } from "../../src/grid/order";
import { pagesByState, stripParts } from "../../src/grid/pages";
import { slots } from "../../src/grid/grid";
import { offsetFor, windowOf } from "../../src/grid/virtual";
import type { Table } from "../../src/grid/table";

const column = (id: string, title: string, type: ColumnInfo["type"], shown = true, name = false): ColumnInfo => ({ id, title, help: "", type, shown, name });
const info: PageInfo = {
  tool: "", mode: "report", title: "",
  kinds: [["image", "Image"], ["heap", "Heap"], ["private_data", "Private Data"], ["stack", "Stack"]].map(([id = "", label = ""]) => ({ id, label, light: "", dark: "", help: "" })),
  columns: [
    column("address", "Address", "address"), column("end", "End", "address", false), column("kind", "Type", "text"), column("size", "Size", "bytes"),
    column("rss", "RSS", "bytes"), column("swap", "Swap", "bytes"), column("stored", "Stored", "bytes"), column("used", "Used", "bytes", false),
    column("blocks", "Blocks", "count"), column("protection", "Prot", "text"), column("wx", "W+X", "flag", false), column("thread", "Thread", "count", false, true),
    column("label", "Label", "text", false), column("path", "Path", "text", false), column("details", "Details", "text"),
  ],
};

const K = 1024;
function row(address: string, size: number, rss: number | null, more: Partial<RowJson> = {}): RowJson {
  const end = "0x" + (BigInt(address) + BigInt(size)).toString(16);
  return { address, end, kind: "private_data", size, rss, swap: 0, stored: null, used: null, protection: "rw-p", wx: false, details: "", ...more };
}
const regions: RowJson[] = [
  row("0x1000", 8 * K, 4 * K, { kind: "image", protection: "r,rx", details: "/usr/lib/libdemo.so", path: "/usr/lib/libdemo.so", blocks: [
    row("0x1000", 4 * K, 4 * K, { kind: "image", protection: "r-xp", label: ".text", details: ".text" }),
    row("0x2000", 4 * K, 0, { kind: "image", protection: "r--p", label: ".rodata", details: ".rodata" }),
  ] }),
  row("0x10000", 64 * K, null, { at_least: { rss: 8 * K }, wx: true, protection: "rwxp", blocks: [row("0x10000", 64 * K, null)] }),
  row("0x30000", 132 * K, 20 * K, { kind: "heap", used: 1000, details: "glibc main arena", heap: "glibc.0",
    chunks: { used: { count: 3, bytes: 1000, rss: 1000 }, free: { count: 0, bytes: 0, rss: 0 }, meta: { count: 2, bytes: 24, rss: null } },
    blocks: [row("0x30000", 132 * K, 20 * K, { kind: "heap", details: "chunks" })] }),
  row("0x7ffe00000000", 132 * K, 20 * K, { kind: "stack", tid: 4711, details: "thread 4711 <b>\u202eevil" }),
  row("0xffffffffff600000", 4 * K, null, { details: "[vsyscall]" }),
];
const document = { regions, target: { source: "live" }, summary: { types: [] }, modules: [] } as unknown as SnapshotJson;
const table = regionTable(snapshotOf(document), info);
const all = sorted(table, null);
const addresses = (rows: Iterable<number>): string[] => [...rows].map((r) => hex(table.address(r)));
const col = (t: Table, id: string) => t.info(id) ?? assert.fail(id);

test("sorting keeps unknown last in both directions and equal rows as they were", () => {
  const by = (id: string, descending: boolean): number[] => [...sorted(table, { column: id, descending })];
  assert.deepEqual(by("size", true), [2, 3, 1, 0, 4]);
  assert.deepEqual(by("size", false), [4, 0, 1, 2, 3]);
  assert.deepEqual(by("rss", true), [2, 3, 1, 0, 4]); // a lower bound sorts as what it says
  assert.deepEqual(by("rss", false), [0, 1, 2, 3, 4]);
  assert.deepEqual(by("details", false), [1, 0, 4, 2, 3]);
  assert.deepEqual(by("details", true), [3, 2, 4, 0, 1]);
  assert.deepEqual(by("kind", false), [2, 0, 1, 4, 3]); // by id, as vmmap show
  assert.deepEqual(by("thread", true), [3, 0, 1, 2, 4]);
  assert.deepEqual(by("wx", true), [1, 0, 2, 3, 4]);
  assert.deepEqual(by("nonsense", true), [0, 1, 2, 3, 4]);
});

test("children stay below their parents, whatever the order", () => {
  const order = sorted(table, { column: "size", descending: true });
  const visible = flattened(table, order, new Set([0x1000, 0x30000]));
  assert.deepEqual(addresses(visible), ["30000", "30000", "30000", "30000", "7ffe00000000", "10000", "1000", "1000", "2000", "ffffffffff600000"]);
  assert.deepEqual([...visible].map((r) => table.level(r)), [1, 2, 2, 2, 1, 1, 1, 2, 2, 1]);
  assert.deepEqual([...visible].map((r) => table.parent(r)), [2, 2, 2, 2, 3, 1, 0, 0, 0, 4]);
  assert.equal(flattened(table, order, new Set()), order);
});

test("filters", () => {
  assert.deepEqual([...filtered(all, kindFilter(table, ["heap", "stack"]))], [2, 3]);
  assert.deepEqual([...filtered(all, kindFilter(table, []))], []);
  assert.equal(kindFilter(table, null), null);
  assert.deepEqual([...(both(Uint8Array.of(1, 1, 0, 0), Uint8Array.of(1, 0, 1, 0)) ?? [])], [1, 0, 0, 0]);
});

test("an address finds the deepest row that holds it", () => {
  const at = (text: string): string[] => addresses(find(table, all, parseQuery(table, text)));
  const levels = (text: string): number[] => [...find(table, all, parseQuery(table, text))].map((r) => table.level(r));
  assert.deepEqual(at("0x2fff"), ["2000"]);
  assert.deepEqual(levels("0x2fff"), [2]);
  assert.deepEqual(at("0x3000"), []); // the end is outside
  assert.deepEqual(at("0x7ffe00000001"), ["7ffe00000000"]);
  assert.deepEqual(at("7ffe00000fff"), ["7ffe00000000"]);
  assert.deepEqual(at("0xffffffffff600123"), ["ffffffffff600000"]);
  assert.deepEqual(at("0x0"), []);
  assert.deepEqual([...find(table, filtered(all, kindFilter(table, ["stack"])), parseQuery(table, "0x1000"))], []); // filtered out
});

test("a text finds rows below closed ones too", () => {
  const texts = (text: string): string[] => [...find(table, all, parseQuery(table, text))].map((r) => table.text("details", r));
  assert.deepEqual(texts("rodata"), [".rodata"]);
  assert.deepEqual(texts("LIBDEMO"), ["/usr/lib/libdemo.so"]);
  assert.deepEqual(texts("private data"), ["", "[vsyscall]"]); // kinds in regions alone
  assert.deepEqual(texts("4711"), ["thread 4711 <b>\u202eevil"]);
  assert.deepEqual(texts("glibc.0"), ["glibc main arena"]);
  assert.deepEqual(texts("7ffe0"), ["thread 4711 <b>\u202eevil"]); // an address's first digits
  const chunks = (text: string): string[] => [...find(table, all, parseQuery(table, text))].filter((r) => table.isChunk(r)).map((r) => cell(table, col(table, "details"), r).text);
  assert.deepEqual(chunks("used"), ["used: 1,000 bytes in 3 chunks"]); // what a heap's chunks are
  assert.deepEqual(chunks("overhead"), ["overhead: 24 bytes"]);
  assert.deepEqual(texts("  "), []);
  assert.deepEqual(texts("(.*"), []);
});

test("next and previous go round", () => {
  const found = find(table, all, parseQuery(table, "text"));
  assert.equal(found.length, 1);
  const many = find(table, all, { type: "text", text: "d" });
  assert.equal(nextMatch(table, all, many, -1, 1), 0);
  assert.equal(nextMatch(table, all, many, -1, -1), many.length - 1);
  assert.equal(nextMatch(table, all, many, many[0] ?? -1, 1), 1 % many.length);
  assert.equal(nextMatch(table, all, many, many[0] ?? -1, -1), many.length - 1);
  assert.equal(nextMatch(table, all, new Uint32Array(0), 0, 1), -1);
  assert.equal(nextMatch(table, all, Uint32Array.of(0, 3), 1, 1), 1); // from a row that is no match
  assert.equal(nextMatch(table, all, Uint32Array.of(0, 3), 1, -1), 0);
  assert.equal(nextMatch(table, all, Uint32Array.of(0, 3), 4, 1), 0);
});

test("cells as vmmap show writes them", () => {
  const text = (id: string, r: number): string => cell(table, col(table, id), r).text;
  assert.deepEqual([0, 1, 511, 512, 1535, 1536, 135168, 1 << 30].map(kibExact).slice(1), ["<1", "<1", "1", "1", "2", "132", "1,048,576"]);
  assert.equal(text("rss", 1), "≥8");
  assert.equal(text("rss", 4), "?");
  assert.equal(text("swap", 0), "-");
  assert.equal(text("used", 0), ""); // said of heaps alone
  assert.equal(text("used", 2), "1");
  assert.equal(text("thread", 3), "4711");
  assert.equal(text("thread", 0), "");
  assert.equal(text("kind", 1), "Private Data");
  assert.equal(text("kind", table.topCount), "");
  assert.equal(text("details", 3), "thread 4711 <b>\\u{202e}evil");
  assert.equal(text("address", 4), "ffffffffff600000");
  assert.equal(text("details", table.topCount + table.blocks.count), "used: 1,000 bytes in 3 chunks");
  assert.equal(text("details", table.topCount + table.blocks.count + 1), "overhead: 24 bytes");
  assert.equal(text("rss", table.topCount + table.blocks.count + 1), "?");
});

test("copied rows", () => {
  const columns = ["address", "size", "rss", "details"].map((id) => col(table, id));
  assert.equal(csvOf(rowsAsData(table, columns, [0, 1, 3])), "depth,address,size,rss,details\n0,0x1000,8192,4096,/usr/lib/libdemo.so\n0,0x10000,65536,,\n" +
    "0,0x7ffe00000000,135168,20480,\"thread 4711 <b>\\u{202e}evil\"\n");
  assert.equal(rowsAsText(table, columns, [0, table.topCount]),
    "Address  Size KiB  RSS  Details\n1000            8    4  /usr/lib/libdemo.so\n  1000          4    4  .text\n");
  assert.equal(dataCell(table, col(table, "wx"), 1), true);
  assert.equal(csvOf(rowsAsData(table, [col(table, "wx")], [1])), "depth,wx\n0,true\n");
  assert.deepEqual(JSON.parse(jsonOf(rowsAsData(table, columns, [1, 3]))), [
    { depth: 0, address: "0x10000", size: 65536, rss: null, details: "" },
    { depth: 0, address: "0x7ffe00000000", size: 135168, rss: 20480, details: "thread 4711 <b>\u202eevil" },
  ]);
});

test("columns: what says nothing is not shown unless it is chosen", () => {
  const ids = (chosen: readonly string[] | null, live = true): string[] => shownColumns(table, chosen, live).map((c) => c.id);
  assert.deepEqual(ids(null), ["address", "kind", "size", "rss", "blocks", "protection", "details"]);
  assert.deepEqual(shownColumns(table, null, true, true).map((c) => c.id), ["address", "kind", "size", "rss", "protection", "details"]);
  assert.deepEqual(shownColumns(table, ["blocks"], true, true).map((c) => c.id), ["blocks"]);
  assert.deepEqual(ids(["details", "swap", "gone"]), ["details", "swap"]);
  assert.deepEqual(ids(["gone"]), ids(null));
  assert.deepEqual(moved(["a", "b", "c"], "a", 2), ["b", "c", "a"]);
  assert.deepEqual(moved(["a", "b", "c"], "c", -1), ["c", "a", "b"]);
  assert.deepEqual(toggled(table, ["address", "details"], "rss"), ["address", "rss", "details"]);
  assert.deepEqual(toggled(table, ["address", "details"], "details"), ["address"]);
  assert.deepEqual(toggled(table, ["address"], "address"), ["address"]);
});

test("columns are as wide as their longest number", () => {
  const wide = regionTable(snapshotOf({ ...document, regions: [row("0x1000", 1 << 30, 4 * K)] }), info);
  const columns = ["size", "rss", "details"].map((id) => col(wide, id));
  const widths = fittingWidths(wide, columns);
  assert.deepEqual(Object.keys(widths), ["size"]); // 1,048,576
  assert.ok(widthOf(columns[0]!, widths) >= 9 * 7 + 16 && widthOf(columns[1]!, widths) === defaultWidth(columns[1]!));
});

test("keys as in a file manager", () => {
  const open = new Set([0x1000]);
  const visible = flattened(table, all, open);
  const state = (at: number, o: ReadonlySet<number> = open): KeyState => ({ table, visible: flattened(table, all, o), at, page: 3, open: o, control: false, alt: false, typing: false });
  assert.deepEqual(keyAction("ArrowDown", state(-1)), { do: "move", to: 0 });
  assert.deepEqual(keyAction("ArrowUp", state(0)), { do: "move", to: 0 });
  assert.deepEqual(keyAction("End", state(0)), { do: "move", to: visible.length - 1 });
  assert.deepEqual(keyAction("PageDown", state(1)), { do: "move", to: 4 });
  assert.deepEqual(keyAction("PageDown", state(visible.length - 1)), { do: "move", to: visible.length - 1 });
  assert.deepEqual(keyAction("ArrowRight", state(0)), { do: "move", to: 1 });
  assert.deepEqual(keyAction("ArrowRight", state(0, new Set())), { do: "open", top: 0 });
  assert.equal(keyAction("ArrowRight", state(1)), null);
  assert.deepEqual(keyAction("ArrowLeft", state(2)), { do: "move", to: 0 });
  assert.deepEqual(keyAction("ArrowLeft", state(0)), { do: "close", top: 0 });
  assert.deepEqual(keyAction("*", state(0)), { do: "open-all" });
  assert.deepEqual(keyAction("Enter", state(0)), { do: "panel" });
  assert.equal(keyAction("q", state(0)), null);
  const control = (key: string): ReturnType<typeof keyAction> => keyAction(key, { ...state(1), control: true });
  assert.deepEqual([control("ArrowDown"), control("End"), control("a"), control(" "), control("ArrowRight"), control("c")],
    [{ do: "move", to: 2 }, { do: "move", to: visible.length - 1 }, { do: "all" }, { do: "pick", row: visible[1] }, { do: "aside", by: 1 }, null]);
  assert.deepEqual(keyAction(" ", state(0)), { do: "pick", row: visible[0] });
  assert.equal(keyAction(" ", { ...state(0), typing: true }), null); // a part of the name
  assert.equal(keyAction("ArrowLeft", { ...state(0), alt: true }), null); // the browser goes back
  assert.equal(typeAhead(table, visible, 0, "libd"), 0);
  assert.equal(typeAhead(table, visible, 0, "stack"), visible.indexOf(3));
  assert.equal(typeAhead(table, visible, 0, "7ffe"), visible.indexOf(3));
  assert.equal(typeAhead(table, visible, 0, "zzz"), -1);
});

test("raw mappings", () => {
  const t = mappingTable(rowsOf([{ ...row("0x1000", 4096, 0), name: "/tmp/x", deleted: true, device: "08:01", inode: 7 }]), info);
  assert.equal(cell(t, col(t, "details"), 0).text, "/tmp/x (deleted)");
  assert.equal(t.childCount(0), 0);
});

test("what differs is signed, and counts what was before", () => {
  const diff = { types: [{ state: "grown", kind: "heap", change: { rss: 4096 }, before: { rss: 40960 } }], regions: [
    { state: "grown", changes: ["grown"], kind: "heap", was: { address: "0x30000", end: "0x40000", protection: "rw-p" }, is: { address: "0x30000", end: "0x50000", protection: "rw-p" },
      path: "", details: "main", tid: null, heap: "glibc.0", change: { size: 65536, rss: -2048 }, before: { size: 65536, rss: 4096 }, after: { size: 131072, rss: 2048 } },
    { state: "gone", changes: ["gone"], kind: "stack", was: { address: "0x10000", end: "0x20000" }, is: null, details: "", change: { size: -65536, rss: null }, before: {}, after: {} },
    { state: "new", changes: ["new"], kind: "heap", was: null, is: { address: "0x90000", end: "0x91000", protection: "rw-p" }, path: "", details: "", change: { size: 4096 }, before: null, after: { size: 4096 } },
  ] } as unknown as Diff;
  const t = changeTable(diff, info);
  const text = (id: string, r: number): string => cell(t, col(t, id), r).text;
  assert.deepEqual([text("size", 0), text("rss", 0), text("size_before", 0)], ["+64", "−2", "64"]);
  assert.deepEqual([text("size", 1), text("rss", 1), text("address", 1), text("state", 1)], ["−64", "?", "10000", "gone"]);
  assert.deepEqual([...sorted(t, { column: "size", descending: true })], [0, 2, 1]);
  assert.deepEqual([...sorted(t, null)], [0, 1, 2]);
  assert.equal(t.at(0x4ffff), 0);
  const picks = (where: string): number[] => [...evaluate(compile({ columns: t.exprColumns(), kinds: t.kinds ?? [] }, where), t.exprRows())].flatMap((v, i) => (v === YES ? [i] : []));
  assert.deepEqual(picks("size>=100%"), [0, 2]); // of nothing every share is 0
  assert.deepEqual(picks("heap.rss>=10% && state=grown"), [0]);
  assert.deepEqual(picks("size_before=64K"), [0]);
  assert.deepEqual(picks("was>0x20000"), [0]);
});

test("the rows on the screen", () => {
  assert.deepEqual(windowOf(0, 28 + 220, 1000), { from: 0, to: 13 });
  assert.deepEqual(windowOf(2200, 28 + 220, 1000), { from: 97, to: 113 });
  assert.deepEqual(windowOf(0, 500, 0), { from: 0, to: 0 });
  assert.deepEqual(windowOf(1e9, 500, 10), { from: 7, to: 10 });
  assert.equal(offsetFor(0, 100, 248), 0);
  assert.equal(offsetFor(5, 0, 248), null);
  assert.equal(offsetFor(10, 0, 248), 22);
  for (const [from, to] of [[0, 5], [3, 21], [1000, 1039]] as const) {
    const dealt = slots(from, to);
    assert.deepEqual(dealt.filter((i) => i >= 0).sort((a, b) => a - b), Array.from({ length: to - from }, (_, i) => from + i));
    assert.equal(slots(from + 1, to + 1).filter((r, i) => r !== dealt[i]).length, dealt.length === to - from ? 1 : 2); // scrolling by a row
  }
});

test("strips of pages", () => {
  const runs = { page_size: 4096, runs: [{ address: 0, pages: 1, state: "present" }, { address: 4096, pages: 998, state: "absent" }, { address: 999 * 4096, pages: 1, state: "swapped" }] };
  const parts = stripParts(runs, 0, 1000 * 4096, 100);
  assert.deepEqual(parts.map((p) => p.state), ["present", "absent", "swapped"]);
  for (const p of parts) assert.ok(p.to - p.from >= 1 && p.from >= 0 && p.to <= 100, JSON.stringify(p));
  assert.deepEqual([...pagesByState(runs)], [["present", 1], ["absent", 998], ["swapped", 1]]);
});

test("bytes and strings", () => {
  const memory = { address: 0x1008, parts: [{ address: 0x1008, bytes: Uint8Array.from([0x41, 0x0a, 0xff]) }] };
  assert.deepEqual(hexLines(memory, 0x1008, 0x1018), ["1008  41 0a ff ·· ·· ·· ·· ··  A..     ", "1010  not there"]);
  assert.deepEqual(hexLines(memory, 0x100a, 0x100b), ["1008        ff                   .     "]);
  assert.deepEqual(stringsOf({ strings: [{ address: "0x1", text: "<script>" }, { text: 5 }, null] }), [{ address: "0x1", text: "<script>" }]);
  assert.deepEqual(stringsOf(null), []);
});
