// The table itself: rows on the screen, cursor and selection, keys, copying. What is shown it is given.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { thousands } from "../format";
import { rowsAsText } from "./cells";
import { defaultWidth, template, totalWidth, widthOf } from "./columns";
import { Head } from "./head";
import { keyAction, typeAhead } from "./keys";
import type { Sort } from "./order";
import { Row } from "./row";
import { Table, type GridColumn } from "./table";
import { HEAD, offsetAround, offsetFor, ROW, useWindow } from "./virtual";

export interface GridProps {
  label: string;
  table: Table;
  visible: Uint32Array;
  columns: readonly GridColumn[];
  widths: Readonly<Record<string, number>>;
  sort: Sort | null;
  open: ReadonlySet<number>;
  /** The row that the cursor is on; -1: none. */
  cursor: number;
  selected: ReadonlySet<number>;
  /** One byte for each row: 1 where it is what is looked for. */
  matches: Uint8Array | null;
  needle: string;
  /** Raised when the cursor's row should be brought on the screen. */
  reveal: number;
  onCursor(row: number, selected: ReadonlySet<number>): void;
  onOpen(open: ReadonlySet<number>): void;
  onSort(sort: Sort | null): void;
  onColumns(ids: string[]): void;
  onWidths(widths: Record<string, number>): void;
  onPanel(): void;
}

const TYPE_AHEAD_MS = 900;
const PRINT_MOST = 2000; // rows on paper: some 40 sheets
const PRINT_WIDTH = 1440; // pixels that a sheet across has
const ASIDE = 120; // pixels that Ctrl with an arrow key goes aside

function toggledOpen(table: Table, open: ReadonlySet<number>, row: number): Set<number> {
  const next = new Set(open);
  const address = table.address(row);
  if (!next.delete(address)) next.add(address);
  return next;
}

/** All rows that have others below them. */
function allOpen(table: Table): Set<number> {
  const open = new Set<number>();
  for (let i = 0; i < table.topCount; i++) if (table.childCount(i)) open.add(table.address(i));
  return open;
}

function range(visible: Uint32Array, a: number, b: number): Set<number> {
  return new Set(visible.subarray(Math.min(a, b), Math.max(a, b) + 1));
}

/** The column whose numbers get bars: the one sorted by, else what is resident. */
function barOf(table: Table, columns: readonly GridColumn[], sort: Sort | null): { column: string; largest: number } | null {
  const column = columns.find((c) => c.id === sort?.column && c.type === "bytes") ?? columns.find((c) => c.id === "rss");
  const values = column && !column.change ? Table.column(table.top, column.id) : undefined;
  if (!column || values?.type !== "number") return null;
  let largest = 0;
  for (const v of values.values) if (v > largest) largest = v;
  return largest ? { column: column.id, largest } : null;
}

/**
 * The rows from..to - 1 dealt out to slots that stay where they are: scrolling by a row changes what one element says and
 * makes none. -1: nothing in it.
 */
export function slots(from: number, to: number): number[] {
  const count = Math.ceil(Math.max(1, to - from) / 8) * 8;
  const rows = new Array<number>(count).fill(-1);
  for (let i = from; i < to; i++) rows[i % count] = i;
  return rows;
}

/** On paper all rows stand, not those alone that the screen shows. */
function usePrinting(): boolean {
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const begin = (): void => setPrinting(true);
    const end = (): void => setPrinting(false);
    addEventListener("beforeprint", begin);
    addEventListener("afterprint", end);
    return () => {
      removeEventListener("beforeprint", begin);
      removeEventListener("afterprint", end);
    };
  }, []);
  return printing;
}

