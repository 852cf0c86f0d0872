import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Rows } from "../data/rows";
import type { Snapshot } from "../data/snapshot";
import type { Diff, PageInfo } from "../data/types";
import { ExprError } from "../expr/ast";
import { evaluate, YES } from "../expr/eval";
import { compile } from "../expr/parse";
import { changeTable, mappingTable, regionTable } from "../grid/build";
import { carried, rowAt } from "../grid/carry";
import { fittingWidths, shownColumns } from "../grid/columns";
import { find, nextMatch, parseQuery } from "../grid/find";
import { Grid } from "../grid/grid";
import { both, filtered, flattened, kindFilter, sorted } from "../grid/order";
import type { Table } from "../grid/table";
import { act, getState, useStore } from "../state/store";
import { thousands } from "../format";
import "../style/grid.css";
import { useMedia } from "./kinds";
import { KindRow, ToolBar } from "./regionbar";
import { messageOf } from "../text";
import { Panel } from "./panel";

const PANEL_ROOM = 1500; // pixels from which on the panel stands open by itself

/** Raw mappings: sent with the snapshot, or asked for when they are wanted. */
function useMappings(snapshot: Snapshot | null, raw: boolean): Rows | null {
  const provider = useStore((s) => s.provider);
  const [asked, setAsked] = useState<{ of: Snapshot; rows: Rows } | null>(null);
  const sent = snapshot && snapshot.mappings.count > 0 ? snapshot.mappings : null;
  useEffect(() => {
    let wanted = true;
    if (raw && snapshot && !sent && provider?.mappings)
      provider.mappings(getState().at ?? provider.snapshots().at(-1)?.n ?? 0)
        .then((rows) => wanted && setAsked({ of: snapshot, rows }))
        .catch((e: unknown) => wanted && act({ message: `The mappings could not be read: ${messageOf(e)}` }));
    return () => { wanted = false; };
  }, [raw, snapshot, provider]);
  return sent ?? (asked && asked.of === snapshot ? asked.rows : null);
}

/** What differs, asked for where nobody has yet. */
function useDiff(): Diff | null {
  const provider = useStore((s) => s.provider);
  const compare = useStore((s) => s.compare);
  const diff = useStore((s) => s.diff);
  useEffect(() => {
    if (!compare || diff || !provider) return undefined;
    let wanted = true;
    provider.diff(compare.before, compare.after)
      .then((d) => wanted && act(d ? { diff: d } : { message: `What differs between snapshots ${compare.before} and ${compare.after} is not in these data.` }))
      .catch((e: unknown) => wanted && act({ message: messageOf(e) }));
    return () => { wanted = false; };
  }, [provider, compare, diff]);
  return compare ? diff : null;
}

function makeTable(snapshot: Snapshot | null, info: PageInfo | undefined, diff: Diff | null, mappings: Rows | null): Table | null {
  if (!info) return null;
  if (diff) return changeTable(diff, info);
  if (mappings) return mappingTable(mappings, info);
  return snapshot ? regionTable(snapshot, info) : null;
}

/** Top rows that pass an expression: null is all; a mistaken one leaves what was before. */
function useWhere(table: Table | null, info: PageInfo | undefined, where: string): { passes: Uint8Array | null; error: ExprError | null } {
  const last = useRef<{ table: Table | null; passes: Uint8Array | null }>({ table: null, passes: null });
  return useMemo(() => {
    if (!table || !where.trim()) {
      last.current = { table, passes: null };
      return { passes: null, error: null };
    }
    try {
      const absent = info?.columns.map((c) => c.id).filter((id) => !table.info(id)) ?? [];
      const node = compile({ columns: table.exprColumns(), absent, ...(table.kinds ? { kinds: table.kinds } : {}) }, where);
      const passes = evaluate(node, table.exprRows()).map((t) => (t === YES ? 1 : 0));
      last.current = { table, passes };
      return { passes, error: null };
    } catch (e) {
      if (!(e instanceof ExprError)) throw e;
      return { passes: last.current.table === table ? last.current.passes : null, error: e };
    }
  }, [table, info, where]);
}

