// Rows as columns: what tables sort, filter and draw. 65,530 regions with as many blocks stay quick because a column of
// numbers is one typed array; nothing here is changed after it was made.
import type { ChunkSums, PackedColumn, PackedRows, PackedValue, RowJson } from "./types";
import { METRICS } from "./types";

/** NaN is unknown; rows in `atLeast` are lower bounds of what they say. */
export interface NumberColumn {
  type: "number";
  values: Float64Array;
  atLeast: ReadonlySet<number>;
}

/** Equal texts are kept once; index 0 is "" and stands for unknown and absent too. */
export interface TextColumn {
  type: "text";
  texts: readonly string[];
  index: Uint32Array;
}

export interface FlagColumn {
  type: "flag";
  values: Uint8Array;
}

export type Column = NumberColumn | TextColumn | FlagColumn;

const NONE: ReadonlySet<number> = new Set();
const NO_COLUMN: Column = { type: "text", texts: [""], index: new Uint32Array(0) };
const NO_CHUNKS: ReadonlyMap<number, ChunkSums> = new Map();
const ADDRESSES = new Set(["address", "end", "sp", "offset"]);

/** Addresses as numbers: exact below 2^53, and of whole pages everywhere. */
export function parseAddress(text: string): number {
  return Number(text);
}

export function formatAddress(value: number): string {
  return "0x" + BigInt(value).toString(16);
}

export class Rows {
  private readonly made = new Map<string, Column>();

  /** A column that is a function is made when it is first asked for: most views need a few of them. */
  constructor(
    readonly count: number,
    private readonly columns: ReadonlyMap<string, Column | (() => Column)>,
    /** Of heaps' regions: chunks by state. */
    readonly chunks: ReadonlyMap<number, ChunkSums> = NO_CHUNKS,
  ) {}

  static readonly empty = new Rows(0, new Map());

  /** The same rows with other columns beside or instead; none is made before it is asked for. */
  with(more: Record<string, Column>): Rows {
    const columns = new Map<string, Column | (() => Column)>();
    for (const id of this.columns.keys()) columns.set(id, () => this.column(id) ?? NO_COLUMN);
    for (const [id, c] of Object.entries(more)) columns.set(id, c);
    return new Rows(this.count, columns, this.chunks);
  }

  ids(): string[] {
    return [...this.columns.keys()];
  }

  column(id: string): Column | undefined {
    let c = this.made.get(id);
    if (!c) {
      const given = this.columns.get(id);
      c = typeof given === "function" ? given() : given;
      if (c) this.made.set(id, c);
    }
    return c;
  }

  /** NaN when unknown or when there is no such column. */
  number(id: string, row: number): number {
    const c = this.column(id);
    return c?.type === "number" ? (c.values[row] ?? NaN) : NaN;
  }

  /** The row with this value of a column that rises from row to row; -1: there is none. */
  find(id: string, value: number): number {
    let low = 0;
    for (let high = this.count; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.number(id, middle) < value) low = middle + 1;
      else high = middle;
    }
    return this.number(id, low) === value ? low : -1;
  }

  /** The row of those by address that holds an address; -1: none. */
  holding(address: number): number {
    let low = 0;
    for (let high = this.count; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.number("address", middle) <= address) low = middle + 1;
      else high = middle;
    }
    return low > 0 && address < this.number("address", low - 1) + this.number("size", low - 1) ? low - 1 : -1;
  }

  isAtLeast(id: string, row: number): boolean {
    const c = this.column(id);
    return c?.type === "number" && c.atLeast.has(row);
  }

  text(id: string, row: number): string {
    const c = this.column(id);
    return c?.type === "text" ? (c.texts[c.index[row] ?? 0] ?? "") : "";
  }

  flag(id: string, row: number): boolean {
    const c = this.column(id);
    return c?.type === "flag" && c.values[row] === 1;
  }
}

function unpackDeltas(column: { deltas: (number | null)[]; unit?: number; at?: Record<string, string> }, rows: number): Float64Array {
  const values = new Float64Array(rows);
  const unit = column.unit ?? 1;
  let last = 0;
  for (let i = 0; i < rows; i++) {
    const delta = column.deltas[i];
    const whole = column.at?.[i];
    if (delta === null || delta === undefined) {
      values[i] = NaN;
      continue;
    }
    last = whole === undefined ? last + delta * unit : parseAddress(whole);
    values[i] = last;
  }
  return values;
}

function unpackNumbers(column: PackedColumn, rows: number): Float64Array {
  const values = new Float64Array(rows);
  if ("deltas" in column) return unpackDeltas(column, rows);
  if ("texts" in column) return values.fill(NaN);
  const unit = column.unit ?? 1;
  const one = (v: PackedValue | undefined): number => (v === null || v === undefined ? NaN : Number(v) * unit);
  if ("all" in column) {
    values.fill(one(column.all));
    column.but?.rows.forEach((row, i) => row < rows && (values[row] = one(column.but?.values[i])));
    return values;
  }
  for (let i = 0; i < rows; i++) values[i] = one(column.values[i]);
  return values;
}

