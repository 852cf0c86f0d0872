// What stands in a cell: as `vmmap show` writes it for people, and as --csv writes it for programs.
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

/** What chunks of a state are called: used, cached, free, top, overhead... */
export function chunkWord(table: Table, row: number): string {
  const state = table.text("state", row);
  return CHUNK_WORDS[state] ?? visible(state);
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

/** As --csv: bytes as integers, unknown and lower bounds empty. */
export function csvCell(table: Table, column: GridColumn, row: number): string {
  if (column.type === "text") {
    const text = column.id === "details" && table.isChunk(row) ? chunkDetails(table, row) : visible(table.text(column.id, row));
    return /[",\s]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  if (!table.has(column.id, row) || (table.isChunk(row) && column.type === "address")) return "";
  if (column.type === "flag") return table.flag(column.id, row) ? "true" : "false";
  const value = table.number(column.id, row);
  if (Number.isNaN(value) || table.atLeast(column.id, row)) return "";
  return column.type === "address" ? "0x" + hex(value) : String(value);
}

export function rowsAsCsv(table: Table, columns: readonly GridColumn[], rows: Iterable<number>): string {
  const lines = [["depth", ...columns.map((c) => c.id)].join(",")];
  for (const row of rows) lines.push([String(table.level(row) - 1), ...columns.map((c) => csvCell(table, c, row))].join(","));
  return lines.join("\n") + "\n";
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
