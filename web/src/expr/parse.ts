// Compiles an expression of --where, after the same grammar and with the same words as src/view/expr.c:
//
//     or         = and { "||" and }
//     and        = not { "&&" not }
//     not        = { "!" } comparison
//     comparison = sum [ operator ( sum | word ) ]     a word where the left side is a text column
//     sum        = [ "+" | "-" ] primary { ( "+" | "-" ) primary }
//     primary    = number | [ kind "." ] column | number "%" | "(" or ")"
import { ExprError, type Compare, type ExprColumn, type ExprTable, type Node } from "./ast";
import { nearest } from "./nearest";

const BYTES_MAX = 4096;
const DEPTH_MAX = 64;
const U64_MAX = (1n << 64n) - 1n;

/** What a part of the expression gives; texts and flags are columns of which nothing has been made yet. */
type Part =
  | { type: "number"; node: Node; at: number }
  | { type: "truth"; node: Node; at: number }
  | { type: "text"; column: ExprColumn; at: number }
  | { type: "flag"; column: ExprColumn; at: number };

const OPERATORS: readonly [string, Compare][] = [
  ["==", "="], ["!=", "!="], ["<=", "<="], [">=", ">="], ["=~", "~"], ["!~", "!~"], ["=", "="], ["<", "<"], [">", ">"], ["~", "~"],
];

const encoder = new TextEncoder();

function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

/** The bytes that a suffix stands for; null for an unknown one. */
function suffixFactor(suffix: string): bigint | null {
  if (suffix === "" || suffix === "B" || suffix === "b") return 1n;
  const place = "KMGTPE".indexOf((suffix[0] ?? "").toUpperCase());
  if (place < 0 || !/^.(iB|[Bb])?$/.test(suffix)) return null;
  return 1n << BigInt(10 * (place + 1));
}

class Parser {
  private p = 0;
  private depth = 0;
  /** The column on the left of an operator, where a percentage has a meaning. */
  private shareOf: { column: ExprColumn; kind: string | null } | null = null;

  constructor(
    private readonly table: ExprTable,
    private readonly text: string,
  ) {}

  compile(): Node {
    if (bytesOf(this.text) > BYTES_MAX) {
      let at = 0;
      for (let bytes = 0; bytes < BYTES_MAX; at++) bytes += bytesOf(this.text[at] ?? "");
      return this.fail(at, "longer than 4096 bytes");
    }
    const whole = this.truth(this.or());
    this.blank();
    if (this.p < this.text.length) this.fail(this.p, this.text[this.p] === ")" ? "')' without '('" : "&& or || is expected");
    return whole;
  }

  private fail(at: number, what: string): never {
    throw new ExprError(what, at, bytesOf(this.text.slice(0, at)) + 1);
  }

  private blank(): void {
    while (this.text[this.p] === " " || this.text[this.p] === "\t") this.p++;
  }

  private take(word: string): boolean {
    if (!this.text.startsWith(word, this.p)) return false;
    this.p += word.length;
    return true;
  }

  private name(at = this.p): string {
    return /^[A-Za-z0-9_]*/.exec(this.text.slice(at, at + BYTES_MAX))?.[0] ?? "";
  }

  private or(): Part {
    return this.joined(() => this.joined(() => this.not(), "&&", "and"), "||", "or");
  }

  /** Operands joined by one operator; a lone operand is left as it is. */
  private joined(operand: () => Part, text: string, op: "and" | "or"): Part {
    let part = operand();
    for (;;) {
      this.blank();
      if (!this.take(text)) return part;
      const left = this.truth(part);
      part = { type: "truth", node: { op, left, right: this.truth(operand()) }, at: part.at };
    }
  }

  private not(): Part {
    let negated = false;
    let seen = false;
    for (this.blank(); this.take("!"); this.blank()) {
      negated = !negated;
      seen = true;
    }
    const part = this.comparison();
    if (!seen) return part;
    const of = this.truth(part);
    return { type: "truth", node: negated ? { op: "not", of } : of, at: part.at };
  }

  /** Makes a truth of a part: a flag stands for itself, other columns need a comparison. */
  private truth(part: Part): Node {
    if (part.type === "truth") return part.node;
    if (part.type === "flag") return { op: "flag", column: part.column };
    return this.fail(part.at, `a comparison is needed, such as ${part.type === "text" ? "details~lib" : "rss>1M"}`);
  }

  private number(part: Part): Node {
    return part.type === "number" ? part.node : this.fail(part.at, "a number is needed");
  }

  private operator(): Compare | null {
    this.blank();
    for (const [text, compare] of OPERATORS) if (this.take(text)) return compare;
    return null;
  }

  private comparison(): Part {
    const left = this.sum();
    this.blank();
    const at = this.p;
    const how = this.operator();
    if (!how) return left;
    if (left.type === "text" || left.type === "flag") return this.compareWord(left, how);
    if (left.type === "truth") return this.fail(at, "a comparison cannot be compared");
    if (how === "~" || how === "!~") return this.fail(at, "~ needs a column of text on its left");
    if (left.node.op === "column" && left.node.column.changes) this.shareOf = { column: left.node.column, kind: left.node.kind };
    const right = this.sum();
    this.shareOf = null;
    return { type: "truth", node: { op: "compare", how, left: left.node, right: this.number(right) }, at: left.at };
  }

  private sum(): Part {
    let part = this.signed();
    for (;;) {
      this.blank();
      const op = this.take("-") ? "sub" : this.take("+") ? "add" : null;
      if (!op) return part;
      const left = this.number(part);
      const right = this.number(this.primary());
      part = { type: "number", node: { op, left, right }, at: part.at };
    }
  }

