// What differs between two snapshots of a report: the document of `vmmap diff --json`, as far as the page shows it. Which
// region is which the library says (same.ts); each number is the library's after less the library's before.
import { identities, limits, modules, threads } from "./compareaccounts";
import { heapRows } from "./compareheaps";
import type { Rows } from "./rows";
import { formatAddress } from "./rows";
import type { Mates } from "./same";
import type { Snapshot } from "./snapshot";
import { APART, METRICS, type Diff, type DiffRow, type Metric, type TypeTotal } from "./types";

type Bounds = Partial<Record<Metric, number>>;
type Numbers = Partial<Record<Metric, number | null>> & { at_least?: Bounds };
/** Where before is only a lower bound the change is at most so much, where after is one at least. */
type Changes = Numbers & { at_most?: Bounds };

interface Sides {
  change: Changes;
  before: Numbers | null;
  after: Numbers | null;
}

type Compared = DiffRow & Sides;

/** Those that are a region's own: others depend on what other processes map. */
const OWN: readonly Metric[] = [
  "committed", "private", "rss", "locked", "swap", "anonymous", "dirty", "huge", "hugetlb", "lazyfree", "used",
];
const HEAPS: ReadonlySet<string> = new Set(["heap", "managed_heap", "total"]);

function valueOf(side: Numbers | null, id: Metric): { value: number; bound: boolean } | null {
  if (!side) return { value: 0, bound: false }; // what is not there has nothing of anything
  const value = side[id];
  if (typeof value === "number") return { value, bound: false };
  const bound = side.at_least?.[id];
  return typeof bound === "number" ? { value: bound, bound: true } : null;
}

/** As vmm_difference_of(): two bounds tell nothing of their difference. */
function sidesOf(before: Numbers | null, after: Numbers | null, kind: string): Sides {
  const change: Changes = {};
  for (const id of METRICS) {
    const was = valueOf(before, id);
    const is = valueOf(after, id);
    change[id] = null;
    if (!was || !is || (was.bound && is.bound)) continue;
    const by = is.value - was.value;
    if (was.bound) (change.at_most ??= {})[id] = by;
    else if (is.bound) (change.at_least ??= {})[id] = by;
    else if ((id !== "used" && id !== "unused") || HEAPS.has(kind)) change[id] = by;
  }
  return { change, before, after };
}

/** The words of changes.def that its numbers give. */
function ofNumbers({ change }: Sides): string[] {
  const words: string[] = [];
  if (change.size) words.push(change.size > 0 ? "grown" : "shrunk");
  if (OWN.some((id) => change[id])) words.push("changed");
  return words;
}

/** How much of a metric changed, bounds too; 0 where nothing is known. */
function amountOf({ change }: Sides, id: Metric): number {
  return Math.abs(change[id] ?? change.at_least?.[id] ?? change.at_most?.[id] ?? 0);
}

function totalsOf(total: TypeTotal | undefined): Numbers {
  const numbers: Numbers = Object.fromEntries(METRICS.map((id) => [id, total?.[id] ?? null]));
  if (total?.at_least) numbers.at_least = total.at_least;
  return numbers;
}

function isEmpty(total: TypeTotal | undefined): boolean {
  if (!total || total.regions || total.blocks) return !total;
  if (METRICS.some((id) => total[id] || total.at_least?.[id])) return false;
  return typeof total.size === "number" || !total.at_least;
}

function typeRow(kind: string, was: TypeTotal | undefined, is: TypeTotal | undefined): Compared {
  const sides = sidesOf(totalsOf(was), totalsOf(is), kind);
  const changes = ofNumbers(sides);
  const [before, after] = [was?.regions ?? null, is?.regions ?? null];
  const regions = { before, after, change: before === null || after === null ? null : after - before };
  return { state: changes[0] ?? "same", changes, kind, regions, ...sides };
}

function typeRows(before: Snapshot, after: Snapshot): DiffRow[] {
  const was = before.head.summary;
  const is = after.head.summary;
  const rows = is.types.flatMap((type) => {
    const other = was.types.find((t) => t.kind === type.kind);
    if (isEmpty(type) && isEmpty(other)) return [];
    const row = typeRow(type.kind, other, type);
    // Types add up in every number, also in those that make no change of a single region.
    return row.state !== "same" || METRICS.some((id) => amountOf(row, id)) || other?.regions !== type.regions ? [row] : [];
  });
  const apart = (row: DiffRow): boolean => APART.has(row.kind ?? "");
  return [...rows.filter((r) => !apart(r)), typeRow("total", was.total, is.total), ...rows.filter(apart)];
}

function numbersOf(rows: Rows, i: number): Numbers {
  const numbers: Numbers = {};
  for (const id of METRICS) {
    const v = rows.number(id, i);
    const bound = rows.isAtLeast(id, i);
    numbers[id] = Number.isNaN(v) || bound ? null : v;
    if (bound) (numbers.at_least ??= {})[id] = v;
  }
  return numbers;
}

