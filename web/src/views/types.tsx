// The table of types: the colour key, the filter, and every number that there is of each kind.
import type { ComponentChildren, JSX } from "preact";
import { amount, barsOf, barsSvg, type Amount } from "../bars";
import { changeBarsOf, changeBarsSvg } from "../changebars";
import type { Snapshot } from "../data/snapshot";
import { APART, type ColumnInfo, type Diff, type TypeTotal } from "../data/types";
import { savePicture } from "../export";
import { bytes, kib, thousands } from "../format";
import { act, useStore } from "../state/store";
import { kindLabel, pickKind, Swatch, useDark, useKindLooks, useKinds } from "./kinds";
import { Changed, compareValues, Menu, SaveTable, sizeClass, sizeText, SortHead, type Sorting } from "./parts";

const NO_COLUMNS: readonly ColumnInfo[] = [];

/** Columns of the library's table that a total of a kind has. */
function available(columns: readonly ColumnInfo[], total: TypeTotal): ColumnInfo[] {
  return columns.filter((c) => (c.type === "bytes" || c.type === "count") && c.id in total);
}

/** Those of `vmmap show`; what nothing is known of is left out until it is asked for. */
function chosen(all: readonly ColumnInfo[], snapshot: Snapshot, ids: readonly string[] | null): ColumnInfo[] {
  if (ids) return ids.flatMap((id) => all.find((c) => c.id === id) ?? []);
  const { types, total } = snapshot.head.summary;
  const told = (t: TypeTotal, id: string): boolean => {
    const { value, atLeast } = amount(t, id);
    return value !== null && (value > 0 || (!atLeast && t.kind === "total"));
  };
  return all.filter((c) => (c.shown || c.id === "largest") && [...types, total].some((t) => !APART.has(t.kind) && told(t, c.id)));
}

/** Kinds with regions in the order of the sorting; then those that are in no total. Compared, those that went are there too. */
export function orderedTypes(snapshot: Snapshot, sort: Sorting | null, diff: Diff | null): { regions: TypeTotal[]; apart: TypeTotal[] } {
  const there = snapshot.head.summary.types.filter((t) => (t.size !== 0 && !(APART.has(t.kind) && t.size === null)) || diff?.types.some((d) => d.kind === t.kind));
  const regions = there.filter((t) => !APART.has(t.kind));
  if (sort) {
    const value = (t: TypeTotal): unknown => {
      if (sort.column === "kind") return t.kind;
      return diff ? sidesOf(diff, t, sort.column).change : amount(t, sort.column).value;
    };
    regions.sort((a, b) => compareValues(value(a), value(b), sort.descending));
  }
  return { regions, apart: there.filter((t) => APART.has(t.kind)) };
}

function Cell({ row, column }: { row: TypeTotal; column: ColumnInfo }): JSX.Element {
  const { value, atLeast } = amount(row, column.id);
  const own = APART.has(row.kind) && value === null; // a number that such a kind cannot have
  if (column.type === "count")
    return <td class={sizeClass(value)}>{value === null ? (own ? "" : "?") : value === 0 ? "-" : thousands(value)}</td>;
  return <td class={sizeClass(value)} title={value ? bytes(value, atLeast) : undefined}>{own ? "" : sizeText(value, atLeast)}</td>;
}

interface Sides {
  change: number | null;
  /** "≥ " or "≤ " where the change is only bounded. */
  bound: string;
  before: Amount;
  after: Amount;
}

/** Of a kind that the diff does not list nothing has changed, as far as it is known. */
function sidesOf(diff: Diff, of: TypeTotal, column: string): Sides {
  const row = diff.types.find((t) => (t.kind ?? "total") === of.kind);
  const now = amount(of, column);
  if (!row) return { change: now.value === null || now.atLeast ? null : 0, bound: "", before: now, after: now };
  const counts = row[column] as object | undefined;
  if (counts && typeof counts === "object")
    return { change: amount(counts, "change").value, bound: "", before: amount(counts, "before"), after: amount(counts, "after") };
  const given = row["change"] as { at_most?: Record<string, unknown> } | undefined;
  const changed = amount(given, column);
  const most = given?.at_most?.[column];
  return {
    change: changed.value ?? (typeof most === "number" ? most : null),
    bound: changed.atLeast ? "≥ " : changed.value === null && typeof most === "number" ? "≤ " : "",
    before: amount(row["before"] as object | undefined, column), after: amount(row["after"] as object | undefined, column),
  };
}

/** Numbers that a diff tells of types: blocks and the largest are none. */
function inDiff(diff: Diff, column: string): boolean {
  return diff.types.some((t) => column in t || column in ((t["change"] as object | undefined) ?? {}));
}

/** What a number is less what it was. */
function ChangeCell({ diff, row, column }: { diff: Diff; row: TypeTotal; column: ColumnInfo }): JSX.Element {
  const sides = sidesOf(diff, row, column.id);
  const count = column.type === "count";
  const show = (a: Amount): string => (count ? (a.value === null ? "?" : thousands(a.value)) : kib(a.value, a.atLeast));
  return <Changed by={sides.change} before={show(sides.before)} after={show(sides.after)} count={count} bound={sides.bound} />;
}

