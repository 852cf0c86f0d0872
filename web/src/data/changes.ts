// A snapshot made of the one before it and of what changed: rows that stand are copied from typed arrays, not parsed again.
import { Rows, type Column, type TextColumn } from "./rows";
import { firstBlocks, snapshotOf, type Snapshot } from "./snapshot";
import type { SnapshotJson } from "./types";

/** The document of the event "changes": its rows are those that are new or changed. */
export interface ChangesJson extends SnapshotJson {
  n: number;
  before: number;
  gone: string[];
}

/** Where a row comes from: index in the rows before, or ~index in those that changed. */
type Source = Int32Array;

function known(column: Column | undefined): boolean {
  if (!column) return false;
  if (column.type === "number") return column.values.some((v) => !Number.isNaN(v));
  if (column.type === "text") return column.index.some((i) => i !== 0);
  return true;
}

function gatherNumbers(a: Column | undefined, b: Column | undefined, from: Source): Column {
  const values = new Float64Array(from.length);
  const atLeast = new Set<number>();
  const was = a?.type === "number" ? a : null;
  const is = b?.type === "number" ? b : null;
  for (let i = 0; i < from.length; i++) {
    const s = from[i] ?? 0;
    const side = s >= 0 ? was : is;
    const row = s >= 0 ? s : ~s;
    values[i] = side?.values[row] ?? NaN;
    if (side && side.atLeast.size && side.atLeast.has(row)) atLeast.add(i);
  }
  return { type: "number", values, atLeast };
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

function gatherTexts(a: Column | undefined, b: Column | undefined, from: Source): Column {
  const was = a?.type === "text" ? a : null;
  const is = b?.type === "text" ? b : null;
  let texts = was?.texts ?? [""];
  let moved: number[] = [];
  if (is && is.index.length) {
    const places = new Map(texts.map((t, i) => [t, i]));
    const all = [...texts];
    moved = is.texts.map((t) => {
      let at = places.get(t);
      if (at === undefined) {
        at = all.push(t) - 1;
        places.set(t, at);
      }
      return at;
    });
    texts = all;
  }
  const index = new Uint32Array(from.length);
  for (let i = 0; i < from.length; i++) {
    const s = from[i] ?? 0;
    index[i] = s >= 0 ? (was?.index[s] ?? 0) : (moved[is?.index[~s] ?? 0] ?? 0);
  }
  return packTexts({ type: "text", texts, index });
}

function gatherFlags(a: Column | undefined, b: Column | undefined, from: Source): Column {
  const side = (c: Column | undefined, row: number): number => (c?.type === "flag" ? (c.values[row] ?? 0) : 0);
  return { type: "flag", values: Uint8Array.from(from, (s) => (s >= 0 ? side(a, s) : side(b, ~s))) };
}

/** Rows of both by their sources; a column that nothing is known of takes the type of the other side's. */
export function gather(before: Rows, changed: Rows, from: Source, own: ReadonlyMap<string, Column> = new Map()): Rows {
  const columns = new Map<string, Column>();
  for (const id of new Set([...before.ids(), ...changed.ids()])) {
    const a = before.column(id);
    const b = changed.column(id);
    const type = (known(a) || !known(b) ? (a ?? b) : b)?.type;
    const make = type === "text" ? gatherTexts : type === "flag" ? gatherFlags : gatherNumbers;
    columns.set(id, own.get(id) ?? make(a, b, from));
  }
  const chunks = new Map();
  if (before.chunks.size || changed.chunks.size)
    from.forEach((s, i) => {
      const of = s >= 0 ? before.chunks.get(s) : changed.chunks.get(~s);
      if (of) chunks.set(i, of);
    });
  return new Rows(from.length, columns, chunks);
}

/** Regions of both by address: those that changed instead of what they were, without those that are gone. */
function regionSources(before: Rows, changed: Rows, gone: ReadonlySet<number>): Source {
  const from: number[] = [];
  let a = 0;
  let b = 0;
  while (a < before.count || b < changed.count) {
    const was = a < before.count ? before.number("address", a) : Infinity;
    const is = b < changed.count ? changed.number("address", b) : Infinity;
    if (was < is) {
      if (!gone.has(was)) from.push(a);
      a++;
    } else {
      from.push(~b);
      b++;
      if (was === is) a++;
    }
  }
  return Int32Array.from(from);
}

function blockSources(before: Snapshot, changed: Snapshot, regions: Source): { from: Source; region: Float64Array } {
  const from: number[] = [];
  const region: number[] = [];
  regions.forEach((s, i) => {
    const side = s >= 0 ? before : changed;
    const row = s >= 0 ? s : ~s;
    for (let k = side.firstBlock[row] ?? 0; k < (side.firstBlock[row + 1] ?? 0); k++) {
      from.push(s >= 0 ? k : ~k);
      region.push(i);
    }
  });
  return { from: Int32Array.from(from), region: Float64Array.from(region) };
}

export function applyChanges(before: Snapshot, document: ChangesJson): Snapshot {
  const changed = snapshotOf(document);
  const from = regionSources(before.regions, changed.regions, new Set(document.gone.map(Number)));
  const regions = gather(before.regions, changed.regions, from);
  const owned = blockSources(before, changed, from);
  const region: Column = { type: "number", values: owned.region, atLeast: new Set() };
  const blocks = gather(before.blocks, changed.blocks, owned.from, new Map([["region", region]]));
  // Many gaps that are as they were are not sent again.
  const gaps = document.gaps ? changed.gaps : before.gaps;
  return { ...changed, regions, blocks, gaps, firstBlock: firstBlocks(regions, blocks) };
}
