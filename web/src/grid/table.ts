// Rows with numbers in levels: regions with their blocks and what a heap's chunks are, the kernel's mappings, or what
// differs between two snapshots. A row is one integer: first the top rows, then the blocks, then the chunk states.
import type { ExprColumn, ExprTable } from "../expr/ast";
import type { ExprRows } from "../expr/eval";
import { Rows, type Column } from "../data/rows";
import type { ColumnInfo } from "../data/types";

/** A column that can be shown. `change`: signed, after less before. */
export interface GridColumn extends ColumnInfo {
  change: boolean;
}

export type TableMode = "regions" | "mappings" | "changes";

export interface TableParts {
  mode: TableMode;
  columns: readonly GridColumn[];
  top: Rows;
  blocks: Rows;
  /** Blocks of top row i are firstBlock[i] .. firstBlock[i + 1] - 1. */
  firstBlock: Uint32Array;
  chunks: Rows;
  firstChunk: Uint32Array;
  kinds: ReadonlyMap<string, string>;
  /** Of what differs: rows by kind, for `heap.rss` in expressions. */
  ofKind?: ExprRows["ofKind"];
}

/** Where the values of a column lie when they go by another name in the JSON document. */
const NAMES: Readonly<Record<string, string>> = { thread: "tid", vmflags: "vm_flags" };
/** Known to be empty when empty; of other texts a row without one has no such thing. */
const KNOWN_EMPTY = new Set(["details", "path", "label", "kind", "changes"]);
/** Said of heaps alone. */
const OF_HEAPS = new Set(["used", "unused"]);

export class Table implements ExprTable {
  readonly mode: TableMode;
  readonly columns: readonly GridColumn[];
  readonly top: Rows;
  readonly blocks: Rows;
  readonly chunks: Rows;
  readonly topCount: number;
  readonly rowCount: number;
  private readonly byId: ReadonlyMap<string, GridColumn>;
  readonly kinds?: readonly string[];

  constructor(private readonly parts: TableParts) {
    this.mode = parts.mode;
    this.columns = parts.columns;
    this.top = parts.top;
    this.blocks = parts.blocks;
    this.chunks = parts.chunks;
    this.topCount = parts.top.count;
    this.rowCount = parts.top.count + parts.blocks.count + parts.chunks.count;
    this.byId = new Map(parts.columns.map((c) => [c.id, c]));
    if (parts.mode === "changes") this.kinds = [...parts.kinds.keys()];
  }

  info(id: string): GridColumn | undefined {
    return this.byId.get(id);
  }

  /** The rows that a row lies in, and its index there. */
  private place(row: number): [Rows, number] {
    if (row < this.topCount) return [this.top, row];
    const block = row - this.topCount;
    return block < this.blocks.count ? [this.blocks, block] : [this.chunks, block - this.blocks.count];
  }

  /** Blocks of top row i are rows topCount + firstBlock[i] .. topCount + firstBlock[i + 1] - 1. */
  get firstBlock(): Uint32Array {
    return this.parts.firstBlock;
  }

  /** Chunk states of top row i are rows topCount + blocks.count + firstChunk[i] and following. */
  get firstChunk(): Uint32Array {
    return this.parts.firstChunk;
  }

  level(row: number): 1 | 2 {
    return row < this.topCount ? 1 : 2;
  }

  isChunk(row: number): boolean {
    return row >= this.topCount + this.blocks.count;
  }

  /** The top row that a row lies below, itself for a top row. */
  parent(row: number): number {
    if (row < this.topCount) return row;
    const [rows, i] = this.place(row);
    return rows.number("region", i);
  }

  childCount(top: number): number {
    return this.count(this.parts.firstBlock, top) + this.count(this.parts.firstChunk, top);
  }

  private count(first: Uint32Array, i: number): number {
    return (first[i + 1] ?? 0) - (first[i] ?? 0);
  }