export function Regions(): JSX.Element {
  const snapshot = useStore((s) => s.snapshot);
  const provider = useStore((s) => s.provider);
  const compare = useStore((s) => s.compare);
  const raw = useStore((s) => s.raw);
  const kinds = useStore((s) => s.kinds);
  const where = useStore((s) => s.where);
  const text = useStore((s) => s.find);
  const sort = useStore((s) => s.sort);
  const chosen = useStore((s) => s.columns);
  const widths = useStore((s) => s.widths);
  const open = useStore((s) => s.expanded);
  const address = useStore((s) => s.selected);
  const panelWanted = useStore((s) => s.panel);
  const [cursor, setCursor] = useState(-1);
  const [selected, setSelected] = useState<ReadonlySet<number>>(new Set());
  const [reveal, setReveal] = useState(0);
  const shownTable = useRef<Table | null>(null);
  const shownAddress = useRef<number | null>(null);
  const carriedTo = useRef<Table | null>(null);
  const shownText = useRef("");

  const diff = useDiff();
  const mappings = useMappings(snapshot, raw);
  const table = useMemo(() => makeTable(snapshot, provider?.info, diff, raw ? mappings : null), [snapshot, provider, diff, raw, mappings]);
  const { passes, error } = useWhere(table, provider?.info, where);
  const kept = useMemo(() => (table ? both(passes, kindFilter(table, kinds)) : null), [table, passes, kinds]);
  const sortOrder = useMemo(() => (table ? sorted(table, sort) : new Uint32Array(0)), [table, sort]);
  const order = useMemo(() => filtered(sortOrder, kept), [sortOrder, kept]);
  const visible = useMemo(() => (table ? flattened(table, order, open) : order), [table, order, open]);
  const narrow = useMedia("screen and (max-width: 1199px)");
  const columns = useMemo(() => (table ? shownColumns(table, chosen, snapshot?.head.target.source === "live", narrow) : []), [table, chosen, snapshot, narrow]);
  const fitting = useMemo(() => (table ? fittingWidths(table, columns) : {}), [table, columns]);
  const allWidths = useMemo(() => ({ ...fitting, ...widths }), [fitting, widths]);
  const query = useMemo(() => (table ? parseQuery(table, text) : { type: "nothing" as const }), [table, text]);
  const found = useMemo(() => (table ? find(table, order, query) : new Uint32Array(0)), [table, order, query]);
  const matches = useMemo(() => {
    if (!table || !found.length) return null;
    const flags = new Uint8Array(table.rowCount);
    for (const row of found) flags[row] = 1;
    return flags;
  }, [table, found]);

  /** Puts the cursor on a row, opens what it lies below, and brings it on the screen. An address within the row stays selected: a page or chunk. */
  const goTo = (row: number, within?: number): void => {
    if (!table || row < 0) return;
    const top = table.address(table.parent(row));
    if (table.level(row) === 2 && !getState().expanded.has(top)) act({ expanded: new Set([...getState().expanded, top]) });
    setCursor(row);
    setSelected(new Set([row]));
    act({ selected: within ?? (table.isChunk(row) ? top : table.address(row)) });
    setReveal((n) => n + 1);
  };

  // A newer snapshot numbers its rows anew: cursor and selection stay on what they are on, and the reader where he has scrolled.
  useLayoutEffect(() => {
    const before = carriedTo.current;
    carriedTo.current = table;
    if (!table || !before || before === table || before.mode !== table.mode || table.mode === "changes") return;
    const same = carried(before, table, cursor);
    const row = same >= 0 || address === null ? same : rowAt(table, address);
    const rows = [...selected].map((r) => carried(before, table, r)).filter((r) => r >= 0);
    setCursor(row);
    setSelected(new Set(rows.length || row < 0 ? rows : [row]));
  }, [table]);

  // What another view selected is shown here; what is selected here stays, also a block that begins where its region does.
  useEffect(() => {
    if (!table) return;
    const before = shownTable.current;
    const seen = shownAddress.current;
    shownTable.current = table;
    shownAddress.current = address;
    if (before && before !== table && before.mode === table.mode && table.mode !== "changes" && seen === address) return;
    if (address === null) {
      setCursor(-1);
      setSelected(new Set());
      return;
    }
    const own = cursor >= 0 && cursor < table.rowCount ? table.address(table.isChunk(cursor) ? table.parent(cursor) : cursor) : NaN;
    if (before === table && own === address) return;
    const row = rowAt(table, address);
    if (before === table || before?.mode !== table.mode) goTo(row, address);
    setCursor(row);
    setSelected(new Set(row < 0 ? [] : [row]));
  }, [address, table]);

  // An address leads there as it is typed; a text shows its first match.
  useEffect(() => {
    const typed = shownText.current !== text;
    shownText.current = text;
    if (typed && found.length && !matches?.[cursor]) goTo(found[0] ?? -1);
  }, [found]);

  const step = (by: 1 | -1): void => {
    if (table) goTo(found[nextMatch(table, order, found, cursor, by)] ?? -1);
  };

  if (!table || !provider) return <p class="empty">Nothing was read.</p>;
  const panel = panelWanted ?? window.innerWidth >= PANEL_ROOM;
  const rawPossible = !diff && ((snapshot?.mappings.count ?? 0) > 0 || provider.mappings !== undefined);
  return (
    <div class="regions">
      <ToolBar table={table} columns={columns} error={error} found={found} at={found.indexOf(cursor)} query={query} onStep={step}
        rows={() => (selected.size > 1 ? [...visible].filter((row) => selected.has(row)) : [...visible])} selected={selected.size}
        rawPossible={rawPossible} panel={panel} />
      <KindRow table={table} kinds={kinds} info={provider.info} types={snapshot?.head.summary.types ?? []} />
      <div class="regions-main">
        <div class="regions-left">
          <Grid label={table.mode === "changes" ? "Regions that changed" : table.mode === "mappings" ? "Mappings" : "Regions and their blocks"}
            table={table} visible={visible} columns={columns} widths={allWidths} sort={sort} open={open} cursor={cursor} selected={selected}
            matches={matches} needle={query.type === "text" ? query.text.toLowerCase() : ""} reveal={reveal}
            onCursor={(row, rows) => {
              setCursor(row);
              setSelected(rows);
              act({ selected: row < 0 ? null : table.address(table.isChunk(row) ? table.parent(row) : row) });
            }}
            onOpen={(expanded) => act({ expanded })} onSort={(s) => act({ sort: s })} onColumns={(ids) => act({ columns: ids })}
            onWidths={(w) => act({ widths: Object.fromEntries(Object.entries(w).filter(([id, width]) => id in widths || width !== fitting[id])) })} onPanel={() => act({ panel: !panel })} />
          <div class="grid-status" role="status">
            <span>{order.length === table.topCount ? thousands(order.length) : `${thousands(order.length)} of ${thousands(table.topCount)}`}
              {table.mode === "mappings" ? " mappings" : table.mode === "changes" ? " regions that changed" : " regions"}</span>
            {diff && compare && <span>snapshot {compare.before} → {compare.after} <button type="button" class="link" onClick={() => act({ compare: null, diff: null })}>Stop comparing</button></span>}
            {selected.size > 1 && <span>{thousands(selected.size)} rows selected</span>}
            {raw && !mappings && !diff && <span>Mappings are being read…</span>}
            <span class="grow" />
            <span><kbd>Ctrl F</kbd> find · <kbd>←</kbd> <kbd>→</kbd> close, open · <kbd>*</kbd> open all · <kbd>Enter</kbd> details</span>
          </div>
        </div>
        {panel && <Panel table={table} row={cursor < table.rowCount ? cursor : -1} />}
      </div>
    </div>
  );
}
