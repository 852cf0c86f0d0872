// Finding: an address leads to what holds it; a text is looked for in what rows are called, also below closed ones.
import { fold } from "../expr/eval";
import type { Rows } from "../data/rows";
import { stateWord } from "./cells";
import type { Table } from "./table";

export type Query = { type: "nothing" } | { type: "address"; address: number } | { type: "text"; text: string };

/** "0x..." is an address; so are six and more hexadecimal digits where something is mapped. */
export function parseQuery(table: Table, text: string): Query {
  const trimmed = text.trim();
  if (!trimmed) return { type: "nothing" };
  const prefixed = /^0x[0-9a-f]{1,16}$/i.test(trimmed);
  if (prefixed) return { type: "address", address: Number(trimmed) };
  if (/^[0-9a-f]{6,16}$/i.test(trimmed)) {
    const address = Number("0x" + trimmed);
    if (table.topAt(address) >= 0) return { type: "address", address };
  }
  return { type: "text", text: trimmed };
}

const TEXTS = ["details", "path", "label", "heap", "build_id", "state", "protection"];

/** Marks rows of a level of which some text holds the wanted one. */
function mark(rows: Rows, wanted: string, columns: readonly string[], say: (id: string, text: string) => string, hits: Uint8Array, places = true): void {
  for (const id of columns) {
    const c = rows.column(id);
    if (c?.type !== "text") continue;
    const of = c.texts.map((t) => t !== "" && fold(say(id, t)).includes(wanted));
    if (of.includes(true)) for (let i = 0; i < rows.count; i++) if (of[c.index[i] ?? 0]) hits[i] = 1;
  }
  if (!places) return; // rows without addresses of their own
  const tid = rows.column("tid");
  if (/^\d{1,10}$/.test(wanted) && tid?.type === "number") {
    const n = Number(wanted);
    for (let i = 0; i < rows.count; i++) if (tid.values[i] === n) hits[i] = 1;
  }
  const addresses = rows.column("address");
  if (/^[0-9a-f]{3,16}$/.test(wanted) && addresses?.type === "number") markAddresses(addresses.values, wanted, hits);
}

/** Addresses whose hexadecimal digits begin so; without making texts of them. */
function markAddresses(addresses: Float64Array, wanted: string, hits: Uint8Array): void {
  const prefix = Number("0x" + wanted);
  if (wanted.startsWith("0")) return;
  for (let more = 1, scale = 1; more <= 17 - wanted.length; more++, scale *= 16) {
    const from = prefix * scale;
    const to = (prefix + 1) * scale;
    for (let i = 0; i < addresses.length; i++) {
      const a = addresses[i] ?? 0;
      if (a >= from && a < to) hits[i] = 1;
    }
  }
}

/**
 * Rows that a query finds, in the order of the table, also those below closed rows: blocks, and what a heap's chunks are.
 * Kinds are looked for in top rows alone: blocks have their region's.
 */
export function find(table: Table, order: Uint32Array, query: Query): Uint32Array {
  if (query.type === "nothing") return new Uint32Array(0);
  if (query.type === "address") {
    const row = table.at(query.address);
    return row < 0 || !order.includes(table.parent(row)) ? new Uint32Array(0) : Uint32Array.of(row);
  }
  const wanted = fold(query.text);
  const top = new Uint8Array(table.topCount);
  const below = new Uint8Array(table.blocks.count + table.chunks.count);
  mark(table.top, wanted, [...TEXTS, "kind"], (id, t) => (id === "kind" ? table.kindLabel(t) : t), top);
  mark(table.blocks, wanted, TEXTS, (_, t) => t, below);
  mark(table.chunks, wanted, ["state"], (_, t) => stateWord(t), below.subarray(table.blocks.count), false);
  const found = new Uint32Array(table.rowCount);
  let n = 0;
  const { firstBlock, firstChunk } = table;
  const take = (first: Uint32Array, row: number, offset: number): void => {
    for (let i = offset + (first[row] ?? 0); i < offset + (first[row + 1] ?? 0); i++) if (below[i]) found[n++] = table.topCount + i;
  };
  for (const row of order) {
    if (top[row]) found[n++] = row;
    take(firstBlock, row, 0);
    take(firstChunk, row, table.blocks.count);
  }
  return found.slice(0, n);
}

/** Index in `found` of the next match from a row on, going round; -1 when there is none. */
export function nextMatch(table: Table, order: Uint32Array, found: Uint32Array, from: number, step: 1 | -1): number {
  if (!found.length) return -1;
  const here = found.indexOf(from);
  if (here >= 0) return (here + step + found.length) % found.length;
  if (from < 0) return step > 0 ? 0 : found.length - 1;
  const places = new Map<number, number>();
  order.forEach((row, i) => places.set(row, i));
  const place = (row: number): number => (places.get(table.parent(row)) ?? 0) + (row < table.topCount ? 0 : 0.25 + row / (4 * table.rowCount));
  const at = place(from);
  if (step > 0) {
    const i = found.findIndex((row) => place(row) > at);
    return i < 0 ? 0 : i;
  }
  for (let i = found.length - 1; i >= 0; i--) if (place(found[i] ?? 0) < at) return i;
  return found.length - 1;
}
