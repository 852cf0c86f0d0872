// Small parts that several views use: menus, names from the target, numbers, links to addresses.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { bytes, change, kib, thousands } from "../format";
import { act } from "../state/store";
import { visible } from "../text";
import { saveTable, type TableData } from "../export";

/** A text of the target: escaped, and in its own writing direction. */
export function Name({ text, cut = false, mono = false }: { text: string; cut?: boolean; mono?: boolean }): JSX.Element {
  const shown = visible(text);
  return <bdi class={"name" + (cut ? " cut" : "") + (mono ? " mono" : "")} title={cut ? shown.slice(0, 2000) : undefined}>{shown}</bdi>;
}

/** A path: what is cut when there is no room is the folder, not the name at its end. */
export function Path({ text }: { text: string }): JSX.Element {
  const cut = text.replace(/ \(deleted\)$/, "").lastIndexOf("/") + 1;
  return (
    <span class="path" title={visible(text).slice(0, 2000)}>
      <bdi class="name cut">{visible(text.slice(0, cut))}</bdi><bdi class="name base">{visible(text.slice(cut))}</bdi>
    </span>
  );
}

/** A menu under a button: Escape and a click elsewhere close it. */
export function Menu({ label, title, children }: { label: ComponentChildren; title: string; children: (close: () => void) => ComponentChildren }): JSX.Element {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (e: Event): void => {
      if (e.target instanceof Node && !place.current?.contains(e.target)) setOpen(false);
    };
    const key = (e: KeyboardEvent): void => {
      if (e.key !== "Escape") return;
      setOpen(false);
      button.current?.focus();
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    document.addEventListener("keydown", key);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
      document.removeEventListener("keydown", key);
    };
  }, [open]);
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div class="menu" ref={place}>
      <button type="button" ref={button} class="button small" title={title} aria-expanded={open} onClick={() => setOpen(!open)}>
        {label} <span aria-hidden="true" class="dim">▾</span>
      </button>
      {open && <div class="menu-body" role="group" aria-label={title}>{children(close)}</div>}
    </div>
  );
}

/** Saves a table; its data are made when it is asked for. */
export function SaveTable({ name, data, picture }: {
  name: readonly (string | number | null)[]; data: () => TableData; picture?: (format: "svg" | "png") => void;
}): JSX.Element {
  const save = (format: "csv" | "json", close: () => void): void => {
    saveTable(name, format, data());
    close();
  };
  return (
    <Menu label="Save" title={picture ? "Save this table or its picture" : "Save this table"}>
      {(close) => (
        <>
          <button type="button" class="item" onClick={() => save("csv", close)}>CSV, sizes in bytes</button>
          <button type="button" class="item" onClick={() => save("json", close)}>JSON, sizes in bytes</button>
          {picture && (["svg", "png"] as const).map((format) => (
            <button key={format} type="button" class="item" onClick={() => { picture(format); close(); }}>Picture, {format.toUpperCase()}</button>
          ))}
        </>
      )}
    </Menu>
  );
}

/** Goes to an address in the table of regions. */
export function toAddress(address: number): void {
  act({ selected: address, tab: "regions" });
}

export function Address({ address, title }: { address: string; title?: string }): JSX.Element {
  return (
    <button type="button" class="link mono" title={title ?? "Show it among the regions"} onClick={() => toAddress(Number(address))}>
      {address}
    </button>
  );
}

/** A cell of sizes in KiB as the command line's tables have it: "-" is zero, "?" unknown. */
export function sizeText(value: number | null | undefined, atLeast = false): string {
  return value === 0 && !atLeast ? "-" : kib(value, atLeast);
}

export function sizeClass(value: number | null | undefined): string {
  return "number" + (value === 0 ? " zero" : value === null || value === undefined ? " unknown" : "");
}

export function Size({ value, atLeast = false }: { value: number | null | undefined; atLeast?: boolean }): JSX.Element {
  return <td class={sizeClass(value)} title={value ? bytes(value, atLeast) : undefined}>{sizeText(value, atLeast)}</td>;
}

export function Count({ value }: { value: number | null | undefined }): JSX.Element {
  return <td class={sizeClass(value)}>{value === null || value === undefined ? "?" : value === 0 ? "-" : thousands(value)}</td>;
}

/** What a number is less what it was: "-" is no change; the title has both. */
export function Changed({ by, before, after, count = false, bound = "" }: {
  by: number | null; before: string; after: string; count?: boolean; bound?: string;
}): JSX.Element {
  const text = by === 0 && !bound ? "-" : count && by !== null ? (by > 0 ? "+" : "−") + thousands(Math.abs(by)) : bound + change(by);
  const direction = (by ?? 0) > 0 ? " grown" : (by ?? 0) < 0 ? " shrunk" : "";
  return <td class={sizeClass(by) + direction} title={`${before} → ${after}`}>{text}</td>;
}

export interface Sorting {
  column: string;
  descending: boolean;
}

/** The head of a column that sorts: numbers begin with the largest. */
export function SortHead({ id, title, help, number, sort, onSort }: {
  id: string; title: string; help?: string; number?: boolean; sort: Sorting | null; onSort: (s: Sorting) => void;
}): JSX.Element {
  const mine = sort?.column === id ? sort : null;
  const arrow = mine ? (mine.descending ? "▼" : "▲") : "";
  return (
    <th scope="col" class={number ? "number" : undefined} aria-sort={mine ? (mine.descending ? "descending" : "ascending") : undefined}>
      <button type="button" class="sorter" title={help} onClick={() => onSort({ column: id, descending: mine ? !mine.descending : number === true })}>
        {number && <span class="arrow" aria-hidden="true">{arrow}</span>}{title}{!number && <span class="arrow" aria-hidden="true">{arrow}</span>}
      </button>
    </th>
  );
}

/** The items in the order of a sorting; equal ones, and all without one, stay as they were. */
export function sortedBy<T>(items: readonly T[], sort: Sorting | null, value: (item: T, column: string) => unknown): T[] {
  if (!sort) return [...items];
  return [...items].sort((a, b) => compareValues(value(a, sort.column), value(b, sort.column), sort.descending));
}

/** Below a table of which only the first rows are drawn. */
export function More({ count, shown, onAll }: { count: number; shown: number; onAll: () => void }): JSX.Element | null {
  if (count <= shown) return null;
  return <p class="more no-print"><button type="button" class="link" onClick={onAll}>Show all {thousands(count)}</button></p>;
}

/** Compares values of a column; what is unknown comes last in either direction. */
export function compareValues(a: unknown, b: unknown, descending: boolean): number {
  const absent = (v: unknown): boolean => v === null || v === undefined || v === "" || (typeof v === "number" && Number.isNaN(v));
  if (absent(a) || absent(b)) return Number(absent(a)) - Number(absent(b));
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
  return descending ? -order : order;
}
