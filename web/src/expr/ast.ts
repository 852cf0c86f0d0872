// What an expression of --where compiles to (docs/where.md; src/view/expr.c is the truth).

export type ColumnType = "bytes" | "count" | "address" | "text" | "flag";

/** A column that an expression may name. `changes`: it is after less before, so that a percentage has a meaning. */
export interface ExprColumn {
  id: string;
  type: ColumnType;
  changes?: boolean;
  /** Of one row alone: a whole type has no such column. */
  each?: boolean;
}

export interface ExprTable {
  columns: readonly ExprColumn[];
  /** Columns that there are, but of which these data hold nothing. */
  absent?: readonly string[];
  /** Ids of kinds, where `heap.rss` may be asked (what differs); elsewhere absent. */
  kinds?: readonly string[];
}

export type Compare = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~";

export type Node =
  | { op: "number"; value: bigint }
  | { op: "column"; column: ExprColumn; kind: string | null }
  | { op: "percent"; thousandths: number; column: ExprColumn; kind: string | null }
  | { op: "add" | "sub"; left: Node; right: Node }
  | { op: "compare"; how: Compare; left: Node; right: Node }
  | { op: "text"; column: ExprColumn; how: Compare; text: string }
  | { op: "flag"; column: ExprColumn }
  | { op: "not"; of: Node }
  | { op: "and" | "or"; left: Node; right: Node };

/** A mistake with its place: `at` counts characters from 0, `column` bytes from 1 as the command line does. */
export class ExprError extends Error {
  constructor(
    readonly what: string,
    readonly at: number,
    readonly column: number,
  ) {
    super(`${what} at column ${column}`);
  }
}
