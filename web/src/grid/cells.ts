// What stands in a cell: as `vmmap show` writes it for people, and as --csv writes it for programs.
import type { Cell, TableData } from "../export";
import { thousands } from "../format";
import { visible } from "../text";
import type { GridColumn, Table } from "./table";

export interface CellText {
  text: string;
  /** "?": unknown; zero: nothing; told: anything else. */
  tone: "unknown" | "zero" | "told";
}

const EMPTY: CellText = { text: "", tone: "zero" };
const UNKNOWN: CellText = { text: "?", tone: "unknown" };
const NOTHING: CellText = { text: "-", tone: "zero" };

const CHUNK_WORDS: Readonly<Record<string, string>> = { meta: "overhead" };

/** What chunks of a state are called: used, cached, free, top, overhead... */
export function stateWord(state: string): string {
  return CHUNK_WORDS[state] ?? visible(state);
}

/** Bytes as whole KiB, halves up; less than half of one is "<1". As format_bytes() of src/view/emit_text.c. */
export function kibExact(bytes: number): string {
  if (bytes < 512) return "<1";
  return thousands(Math.floor(bytes / 1024) + (Math.floor(bytes / 512) % 2));
}

export function hex(address: number): string {
  return Number.isSafeInteger(address) ? address.toString(16) : BigInt(address).toString(16);
}

export function isNumber(column: GridColumn): boolean {
  return column.type === "bytes" || column.type === "count";
}

function numberCell(column: GridColumn, value: number, atLeast: boolean): CellText {
  if (Number.isNaN(value) || (atLeast && value === 0 && !column.change)) return column.name ? EMPTY : UNKNOWN;
  const bound = atLeast ? "≥" : "";
  if (column.name) return { text: bound + String(value), tone: "told" };
  if (value === 0) return atLeast ? { text: "≥0", tone: "told" } : NOTHING;
  const sign = column.change ? (value < 0 ? "−" : "+") : "";
  const size = Math.abs(value);
  return { text: bound + sign + (column.type === "bytes" ? kibExact(size) : thousands(size)), tone: "told" };
}

export function chunkWord(table: Table, row: number): string {
  return stateWord(table.text("state", row));
}

/** What a state of a heap's chunks says: "used: 79,464 bytes in 779 chunks". */
export function chunkDetails(table: Table, row: number): string {
  const state = table.text("state", row);
  const count = table.number("count", row);
  const chunks = count > 0 && state !== "top" && state !== "meta" ? ` in ${thousands(count)} chunk${count === 1 ? "" : "s"}` : "";
  return `${chunkWord(table, row)}: ${thousands(table.number("size", row))} bytes${chunks}`;
}

function textCell(table: Table, column: GridColumn, row: number): CellText {
  if (column.id === "kind") return table.level(row) === 2 ? EMPTY : { text: table.kindLabel(table.text("kind", row)), tone: "told" };
  if (column.id === "details" && table.isChunk(row)) return { text: chunkDetails(table, row), tone: "told" };
  const text = table.text(column.id, row);
  const deleted = column.id === "details" && table.mode === "mappings" && table.flag("deleted", row) ? " (deleted)" : "";
  return text || deleted ? { text: visible(text) + deleted, tone: "told" } : EMPTY;
}

export function cell(table: Table, column: GridColumn, row: number): CellText {
  if (column.type === "text") return textCell(table, column, row);
  if (!table.has(column.id, row) || (table.isChunk(row) && column.type === "address")) return EMPTY;
  if (column.type === "flag") return table.flag(column.id, row) ? { text: "yes", tone: "told" } : NOTHING;
  const value = table.number(column.id, row);
  if (column.type === "address") return Number.isNaN(value) ? EMPTY : { text: hex(value), tone: "told" };
  return numberCell(column, value, table.atLeast(column.id, row));
}

/** As --csv and --json have it: bytes as integers, addresses as texts; unknown and lower bounds are null. */
export function dataCell(table: Table, column: GridColumn, row: number): Cell {
  if (column.type === "text") return column.id === "details" && table.isChunk(row) ? chunkDetails(table, row) : table.text(column.id, row);
  if (!table.has(column.id, row) || (table.isChunk(row) && column.type === "address")) return null;
  if (column.type === "flag") return table.flag(column.id, row);
  const value = table.number(column.id, row);
  if (Number.isNaN(value) || table.atLeast(column.id, row)) return null;
  return column.type === "address" ? "0x" + hex(value) : value;
}

/** Rows as a table to be saved or copied; blocks have depth 1. */
export function rowsAsData(table: Table, columns: readonly GridColumn[], rows: readonly number[]): TableData {
  return { columns: ["depth", ...columns.map((c) => c.id)], rows: rows.map((row) => [table.level(row) - 1, ...columns.map((c) => dataCell(table, c, row))]) };
}

/** Columns that align in a fixed-width font, under their titles. */
export function rowsAsText(table: Table, columns: readonly GridColumn[], rows: Iterable<number>): string {
  const sizes = columns.findIndex((c) => c.type === "bytes");
  const lines = [columns.map((c, i) => c.title + (i === sizes ? " KiB" : ""))];
  for (const row of rows)
    lines.push(columns.map((c, i) => (i === 0 && table.level(row) === 2 && !isNumber(c) ? "  " : "") + cell(table, c, row).text));
  const widths = columns.map((_, i) => lines.reduce((w, line) => Math.max(w, line[i]?.length ?? 0), 0));
  const aligned = lines.map((line) => line.map((text, i) => {
    const column = columns[i];
    const width = widths[i] ?? 0;
    return column && isNumber(column) ? text.padStart(width) : i === columns.length - 1 ? text : text.padEnd(width);
  }).join("  ").trimEnd());
  return aligned.join("\n") + "\n";
}