export function Grid(p: GridProps): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const [anchor, setAnchor] = useState(-1);
  const typed = useRef({ text: "", at: -TYPE_AHEAD_MS });
  const seen = useWindow(scroller, p.visible.length);
  const printed = usePrinting();
  const from = printed ? 0 : seen.from;
  const to = printed ? Math.min(p.visible.length, PRINT_MOST) : seen.to;
  const at = useMemo(() => (p.cursor < 0 ? -1 : p.visible.indexOf(p.cursor)), [p.visible, p.cursor]);
  const bar = useMemo(() => barOf(p.table, p.columns, p.sort), [p.table, p.columns, p.sort]);

  const show = (index: number, place: typeof offsetFor): void => {
    const e = scroller.current;
    const offset = e ? place(index, e.scrollTop, e.clientHeight) : null;
    if (e && offset !== null) e.scrollTop = offset;
  };
  useEffect(() => setAnchor(-1), [p.table]);
  useEffect(() => {
    if (p.reveal && at >= 0) show(at, offsetAround);
  }, [p.reveal]);

  const moveTo = (to: number, extend: boolean, keep = false): void => {
    const row = p.visible[to];
    if (row === undefined) return;
    const start = extend ? (anchor >= 0 ? p.visible.indexOf(anchor) : at) : -1;
    if (!extend || start < 0) setAnchor(row);
    const next = extend && start >= 0 ? range(p.visible, start, to) : new Set([row]);
    p.onCursor(row, keep ? new Set([...p.selected, ...next]) : next);
    show(to, offsetFor);
  };

  /** Goes there and leaves what is selected, so that Ctrl+Space can pick rows one by one. */
  const walkTo = (to: number): void => {
    const row = p.visible[to];
    if (row === undefined) return;
    setAnchor(row);
    p.onCursor(row, p.selected);
    show(to, offsetFor);
  };

  const pick = (row: number): void => {
    const next = new Set(p.selected);
    if (!next.delete(row)) next.add(row);
    setAnchor(row);
    p.onCursor(row, next);
  };

  const type = (key: string): void => {
    const now = performance.now();
    const again = now - typed.current.at < TYPE_AHEAD_MS;
    typed.current = { text: (again ? typed.current.text : "") + key, at: now };
    const found = typeAhead(p.table, p.visible, again ? at : at + 1, typed.current.text);
    if (found >= 0) moveTo(found, false);
  };

  const onKey = (e: KeyboardEvent): void => {
    if (e.target !== e.currentTarget) return;
    const control = e.ctrlKey || e.metaKey;
    const typing = !control && performance.now() - typed.current.at < TYPE_AHEAD_MS;
    const page = Math.max(1, Math.floor(((scroller.current?.clientHeight ?? 400) - HEAD) / ROW) - 1);
    const action = keyAction(e.key, { table: p.table, visible: p.visible, at, page, open: p.open, control, alt: e.altKey, typing });
    if (!action) {
      if (control || e.altKey || e.key.length !== 1 || e.key === "/") return;
      if (e.key === " ") e.preventDefault(); // it would scroll
      type(e.key);
      return;
    }
    e.preventDefault();
    typed.current = { text: "", at: -TYPE_AHEAD_MS };
    if (action.do === "move" && control && !e.shiftKey) walkTo(action.to);
    else if (action.do === "move") moveTo(action.to, e.shiftKey, control);
    else if (action.do === "all") p.onCursor(p.cursor >= 0 ? p.cursor : (p.visible[0] ?? -1), new Set(p.visible));
    else if (action.do === "pick") pick(action.row);
    else if (action.do === "only") p.onCursor(p.cursor, new Set(p.cursor < 0 ? [] : [p.cursor]));
    else if (action.do === "aside") scroller.current?.scrollBy(action.by * ASIDE, 0);
    else if (action.do === "open" || action.do === "close") {
      if (p.open.has(p.table.address(action.top)) === (action.do === "close")) p.onOpen(toggledOpen(p.table, p.open, action.top));
    } else if (action.do === "open-all") p.onOpen(allOpen(p.table));
    else if (action.do === "close-all") {
      if (p.cursor >= 0) p.onCursor(p.table.parent(p.cursor), new Set([p.table.parent(p.cursor)]));
      p.onOpen(new Set());
    } else p.onPanel();
  };

  const onClick = (e: MouseEvent): void => {
    const target = e.target instanceof Element ? e.target.closest<HTMLElement>("[data-index]") : null;
    const index = Number(target?.dataset["index"] ?? NaN);
    const row = p.visible[index];
    if (row === undefined) return;
    if ((e.ctrlKey || e.metaKey) && !e.shiftKey) pick(row);
    else moveTo(index, e.shiftKey, e.ctrlKey || e.metaKey);
  };

  const onDouble = (e: MouseEvent): void => {
    const target = e.target instanceof Element ? e.target.closest<HTMLElement>("[data-index]") : null;
    const row = p.visible[Number(target?.dataset["index"] ?? NaN)];
    if (row !== undefined && p.table.level(row) === 1 && p.table.childCount(row)) p.onOpen(toggledOpen(p.table, p.open, row));
  };

  /** The selected rows in the order in which they are shown. */
  const onCopy = (e: ClipboardEvent): void => {
    if (!e.clipboardData || !p.selected.size || (document.getSelection()?.toString() ?? "") !== "") return;
    e.preventDefault();
    e.clipboardData.setData("text/plain", rowsAsText(p.table, p.columns, p.visible.filter((row) => p.selected.has(row))));
  };

  const onScreen = at >= from && at < to;
  const tight = p.columns.some((c) => widthOf(c, p.widths) < defaultWidth(c));
  const width = totalWidth(p.columns, p.widths);
  const onToggle = useMemo(() => (row: number) => p.onOpen(toggledOpen(p.table, p.open, row)), [p.table, p.open, p.onOpen]);
  return (
    <div class={"grid" + (tight ? " tight" : "") + (seen.aside ? " aside" : "")} ref={scroller} role="treegrid" tabIndex={0} aria-label={p.label} aria-rowcount={p.visible.length + 1}
      aria-colcount={p.columns.length} aria-multiselectable="true" aria-activedescendant={onScreen ? "row-" + p.cursor : undefined}
      onKeyDown={onKey} onCopy={onCopy} style={{ "--grid-columns": template(p.columns, p.widths), "--grid-width": `${width}px`, "--print-scale": Math.min(1, PRINT_WIDTH / width).toFixed(3) }}>
      <Head table={p.table} columns={p.columns} widths={p.widths} sort={p.sort} onSort={p.onSort} onColumns={p.onColumns}
        onWidths={p.onWidths} onScreen={() => [...p.visible.subarray(from, to)]} />
      <div class="grid-body" role="rowgroup" onClick={onClick} onDblClick={onDouble} style={{ height: `${HEAD + p.visible.length * ROW}px` }}>
        {slots(from, to).map((index, slot) => {
          const row = p.visible[index];
          if (row === undefined) return <div key={slot} hidden />;
          const match = p.matches?.[row] ? (row === p.cursor ? 2 : 1) : 0;
          return (
            <Row key={slot} table={p.table} row={row} index={index} columns={p.columns}
              open={p.table.level(row) === 1 && p.open.has(p.table.address(row))} selected={p.selected.has(row)} active={row === p.cursor}
              match={match} needle={match ? p.needle : ""} bar={bar} onToggle={onToggle} />
          );
        })}
      </div>
      {printed && p.visible.length > to && (
        <p class="grid-rest">{thousands(p.visible.length - to)} more rows are not printed: filter them, or save the table.</p>
      )}
    </div>
  );
}
