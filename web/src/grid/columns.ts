// Which columns are shown, in what order and how wide.
import type { Column } from "../data/rows";
import { isNumber, kibExact } from "./cells";
import { thousands } from "../format";
import { Table, type GridColumn } from "./table";

/** Whether a column of numbers is nothing but zeros; what is unknown tells something. */
function blank(table: Table, column: GridColumn): boolean {
  const c = Table.column(table.top, column.id);
  if (column.type === "flag" || !isNumber(column) || c?.type !== "number") return false;
  return c.values.every((v) => v === 0) && !c.atLeast.size;
}

/** Whether nothing is known of a column at all. */
function untold(table: Table, column: GridColumn): boolean {
  const c = Table.column(table.top, column.id);
  return table.topCount > 0 && c?.type === "number" && c.values.every((v) => Number.isNaN(v));
}

const NOT_IN_NARROW: ReadonlySet<string> = new Set(["shareable", "shared", "blocks"]);

/**
 * Those chosen, as far as this table has them; else those of the command line that say something. Of a live process
 * question marks show that there is something to be known; contents in a file are nothing that it could have. A narrow
 * window has no room for all of them beside what a region is.
 */
export function shownColumns(table: Table, chosen: readonly string[] | null, live: boolean, narrow = false): GridColumn[] {
  if (chosen) {
    const found = chosen.map((id) => table.info(id)).filter((c): c is GridColumn => c !== undefined);
    if (found.length) return found;
  }
  return table.columns.filter((c) => c.shown && !(narrow && NOT_IN_NARROW.has(c.id)) && !blank(table, c) && !((!live || c.id === "stored") && untold(table, c)));
}

export const WIDTH_MIN = 36;
export const WIDTH_MAX = 2000;
const WIDTHS: Readonly<Record<string, number>> = { address: 142, end: 116, kind: 116, protection: 84, details: 200, path: 260, blocks: 58, state: 84, build_id: 150 };

export function defaultWidth(column: GridColumn): number {
  const own = WIDTHS[column.id];
  if (own !== undefined) return own;
  if (column.type === "address") return 116;
  if (column.type === "text") return 120;
  return Math.max(66, column.title.length * 7 + 20);
}

const FIGURE = 7.3; // pixels of a digit, or what stands between thousands
const BESIDE = 20;
const largest = new WeakMap<Column, number>();

function largestOf(column: Column & { type: "number" }): number {
  let found = largest.get(column);
  if (found === undefined) {
    found = 0;
    for (const v of column.values) if (Math.abs(v) > found) found = Math.abs(v);
    largest.set(column, found);
  }
  return found;
}

/** Widths of the columns whose longest number would not fit. */
export function fittingWidths(table: Table, columns: readonly GridColumn[]): Readonly<Record<string, number>> {
  const widths: Record<string, number> = {};
  for (const column of columns) {
    const c = Table.column(table.top, column.id);
    if (!isNumber(column) || c?.type !== "number") continue;
    const text = column.type === "bytes" ? kibExact(largestOf(c)) : thousands(largestOf(c));
    const width = Math.ceil((text.length + (column.change ? 1 : 0) + (c.atLeast.size ? 1 : 0)) * FIGURE + BESIDE);
    if (width > defaultWidth(column)) widths[column.id] = width;
  }
  return widths;
}

export function widthOf(column: GridColumn, widths: Readonly<Record<string, number>>): number {
  return widths[column.id] ?? defaultWidth(column);
}

/** CSS grid-template-columns; the last column of text takes what is left. */
export function template(columns: readonly GridColumn[], widths: Readonly<Record<string, number>>): string {
  return columns
    .map((c, i) => {
      const width = widthOf(c, widths);
      return i === columns.length - 1 && c.type === "text" ? `minmax(${width}px,1fr)` : `${width}px`;
    })
    .join(" ");
}

export function totalWidth(columns: readonly GridColumn[], widths: Readonly<Record<string, number>>): number {
  return columns.reduce((sum, c) => sum + widthOf(c, widths), 0);
}

/** The order with one column put elsewhere. */
export function moved(ids: readonly string[], id: string, to: number): string[] {
  const rest = ids.filter((x) => x !== id);
  rest.splice(Math.max(0, Math.min(rest.length, to)), 0, id);
  return rest;
}

/** With a column added where the table has it, or taken away; the last one stays. */
export function toggled(table: Table, ids: readonly string[], id: string): string[] {
  if (ids.includes(id)) return ids.length > 1 ? ids.filter((x) => x !== id) : [...ids];
  const all = table.columns.map((c) => c.id);
  const before = all.slice(0, all.indexOf(id)).reverse().find((x) => ids.includes(x));
  const at = before === undefined ? 0 : ids.indexOf(before) + 1;
  return [...ids.slice(0, at), id, ...ids.slice(at)];
}
