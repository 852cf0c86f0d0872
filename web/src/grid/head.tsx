// The heading of the table: sorts, reorders and resizes by mouse and by keyboard.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { cell, isNumber } from "./cells";
import { moved, WIDTH_MAX, WIDTH_MIN, widthOf } from "./columns";
import type { Sort } from "./order";
import type { GridColumn, Table } from "./table";

export interface HeadProps {
  table: Table;
  columns: readonly GridColumn[];
  widths: Readonly<Record<string, number>>;
  sort: Sort | null;
  /** Rows on the screen, for widths that fit. */
  onScreen: () => readonly number[];
  onSort(sort: Sort | null): void;
  onColumns(ids: string[]): void;
  onWidths(widths: Record<string, number>): void;
}

/** Numbers begin with the largest, texts with the first; then the other way, then as it was. */
export function nextSort(sort: Sort | null, column: GridColumn): Sort | null {
  const first = isNumber(column) || column.type === "flag";
  if (!sort || sort.column !== column.id) return { column: column.id, descending: first };
  return sort.descending === first ? { column: column.id, descending: !first } : null;
}

const KEYS = "Enter sorts, Alt with ← → moves, Shift with ← → resizes, Delete hides";

export function Head(p: HeadProps): JSX.Element {
  const [focused, setFocused] = useState(0);
  const [drag, setDrag] = useState<{ id: string; to: number } | null>(null);
  const line = useRef<HTMLDivElement>(null);
  const ids = p.columns.map((c) => c.id);
  const unit = p.columns.find((c) => c.type === "bytes")?.id;

  const resize = (column: GridColumn, width: number): void =>
    p.onWidths({ ...p.widths, [column.id]: Math.round(Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, width))) });

  const fit = (column: GridColumn): void => {
    const longest = p.onScreen().reduce((n, row) => Math.max(n, cell(p.table, column, row).text.length), column.title.length);
    resize(column, Math.min(longest, 120) * 7.3 + (column.id === ids[0] ? 50 : 26));
  };

  const startResize = (e: PointerEvent, column: GridColumn): void => {
    if (!(e.currentTarget instanceof HTMLElement)) return;
    e.preventDefault();
    e.stopPropagation();
    const grip = e.currentTarget;
    const from = e.clientX;
    const width = widthOf(column, p.widths);
    grip.setPointerCapture(e.pointerId);
    grip.onpointermove = (m) => resize(column, width + m.clientX - from);
    grip.onpointerup = grip.onpointercancel = () => {
      grip.onpointermove = grip.onpointerup = grip.onpointercancel = null;
    };
  };

  /** Where among the columns a column is dropped that is held at x. */
  const dropAt = (x: number, id: string): number => {
    const cells = [...(line.current?.children ?? [])];
    const rest = cells.filter((c) => c instanceof HTMLElement && c.dataset["column"] !== id);
    const at = rest.findIndex((c) => {
      const r = c.getBoundingClientRect();
      return x < r.left + r.width / 2;
    });
    return at < 0 ? rest.length : at;
  };

  const startDrag = (e: PointerEvent, column: GridColumn): void => {
    if (e.button !== 0 || !(e.currentTarget instanceof HTMLElement)) return;
    const head = e.currentTarget;
    const from = e.clientX;
    let to = -1;
    head.setPointerCapture(e.pointerId);
    head.onpointermove = (m) => {
      if (to < 0 && Math.abs(m.clientX - from) < 6) return;
      to = dropAt(m.clientX, column.id);
      setDrag({ id: column.id, to });
    };
    const end = (commit: boolean): void => {
      head.onpointermove = head.onpointerup = head.onpointercancel = null;
      setDrag(null);
      if (!commit) return;
      if (to >= 0) p.onColumns(moved(ids, column.id, to));
      else p.onSort(nextSort(p.sort, column));
    };
    head.onpointerup = () => end(true);
    head.onpointercancel = () => end(false);
  };

  const focus = (i: number): void => {
    const to = Math.max(0, Math.min(ids.length - 1, i));
    setFocused(to);
    const next = line.current?.children[to];
    if (next instanceof HTMLElement) next.focus();
  };

  const onKey = (e: KeyboardEvent, column: GridColumn, i: number): void => {
    const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    if (step && e.altKey) {
      p.onColumns(moved(ids, column.id, i + step));
      requestAnimationFrame(() => focus(i + step));
    } else if (step && e.shiftKey) resize(column, widthOf(column, p.widths) + step * 10);
    else if (step) focus(i + step);
    else if (e.key === "Enter" || e.key === " ") p.onSort(nextSort(p.sort, column));
    else if (e.key === "Delete" && ids.length > 1) {
      p.onColumns(ids.filter((id) => id !== column.id));
      requestAnimationFrame(() => focus(i));
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };

  const rest = drag ? ids.filter((id) => id !== drag.id) : [];
  return (
    <div class="grid-head" role="rowgroup">
      <div class="grid-head-row" role="row" aria-rowindex={1} ref={line}>
        {p.columns.map((c, i) => {
          const sorted = p.sort?.column === c.id ? p.sort : null;
          const mark = drag && drag.id !== c.id && (rest[drag.to] === c.id ? " drop-before" : drag.to === rest.length && rest.at(-1) === c.id ? " drop-after" : "");
          return (
            <div key={c.id} data-column={c.id} role="columnheader" aria-sort={sorted ? (sorted.descending ? "descending" : "ascending") : "none"}
              tabIndex={i === Math.min(focused, ids.length - 1) ? 0 : -1} title={`${c.help}\n${KEYS}`}
              class={"grid-title" + (isNumber(c) ? " number" : "") + (drag?.id === c.id ? " dragged" : "") + (mark || "")}
              onFocus={() => setFocused(i)} onPointerDown={(e) => startDrag(e, c)} onKeyDown={(e) => onKey(e, c, i)}>
              <span class="grid-title-text">{c.title}{c.id === unit && <small> KiB</small>}</span>
              <span class={"grid-arrow" + (sorted ? (sorted.descending ? " down" : " up") : "")} aria-hidden="true" />
              <span class="grid-grip" aria-hidden="true" onPointerDown={(e) => startResize(e, c)} onDblClick={(e) => { e.stopPropagation(); fit(c); }} />
            </div>
          );
        })}
      </div>
    </div>
  );
}