  /** Calls back for each row below a top row, in order. */
  eachChild(top: number, call: (row: number) => void): void {
    const { firstBlock, firstChunk } = this.parts;
    for (let b = firstBlock[top] ?? 0; b < (firstBlock[top + 1] ?? 0); b++) call(this.topCount + b);
    for (let c = firstChunk[top] ?? 0; c < (firstChunk[top + 1] ?? 0); c++) call(this.topCount + this.blocks.count + c);
  }

  /** Of a level as a whole, for sorting and filtering. */
  static column(rows: Rows, id: string): Column | undefined {
    return rows.column(NAMES[id] ?? id);
  }

  number(id: string, row: number): number {
    const [rows, i] = this.place(row);
    return rows.number(NAMES[id] ?? id, i);
  }

  atLeast(id: string, row: number): boolean {
    const [rows, i] = this.place(row);
    return rows.isAtLeast(NAMES[id] ?? id, i);
  }

  text(id: string, row: number): string {
    const [rows, i] = this.place(row);
    return rows.text(NAMES[id] ?? id, i);
  }

  flag(id: string, row: number): boolean {
    const [rows, i] = this.place(row);
    return rows.flag(NAMES[id] ?? id, i);
  }

  /** Whether the row's level has such a column at all. */
  has(id: string, row: number): boolean {
    const [rows, i] = this.place(row);
    if (!rows.column(NAMES[id] ?? id)) return false;
    if (!OF_HEAPS.has(id) || this.mode !== "regions") return true;
    const kind = rows.text("kind", i);
    return kind === "heap" || kind === "managed_heap" || !Number.isNaN(rows.number(id, i));
  }

  address(row: number): number {
    return this.number("address", row);
  }

  end(row: number): number {
    const end = this.number("end", row);
    return Number.isNaN(end) ? this.address(row) + this.number("size", row) : end;
  }

  kindLabel(id: string): string {
    return this.parts.kinds.get(id) ?? id;
  }

  /** The deepest row that holds an address: a block, else its top row; -1 when there is none. */
  at(address: number): number {
    const found = this.topAt(address);
    if (found < 0) return -1;
    const { firstBlock } = this.parts;
    for (let b = firstBlock[found] ?? 0; b < (firstBlock[found + 1] ?? 0); b++) {
      const row = this.topCount + b;
      if (this.address(row) <= address && address < this.end(row)) return row;
    }
    return found;
  }

  topAt(address: number): number {
    const c = this.top.column("address");
    if (c?.type !== "number") return -1;
    if (this.mode === "changes") {
      for (let i = 0; i < this.topCount; i++) if (this.address(i) <= address && address < this.end(i)) return i;
      return -1;
    }
    let from = 0;
    let to = this.topCount;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((c.values[middle] ?? 0) <= address) from = middle + 1;
      else to = middle;
    }
    return from > 0 && address < this.end(from - 1) ? from - 1 : -1;
  }

  /** Columns that an expression may name: those of which there are values here. */
  exprColumns(): ExprColumn[] {
    return this.columns.map((c) => ({ id: c.id, type: c.type, changes: c.change }));
  }

  exprRows(): ExprRows {
    const rows = this.top;
    const deleted = this.mode === "mappings" ? rows.column("deleted") : undefined;
    const base: ExprRows = {
      count: rows.count,
      column: (id) => Table.column(rows, id),
      knownEmpty: (id) => KNOWN_EMPTY.has(id),
      kindLabel: (id) => this.parts.kinds.get(id),
      // What was not there before was nothing: of it every share is 0.
      before: (id, kind, row) => kind !== null ? (this.parts.ofKind?.(kind, id + "_before").value ?? NaN)
        : rows.text("state", row) === "new" ? 0 : rows.number(id + "_before", row),
    };
    if (deleted?.type === "flag") base.suffix = (id, row) => (id === "details" && deleted.values[row] === 1 ? " (deleted)" : "");
    if (this.parts.ofKind) base.ofKind = this.parts.ofKind;
    return base;
  }
}

export function knownEmpty(id: string): boolean {
  return KNOWN_EMPTY.has(id);
}