  private signed(): Part {
    this.blank();
    const at = this.p;
    const minus = this.take("-");
    if (!minus && !this.take("+")) return this.primary();
    const right = this.number(this.primary());
    return { type: "number", node: minus ? { op: "sub", left: { op: "number", value: 0n }, right } : right, at };
  }

  private primary(): Part {
    this.blank();
    const at = this.p;
    const c = this.text[at];
    if (c === undefined) return this.fail(at, "a column or number is missing");
    if (this.take("(")) return this.group(at);
    const percent = this.percent();
    if (percent !== null) {
      if (!this.shareOf) return this.fail(at, "a percentage can only be compared with a column that changes, as in rss>+5%");
      return { type: "number", node: { op: "percent", thousandths: percent, ...this.shareOf }, at };
    }
    if (c >= "0" && c <= "9") {
      const value = this.amount();
      return value === null ? this.fail(at, "malformed number") : { type: "number", node: { op: "number", value }, at };
    }
    if (this.name(at) === "")
      return this.fail(at, c === '"' || c === "'" ? "a text can only stand behind a column and an operator" : "a column or number is expected");
    return this.column();
  }

  private group(at: number): Part {
    if (++this.depth > DEPTH_MAX) return this.fail(at, "too deeply nested");
    const part = this.or();
    this.depth--;
    this.blank();
    if (!this.take(")")) return this.fail(this.p, "')' is missing");
    return { ...part, at };
  }

  /** Digits with a fraction of at most three and "%", in thousandths. */
  private percent(): number | null {
    const m = /^(\d{1,10})(?:\.(\d{0,3}))?%/.exec(this.text.slice(this.p, this.p + 20));
    if (!m || Number(m[1]) > 0xffffffff) return null;
    this.p += m[0].length;
    return Number(m[1]) * 1000 + Number((m[2] ?? "").padEnd(3, "0"));
  }

  /** A decimal number with an optional fraction and suffix, or 0x and hexadecimal digits; null when malformed. */
  private amount(): bigint | null {
    const word = /^[A-Za-z0-9_.]*/.exec(this.text.slice(this.p))?.[0] ?? "";
    const hex = /^0[xX]([0-9a-fA-F]+)/.exec(word);
    if (hex || /^0[xX]/.test(word)) {
      const rest = this.name(this.p + (hex?.[0].length ?? 0));
      if (!hex || rest || BigInt("0x" + hex[1]) > U64_MAX) return null;
      this.p += hex[0].length;
      return BigInt("0x" + hex[1]);
    }
    const m = /^(\d+)(?:\.(\d*))?([A-Za-z0-9_]*)/.exec(word);
    const fraction = m?.[2] ?? "";
    const factor = m ? suffixFactor(m[3] ?? "") : null;
    if (!m || factor === null || (m[2] !== undefined && !/^\d{1,6}$/.test(fraction))) return null;
    const value = BigInt(m[1] ?? "0") * factor + (BigInt(fraction || "0") * factor) / 10n ** BigInt(fraction.length);
    if (value > U64_MAX) return null;
    this.p += m[0].length;
    return value;
  }

  private column(): Part {
    let at = this.p;
    let kind: string | null = null;
    let id = this.name(at);
    if (this.table.kinds?.includes(id) && this.text[at + id.length] === ".") {
      kind = id;
      at += id.length + 1;
      id = this.name(at);
    }
    const column = this.table.columns.find((c) => c.id === id);
    if (!column && this.table.absent?.includes(id)) return this.fail(at, `these data hold no column '${id}'`);
    if (!column) {
      const near = nearest(this.table.columns.map((c) => c.id), id);
      return this.fail(at, `unknown column '${id.slice(0, 40)}'${near ? ` (did you mean '${near}'?)` : ""}`);
    }
    this.p = at + id.length;
    if (kind !== null && (column.each || column.type === "text")) return this.fail(at, "a type as a whole has no such column");
    if (column.type === "text" || column.type === "flag") return { type: column.type, column, at };
    return { type: "number", node: { op: "column", column, kind }, at };
  }

  /** A quoted text, or a bare word up to a blank, a parenthesis, & or |. */
  private word(): string {
    const from = this.p;
    const quote = this.text[from];
    if (quote === undefined) return this.fail(from, "a text is missing");
    if (quote === '"' || quote === "'") {
      const to = this.text.indexOf(quote, from + 1);
      if (to < 0) return this.fail(from, "the quote is not closed");
      this.p = to + 1;
      return this.text.slice(from + 1, to);
    }
    const text = /^[^ \t()&|"']*/.exec(this.text.slice(from))?.[0] ?? "";
    if (!text) return this.fail(from, "a text is expected");
    this.p += text.length;
    return text;
  }

  /** The right side of a text or flag column. */
  private compareWord(left: { type: "text" | "flag"; column: ExprColumn; at: number }, how: Compare): Part {
    this.blank();
    const at = this.p;
    const text = this.word();
    if (left.type === "text") return { type: "truth", node: { op: "text", column: left.column, how, text }, at: left.at };
    const yes = ["true", "yes", "1"].includes(text);
    if (!yes && !["false", "no", "0"].includes(text)) return this.fail(at, "true or false is expected");
    if (how !== "=" && how !== "!=") return this.fail(at, "true and false can only be compared with = and !=");
    const flag: Node = { op: "flag", column: left.column };
    return { type: "truth", node: yes === (how === "=") ? flag : { op: "not", of: flag }, at: left.at };
  }
}

/** Throws ExprError with the place of the mistake. */
export function compile(table: ExprTable, text: string): Node {
  return new Parser(table, text).compile();
}
