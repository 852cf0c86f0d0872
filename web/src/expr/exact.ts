// Comparisons whose numbers need more than the 53 bits of a number: addresses with something added, sizes beside 2^60. The
// library counts in 128 bits; here whole numbers of any length do, row by row, and only where bits would be lost.
import type { Column } from "../data/rows";
import type { Node } from "./ast";
import { shareOf, type ExprRows } from "./eval";
import { compareBounds, UNSURE, type Bounds } from "./truth";

const SAFE = Number.MAX_SAFE_INTEGER;
const largest = new WeakMap<Column, number>();

/** The largest magnitude in a column. */
function largestOf(c: Column | undefined): number {
  if (c?.type !== "number") return 0;
  let found = largest.get(c);
  if (found !== undefined) return found;
  found = 0;
  for (const v of c.values) {
    const size = Math.abs(v);
    if (size > found) found = size;
  }
  largest.set(c, found);
  return found;
}

/** No sum within the node is larger. */
function magnitude(node: Node, rows: ExprRows): number {
  switch (node.op) {
    case "number":
      return Number(node.value);
    case "column":
      return node.kind === null ? largestOf(rows.column(node.column.id)) : Math.abs(rows.ofKind?.(node.kind, node.column.id).value ?? 0) || 0;
    case "percent":
      return 0; // is a number already, whatever it is a share of
    case "add":
    case "sub":
      return magnitude(node.left, rows) + magnitude(node.right, rows);
    default:
      return 0;
  }
}

/** Whether a sum, or a number that stands in the expression, would lose bits. Values of columns have lost none. */
export function mustBeExact(node: Node, rows: ExprRows): boolean {
  if (node.op === "number") return BigInt(Number(node.value)) !== node.value;
  return (node.op === "add" || node.op === "sub") && magnitude(node, rows) > SAFE;
}

type Exact = Bounds<bigint>;

function point(value: number, lowOpen = false, highOpen = false): Exact | null {
  if (!Number.isFinite(value)) return null;
  const exact = BigInt(Math.trunc(value));
  return { low: exact, high: exact, lowOpen, highOpen };
}

function columnAt(node: Node & { op: "column" }, rows: ExprRows, row: number): Exact | null {
  if (node.kind !== null) {
    const whole = rows.ofKind?.(node.kind, node.column.id);
    return whole ? point(whole.value, whole.low, whole.high) : null;
  }
  const c = rows.column(node.column.id);
  return c?.type === "number" ? point(c.values[row] ?? NaN, false, c.atLeast.has(row)) : null;
}

/** A number of a row; null: unknown. */
function numberAt(node: Node, rows: ExprRows, row: number): Exact | null {
  switch (node.op) {
    case "number":
      return { low: node.value, high: node.value, lowOpen: false, highOpen: false };
    case "column":
      return columnAt(node, rows, row);
    case "percent":
      return point(shareOf(rows.before?.(node.column.id, node.kind, row) ?? NaN, node.thousandths));
    case "add":
    case "sub": {
      const a = numberAt(node.left, rows, row);
      const b = numberAt(node.right, rows, row);
      if (!a || !b) return null;
      if (node.op === "add") return { low: a.low + b.low, high: a.high + b.high, lowOpen: a.lowOpen || b.lowOpen, highOpen: a.highOpen || b.highOpen };
      return { low: a.low - b.high, high: a.high - b.low, lowOpen: a.lowOpen || b.highOpen, highOpen: a.highOpen || b.lowOpen };
    }
    default:
      return null;
  }
}

export function exactly(node: Node & { op: "compare" }, rows: ExprRows): Uint8Array {
  const truth = new Uint8Array(rows.count);
  for (let i = 0; i < rows.count; i++) {
    const a = numberAt(node.left, rows, i);
    const b = numberAt(node.right, rows, i);
    truth[i] = a && b ? compareBounds(node.how, a, b) : UNSURE;
  }
  return truth;
}
