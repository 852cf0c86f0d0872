import { Component, type JSX } from "preact";
import { cell, chunkWord, isNumber } from "./cells";
import { Swatch } from "../views/kinds";
import type { GridColumn, Table } from "./table";
import { HEAD, ROW } from "./virtual";

const LONG = 10; // digits and signs that every column of numbers has room for
const TEXT_MAX = 400; // characters of a name that a cell draws: the panel has all of it

export interface RowProps {
  table: Table;
  row: number;
  /** Place among the visible rows. */
  index: number;
  columns: readonly GridColumn[];
  open: boolean;
  selected: boolean;
  active: boolean;
  /** 0: no match of what is looked for, 1: one, 2: the one that was jumped to. */
  match: 0 | 1 | 2;
  needle: string;
  /** Bar behind the numbers of this column: its largest value. */
  bar: { column: string; largest: number } | null;
  onToggle(row: number): void;
}

/** The part of a text that was looked for is marked. */
function Marked({ text, needle }: { text: string; needle: string }): JSX.Element {
  const at = needle ? text.toLowerCase().indexOf(needle) : -1;
  if (at < 0) return <>{text}</>;
  return <>{text.slice(0, at)}<mark>{text.slice(at, at + needle.length)}</mark>{text.slice(at + needle.length)}</>;
}

export class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return (Object.keys(next) as (keyof RowProps)[]).some((k) => next[k] !== this.props[k]);
  }

  private tree(column: GridColumn, content: JSX.Element): JSX.Element {
    const { table, row, open, onToggle } = this.props;
    const closed = table.level(row) === 1 && table.childCount(row) > 0;
    return (
      <div role="gridcell" class={"grid-cell grid-tree" + (column.type === "address" ? " mono" : "")} key={column.id}>
        {closed ? (
          <span class={"grid-toggle" + (open ? " open" : "")} aria-hidden="true"
            onClick={(e) => { e.stopPropagation(); onToggle(row); }} />
        ) : <span class={table.level(row) === 2 ? "grid-indent" : "grid-toggle none"} aria-hidden="true" />}
        {table.isChunk(row) && column.id !== "details" ? <span class="grid-chunk">{chunkWord(table, row)}</span> : content}
      </div>
    );
  }

  private cell(column: GridColumn, i: number): JSX.Element {
    const { table, row, needle, match, bar } = this.props;
    const c = cell(table, column, row);
    const text = c.text.length > TEXT_MAX ? c.text.slice(0, TEXT_MAX) + "…" : c.text;
    const shown = match && column.type === "text" ? <Marked text={text} needle={needle} /> : <>{text}</>;
    if (i === 0) return this.tree(column, column.id === "kind" && c.text ? <><Swatch kind={table.text("kind", row)} />{shown}</> : shown);
    if (column.id === "kind")
      return <div role="gridcell" class="grid-cell" key={column.id}>{c.text && <Swatch kind={table.text("kind", row)} />}{shown}</div>;
    if (column.id === "protection" || column.id === "protection_before") {
      const wx = column.id === "protection" && table.flag("wx", row);
      return (
        <div role="gridcell" class="grid-cell mono" key={column.id}>
          {shown}{wx && <span class="grid-wx" title="some part is writable and executable at once">W+X</span>}
        </div>
      );
    }
    const tone = (c.tone === "told" ? "" : " " + c.tone) + (text.length > LONG ? " clip" : "");
    if (isNumber(column)) {
      const value = bar && bar.column === column.id ? table.number(column.id, row) : NaN;
      const share = bar && value > bar.largest / 60 ? Math.min(1, value / bar.largest) : 0;
      const sign = column.change ? (c.text.includes("−") ? " less" : c.text.includes("+") ? " more" : "") : "";
      return (
        <div role="gridcell" class={"grid-cell number" + tone + sign} key={column.id}
          style={share ? { "--share": `${(share * 100).toFixed(2)}%` } : undefined}>{text}</div>
      );
    }
    return <div role="gridcell" class={"grid-cell" + (column.type === "address" ? " mono" : " name") + tone} key={column.id}>{shown}</div>;
  }

  override render({ table, row, index, columns, open, selected, active, match }: RowProps): JSX.Element {
    const closed = table.level(row) === 1 && table.childCount(row) > 0;
    const state = table.mode === "changes" ? " state-" + table.text("state", row).replace(/[^a-z]/g, "") : "";
    return (
      <div role="row" id={"row-" + row} aria-rowindex={index + 2} aria-level={table.level(row)} aria-selected={selected}
        aria-expanded={closed ? open : undefined} data-index={index}
        class={`grid-row level-${table.level(row)}${index % 2 ? " odd" : ""}${selected ? " selected" : ""}${active ? " active" : ""}${match ? " match" : ""}${match === 2 ? " current" : ""}${state}`}
        style={{ top: `${HEAD + index * ROW}px` }}>
        {columns.map((c, i) => this.cell(c, i))}
      </div>
    );
  }
}
