// Makes the table of a snapshot, of its raw mappings, or of what differs.
import { Rows, rowsOf, type Column } from "../data/rows";
import type { Snapshot } from "../data/snapshot";
import { METRICS, type ColumnInfo, type Diff, type DiffRow, type PageInfo, type RowJson } from "../data/types";
import { hex } from "./cells";
import { Table, type GridColumn } from "./table";

const NOTHING = new Uint32Array(1);

function kindLabels(info: PageInfo): Map<string, string> {
  return new Map(info.kinds.map((k) => [k.id, k.label]));
}

function numbers(values: Float64Array): Column {
  return { type: "number", values, atLeast: new Set() };
}

/** Columns of the library's table of which some row has a value, in its order. */
function present(info: PageInfo, levels: readonly Rows[]): GridColumn[] {
  return info.columns
    .filter((c) => levels.some((rows) => Table.column(rows, c.id) !== undefined))
    .map((c) => ({ ...c, change: false }));
}

/** What the chunks of heaps' regions are, a row for each state; states without bytes say nothing. */
function chunkRows(regions: Rows): Rows {
  const rows: RowJson[] = [];
  for (const [region, sums] of [...regions.chunks].sort((a, b) => a[0] - b[0])) {
    const address = "0x" + hex(regions.number("address", region));
    for (const [state, of] of Object.entries(sums))
      if (of.bytes) rows.push({ address, end: address, kind: regions.text("kind", region), region, state, count: of.count, size: of.bytes, rss: of.rss });
  }
  return rowsOf(rows);
}

export function regionTable(snapshot: Snapshot, info: PageInfo): Table {
  const { regions, blocks, firstBlock } = snapshot;
  const count = new Float64Array(regions.count);
  for (let i = 0; i < regions.count; i++) count[i] = (firstBlock[i + 1] ?? 0) - (firstBlock[i] ?? 0);
  const top = regions.with({ blocks: numbers(count) });
  const chunks = chunkRows(regions);
  const firstChunk = new Uint32Array(regions.count + 1);
  for (let c = 0; c < chunks.count; c++) {
    const at = chunks.number("region", c) + 1;
    firstChunk[at] = (firstChunk[at] ?? 0) + 1;
  }
  for (let i = 1; i < firstChunk.length; i++) firstChunk[i] = (firstChunk[i] ?? 0) + (firstChunk[i - 1] ?? 0);
  return new Table({
    mode: "regions", columns: present(info, [top, blocks]), top, blocks, firstBlock, chunks, firstChunk, kinds: kindLabels(info),
  });
}

/** Said in the details, or of heaps alone. */
const NOT_OF_MAPPINGS = new Set(["name", "path", "used", "unused"]);

/** The kernel's mappings: no types, the kernel's name as details. */
export function mappingTable(mappings: Rows, info: PageInfo): Table {
  const name = mappings.column("name");
  const top = name ? mappings.with({ details: name, path: name }) : mappings;
  const columns = present(info, [top]).filter((c) => !NOT_OF_MAPPINGS.has(c.id));
  return new Table({
    mode: "mappings", columns, top, blocks: Rows.empty, firstBlock: NOTHING, chunks: Rows.empty, firstChunk: NOTHING, kinds: kindLabels(info),
  });
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** A row of a diff as a flat one: the change of each number, and what it was before and after. */
function flatRow(row: DiffRow): RowJson {
  const was = object(row["was"]);
  const is = object(row["is"]);
  const here = row["is"] ? is : was;
  const flat: RowJson = {
    address: text(here["address"]) ?? "0x0", end: text(here["end"]) ?? "0x0", kind: row.kind ?? text(here["kind"]) ?? "",
    state: row.state, changes: Array.isArray(row["changes"]) ? row["changes"].join("+") : (text(row["changes"]) ?? ""),
    protection: text(here["protection"]) ?? "", details: text(row["details"]) ?? "", path: text(row["path"]) ?? "",
    protection_before: text(was["protection"]) ?? "",
    was: text(was["address"]) === null ? null : Number(was["address"]), tid: number(row["tid"]), heap: text(row["heap"]) ?? "",
  };
  const change = object(row["change"]);
  const before = object(row["before"]);
  const after = object(row["after"]);
  const bounds: Record<string, number> = {};
  for (const id of METRICS) {
    flat[id] = number(change[id]);
    flat[id + "_before"] = number(before[id]);
    flat[id + "_after"] = number(after[id]);
    const bound = object(change["at_least"])[id];
    if (typeof bound === "number") bounds[id] = bound;
  }
  flat.at_least = bounds;
  return flat;
}

const OWN: readonly ColumnInfo[] = [
  { id: "state", title: "State", help: "new, gone, retyped, grown, shrunk, protected, moved, changed or same", type: "text", shown: true, name: false },
  { id: "changes", title: "Changes", help: "all of these that hold, joined by +", type: "text", shown: false, name: false },
  { id: "was", title: "Was at", help: "first address before", type: "address", shown: false, name: false },
  { id: "protection_before", title: "Prot before", help: "protection before", type: "text", shown: false, name: false },
];
/** Shown in the table of changes when nobody has chosen, as in `vmmap diff`. */
const CHANGES_SHOWN = new Set(["state", "kind", "address", "size", "committed", "private", "rss", "swap", "protection", "details"]);

function changeColumns(info: PageInfo): GridColumn[] {
  const columns: GridColumn[] = [];
  const own = (id: string): void => {
    const c = OWN.find((o) => o.id === id);
    if (c) columns.push({ ...c, change: false });
  };
  const metrics = new Set<string>(METRICS);
  for (const c of info.columns) {
    if (metrics.has(c.id)) {
      columns.push({ ...c, change: true, shown: CHANGES_SHOWN.has(c.id), help: `change of ${c.id}: after less before (${c.help})` });
      columns.push({ ...c, id: c.id + "_before", title: c.title + " before", help: c.id + " before", change: false, shown: false });
      columns.push({ ...c, id: c.id + "_after", title: c.title + " after", help: c.id + " after", change: false, shown: false });
    } else if (["address", "end", "kind", "protection", "thread", "heap", "path", "details"].includes(c.id)) {
      columns.push({ ...c, change: false, shown: CHANGES_SHOWN.has(c.id) });
    }
    if (c.id === "address") own("state");
    if (c.id === "end") own("was");
    if (c.id === "protection") own("protection_before");
  }
  own("changes");
  return columns;
}

/** Rows in the order of the document: what weighs most comes first. */
export function changeTable(diff: Diff, info: PageInfo): Table {
  const rows = Array.isArray(diff.regions) ? diff.regions.map(flatRow) : [];
  const types = new Map<string, RowJson>();
  for (const row of Array.isArray(diff.types) ? diff.types : []) if (row.kind) types.set(row.kind, flatRow(row));
  return new Table({
    mode: "changes", columns: changeColumns(info), top: rowsOf(rows), blocks: Rows.empty, firstBlock: NOTHING, chunks: Rows.empty,
    firstChunk: NOTHING, kinds: kindLabels(info),
    ofKind: (kind, column) => {
      const v = types.get(kind)?.[column];
      return { value: typeof v === "number" ? v : NaN, low: false, high: false };
    },
  });
}
