// Evaluates an expression over all rows at once, column by column: 65,530 rows take a few milliseconds. A comparison
// with an unknown value is neither true nor false; a lower bound is used as far as it goes (src/view/expr_eval.c).
import type { Column } from "../data/rows";
import type { Compare, ExprColumn, Node } from "./ast";
import { exactly, mustBeExact } from "./exact";
import { compareBounds, NO, UNSURE, YES, type Bounds } from "./truth";

export { NO, UNSURE, YES } from "./truth";

/** Where the values come from. */
export interface ExprRows {
  count: number;
  /** Values of a column; undefined where these data do not have it: unknown for all rows. */
  column(id: string): Column | undefined;
  /** Whether an empty text is known to be empty; otherwise the row has no such thing. */
  knownEmpty(id: string): boolean;
  /** What a row has beside its text and ~ looks at too, such as " (deleted)". */
  suffix?(id: string, row: number): string;
  /** Labels of kinds by their ids. */
  kindLabel(id: string): string | undefined;
  /** Of what differs: a column of a whole type. */
  ofKind?(kind: string, column: string): { value: number; low: boolean; high: boolean };
  /** Of what differs: what a column was before, by row or of a whole type. NaN: unknown. */
  before?(column: string, kind: string | null, row: number): number;
}

/** Bounds of numbers; open: no bound on that side; low is NaN where unknown. */
interface Ranges {
  low: Float64Array;
  high: Float64Array;
  lowOpen: Uint8Array | null;
  highOpen: Uint8Array | null;
}

function constant(n: number, value: number): Ranges {
  const low = new Float64Array(n).fill(value);
  return { low, high: low, lowOpen: null, highOpen: null };
}

function either(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (!a || !b) return a ?? b;
  return a.map((v, i) => v | (b[i] ?? 0));
}

function columnRanges(rows: ExprRows, column: ExprColumn, kind: string | null): Ranges {
  const n = rows.count;
  if (kind !== null) {
    const whole = rows.ofKind?.(kind, column.id) ?? { value: NaN, low: false, high: false };
    const open = (is: boolean): Uint8Array | null => (is ? new Uint8Array(n).fill(1) : null);
    return { ...constant(n, whole.value), lowOpen: open(whole.low), highOpen: open(whole.high) };
  }
  const c = rows.column(column.id);
  if (c?.type !== "number") return constant(n, NaN);
  let highOpen: Uint8Array | null = null;
  for (const row of c.atLeast) (highOpen ??= new Uint8Array(n))[row] = 1;
  return { low: c.values, high: c.values, lowOpen: null, highOpen };
}

/** Thousandths of a percent, rounded down; the product may need more bits than a number has. */
export function shareOf(before: number, thousandths: number): number {
  const product = before * thousandths;
  return Number.isSafeInteger(product) || !Number.isFinite(product) ? Math.floor(product / 100000) : Number((BigInt(before) * BigInt(thousandths)) / 100000n);
}

function percentRanges(rows: ExprRows, node: Node & { op: "percent" }): Ranges {
  const low = new Float64Array(rows.count);
  for (let i = 0; i < rows.count; i++) {
    low[i] = shareOf(rows.before?.(node.column.id, node.kind, i) ?? NaN, node.thousandths);
  }
  return { low, high: low, lowOpen: null, highOpen: null };
}

function combine(a: Ranges, b: Ranges, minus: boolean): Ranges {
  const n = a.low.length;
  const low = new Float64Array(n);
  const high = new Float64Array(n);
  const bLow = minus ? b.high : b.low;
  const bHigh = minus ? b.low : b.high;
  const sign = minus ? -1 : 1;
  for (let i = 0; i < n; i++) {
    low[i] = (a.low[i] ?? NaN) + sign * (bLow[i] ?? NaN);
    high[i] = (a.high[i] ?? NaN) + sign * (bHigh[i] ?? NaN);
  }
  return {
    low, high,
    lowOpen: either(a.lowOpen, minus ? b.highOpen : b.lowOpen),
    highOpen: either(a.highOpen, minus ? b.lowOpen : b.highOpen),
  };
}

function numbers(node: Node, rows: ExprRows): Ranges {
  switch (node.op) {
    case "number":
      return constant(rows.count, Number(node.value));
    case "column":
      return columnRanges(rows, node.column, node.kind);
    case "percent":
      return percentRanges(rows, node);
    case "add":
    case "sub":
      return combine(numbers(node.left, rows), numbers(node.right, rows), node.op === "sub");
    default:
      return constant(rows.count, NaN);
  }
}

function not(t: number): number {
  return t === UNSURE ? UNSURE : 1 - t;
}

/** The same where all numbers are exact, as nearly always. */
function compareExact(how: Compare, a: Float64Array, b: Float64Array, truth: Uint8Array): Uint8Array {
  for (let i = 0; i < truth.length; i++) {
    const x = a[i] ?? NaN;
    const y = b[i] ?? NaN;
    if (Number.isNaN(x) || Number.isNaN(y)) truth[i] = UNSURE;
    else if (how === "=") truth[i] = x === y ? YES : NO;
    else if (how === "!=") truth[i] = x !== y ? YES : NO;
    else if (how === "<") truth[i] = x < y ? YES : NO;
    else if (how === "<=") truth[i] = x <= y ? YES : NO;
    else if (how === ">") truth[i] = x > y ? YES : NO;
    else truth[i] = x >= y ? YES : NO;
  }
  return truth;
}

