// A snapshot made of the one before it and of what changed. A column in which nothing changed stays the very same object, so
// that what was made of it (orders, ranks of texts) holds; of the others whole runs are copied, and rows are not parsed again.
import { Rows, type Column, type FlagColumn, type NumberColumn, type TextColumn } from "./rows";
import { firstBlocks, snapshotOf, type Snapshot } from "./snapshot";
import type { SnapshotJson } from "./types";

/** The document of the event "changes": its rows are those that are new or changed. */
export interface ChangesJson extends SnapshotJson {
  n: number;
  before: number;
  gone: string[];
}

/** Rows to .. to + length - 1 are those from `at` on, of the rows that changed or of those before. */
interface Run {
  to: number;
  changed: boolean;
  at: number;
  length: number;
}

/** Where the rows of what is made come from. */
export interface Sources {
  count: number;
  runs: readonly Run[];
  /** No row is new or gone: what changed stands where it stood. */
  inPlace: boolean;
}

const NONE: ReadonlySet<number> = new Set();

class SourcesBuilder {
  private readonly runs: Run[] = [];
  private count = 0;

  add(changed: boolean, at: number, length: number): void {
    if (!length) return;
    const last = this.runs.at(-1);
    if (last && last.changed === changed && last.at + last.length === at) last.length += length;
    else this.runs.push({ to: this.count, changed, at, length });
    this.count += length;
  }

  done(before: number): Sources {
    const { runs, count } = this;
    return { count, runs, inPlace: count === before && runs.every((r) => r.changed || r.to === r.at) };
  }
}

function known(column: Column): boolean {
  if (column.type === "number") return column.values.some((v) => !Number.isNaN(v));
  return column.type === "flag" || column.index.some((i) => i !== 0);
}

/** A column that nothing is known of has no type of its own: it takes that of the other side's. */
function typeOf(a: Column | undefined, b: Column | undefined): Column["type"] | undefined {
  if (!a || !b || a.type === b.type) return (a ?? b)?.type;
  return known(a) || !known(b) ? a.type : b.type;
}

/** Whether all rows that changed have in this column what they had. */
function stands(from: Sources, same: (was: number, is: number) => boolean): boolean {
  if (!from.inPlace) return false;
  for (const r of from.runs)
    if (r.changed) for (let i = 0; i < r.length; i++) if (!same(r.to + i, r.at + i)) return false;
  return true;
}

/** Copies runs; of a side without such a column nothing is known. */
function copied<T extends Float64Array | Uint32Array | Uint8Array>(from: Sources, values: T, was: T | undefined, is: T | undefined, unknown: number): T {
  if (from.inPlace && was) (values as Float64Array).set(was as Float64Array);
  for (const r of from.runs) {
    if (from.inPlace && was && !r.changed) continue;
    const side = r.changed ? is : was;
    if (side) (values as Float64Array).set(side.subarray(r.at, r.at + r.length) as Float64Array, r.to);
    else values.fill(unknown, r.to, r.to + r.length);
  }
  return values;
}

function boundsOf(from: Sources, was: NumberColumn | null, is: NumberColumn | null): ReadonlySet<number> {
  if (!was?.atLeast.size && !is?.atLeast.size) return NONE;
  const bounds = new Set<number>();
  for (const r of from.runs) {
    const side = (r.changed ? is : was)?.atLeast;
    if (side?.size) for (let i = 0; i < r.length; i++) if (side.has(r.at + i)) bounds.add(r.to + i);
  }
  return bounds;
}

function gatherNumbers(a: Column | undefined, b: Column | undefined, from: Sources): NumberColumn {
  const was = a?.type === "number" ? a : null;
  const is = b?.type === "number" ? b : null;
  const same = (i: number, j: number): boolean =>
    Object.is(was?.values[i], is ? is.values[j] : NaN) && was?.atLeast.has(i) === (is?.atLeast.has(j) ?? false);
  if (was && stands(from, same)) return was;
  return { type: "number", values: copied(from, new Float64Array(from.count), was?.values, is?.values, NaN), atLeast: boundsOf(from, was, is) };
}

/** Texts that are used no more would pile up over a long time: now and then only those in use are kept. */
function packTexts(column: TextColumn): TextColumn {
  if (column.texts.length <= 2 * column.index.length + 64) return column;
  const texts = [""];
  const places = new Int32Array(column.texts.length).fill(-1);
  places[0] = 0;
  const index = column.index.map((old) => {
    if ((places[old] ?? -1) < 0) {
      places[old] = texts.length;
      texts.push(column.texts[old] ?? "");
    }
    return places[old] ?? 0;
  });
  return { type: "text", texts, index };
}

/** The texts of both, and where those of the rows that changed stand among them. */
function joinTexts(was: readonly string[], is: TextColumn): { texts: readonly string[]; index: Uint32Array } {
  const places = new Map(was.map((t, i) => [t, i]));
  const more: string[] = [];
  const moved = is.texts.map((t) => {
    const at = places.get(t) ?? was.length + more.push(t) - 1;
    places.set(t, at);
    return at;
  });
  return { texts: more.length ? [...was, ...more] : was, index: is.index.map((i) => moved[i] ?? 0) };
}

