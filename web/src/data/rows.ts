// Rows as columns: what tables sort, filter and draw. 65,530 regions with as many blocks stay quick because a column of
// numbers is one typed array; nothing here is changed after it was made.
import type { PackedColumn, PackedRows, RowJson } from "./types";
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
const ADDRESSES = new Set(["address", "end", "sp", "offset"]);

/** Addresses as numbers: exact below 2^53, and of whole pages everywhere. */
export function parseAddress(text: string): number {
  return Number(text);
}

export function formatAddress(value: number): string {
  return "0x" + BigInt(value).toString(16);
}

export class Rows {
  constructor(
    readonly count: number,
    private readonly columns: ReadonlyMap<string, Column>,
  ) {}

  static readonly empty = new Rows(0, new Map());

  ids(): string[] {
    return [...this.columns.keys()];
  }

  column(id: string): Column | undefined {
    return this.columns.get(id);
  }

  /** NaN when unknown or when there is no such column. */
  number(id: string, row: number): number {
    const c = this.columns.get(id);
    return c?.type === "number" ? (c.values[row] ?? NaN) : NaN;
  }

  isAtLeast(id: string, row: number): boolean {
    const c = this.columns.get(id);
    return c?.type === "number" && c.atLeast.has(row);
  }

  text(id: string, row: number): string {
    const c = this.columns.get(id);
    return c?.type === "text" ? (c.texts[c.index[row] ?? 0] ?? "") : "";
  }

  flag(id: string, row: number): boolean {
    const c = this.columns.get(id);
    return c?.type === "flag" && c.values[row] === 1;
  }
}

function unpackNumbers(column: PackedColumn, rows: number, address: boolean): Float64Array {
  const values = new Float64Array(rows);
  const one = (v: unknown): number => (v === null || v === undefined ? NaN : Number(v));
  if ("all" in column) return values.fill(one(column.all));
  if ("texts" in column) return values.fill(NaN);
  for (let i = 0; i < rows; i++) {
    const v = column.values[i];
    values[i] = address && typeof v === "string" ? parseAddress(v) : one(v);
  }
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
  if ("all" in column) index.fill(builder.place(column.all === null ? "" : String(column.all)));
  else if ("texts" in column) {
    const places = column.texts.map((t) => builder.place(t));
    for (let i = 0; i < rows; i++) index[i] = places[column.index[i] ?? -1] ?? 0;
  } else for (let i = 0; i < rows; i++) index[i] = builder.place(column.values[i] == null ? "" : String(column.values[i]));
  return { type: "text", texts: builder.texts, index };
}

function firstKnown(column: PackedColumn): unknown {
  if ("all" in column) return column.all;
  if ("texts" in column) return "";
  return column.values.find((v) => v !== null && v !== undefined);
}

export function unpackRows(packed: PackedRows): Rows {
  const rows = Math.max(0, Math.min(packed.rows, 1 << 22));
  const columns = new Map<string, Column>();
  for (const [id, column] of Object.entries(packed.columns)) {
    const sample = firstKnown(column);
    if (ADDRESSES.has(id) || typeof sample === "number" || sample === undefined || (sample === null && isMetric(id))) {
      const atLeast = packed.at_least?.[id];
      columns.set(id, {
        type: "number",
        values: unpackNumbers(column, rows, ADDRESSES.has(id)),
        atLeast: atLeast ? new Set(atLeast) : NONE,
      });
    } else if (typeof sample === "boolean") {
      columns.set(id, { type: "flag", values: Uint8Array.from(unpackNumbers(column, rows, false), (v) => (v === 1 ? 1 : 0)) });
    } else columns.set(id, unpackTexts(column, rows));
  }
  return new Rows(rows, columns);
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
    if (typeof sample === "object" && sample !== null) continue;
    columns[id] = { values: objects.map((o) => (o[id] ?? null) as number | string | boolean | null) };
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
  return unpackRows({ rows: objects.length, columns, at_least: bounds });
}
