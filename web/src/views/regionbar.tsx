// Above the region table: find, filter, kinds, columns, copying.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Kind, PageInfo, TypeTotal } from "../data/types";
import type { ExprError } from "../expr/ast";
import { hasTerm, toggleTerm } from "../expr/terms";
import { csvOf, saveTable, type TableData } from "../export";
import { rowsAsData, rowsAsText } from "../grid/cells";
import { toggled } from "../grid/columns";
import type { Query } from "../grid/find";
import type { GridColumn, Table } from "../grid/table";
import { thousands } from "../format";
import { act, useStore } from "../state/store";
import { Swatch } from "./kinds";
import { visible } from "../text";

/** A button with a box below it, closed by Escape and by a click elsewhere. */
function Drop({ label, title, set, right, children }: { label: string; title: string; set?: boolean; right?: boolean; children: ComponentChildren }): JSX.Element {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const close = (e: Event): void => {
      if (e.target instanceof Node && !box.current?.contains(e.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("focusin", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("focusin", close);
    };
  }, [open]);
  const onKey = (e: KeyboardEvent): void => {
    if (!open) return;
    const items = [...(box.current?.querySelectorAll<HTMLElement>(".drop-item input, button.drop-item") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (e.key === "Escape") {
      setOpen(false);
      box.current?.querySelector("button")?.focus();
    } else if (e.key === "ArrowDown" || e.key === "ArrowUp") items[(at + (e.key === "ArrowDown" ? 1 : items.length - 1) + (at < 0 ? 1 : 0)) % items.length]?.focus();
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  /** What a button does is done; boxes stay open for more. */
  const onPick = (e: MouseEvent): void => {
    if (!(e.target instanceof Element) || !e.target.closest("button.drop-item")) return;
    setOpen(false);
    box.current?.querySelector("button")?.focus();
  };
  return (
    <div class={"drop" + (right ? " right" : "")} ref={box} onKeyDown={onKey}>
      <button class={"drop-button" + (set ? " set" : "")} aria-expanded={open} title={title} onClick={() => setOpen(!open)}>{label}</button>
      {open && <div class="drop-body" role="group" aria-label={title} onClick={onPick}>{children}</div>}
    </div>
  );
}

/** An expression, or what surrounds its mistake, with a caret below the place. */
function Mistake({ where, error }: { where: string; error: ExprError }): JSX.Element {
  const from = Math.max(0, error.at - 50);
  const before = visible(where.slice(from, error.at));
  const line = (from > 0 ? "…" : "") + before + visible(where.slice(error.at, error.at + 40));
  return (
    <div class="where-error" role="alert">
      <pre>{line}{"\n"}<span class="caret">{" ".repeat((from > 0 ? 1 : 0) + before.length)}^</span></pre>
      <p>{visible(error.what)} at column {error.column}</p>
    </div>
  );
}

const PROTECTIONS: readonly [string, string, string][] = [
  ["wx", "W+X", "writable and executable at once"],
  ["protection~w", "writable", "some part may be written to"],
  ["protection~x", "executable", "some part may be executed"],
  ["!protection~r", "no access", "may not be read: reserved, or guards"],
  ["protection~s", "shared", "what is written others see"],
  ["protection~p", "private", "what is written stays with this process"],
];
const SIZES = ["64K", "1M", "16M", "256M", "1G"];

function Terms({ label, title, terms, where }: { label: string; title: string; terms: readonly [string, string, string][]; where: string }): JSX.Element {
  return (
    <Drop label={label} title={title} set={terms.some(([t]) => hasTerm(where, t))}>
      {terms.map(([term, name, help]) => (
        <label class="drop-item" key={term}>
          <input type="checkbox" checked={hasTerm(where, term)} onChange={() => act({ where: toggleTerm(where, term) })} />
          <b>{name}</b><small>{help} <code>{term}</code></small>
        </label>
      ))}
    </Drop>
  );
}

function Columns({ table, columns }: { table: Table; columns: readonly GridColumn[] }): JSX.Element {
  const ids = columns.map((c) => c.id);
  return (
    <Drop label="Columns" title="Columns that are shown" right>
      {table.columns.map((c) => (
        <label class="drop-item" key={c.id}>
          <input type="checkbox" checked={ids.includes(c.id)} onChange={() => act({ columns: toggled(table, ids, c.id) })} />
          <b>{c.title}</b><small>{c.help}</small>
        </label>
      ))}
      <div class="drop-line" />
      <button class="drop-item" onClick={() => act({ columns: null, widths: {} })}>As when nobody has chosen</button>
    </Drop>
  );
}

async function copy(text: string): Promise<void> {
  const fallback = (): boolean => {
    const put = (e: ClipboardEvent): void => {
      e.preventDefault();
      e.stopImmediatePropagation();
      e.clipboardData?.setData("text/plain", text);
    };
    document.addEventListener("copy", put, true);
    const done = document.execCommand("copy");
    document.removeEventListener("copy", put, true);
    return done;
  };
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!fallback()) act({ message: "The browser did not let the page copy: select rows and press Ctrl+C." });
  }
}

interface ToolProps {
  table: Table;
  columns: readonly GridColumn[];
  error: ExprError | null;
  found: Uint32Array;
  /** Which match the cursor is on; -1: none. */
  at: number;
  query: Query;
  onStep(by: 1 | -1): void;
  /** Rows to copy, in order. */
  rows(): number[];
  selected: number;
  rawPossible: boolean;
  panel: boolean;
}

function Find({ found, at, query, onStep }: Pick<ToolProps, "found" | "at" | "query" | "onStep">): JSX.Element {
  const text = useStore((s) => s.find);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (e: KeyboardEvent): void => {
      const typing = e.target instanceof HTMLInputElement || e.target instanceof HTMLTextAreaElement;
      const wants = ((e.ctrlKey || e.metaKey) && !e.shiftKey && e.key.toLowerCase() === "f") || (e.key === "/" && !typing && !e.ctrlKey && !e.altKey);
      if (wants) {
        e.preventDefault();
        input.current?.focus();
        input.current?.select();
      } else if (e.key === "F3") {
        e.preventDefault();
        onStep(e.shiftKey ? -1 : 1);
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
  const onKey = (e: KeyboardEvent): void => {
    if (e.key === "Enter") onStep(e.shiftKey ? -1 : 1);
    else if (e.key === "Escape" || e.key === "ArrowDown") {
      if (e.key === "Escape") act({ find: "" });
      document.querySelector<HTMLElement>(".grid")?.focus();
    } else return;
    e.preventDefault();
  };
  const none = query.type === "address" ? "not mapped, or filtered out" : "none";
  return (
    <div class="tool-field find" role="search">
      <input ref={input} type="text" spellcheck={false} autocomplete="off" aria-label="Find" placeholder="Find address, name, path…" value={text}
        onInput={(e) => act({ find: e.currentTarget.value })} onKeyDown={onKey} />
      {query.type !== "nothing" && (
        <>
          <span class="count" aria-live="polite">{found.length ? (at >= 0 ? `${thousands(at + 1)} of ${thousands(found.length)}` : thousands(found.length)) : none}</span>
          <button aria-label="Previous match" title="Shift+Enter, Shift+F3" disabled={!found.length} onClick={() => onStep(-1)}>↑</button>
          <button aria-label="Next match" title="Enter, F3" disabled={!found.length} onClick={() => onStep(1)}>↓</button>
          <button aria-label="Find nothing" title="Escape" onClick={() => act({ find: "" })}>×</button>
        </>
      )}
    </div>
  );
}

function Where({ error }: { error: ExprError | null }): JSX.Element {
  const where = useStore((s) => s.where);
  const [focused, setFocused] = useState(false);
  return (
    <div class={"tool-field where" + (error ? " wrong" : "")}>
      <input type="text" spellcheck={false} autocomplete="off" aria-label="Filter by an expression" aria-invalid={error !== null}
        placeholder="Filter: rss>1M && kind=heap" title="The same language as --where: columns by their ids, = != < <= > >= ~ !~, && || !, sizes as 64K, 1M"
        value={where} onInput={(e) => act({ where: e.currentTarget.value })} onFocus={() => setFocused(true)} onBlur={() => setFocused(false)}
        onKeyDown={(e) => {
          if (e.key !== "Escape") return;
          act({ where: "" });
          document.querySelector<HTMLElement>(".grid")?.focus();
        }} />
      {where && <button aria-label="No filter" title="Escape" onClick={() => act({ where: "" })}>×</button>}
      {error && (focused || error.what !== "a text is missing") && <Mistake where={where} error={error} />}
    </div>
  );
}

export function ToolBar(p: ToolProps): JSX.Element {
  const where = useStore((s) => s.where);
  const raw = useStore((s) => s.raw);
  const target = useStore((s) => s.snapshot?.head.target);
  const name = [target?.name ?? "", target?.pid ?? null, p.table.mode];
  const data = (): TableData => rowsAsData(p.table, p.columns, p.rows());
  const what = p.selected > 1 ? `${thousands(p.selected)} selected rows` : "all rows that are shown";
  return (
    <div class="tools">
      <Find found={p.found} at={p.at} query={p.query} onStep={p.onStep} />
      <Where error={p.error} />
      <Terms label="Protection" title="Filter by protection" terms={PROTECTIONS.filter(([t]) => t !== "wx" || p.table.info("wx"))} where={where} />
      <Terms label="Size" title="Filter by size" terms={SIZES.map((s) => [`size>=${s}`, `≥ ${s}iB`, ""])} where={where} />
      <span class="tools-grow" />
      {p.table.mode !== "changes" && (
        <button class="tool" aria-pressed={raw} disabled={!p.rawPossible} onClick={() => act({ raw: !raw })}
          title={p.rawPossible ? "The kernel's mappings as they are, without owners" : "These data do not hold the kernel's mappings: vmmap show TARGET --raw tells them"}>Raw</button>
      )}
      <Drop label="Export" title="Copy or save rows" right>
        <button class="drop-item" onClick={() => void copy(rowsAsText(p.table, p.columns, p.rows()))}><b>Copy text</b><small>{what}; Ctrl+C copies those selected</small></button>
        <button class="drop-item" onClick={() => void copy(csvOf(data()))}><b>Copy CSV</b><small>{what}, exact bytes</small></button>
        <div class="drop-line" />
        <button class="drop-item" onClick={() => saveTable(name, "csv", data())}><b>Save CSV</b><small>{what}, exact bytes</small></button>
        <button class="drop-item" onClick={() => saveTable(name, "json", data())}><b>Save JSON</b><small>{what}, exact bytes; unknown is null</small></button>
      </Drop>
      <Columns table={p.table} columns={p.columns} />
      <button class="tool" aria-pressed={p.panel} onClick={() => act({ panel: !p.panel })} title="What is known of the selected row (Enter)">Details</button>
    </div>
  );
}

/** Chips of the kinds that there are: they filter every view. */
export function KindRow({ table, kinds, info, types }: { table: Table; kinds: readonly string[] | null; info: PageInfo; types: readonly TypeTotal[] }): JSX.Element | null {
  if (table.mode === "mappings") return null;
  const c = table.top.column("kind");
  const there = new Set(c?.type === "text" ? c.texts : []);
  const shown: Kind[] = info.kinds.filter((k) => there.has(k.id));
  const toggle = (id: string): void => {
    const next = kinds === null ? [id] : kinds.includes(id) ? kinds.filter((k) => k !== id) : [...kinds, id];
    act({ kinds: next.length && !shown.every((k) => next.includes(k.id)) ? next : null });
  };
  return (
    <div class="tools kinds-row" role="group" aria-label="Types that are shown">
      <button class="kind-chip" aria-pressed={kinds === null} onClick={() => act({ kinds: null })}>All types</button>
      {shown.map((k) => {
        const count = table.mode === "regions" ? types.find((t) => t.kind === k.id)?.regions : null;
        const on = kinds?.includes(k.id) ?? false;
        return (
          <button class={"kind-chip" + (kinds && !on ? " off" : "")} key={k.id} aria-pressed={on} title={k.help} onClick={() => toggle(k.id)}>
            <Swatch kind={k.id} />{k.label}{typeof count === "number" && <small>{thousands(count)}</small>}
          </button>
        );
      })}
    </div>
  );
}
