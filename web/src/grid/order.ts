// Which rows are shown and in what order: filtered and sorted top rows, with the rows below those that are open.
import { byteOrder } from "../expr/eval";
import { knownEmpty, Table } from "./table";

export interface Sort {
  column: string;
  descending: boolean;
}

/** A number for each top row that sorts as its value does; NaN is unknown. */
function sortKeys(table: Table, id: string): Float64Array | null {
  const c = Table.column(table.top, id);
  if (!c) return null;
  if (c.type === "number") return c.values;
  if (c.type === "flag") return Float64Array.from(c.values);
  const places = c.texts.map((_, i) => i).sort((a, b) => byteOrder(c.texts[a] ?? "", c.texts[b] ?? ""));
  const rank = new Float64Array(c.texts.length);
  places.forEach((place, i) => (rank[place] = i));
  if (!knownEmpty(id)) rank[0] = NaN;
  return Float64Array.from(c.index, (place) => rank[place] ?? NaN);
}

/** All top rows in order; unknown values come last in either direction, equal ones stay as they were. */
export function sorted(table: Table, sort: Sort | null): Uint32Array {
  const order = Uint32Array.from({ length: table.topCount }, (_, i) => i);
  const keys = sort ? sortKeys(table, sort.column) : null;
  if (!sort || !keys) return order;
  const known: number[] = [];
  const unknown: number[] = [];
  for (const row of order) (Number.isNaN(keys[row]) ? unknown : known).push(row);
  const sign = sort.descending ? -1 : 1;
  const byKey = Uint32Array.from(known).sort((a, b) => {
    const x = keys[a] ?? 0;
    const y = keys[b] ?? 0;
    return x < y ? -sign : x > y ? sign : a - b;
  });
  order.set(byKey);
  order.set(unknown, byKey.length);
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
  let n = 0;
  for (const top of order) {
    rows[n++] = top;
    if (open.has(table.address(top))) table.eachChild(top, (row) => (rows[n++] = row));
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
