// Which rows are shown and in what order: filtered and sorted top rows, with the rows below those that are open.
import type { Column } from "../data/rows";
import { byteOrder } from "../expr/eval";
import { knownEmpty, Table } from "./table";

export interface Sort {
  column: string;
  descending: boolean;
}

/** Ranks of texts, made once for a column. */
const ranks = new WeakMap<Column, Float64Array>();

function textRanks(c: Column & { type: "text" }): Float64Array {
  let rank = ranks.get(c);
  if (rank) return rank;
  const places = new Map(c.texts.map((t, i) => [t, i]));
  // The order of code units is that of bytes unless there are surrogates.
  const order = [...c.texts].sort(c.texts.some((t) => /[\ud800-\udfff]/.test(t)) ? byteOrder : undefined);
  rank = new Float64Array(c.texts.length);
  for (let i = 0; i < order.length; i++) rank[places.get(order[i] ?? "") ?? 0] = i;
  ranks.set(c, rank);
  return rank;
}

/** A number for each top row that sorts as its value does; NaN is unknown. */
function sortKeys(table: Table, id: string): Float64Array | null {
  const c = Table.column(table.top, id);
  if (!c) return null;
  if (c.type === "number") return c.values;
  if (c.type === "flag") return Float64Array.from(c.values);
  const rank = textRanks(c);
  const known = knownEmpty(id);
  const keys = new Float64Array(table.topCount);
  for (let i = 0; i < keys.length; i++) {
    const place = c.index[i] ?? 0;
    keys[i] = place === 0 && !known ? NaN : (rank[place] ?? NaN);
  }
  return keys;
}

/** Place of each value among the different ones; NaN, which sorts last, gets the last place. */
function placesOf(keys: Float64Array): { places: Uint32Array; count: number } {
  const different = keys.slice().sort();
  let count = 0;
  for (const v of different) if (count === 0 || v !== different[count - 1]) different[count++] = v;
  const places = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const v = keys[i] ?? NaN;
    let from = 0;
    let to = count;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((different[middle] ?? NaN) < v) from = middle + 1;
      else to = middle;
    }
    places[i] = Number.isNaN(v) ? count : from;
  }
  return { places, count };
}

/**
 * All top rows in order; unknown values come last in either direction, equal ones stay as they were. Counted out by the
 * places of their values: twice as quick as comparing rows.
 */
export function sorted(table: Table, sort: Sort | null): Uint32Array {
  const n = table.topCount;
  const order = new Uint32Array(n);
  const keys = sort ? sortKeys(table, sort.column) : null;
  if (!sort || !keys) {
    for (let i = 0; i < n; i++) order[i] = i;
    return order;
  }
  const { places, count } = placesOf(keys);
  const next = new Uint32Array(count + 2);
  const slot = (place: number): number => (place === count || !sort.descending ? place : count - 1 - place);
  for (let i = 0; i < n; i++) {
    const s = slot(places[i] ?? 0) + 1;
    next[s] = (next[s] ?? 0) + 1;
  }
  for (let i = 1; i < next.length; i++) next[i] = (next[i] ?? 0) + (next[i - 1] ?? 0);
  for (let i = 0; i < n; i++) {
    const s = slot(places[i] ?? 0);
    const at = next[s] ?? 0;
    order[at] = i;
    next[s] = at + 1;
  }
  return order;
}

/** Those that pass: one byte for each top row. */
export function filtered(order: Uint32Array, passes: Uint8Array | null): Uint32Array {
  return passes ? order.filter((row) => passes[row] === 1) : order;
}

/** Top rows with the rows below the open ones. `open` holds addresses of top rows. */
export function flattened(table: Table, order: Uint32Array, open: ReadonlySet<number>): Uint32Array {
  if (!open.size || !(table.blocks.count + table.chunks.count)) return order;
  const rows = new Uint32Array(table.rowCount);
  const addresses = table.top.column("address");
  let n = 0;
  for (const top of order) {
    rows[n++] = top;
    if (addresses?.type === "number" && open.has(addresses.values[top] ?? NaN)) table.eachChild(top, (row) => (rows[n++] = row));
  }
  return rows.subarray(0, n);
}

/** Rows of the kinds that are shown; null is all. */
export function kindFilter(table: Table, kinds: readonly string[] | null): Uint8Array | null {
  const c = table.top.column("kind");
  if (!kinds || c?.type !== "text") return null;
  const wanted = c.texts.map((t) => (kinds.includes(t) ? 1 : 0));
  return Uint8Array.from(c.index, (place) => wanted[place] ?? 0);
}

/** Rows that pass both. */
export function both(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (!a || !b) return a ?? b;
  return a.map((v, i) => (v === 1 && b[i] === 1 ? 1 : 0));
}