class TextBuilder {
  readonly texts: string[] = [""];
  private readonly places = new Map<string, number>([["", 0]]);

  place(text: string): number {
    let i = this.places.get(text);
    if (i === undefined) {
      i = this.texts.length;
      this.texts.push(text);
      this.places.set(text, i);
    }
    return i;
  }
}

function unpackTexts(column: PackedColumn, rows: number): TextColumn {
  const builder = new TextBuilder();
  const index = new Uint32Array(rows);
  const place = (v: PackedValue | undefined): number => builder.place(v === null || v === undefined ? "" : String(v));
  if ("all" in column) {
    index.fill(place(column.all));
    column.but?.rows.forEach((row, i) => row < rows && (index[row] = place(column.but?.values[i])));
  } else if ("texts" in column) {
    const places = column.texts.map((t) => builder.place(t));
    for (let i = 0; i < rows; i++) index[i] = places[column.index[i] ?? -1] ?? 0;
  } else if ("values" in column) for (let i = 0; i < rows; i++) index[i] = place(column.values[i]);
  return { type: "text", texts: builder.texts, index };
}

function firstKnown(column: PackedColumn): PackedValue | undefined {
  if ("all" in column) return column.all ?? column.but?.values.find((v) => v !== null) ?? null;
  if ("texts" in column) return "";
  if ("deltas" in column) return 0;
  return column.values.find((v) => v !== null && v !== undefined);
}

function unpackColumn(id: string, column: PackedColumn, rows: number, atLeast: number[] | undefined): Column {
  const sample = firstKnown(column);
  if (ADDRESSES.has(id) || typeof sample === "number" || sample === undefined || (sample === null && isMetric(id)))
    return { type: "number", values: unpackNumbers(column, rows), atLeast: atLeast ? new Set(atLeast) : NONE };
  if (typeof sample === "boolean")
    return { type: "flag", values: Uint8Array.from(unpackNumbers(column, rows), (v) => (v === 1 ? 1 : 0)) };
  return unpackTexts(column, rows);
}

function sumOf(a: Column, b: Column): NumberColumn {
  const values = a.type === "number" ? a.values.slice() : new Float64Array(0);
  if (b.type === "number") for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? NaN) + (b.values[i] ?? NaN);
  return { type: "number", values, atLeast: NONE };
}

export function unpackRows(packed: PackedRows): Rows {
  const count = Math.max(0, Math.min(packed.rows, 1 << 22));
  const columns = new Map<string, () => Column>();
  for (const [id, column] of Object.entries(packed.columns)) columns.set(id, () => unpackColumn(id, column, count, packed.at_least?.[id]));
  const chunks = new Map(Object.entries(packed.chunks ?? {}).map(([row, sums]) => [Number(row), sums]));
  const rows = new Rows(count, columns, chunks);
  // Where no row ends elsewhere, the end is address + size.
  if (!columns.has("end") && columns.has("address") && columns.has("size"))
    columns.set("end", () => sumOf(rows.column("address")!, rows.column("size")!));
  return rows;
}

function isMetric(id: string): boolean {
  return (METRICS as readonly string[]).includes(id);
}

/** Rows of objects as `--json` writes them; what is no number, text or flag is left out. `extra` are columns beside. */
export function rowsOf(objects: readonly RowJson[], extra: Record<string, number[]> = {}): Rows {
  const columns: Record<string, PackedColumn> = {};
  const ids = new Set<string>();
  const bounds: Record<string, number[]> = {};
  for (const o of objects) for (const id in o) ids.add(id);
  ids.delete("at_least");
  for (const id of ids) {
    const sample = objects.find((o) => o[id] !== null && o[id] !== undefined)?.[id];
    if (id === "vm_flags") columns[id] = { values: objects.map((o) => (Array.isArray(o[id]) ? o[id].join(" ") : null)) };
    else if (typeof sample !== "object" || sample === null) columns[id] = { values: objects.map((o) => (o[id] ?? null) as PackedValue) };
  }
  objects.forEach((o, i) => {
    for (const [id, bound] of Object.entries(o.at_least ?? {})) {
      const column = columns[id];
      if (column && "values" in column && typeof bound === "number") {
        column.values[i] = bound;
        (bounds[id] ??= []).push(i);
      }
    }
  });
  for (const [id, values] of Object.entries(extra)) columns[id] = { values };
  const chunks: Record<string, ChunkSums> = {};
  objects.forEach((o, i) => o.chunks && (chunks[i] = o.chunks));
  return unpackRows({ rows: objects.length, columns, at_least: bounds, chunks });
}