function ColumnMenu({ all, shown }: { all: readonly ColumnInfo[]; shown: readonly ColumnInfo[] }): JSX.Element {
  const has = (id: string): boolean => shown.some((c) => c.id === id);
  const toggle = (id: string): void => {
    const next = all.filter((c) => (c.id === id ? !has(id) : has(c.id))).map((c) => c.id);
    act({ typeColumns: next.length ? next : null });
  };
  return (
    <Menu label="Columns" title="Choose columns">
      {() => (
        <>
          {all.map((c) => (
            <label class="item" key={c.id}>
              <input type="checkbox" checked={has(c.id)} onChange={() => toggle(c.id)} />
              <span>{c.title}<small>{c.help}</small></span>
            </label>
          ))}
          <button type="button" class="item" onClick={() => act({ typeColumns: null })}>As at first</button>
        </>
      )}
    </Menu>
  );
}

function KindRow({ row, hot, onHot, children }: { row: TypeTotal; hot: string; onHot: (kind: string) => void; children: ComponentChildren }): JSX.Element {
  const picked = useStore((s) => s.kinds);
  const kinds = useKinds();
  const on = picked?.includes(row.kind) ?? false;
  return (
    <tr class={(picked && !on ? "off" : "") + (on ? " on" : "") + (hot === row.kind ? " hot" : "")} data-kind={row.kind}
      onPointerEnter={() => onHot(row.kind)} onPointerLeave={() => onHot("")}
      onClick={(e) => pickKind(row.kind, e.ctrlKey || e.metaKey || e.shiftKey)}>
      <th scope="row">
        <button type="button" class="kind-button" aria-pressed={on} title={kinds.find((k) => k.id === row.kind)?.help}>
          <Swatch kind={row.kind} />{kindLabel(kinds, row.kind)}
        </button>
      </th>
      {children}
    </tr>
  );
}

export function TypesTable({ snapshot, hot, onHot }: { snapshot: Snapshot; hot: string; onHot: (kind: string) => void }): JSX.Element {
  const info = useStore((s) => s.provider?.info.columns ?? NO_COLUMNS);
  const ids = useStore((s) => s.typeColumns);
  const sort = useStore((s) => s.typeSort);
  const diff = useStore((s) => s.diff);
  const picked = useStore((s) => s.kinds);
  const kinds = useKinds();
  const looks = useKindLooks();
  const dark = useDark();
  const compare = useStore((s) => s.compare);
  const { name, pid } = snapshot.head.target;
  const pair = compare ? `change-${compare.before}-${compare.after}` : null;
  const { total } = snapshot.head.summary;
  const all = available(info, total);
  const columns = chosen(all, snapshot, ids).filter((c) => !diff || inDiff(diff, c.id));
  const { regions, apart } = orderedTypes(snapshot, sort, diff);
  const onSort = (s: Sorting): void => act({ typeSort: s });
  const cells = (row: TypeTotal): JSX.Element[] => columns.map((c) =>
    diff ? <ChangeCell key={c.id} diff={diff} row={row} column={c} /> : <Cell key={c.id} row={row} column={c} />);
  const table = (): { columns: string[]; rows: (string | number | null)[][] } => ({
    columns: ["kind", ...columns.map((c) => c.id)],
    rows: [...regions, total, ...apart].map((t) => [t.kind, ...columns.map((c) =>
      diff ? ((sides) => (sides.bound ? null : sides.change))(sidesOf(diff, t, c.id)) : amount(t, c.id).atLeast ? null : amount(t, c.id).value)]),
  });
  const picture = (format: "svg" | "png"): void => {
    const order = regions.map((t) => t.kind);
    const title = `${name}${pid === null ? "" : " " + pid}`;
    const svg = diff
      ? changeBarsSvg(changeBarsOf(diff, order, APART), kinds, looks, `${title}: snapshot ${compare?.after} less ${compare?.before}`, dark)
      : barsSvg(barsOf(snapshot.head, order), kinds, looks, title, dark);
    void savePicture([name, pid, "bars", pair], format, svg);
  };
  return (
    <section class="panel types" aria-label="Types">
      <header>
        <h2>Types</h2>
        <span class="dim">{diff ? "change in KiB, after less before" : "KiB"}</span>
        <span class="grow" />
        <ColumnMenu all={all} shown={columns} />
        <SaveTable name={[name, pid, "types", pair]} data={table} picture={picture} />
      </header>
      <div class="scroll">
        <table class="table types-table">
          <thead>
            <tr>
              <SortHead id="kind" title="Type" sort={sort} onSort={onSort} />
              {columns.map((c) => <SortHead key={c.id} id={c.id} title={c.title} help={c.help} number sort={sort} onSort={onSort} />)}
            </tr>
          </thead>
          <tbody>
            {regions.map((t) => <KindRow key={t.kind} row={t} hot={hot} onHot={onHot}>{cells(t)}</KindRow>)}
          </tbody>
          <tbody class="sum">
            <tr class={picked ? "off" : ""} data-kind="total" onClick={() => act({ kinds: null })}>
              <th scope="row"><button type="button" class="kind-button" title="Show all kinds">Total</button></th>
              {cells(total)}
            </tr>
          </tbody>
          <tbody class="apart">
            {apart.map((t) => <KindRow key={t.kind} row={t} hot={hot} onHot={onHot}>{cells(t)}</KindRow>)}
          </tbody>
        </table>
      </div>
    </section>
  );
}