function gatherTexts(a: Column | undefined, b: Column | undefined, from: Sources): TextColumn {
  const was = a?.type === "text" ? a : null;
  const is = b?.type === "text" ? b : null;
  if (was && stands(from, (i, j) => (was.texts[was.index[i] ?? 0] ?? "") === (is?.texts[is.index[j] ?? 0] ?? ""))) return was;
  const joined = is?.index.length ? joinTexts(was?.texts ?? [""], is) : { texts: was?.texts ?? [""], index: undefined };
  return packTexts({ type: "text", texts: joined.texts, index: copied(from, new Uint32Array(from.count), was?.index, joined.index, 0) });
}

function gatherFlags(a: Column | undefined, b: Column | undefined, from: Sources): FlagColumn {
  const was = a?.type === "flag" ? a : null;
  const is = b?.type === "flag" ? b : null;
  if (was && stands(from, (i, j) => was.values[i] === (is?.values[j] ?? 0))) return was;
  return { type: "flag", values: copied(from, new Uint8Array(from.count), was?.values, is?.values, 0) };
}

/** Rows of both by their sources. `own` are columns that are not to be gathered. */
export function gather(before: Rows, changed: Rows, from: Sources, own: ReadonlyMap<string, Column> = new Map()): Rows {
  const columns = new Map<string, Column>();
  for (const id of new Set([...before.ids(), ...changed.ids()])) {
    const a = before.column(id);
    const b = changed.column(id);
    const type = own.has(id) ? null : typeOf(a, b);
    const make = type === "text" ? gatherTexts : type === "flag" ? gatherFlags : gatherNumbers;
    columns.set(id, own.get(id) ?? make(a, b, from));
  }
  const chunks = new Map();
  if (before.chunks.size || changed.chunks.size)
    for (const r of from.runs) {
      const side = r.changed ? changed.chunks : before.chunks;
      for (let i = 0; i < r.length; i++) {
        const of = side.get(r.at + i);
        if (of) chunks.set(r.to + i, of);
      }
    }
  return new Rows(from.count, columns, chunks);
}

function numbersOf(rows: Rows, id: string): Float64Array {
  const c = rows.column(id);
  return c?.type === "number" ? c.values : new Float64Array(rows.count).fill(NaN);
}

/** Regions of both by address: those that changed instead of what they were, without those that are gone. */
function regionSources(before: Rows, changed: Rows, gone: ReadonlySet<number>): Sources {
  const from = new SourcesBuilder();
  const was = numbersOf(before, "address");
  const is = numbersOf(changed, "address");
  let a = 0;
  for (let b = 0; b <= changed.count; b++) {
    const next = b < changed.count ? (is[b] ?? Infinity) : Infinity;
    for (; a < before.count && (was[a] ?? Infinity) < next; a++) if (!gone.has(was[a] ?? NaN)) from.add(false, a, 1);
    if (b === changed.count) break;
    from.add(true, b, 1);
    if (was[a] === next) a++;
  }
  return from.done(before.count);
}

function blockSources(before: Snapshot, changed: Snapshot, regions: Sources): Sources {
  const from = new SourcesBuilder();
  for (const r of regions.runs) {
    const { firstBlock } = r.changed ? changed : before;
    const first = firstBlock[r.at] ?? 0;
    from.add(r.changed, first, (firstBlock[r.at + r.length] ?? first) - first);
  }
  return from.done(before.blocks.count);
}

/** The index of its region for each block. */
function owners(before: Snapshot, changed: Snapshot, regions: Sources, count: number): Column {
  const values = new Float64Array(count);
  let to = 0;
  for (const r of regions.runs) {
    const { firstBlock } = r.changed ? changed : before;
    for (let i = 0; i < r.length; i++)
      for (let k = firstBlock[r.at + i] ?? 0; k < (firstBlock[r.at + i + 1] ?? 0); k++) values[to++] = r.to + i;
  }
  return { type: "number", values, atLeast: NONE };
}

function sameRows(a: Rows, b: Rows): boolean {
  const ids = b.ids();
  const same = (id: string, row: number): boolean => a.text(id, row) === b.text(id, row) && Object.is(a.number(id, row), b.number(id, row));
  return a.count === b.count && a.ids().length === ids.length && ids.every((id) => Array.from({ length: b.count }, (_, row) => same(id, row)).every(Boolean));
}

export function applyChanges(before: Snapshot, document: ChangesJson): Snapshot {
  const changed = snapshotOf(document);
  const from = regionSources(before.regions, changed.regions, new Set(document.gone.map(Number)));
  const regions = gather(before.regions, changed.regions, from);
  const ofBlocks = blockSources(before, changed, from);
  // Blocks may have moved from one region to its neighbour while all of them stay in their places.
  const region = owners(before, changed, from, ofBlocks.count);
  const blocks = gather(before.blocks, changed.blocks, ofBlocks, new Map([["region", region]]));
  // Many gaps that are as they were are not sent again; few are.
  const gaps = document.gaps && !sameRows(before.gaps, changed.gaps) ? changed.gaps : before.gaps;
  return { ...changed, regions, blocks, gaps, firstBlock: firstBlocks(regions, blocks) };
}