interface Place {
  address: string;
  end: string;
  kind: string;
  protection: string;
}

function placeOf(rows: Rows, i: number): Place {
  return { address: formatAddress(rows.number("address", i)), end: formatAddress(rows.number("end", i)), kind: rows.text("kind", i), protection: rows.text("protection", i) };
}

/** A set of protections without what says shared or private, which cores do not tell. */
function withoutSharing(protection: string): string {
  return [...new Set(protection.split(",").map((p) => p.slice(0, 3).replaceAll(/[-s]/g, "")))].sort().join();
}

function protectionDiffers(was: string, is: string): boolean {
  return was.includes("?") || is.includes("?") ? withoutSharing(was) !== withoutSharing(is) : was !== is;
}

function apartFrom(was: Place, is: Place): boolean {
  return Number(was.end) <= Number(is.address) || Number(is.end) <= Number(was.address);
}

function changesOf(was: Place, is: Place, sides: Sides, sameLayout: boolean): string[] {
  const numbers = ofNumbers(sides);
  return [
    ...(was.kind === is.kind ? [] : ["retyped"]), ...numbers.filter((w) => w !== "changed"),
    ...(protectionDiffers(was.protection, is.protection) ? ["protected"] : []), ...(sameLayout && apartFrom(was, is) ? ["moved"] : []),
    ...numbers.filter((w) => w === "changed"),
  ];
}

/** -1: it is not there. Null: nothing changed. */
function regionRow(a: Rows, i: number, b: Rows, k: number, sameLayout: boolean): Compared | null {
  const was = i < 0 ? null : placeOf(a, i);
  const is = k < 0 ? null : placeOf(b, k);
  const kind = (is ?? was)?.kind ?? "";
  const sides = sidesOf(was && numbersOf(a, i), is && numbersOf(b, k), kind);
  const changes = !was ? ["new"] : !is ? ["gone"] : changesOf(was, is, sides, sameLayout);
  const state = changes[0];
  if (state === undefined) return null;
  const [rows, row] = is ? [b, k] : [a, i];
  const tid = rows.number("tid", row);
  const heap = rows.text("heap", row);
  return {
    state, changes, kind, was, is, path: rows.text("path", row), details: rows.text("details", row),
    ...(Number.isNaN(tid) ? {} : { tid }), ...(heap ? { heap } : {}), ...(rows.flag("outside", row) ? { outside: true } : {}), ...sides,
  };
}

const MEMORY: readonly Metric[] = ["committed", "rss", "used", "swap"];

/** What a change weighs: memory before address space, address space before what has no bytes. */
function byWeight(x: Compared, y: Compared): number {
  const memory = (row: Compared): number => Math.max(...MEMORY.map((id) => amountOf(row, id)));
  return memory(y) - memory(x) || (memory(x) ? 0 : amountOf(y, "size") - amountOf(x, "size"));
}

/** Regions that changed: by what changed most, else by address. */
function regionRows(a: Rows, b: Rows, mates: Mates): DiffRow[] {
  const rows: Compared[] = [];
  const matched = new Uint8Array(a.count);
  for (const i of mates.of) if (i >= 0) matched[i] = 1;
  const add = (i: number, k: number): void => {
    const row = regionRow(a, i, b, k, mates.sameLayout);
    if (row) rows.push(row);
  };
  let i = 0;
  for (let k = 0; k <= b.count; k++) {
    const to = k < b.count ? b.number("address", k) : Infinity;
    for (; i < a.count && (matched[i] || a.number("address", i) <= to); i++) if (!matched[i]) add(i, -1);
    if (k < b.count) add(mates.of[k] ?? -1, k);
  }
  return rows.sort(byWeight);
}

/** Nanoseconds since 1970; null: not told. */
function timeOf(time: string | null): bigint | null {
  const seconds = Math.floor(Date.parse(time ?? "") / 1000);
  if (Number.isNaN(seconds)) return null;
  return BigInt(seconds) * 1_000_000_000n + BigInt((/\.(\d{1,9})/.exec(time ?? "")?.[1] ?? "").padEnd(9, "0"));
}

export function diffOf(before: Snapshot, after: Snapshot, mates: Mates): Diff {
  const [from, to] = [timeOf(before.head.taken_at), timeOf(after.head.taken_at)];
  return {
    same_layout: mates.sameLayout, elapsed_ns: from === null || to === null ? null : Number(to - from), matched_by: mates.by,
    types: typeRows(before, after), regions: regionRows(before.regions, after.regions, mates),
    heaps: heapRows(before, after, mates), threads: threads(before, after, mates), modules: modules(before, after, mates),
    identities: identities(before, after), limits: limits(before, after), notes_before: before.head.notes, notes_after: after.head.notes,
  };
}