function compareNumbers(node: Node & { op: "compare" }, rows: ExprRows): Uint8Array {
  if (mustBeExact(node.left, rows) || mustBeExact(node.right, rows)) return exactly(node, rows);
  const left = numbers(node.left, rows);
  const right = numbers(node.right, rows);
  const truth = new Uint8Array(rows.count);
  if (!left.lowOpen && !left.highOpen && !right.lowOpen && !right.highOpen) return compareExact(node.how, left.low, right.low, truth);
  const a: Bounds<number> = { low: 0, high: 0, lowOpen: false, highOpen: false };
  const b: Bounds<number> = { ...a };
  const fill = (x: Bounds<number>, r: Ranges, i: number): void => {
    x.low = r.low[i] ?? NaN;
    x.high = r.high[i] ?? NaN;
    x.lowOpen = r.lowOpen?.[i] === 1;
    x.highOpen = r.highOpen?.[i] === 1;
  };
  for (let i = 0; i < rows.count; i++) {
    fill(a, left, i);
    fill(b, right, i);
    truth[i] = Number.isNaN(a.low) || Number.isNaN(b.low) ? UNSURE : compareBounds(node.how, a, b);
  }
  return truth;
}

/** Lower case of ASCII alone, as strcasecmp() in the C locale has it. */
export function fold(text: string): string {
  return text.replace(/[A-Z]+/g, (s) => s.toLowerCase());
}

/** Order by bytes of UTF-8, which is that of code points. */
export function byteOrder(a: string, b: string): number {
  if (a === b) return 0;
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    // Surrogates stand for the highest code points, though their own numbers do not.
    if (x !== y) return (x >= 0xd800 && x < 0xe000 ? x + 0x2000 : x >= 0xe000 ? x - 0x800 : x) < (y >= 0xd800 && y < 0xe000 ? y + 0x2000 : y >= 0xe000 ? y - 0x800 : y) ? -1 : 1;
  }
  return a.length - b.length;
}

/** Whether one of the protections "r,rx,rw" has all the letters. */
function someProtectionHas(text: string, letters: string): boolean {
  const wanted = [...fold(letters)].filter((c) => c !== "-");
  return text.split(",").some((one) => wanted.every((c) => one.includes(c)));
}

function compareText(node: Node & { op: "text" }, value: string, suffix: string, rows: ExprRows): boolean {
  const isKind = node.column.id === "kind";
  const label = isKind ? rows.kindLabel(value) : undefined;
  const wanted = fold(node.text);
  const holds = (): boolean => {
    if (node.column.id === "protection") return someProtectionHas(value, node.text);
    return fold(value).includes(wanted) || fold(suffix).includes(wanted) || (label !== undefined && fold(label).includes(wanted));
  };
  const order = isKind && (fold(value) === wanted || (label !== undefined && fold(label) === wanted)) ? 0 : byteOrder(value, node.text);
  switch (node.how) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    case "~":
      return holds();
    default:
      return !holds();
  }
}

/** Each different text is compared once. */
function texts(node: Node & { op: "text" }, rows: ExprRows): Uint8Array {
  const c = rows.column(node.column.id);
  const truth = new Uint8Array(rows.count).fill(UNSURE);
  if (c?.type !== "text") return truth;
  const known = rows.knownEmpty(node.column.id);
  const of = c.texts.map((t) => (t === "" && !known ? UNSURE : compareText(node, t, "", rows) ? YES : NO));
  for (let i = 0; i < rows.count; i++) {
    const place = c.index[i] ?? 0;
    const suffix = rows.suffix?.(node.column.id, i) ?? "";
    truth[i] = suffix ? (compareText(node, c.texts[place] ?? "", suffix, rows) ? YES : NO) : (of[place] ?? UNSURE);
  }
  return truth;
}

function flags(column: ExprColumn, rows: ExprRows): Uint8Array {
  const c = rows.column(column.id);
  if (c?.type === "flag") return c.values;
  return new Uint8Array(rows.count).fill(UNSURE);
}

/** NO, YES or UNSURE for each row. The result may be a column's own array: do not change it. */
export function evaluate(node: Node, rows: ExprRows): Uint8Array {
  switch (node.op) {
    case "compare":
      return compareNumbers(node, rows);
    case "text":
      return texts(node, rows);
    case "flag":
      return flags(node.column, rows);
    case "not":
      return evaluate(node.of, rows).map(not);
    case "and":
    case "or": {
      const a = evaluate(node.left, rows);
      const b = evaluate(node.right, rows);
      const deciding = node.op === "and" ? NO : YES;
      return a.map((x, i) => (x === deciding || b[i] === deciding ? deciding : x === UNSURE || b[i] === UNSURE ? UNSURE : 1 - deciding));
    }
    default:
      return new Uint8Array(rows.count).fill(UNSURE);
  }
}
