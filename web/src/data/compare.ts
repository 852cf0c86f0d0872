// What differs between two snapshots of a report that holds no difference of the two. Regions are matched by their first
// address alone: what moved counts as gone and new. Where a library's own difference is to be had, that one is shown.
import type { Rows } from "./rows";
import { formatAddress } from "./rows";
import type { Snapshot } from "./snapshot";
import { METRICS, type Diff, type DiffRow, type Metric, type TypeTotal } from "./types";

type Numbers = Partial<Record<Metric, number | null>>;

const ABSENT = -1;

function sides(before: Numbers, after: Numbers): { change: Numbers; before: Numbers; after: Numbers } {
  const change: Numbers = {};
  for (const id of METRICS) {
    const was = before[id];
    const is = after[id];
    change[id] = typeof was === "number" && typeof is === "number" ? is - was : null;
  }
  return { change, before, after };
}

const NOTHING: Numbers = Object.fromEntries(METRICS.map((id) => [id, 0]));

function differs(row: { change: Numbers }): boolean {
  return METRICS.some((id) => row.change[id]);
}

function direction(change: number | null | undefined): string {
  return (change ?? 0) > 0 ? "grown" : (change ?? 0) < 0 ? "shrunk" : "changed";
}

function totalsOf(total: TypeTotal | undefined): Numbers {
  if (!total) return NOTHING;
  return Object.fromEntries(METRICS.map((id) => [id, total[id] ?? null]));
}

function typeRows(before: Snapshot, after: Snapshot): DiffRow[] {
  const was = before.head.summary;
  const is = after.head.summary;
  const kinds = [...new Set([...was.types, ...is.types].map((t) => t.kind))];
  const rows = kinds.map((kind): DiffRow & { change: Numbers } => {
    const both = sides(totalsOf(was.types.find((t) => t.kind === kind)), totalsOf(is.types.find((t) => t.kind === kind)));
    return { state: direction(both.change.size), kind, ...both };
  });
  const total = sides(totalsOf(was.total), totalsOf(is.total));
  return [...rows.filter(differs), { state: direction(total.change.size), kind: "total", ...total }];
}

function numbersOf(rows: Rows, i: number): Numbers {
  if (i === ABSENT) return NOTHING;
  const numbers: Numbers = {};
  for (const id of METRICS) {
    const v = rows.number(id, i);
    numbers[id] = Number.isNaN(v) || rows.isAtLeast(id, i) ? null : v;
  }
  return numbers;
}

function placeOf(rows: Rows, i: number): { address: string; end: string; kind: string; protection: string } | null {
  if (i === ABSENT) return null;
  return { address: formatAddress(rows.number("address", i)), end: formatAddress(rows.number("end", i)), kind: rows.text("kind", i), protection: rows.text("protection", i) };
}

function regionRow(a: Rows, i: number, b: Rows, k: number): (DiffRow & { change: Numbers }) | null {
  const both = sides(numbersOf(a, i), numbersOf(b, k));
  const [was, is] = [placeOf(a, i), placeOf(b, k)];
  const changes: string[] = [];
  if (!was) changes.push("new");
  else if (!is) changes.push("gone");
  else {
    if (was.kind !== is.kind) changes.push("retyped");
    if (both.change.size) changes.push(direction(both.change.size));
    if (was.protection !== is.protection) changes.push("protected");
    if (!changes.length && differs(both)) changes.push("changed");
  }
  const state = changes[0];
  if (state === undefined) return null;
  const [rows, row] = is ? [b, k] : [a, i];
  const tid = rows.number("tid", row);
  return {
    state, changes: changes as unknown as string, kind: (is ?? was)?.kind ?? null, was, is, path: rows.text("path", row), details: rows.text("details", row),
    tid: Number.isNaN(tid) ? null : tid, heap: rows.text("heap", row) || null, ...both,
  };
}

function weight(row: { change: Numbers }): number {
  const { rss, committed, size } = row.change;
  return Math.max(Math.abs(rss ?? 0), Math.abs(committed ?? 0)) * 1024 + Math.abs(size ?? 0);
}

/** Regions are in order of address on both sides. */
function regionRows(a: Rows, b: Rows): DiffRow[] {
  const rows: (DiffRow & { change: Numbers })[] = [];
  const add = (i: number, k: number): void => {
    const row = regionRow(a, i, b, k);
    if (row) rows.push(row);
  };
  let i = 0;
  let k = 0;
  while (i < a.count || k < b.count) {
    const was = i < a.count ? a.number("address", i) : Infinity;
    const is = k < b.count ? b.number("address", k) : Infinity;
    if (was === is) add(i++, k++);
    else if (was < is) add(i++, ABSENT);
    else add(ABSENT, k++);
  }
  return rows.sort((x, y) => weight(y) - weight(x));
}

export function diffOf(before: Snapshot, after: Snapshot): Diff {
  const elapsed = (Date.parse(after.head.taken_at ?? "") - Date.parse(before.head.taken_at ?? "")) * 1e6;
  return { types: typeRows(before, after), regions: regionRows(before.regions, after.regions), elapsed_ns: Number.isNaN(elapsed) ? null : elapsed, by_page: true };
}
